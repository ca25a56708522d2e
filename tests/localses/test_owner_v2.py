"""The owner's calls of API v2, by a real client; botocore's model validates every answer."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localses.running import parsed, validated
from tests.localses.test_owner_v1 import ARN, policy

NAME = {"EmailIdentity": "example.com"}


@pytest.fixture
def ses(door):
    client = validated(door.client("sesv2"))
    client.create_email_identity(EmailIdentity="example.com", Tags=[{"Key": "team", "Value": "mail"}])
    return client


def refused(call: Any, **asked: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**asked)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_one_call_tells_status_and_policies(ses):
    ses.create_email_identity_policy(**NAME, PolicyName="a", Policy=policy())

    told = ses.get_email_identity(EmailIdentity=ARN)

    assert (told["IdentityType"], told["VerificationStatus"]) == ("DOMAIN", "SUCCESS")
    assert told["VerifiedForSendingStatus"] is True
    assert told["Policies"] == {"a": policy()}
    assert told["Tags"] == [{"Key": "team", "Value": "mail"}]
    assert len(told["DkimAttributes"]["Tokens"]) == 3


def test_update_of_an_existing_and_of_an_absent_policy(ses):
    """Both succeed, as the API reference has it; only create minds that there is one."""
    ses.create_email_identity_policy(**NAME, PolicyName="there", Policy=policy())

    for name in ("there", "absent"):
        ses.update_email_identity_policy(**NAME, PolicyName=name, Policy=policy(Effect="Deny"))

    policies = ses.get_email_identity_policies(**NAME)["Policies"]
    assert policies == {"there": policy(Effect="Deny"), "absent": policy(Effect="Deny")}
    refusal = refused(ses.create_email_identity_policy, **NAME, PolicyName="there", Policy=policy())
    assert refusal[:2] == (400, "AlreadyExistsException")


def test_a_policy_is_deleted_even_when_it_is_gone(ses):
    ses.create_email_identity_policy(**NAME, PolicyName="a", Policy=policy())
    for _ in range(2):
        ses.delete_email_identity_policy(**NAME, PolicyName="a")

    assert ses.get_email_identity_policies(**NAME)["Policies"] == {}


def test_what_v1_puts_v2_tells(door, ses):
    door.client().put_identity_policy(Identity="example.com", PolicyName="a", Policy=policy())

    assert ses.get_email_identity_policies(**NAME)["Policies"] == {"a": policy()}


def test_the_list_comes_in_pages_by_post_and_by_get(door, ses):
    for number in range(4):
        ses.create_email_identity(EmailIdentity=f"a{number}@example.com")

    pages: list[list[str]] = []
    token: dict[str, str] | None = {}
    while token is not None:
        page = ses.list_email_identities(PageSize=2, **token)
        pages.append([each["IdentityName"] for each in page["EmailIdentities"]])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    path = "/v2/email/identities"
    status, _, body = door.ask("GET", path, None, door.signed("GET", path, b"", {}))

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == [
        each["IdentityName"] for each in json.loads(body)["EmailIdentities"]
    ]
    assert status == 200


def test_an_identity_is_made_once_and_deleted_once(ses):
    assert refused(ses.create_email_identity, **NAME) == (
        400,
        "AlreadyExistsException",
        "Email identity example.com already exist.",
    )
    ses.delete_email_identity(**NAME)
    assert refused(ses.delete_email_identity, **NAME) == (
        404,
        "NotFoundException",
        "Email identity example.com does not exist.",
    )


def test_a_domain_signs_with_a_key_of_its_owner_or_of_ses(ses):
    """The private key is never told again."""
    key = {"DomainSigningSelector": "mine", "DomainSigningPrivateKey": "aGVsbG8="}
    own = ses.put_email_identity_dkim_signing_attributes(
        **NAME, SigningAttributesOrigin="EXTERNAL", SigningAttributes=key
    )
    told = ses.get_email_identity(**NAME)
    easy = ses.put_email_identity_dkim_signing_attributes(
        **NAME, SigningAttributesOrigin="AWS_SES", SigningAttributes={"NextSigningKeyLength": "RSA_1024_BIT"}
    )

    assert own["DkimTokens"] == told["DkimAttributes"]["Tokens"] == ["mine"]
    assert told["DkimAttributes"]["SigningAttributesOrigin"] == "EXTERNAL"
    assert "aGVsbG8=" not in str(told)
    assert (len(easy["DkimTokens"]), easy["SigningHostedZone"]) == (3, "dkim.amazonses.com")


def test_a_mail_from_domain_and_tags_come_and_go(ses):
    ses.put_email_identity_mail_from_attributes(
        **NAME, MailFromDomain="mail.example.com", BehaviorOnMxFailure="REJECT_MESSAGE"
    )
    ses.tag_resource(ResourceArn=ARN, Tags=[{"Key": "a", "Value": "1"}, {"Key": "team", "Value": "ops"}])
    ses.untag_resource(ResourceArn=ARN, TagKeys=["a", "absent"])

    told = ses.get_email_identity(**NAME)
    tags = ses.list_tags_for_resource(ResourceArn=ARN)["Tags"]

    assert told["MailFromAttributes"] == {
        "MailFromDomain": "mail.example.com",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "REJECT_MESSAGE",
    }
    assert tags == told["Tags"] == [{"Key": "team", "Value": "ops"}]


def test_the_account_is_in_good_standing(ses):
    told = ses.get_account()

    assert (told["EnforcementStatus"], told["ProductionAccessEnabled"], told["SendingEnabled"]) == (
        "HEALTHY",
        True,
        True,
    )
    assert told["SendQuota"]["SentLast24Hours"] == 0


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"Policy": 1}', b'"x"'])
def test_a_body_that_is_no_request_is_refused(door, ses, body):
    path = "/v2/email/identities/example.com/policies/a"
    headers = door.signed("POST", path, body, {"content_type": "application/json"})

    status, headers, answer = door.ask("POST", path, body, headers)

    told = parsed("sesv2", "CreateEmailIdentityPolicy", status, headers, answer)["Error"]
    assert (status, told["Code"]) == (400, "SerializationException")
