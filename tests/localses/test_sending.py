"""Who may send: policies, sessions of roles, and messages that SES composes."""

import base64
import email
import email.policy
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS, Key
from relay.localses.quota import Allowance
from relay.localses.sessions import Role
from tests.localses.running import Clock, validated

DOMAIN = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
CEO = "arn:aws:ses:us-east-1:888888888888:identity/ceo@example.com"
BILLING = Key("AKIABILLING", "secret", "arn:aws:iam::111111111111:user/billing")
ROLE = Role("arn:aws:iam::222222222222:role/team/news", ("111111111111",), "x-9")
SESSION = "arn:aws:sts::222222222222:assumed-role/news/evening"
RAW = b"From: Ann <ann@example.com>\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n"


def policy(arn: str, principal: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "ses:SendRawEmail", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **more}]})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def door(house, clock):
    with house.running(LocalSes([*DEMO_KEYS, BILLING], roles=[ROLE], clock=clock)) as door:
        door.client().verify_domain_identity(Domain="example.com")
        yield door


def put(door: Any, identity: str, text: str) -> None:
    door.client().put_identity_policy(Identity=identity, PolicyName="p", Policy=text)


def send(client: Any, raw: bytes = RAW, **more: Any) -> str:
    """``sent``, or the code of the refusal."""
    asked = {"Source": "ann@example.com", "SourceArn": DOMAIN, "Destinations": ["b@example.net"], **more}
    try:
        client.send_raw_email(RawMessage={"Data": raw}, **asked)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "sent"


def test_another_account_sends_by_a_policy_only_and_by_its_conditions(door):
    """Until a policy lets it, and after it is gone, a delegate is refused in SES's words."""
    delegate = door.client(key=BILLING.id, secret=BILLING.secret)
    before = send(delegate)
    put(
        door,
        "example.com",
        policy(DOMAIN, BILLING.principal, Condition={"StringEquals": {"ses:FromAddress": "ann@example.com"}}),
    )
    during, other = send(delegate), send(delegate, RAW.replace(b"ann@", b"bob@"))
    door.client().delete_identity_policy(Identity="example.com", PolicyName="p")
    with pytest.raises(ClientError) as caught:
        delegate.send_raw_email(RawMessage={"Data": RAW}, SourceArn=DOMAIN)

    assert (before, during, other) == ("AccessDenied", "sent", "AccessDenied")
    assert caught.value.response["Error"]["Message"] == (
        f"User `{BILLING.principal}' is not authorized to perform `ses:SendRawEmail' on resource `{DOMAIN}'"
    )


def test_the_arn_may_stand_in_the_message_and_the_parameter_goes_before_it(door):
    put(door, "example.com", policy(DOMAIN, BILLING.principal))
    delegate = door.client(key=BILLING.id, secret=BILLING.secret)
    nowhere = DOMAIN.replace("example.com", "absent.example").encode()
    in_fields = b"".join(b"X-SES-%s-ARN: %s\r\n" % (name, DOMAIN.encode()) for name in (b"SOURCE", b"FROM"))

    assert send(delegate, in_fields + RAW, SourceArn="") == "InvalidParameterValue"
    delegate.send_raw_email(RawMessage={"Data": in_fields + RAW})
    assert send(delegate, b"X-SES-SOURCE-ARN: %s\r\n" % nowhere + RAW) == "sent"


def test_an_owner_may_send_unless_a_policy_denies_it(door):
    owner = door.client()
    assert send(owner) == "sent"
    put(door, "example.com", policy(DOMAIN, DEMO_KEYS[0].principal, Effect="Deny"))
    assert send(owner) == "AccessDenied"


def test_policies_of_an_address_go_before_those_of_its_domain(door):
    """In both directions, whichever of the two is named."""
    door.client().verify_email_identity(EmailAddress="ceo@example.com")
    delegate = door.client(key=BILLING.id, secret=BILLING.secret)
    raw = RAW.replace(b"ann@", b"ceo@")
    put(door, "example.com", policy(DOMAIN, BILLING.principal))
    assert send(delegate, raw, Source="ceo@example.com") == "sent"

    put(door, "ceo@example.com", policy(CEO, "arn:aws:iam::888888888888:user/assistant"))

    assert send(delegate, raw, Source="ceo@example.com") == "AccessDenied"
    assert send(delegate) == "sent"


def test_an_identity_covers_its_own_addresses_only(door):
    put(door, "example.com", policy(DOMAIN, BILLING.principal))
    delegate = door.client(key=BILLING.id, secret=BILLING.secret)

    assert send(delegate, RAW.replace(b"ann@example.com", b"ann@example.net")) == "MessageRejected"
    assert send(delegate, RAW.replace(b"ann@example.com", b"ann@sub.example.com")) == "sent"
    assert send(delegate, Source="ann@example.net") == "MessageRejected"


