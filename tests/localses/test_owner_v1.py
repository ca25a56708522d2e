"""The owner's calls of API v1, by a real client; botocore's model validates every answer."""

import json
from importlib.resources import files
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.identities import FolderIdentities
from relay.localses.keys import DEMO_KEYS, Key
from tests.localses.running import validated

ARN = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
BILLING = "arn:aws:iam::111111111111:user/billing"


def policy(arn: str = ARN, **changed: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": BILLING}, "Action": "ses:SendRawEmail", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **changed}]})


@pytest.fixture
def ses(door):
    client = validated(door.client())
    client.verify_domain_identity(Domain="example.com")
    return client


def refused(call: Any, **asked: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**asked)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_policy_is_put_read_replaced_and_deleted(ses):
    """Put is an upsert, the text comes back as it was put, and deleting twice is no mistake."""
    odd = policy() + "\n  "
    ses.put_identity_policy(Identity="example.com", PolicyName="a", Policy=policy())
    ses.put_identity_policy(Identity=ARN, PolicyName="a", Policy=odd)
    ses.put_identity_policy(Identity="EXAMPLE.com", PolicyName="b", Policy=policy(Effect="Deny"))

    names = ses.list_identity_policies(Identity="example.com")["PolicyNames"]
    read = ses.get_identity_policies(Identity=ARN, PolicyNames=["a", "absent"])["Policies"]
    for _ in range(2):
        ses.delete_identity_policy(Identity="example.com", PolicyName="a")

    assert (names, read) == (["a", "b"], {"a": odd})
    assert ses.list_identity_policies(Identity=ARN)["PolicyNames"] == ["b"]


def test_aws_own_example_is_taken_verbatim(house):
    """The example of botocore's documentation, whose account is literally EXAMPLE65304."""
    data = files("botocore") / "data" / "ses" / "2010-12-01" / "examples-1.json"
    [example] = json.loads(data.read_text())["examples"]["PutIdentityPolicy"]
    key = Key("AKIAEXAMPLE", "secret", "arn:aws:iam::EXAMPLE65304:user/owner")
    with house.running(LocalSes([key])) as door:
        ses = validated(door.client(key=key.id, secret=key.secret))
        ses.verify_domain_identity(Domain="example.com")

        ses.put_identity_policy(**example["input"])

        read = ses.get_identity_policies(Identity="example.com", PolicyNames=["MyPolicy"])
    assert read["Policies"] == {"MyPolicy": example["input"]["Policy"]}


def test_the_twenty_first_policy_is_one_too_many(ses):
    """Twenty fit; one of them may still be replaced."""
    for number in range(20):
        ses.put_identity_policy(Identity="example.com", PolicyName=f"p{number}", Policy=policy())

    refusal = refused(ses.put_identity_policy, Identity="example.com", PolicyName="p20", Policy=policy())
    ses.put_identity_policy(Identity="example.com", PolicyName="p19", Policy=policy(Effect="Deny"))

    assert refusal[0] == "LimitExceeded"


def test_four_kib_are_taken_and_not_one_octet_more(ses):
    fits = policy().ljust(4096)
    ses.put_identity_policy(Identity="example.com", PolicyName="a", Policy=fits)

    assert refused(ses.put_identity_policy, Identity="example.com", PolicyName="a", Policy=fits + " ")[0] == (
        "InvalidPolicy"
    )


def test_ses_own_words_about_a_condition_key(ses):
    condition = {"StringEquals": {"AWS:SourceAccount": "111111111111"}}

    refusal = refused(
        ses.put_identity_policy, Identity="example.com", PolicyName="a", Policy=policy(Condition=condition)
    )

    assert refusal == ("InvalidPolicy", "Unknown or unapplicable condition field 'AWS:SourceAccount'.")


def test_identities_are_verified_at_once_listed_by_pages_and_deleted(ses):
    ses.verify_email_identity(EmailAddress="Ceo@Example.com")
    ses.verify_domain_dkim(Domain="Other.example")

    pages = [
        page["Identities"] for page in ses.get_paginator("list_identities").paginate(PaginationConfig={"PageSize": 2})
    ]
    domains = ses.list_identities(IdentityType="Domain")["Identities"]
    told = ses.get_identity_verification_attributes(Identities=["Ceo@Example.com", "example.com", "absent.example"])
    for _ in range(2):
        ses.delete_identity(Identity="example.com")

    assert pages == [["Ceo@Example.com", "example.com"], ["other.example"]]
    assert domains == ["example.com", "other.example"]
    attributes = told["VerificationAttributes"]
    assert {name: each["VerificationStatus"] for name, each in attributes.items()} == {
        "Ceo@Example.com": "Success",
        "example.com": "Success",
    }
    assert attributes["example.com"]["VerificationToken"]
    assert ses.list_identities()["Identities"] == ["Ceo@Example.com", "other.example"]


def test_dkim_tokens_are_the_same_whenever_they_are_asked_for(ses):
    """A domain that was only verified does not sign."""
    before = ses.get_identity_dkim_attributes(Identities=["example.com"])["DkimAttributes"]["example.com"]
    tokens = ses.verify_domain_dkim(Domain="example.com")["DkimTokens"]
    after = ses.get_identity_dkim_attributes(Identities=[ARN])["DkimAttributes"][ARN]

    assert before == {"DkimEnabled": False, "DkimVerificationStatus": "NotStarted"}
    assert after == {"DkimEnabled": True, "DkimVerificationStatus": "Success", "DkimTokens": tokens}
    assert len({*tokens}) == 3


def test_a_mail_from_domain_is_set_told_and_taken_away(ses):
    def told() -> Any:
        answer = ses.get_identity_mail_from_domain_attributes(Identities=["example.com"])
        return answer["MailFromDomainAttributes"]["example.com"]

    asked = {"Identity": "example.com", "MailFromDomain": "mail.example.com"}
    ses.set_identity_mail_from_domain(**asked, BehaviorOnMXFailure="RejectMessage")
    assert told() == {
        "MailFromDomain": "mail.example.com",
        "MailFromDomainStatus": "Success",
        "BehaviorOnMXFailure": "RejectMessage",
    }
    assert refused(ses.set_identity_mail_from_domain, Identity="example.com", MailFromDomain="mail.example.net") == (
        "InvalidParameterValue",
        "Provided MAIL-FROM domain <mail.example.net> is not subdomain of the domain of the identity <example.com>.",
    )
    ses.set_identity_mail_from_domain(Identity="example.com")
    assert not ses.get_identity_mail_from_domain_attributes(Identities=["example.com"])["MailFromDomainAttributes"]


def test_nobody_paused_the_account(ses):
    assert ses.get_account_sending_enabled()["Enabled"] is True


def test_accounts_and_regions_are_strangers_to_each_other(house):
    other = Key("AKIAOTHER", "secret", "arn:aws:iam::111111111111:user/other")
    with house.running(LocalSes([*DEMO_KEYS, other])) as door:
        ses, stranger = door.client(), door.client(key=other.id, secret=other.secret)
        ses.verify_domain_identity(Domain="example.com")

        assert stranger.list_identities()["Identities"] == []
        assert door.client(region="eu-west-1").list_identities()["Identities"] == []
        assert refused(stranger.put_identity_policy, Identity=ARN, PolicyName="a", Policy=policy()) == (
            "AccessDenied",
            f"User `{other.principal}' is not authorized to perform `ses:PutIdentityPolicy' on resource `{ARN}'",
        )


def test_a_folder_holds_the_policies_as_the_relay_reads_them(house, tmp_path):
    """``ACCOUNT/REGION/IDENTITY/NAME.json``; what is written there by hand counts at once, nothing else is left."""
    home = tmp_path / "888888888888" / "us-east-1"
    with house.running(LocalSes(DEMO_KEYS, identities=FolderIdentities(tmp_path))) as door:
        ses = validated(door.client())
        tokens = ses.verify_domain_dkim(Domain="example.com")["DkimTokens"]
        ses.put_identity_policy(Identity="example.com", PolicyName="a", Policy=policy())
        assert (home / "example.com" / "a.json").read_text() == policy()
        assert [path.name for path in home.rglob("*.json") if path.name[0] != "."] == ["a.json"]

        (home / "example.com" / "b.json").write_text("{}")
        (home / "by-hand.example").mkdir()

        assert ses.list_identity_policies(Identity="example.com")["PolicyNames"] == ["a", "b"]
        assert ses.list_identities()["Identities"] == ["by-hand.example", "example.com"]
        ses.delete_identity_policy(Identity="example.com", PolicyName="b")
        ses.delete_identity(Identity="by-hand.example")

    with house.running(LocalSes(DEMO_KEYS, identities=FolderIdentities(tmp_path))) as door:
        ses = validated(door.client())
        told = ses.get_identity_dkim_attributes(Identities=["example.com"])["DkimAttributes"]
        assert told["example.com"]["DkimTokens"] == tokens
        ses.delete_identity(Identity="example.com")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("region", ["..", "../..", "us-east-1/../..", ""])
def test_a_region_is_no_way_out_of_the_folder(house, tmp_path, region):
    """Believed without a signature, a request names any region: nothing outside of the folder is touched."""
    ses = LocalSes(DEMO_KEYS, identities=FolderIdentities(tmp_path / "deep" / "state"), verify_signatures=False)
    body = b"Action=VerifyDomainIdentity&Version=2010-12-01&Domain=example.com"
    scope = f"AKIADEMOOWNER0000000/20261121/{region.replace('/', '%2F')}/ses/aws4_request"
    with house.running(ses) as door:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Credential={scope}"}
        status, _, _ = door.ask("POST", "/", body, headers)

    assert status == 403
    assert list(tmp_path.rglob("*")) == []