def test_a_realistic_one_lets_nobody_send_who_was_not_verified_and_owners_wait(house, clock):
    with house.running(LocalSes(DEMO_KEYS, allowance=Allowance(realistic=True), clock=clock)) as door:
        owner, v2 = door.client(), door.client("sesv2")
        with pytest.raises(ClientError) as caught:
            owner.send_raw_email(RawMessage={"Data": RAW})
        clock.seconds = 10
        owner.verify_domain_identity(Domain="example.com")
        with pytest.raises(ClientError, match=r"Throttling.*Rate exceeded"):
            owner.list_identities()
        with pytest.raises(v2.exceptions.TooManyRequestsException):
            v2.list_email_identities()
        assert send(owner) == send(owner) == "sent"
        clock.seconds = 12
        assert owner.list_identities()["Identities"] == ["example.com"]

    assert caught.value.response["Error"] == {
        "Type": "Sender",
        "Code": "MessageRejected",
        "Message": "Email address is not verified. The following identities failed the check in region US-EAST-1: "
        "ann@example.com",
    }


def assumed(door: Any, **more: Any) -> dict[str, Any]:
    sts = validated(door.client("sts", key=BILLING.id, secret=BILLING.secret))
    return dict(sts.assume_role(RoleArn=ROLE.arn, RoleSessionName="evening", ExternalId="x-9", **more))


def test_a_session_is_its_role(door):
    """STS gives out a key that policies know by role and by session; the token goes with it."""
    given = assumed(door)
    credentials = given["Credentials"]
    boto = {"key": credentials["AccessKeyId"], "secret": credentials["SecretAccessKey"]}
    with_token = door.client(**boto, token=credentials["SessionToken"])

    assert given["AssumedRoleUser"]["Arn"] == SESSION
    assert door.client("sts", **boto, token=credentials["SessionToken"]).get_caller_identity()["Arn"] == SESSION
    assert send(with_token) == "AccessDenied"
    for principal in (ROLE.arn, SESSION, "222222222222"):
        put(door, "example.com", policy(DOMAIN, principal))
        assert send(with_token) == "sent"
    put(door, "example.com", policy(DOMAIN, SESSION.replace("evening", "morning")))
    assert send(with_token) == "AccessDenied"
    assert send(door.client(**boto)) == "InvalidClientTokenId"
    assert send(door.client(**boto, token="wrong")) == "InvalidClientTokenId"


def test_a_session_ends(house):
    ended = Key("ASIAENDED", "secret", SESSION, token="token", ends=1_000_000.0)
    with house.running(LocalSes([ended])) as door:
        assert send(door.client(key=ended.id, secret=ended.secret, token="token")) == "ExpiredToken"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"ExternalId": "wrong"}, "AccessDenied"),
        ({"ExternalId": None}, "AccessDenied"),
        ({"RoleArn": "arn:aws:iam::222222222222:role/other"}, "AccessDenied"),
        ({"RoleSessionName": "a b"}, "ValidationError"),
        ({"RoleSessionName": "a"}, "ValidationError"),
        ({"DurationSeconds": 899}, "ValidationError"),
        ({"DurationSeconds": 43_201}, "ValidationError"),
        ({"Policy": "{}"}, "ValidationError"),
    ],
)
def test_who_may_not_assume_a_role(door, asked, code):
    sts = door.client("sts", key=BILLING.id, secret=BILLING.secret, checks=False)
    whole = {"RoleArn": ROLE.arn, "RoleSessionName": "evening", "ExternalId": "x-9", **asked}
    given = {name: value for name, value in whole.items() if value is not None}

    with pytest.raises(ClientError) as caught:
        sts.assume_role(**given)

    assert caught.value.response["Error"]["Code"] == code


def test_the_owner_is_trusted_by_nobody(door):
    """A role trusts whom it lists; the demo's owner is of another account."""
    with pytest.raises(ClientError, match="AccessDenied"):
        door.client("sts").assume_role(RoleArn=ROLE.arn, RoleSessionName="evening", ExternalId="x-9")


CONTENT = {"Subject": {"Data": "Grüße", "Charset": "UTF-8"}}
BODY = {"Text": {"Data": "plain ü", "Charset": "UTF-8"}, "Html": {"Data": "<p>ü</p>", "Charset": "ISO-8859-1"}}


@pytest.mark.parametrize("version", ["ses", "sesv2"])
def test_a_message_that_ses_composes(door, version):
    """Subject, both bodies and every address arrive; Bcc is in the envelope alone."""
    client = validated(door.client(version))
    to = {"ToAddresses": ["Bob <b@example.net>"], "CcAddresses": ["c@example.net"], "BccAddresses": ["d@example.net"]}
    if version == "ses":
        client.send_email(
            Source="Ann <ann@example.com>",
            Destination=to,
            Message={**CONTENT, "Body": BODY},
            ReplyToAddresses=["r@example.com"],
        )
    else:
        client.send_email(
            FromEmailAddress="Ann <ann@example.com>",
            Destination=to,
            Content={"Simple": {**CONTENT, "Body": BODY, "Headers": [{"Name": "X-Team", "Value": "mail"}]}},
            ReplyToAddresses=["r@example.com"],
        )

    [told] = door.messages
    message = email.message_from_bytes(base64.b64decode(told["raw_base64"]), policy=email.policy.default)
    assert told["destinations"] == ["Bob <b@example.net>", "c@example.net", "d@example.net"]
    assert (message["Subject"], message["From"], message["To"], message["Cc"], message["Reply-To"], message["Bcc"]) == (
        "Grüße",
        "Ann <ann@example.com>",
        "Bob <b@example.net>",
        "c@example.net",
        "r@example.com",
        None,
    )
    assert [part.get_content().strip() for part in message.iter_parts()] == ["plain ü", "<p>ü</p>"]
    assert message["X-Team"] == ("mail" if version == "sesv2" else None)


@pytest.mark.parametrize(
    "changed",
    [
        {"Source": "Ann\r\nBcc: x@example.net <ann@example.com>"},
        {"Source": "nobody"},
        {"Source": "Jürgen <ann@example.com>", "ReturnPath": "ann@example.com"},
        {"Destination": {}},
        {"Destination": {"ToAddresses": ["b@example.net\nX: y"]}},
        {"Message": {"Subject": {"Data": "a\r\nBcc: x@example.net"}, "Body": {"Text": {"Data": "t"}}}},
        {"Message": {"Subject": {"Data": "s"}, "Body": {}}},
        {"Message": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t", "Charset": "rot13"}}}},
        {"SourceArn": "example.com"},
    ],
)
def test_no_field_is_smuggled_into_a_composed_message(door, changed):
    asked = {
        "Source": "ann@example.com",
        "Destination": {"ToAddresses": ["b@example.net"]},
        "Message": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}},
        **changed,
    }
    with pytest.raises(ClientError) as caught:
        door.client().send_email(**asked)

    assert caught.value.response["Error"]["Code"] == "InvalidParameterValue"
    assert door.messages == []


@pytest.mark.parametrize("name", ["X Team", "X:Y", "From", "X-Täm", "X\r\nBcc"])
def test_further_fields_are_well_formed_and_never_a_second_author(door, name):
    simple = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Headers": [{"Name": name, "Value": "v"}]}
    with pytest.raises(ClientError) as caught:
        door.client("sesv2").send_email(
            FromEmailAddress="ann@example.com",
            Destination={"ToAddresses": ["b@example.net"]},
            Content={"Simple": simple},
        )

    assert caught.value.response["Error"]["Code"] == "BadRequestException"


def test_a_body_is_sent_as_it_is(door):
    """A line that begins with From stays so, as do dots and empty lines."""
    text = "From here\n.\n\nFrom there\n"
    door.client().send_email(
        Source="ann@example.com",
        Destination={"ToAddresses": ["b@example.net"]},
        Message={"Subject": {"Data": "seven words " * 20 + "."}, "Body": {"Text": {"Data": text}}},
    )

    [told] = door.messages
    message = email.message_from_bytes(base64.b64decode(told["raw_base64"]), policy=email.policy.default)
    assert message.get_content().splitlines() == text.splitlines()
    assert message["Subject"] == "seven words " * 20 + "."


def test_what_a_policy_on_send_email_allows_is_no_raw_message(door):
    """SendEmail is allowed by its own action; with raw content v2 asks for SendRawEmail."""
    put(door, "example.com", policy(DOMAIN, BILLING.principal, Action="ses:SendEmail"))
    v2 = door.client("sesv2", key=BILLING.id, secret=BILLING.secret)
    common = {
        "FromEmailAddress": "ann@example.com",
        "FromEmailAddressIdentityArn": DOMAIN,
        "Destination": {"ToAddresses": ["b@example.net"]},
    }
    simple = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}

    v2.send_email(**common, Content={"Simple": simple})
    with pytest.raises(ClientError) as caught:
        v2.send_email(**common, Content={"Raw": {"Data": RAW}})

    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDeniedException", 403)
