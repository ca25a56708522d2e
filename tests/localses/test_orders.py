"""What a message orders in fields of its own, row by row of what goes before what."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS
from tests.localses.running import validated
from tests.localses.test_sending import BILLING, policy

IDENTITY = "arn:aws:ses:us-east-1:888888888888:identity/"
#: One identity whose policy lets billing in, one that lets nobody, one that does not cover the addresses.
OPEN, SHUT, OTHER = IDENTITY + "open.example", IDENTITY + "shut.example", IDENTITY + "other.example"
AUTHOR, BOUNCES = "ann@a.open.example", "bounces@b.open.example"


@pytest.fixture(scope="module")
def shared(house):
    with house.running(LocalSes([*DEMO_KEYS, BILLING])) as door:
        owner = door.client()
        for arn in (OPEN, SHUT, OTHER, IDENTITY + "a.open.example", IDENTITY + "b.open.example"):
            owner.verify_domain_identity(Domain=arn.rpartition("/")[2])
        owner.put_identity_policy(
            Identity="open.example", PolicyName="p", Policy=policy(OPEN, BILLING.principal, Action="ses:Send*")
        )
        door.client("sesv2", key=BILLING.id, secret=BILLING.secret).create_configuration_set(ConfigurationSetName="set")
        yield door


def raw(fields: dict[str, str] | list[tuple[str, str]]) -> bytes:
    pairs = list(fields.items()) if isinstance(fields, dict) else fields
    head = "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return f"{head}From: {AUTHOR}\r\nTo: b@example.net\r\nSubject: hi\r\n\r\nhello\r\n".encode()


def sent(door: Any, fields: Any, **asked: Any) -> str:
    """Send as billing, by v1; ``sent`` or the code of the refusal."""
    client = door.client(key=BILLING.id, secret=BILLING.secret)
    try:
        client.send_raw_email(**{"Source": BOUNCES, "RawMessage": {"Data": raw(fields)}} | asked)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "sent"


SOURCE, FROM, RETURN = "X-SES-SOURCE-ARN", "X-SES-FROM-ARN", "X-SES-RETURN-PATH-ARN"

#: What is asked, what the fields order, what comes of it. The identities a. and b. have no policies: they let nobody.
ROWS: list[tuple[str, dict[str, str], Any, str]] = [
    ("source alone serves for both", {"SourceArn": OPEN}, {}, "sent"),
    ("source alone as a field", {}, {SOURCE: OPEN}, "sent"),
    ("each for its own", {"FromArn": OPEN, "ReturnPathArn": OPEN}, {}, "sent"),
    ("each for its own, as fields", {}, {FROM: OPEN, RETURN: OPEN}, "sent"),
    ("a parameter goes before the field of its name", {"SourceArn": OPEN}, {SOURCE: OTHER}, "sent"),
    ("and the other way round", {"SourceArn": OTHER}, {SOURCE: OPEN}, "MessageRejected"),
    ("from before its field", {"FromArn": OPEN, "ReturnPathArn": OPEN}, {FROM: OTHER}, "sent"),
    ("from before its field, refused", {"FromArn": OTHER, "ReturnPathArn": OPEN}, {FROM: OPEN}, "MessageRejected"),
    ("return path before its field", {"SourceArn": OPEN, "ReturnPathArn": OPEN}, {RETURN: OTHER}, "sent"),
    ("return path, refused", {"SourceArn": OPEN, "ReturnPathArn": OTHER}, {RETURN: OPEN}, "MessageRejected"),
    ("a field of its own goes before a parameter for both", {"SourceArn": OTHER}, {FROM: OPEN, RETURN: OPEN}, "sent"),
    ("from is for the author only", {"FromArn": OPEN}, {}, "sent"),  # the return path is nobody's that is known
    ("return path is for the return path only", {"ReturnPathArn": OTHER}, {}, "MessageRejected"),
    ("the first of repeated fields counts", {}, [(SOURCE, OPEN), (SOURCE, OTHER)], "sent"),
    ("the first, refused", {}, [(SOURCE, OTHER), (SOURCE, OPEN)], "MessageRejected"),
    ("names of fields have no case", {}, {"x-Ses-sOURCE-arn": OTHER}, "MessageRejected"),
    (
        "a domain above is named, not the verified one below",
        {"SourceArn": IDENTITY + "a.open.example"},
        {},
        "AccessDenied",
    ),
    ("an identity that lets nobody", {"SourceArn": SHUT}, {}, "MessageRejected"),
    ("no ARN in a field", {}, {SOURCE: "open.example"}, "MessageRejected"),
    ("an empty field is none", {"SourceArn": OPEN}, {FROM: ""}, "sent"),
    ("another region", {"SourceArn": OPEN.replace("us-east-1", "eu-west-1")}, {}, "sent"),  # counts as verified here
    ("every region", {"SourceArn": OPEN.replace("us-east-1", "*")}, {}, "sent"),
    ("Sender is checked as the author", {"SourceArn": OPEN}, {"Sender": "x@other.example"}, "MessageRejected"),
    ("Sender of the same identity", {"SourceArn": OPEN}, {"Sender": "x@open.example"}, "sent"),
]


@pytest.mark.parametrize(("asked", "fields", "expected"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_goes_before_what(shared, asked, fields, expected):
    """SES Developer Guide, "Delegate sender tasks"; SES API Reference, "SendRawEmail"."""
    assert sent(shared, fields, **asked) == expected


def v2(door: Any, fields: dict[str, str], **asked: Any) -> str:
    client = door.client("sesv2", key=BILLING.id, secret=BILLING.secret)
    try:
        client.send_email(
            **{"FeedbackForwardingEmailAddress": BOUNCES, "Content": {"Raw": {"Data": raw(fields)}}} | asked
        )
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "sent"


@pytest.mark.parametrize(
    ("asked", "fields", "expected"),
    [
        ({"FromEmailAddressIdentityArn": OPEN}, {SOURCE: OTHER, FROM: OTHER}, "sent"),
        ({"FromEmailAddressIdentityArn": OTHER}, {SOURCE: OPEN, FROM: OPEN}, "MessageRejected"),
        ({"FromEmailAddressIdentityArn": OPEN}, {RETURN: OTHER}, "MessageRejected"),
        (
            {"FromEmailAddressIdentityArn": OPEN, "FeedbackForwardingEmailAddressIdentityArn": OPEN},
            {RETURN: OTHER},
            "sent",
        ),
        ({}, {SOURCE: OPEN}, "sent"),
        ({}, {SOURCE: OTHER}, "MessageRejected"),
    ],
)
def test_by_v2_one_arn_takes_the_place_of_two_fields(shared, asked, fields, expected):
    """SES API v2 Reference, "SendEmail": FromEmailAddressIdentityArn overrides X-SES-SOURCE-ARN and X-SES-FROM-ARN."""
    assert v2(shared, fields, **asked) == expected


def test_fields_of_a_composed_message_order_nothing(shared):
    """SendEmail takes parameters alone."""
    headers = [{"Name": SOURCE, "Value": OTHER}, {"Name": "X-SES-MESSAGE-TAGS", "Value": "a=b"}]
    simple = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, "Headers": headers}
    shared.local("DELETE", "messages")
    shared.client("sesv2", key=BILLING.id, secret=BILLING.secret).send_email(
        FromEmailAddress=AUTHOR,
        FromEmailAddressIdentityArn=OPEN,
        Destination={"ToAddresses": ["b@example.net"]},
        Content={"Simple": simple},
    )

    [message] = shared.messages
    assert (message["source_arn"], message["tags"]) == (OPEN, {})


@pytest.mark.parametrize(
    ("fields", "tags", "told"),
    [
        ({"X-SES-MESSAGE-TAGS": "a=1, b=2"}, [], {"a": "1", "b": "2"}),
        ({"X-SES-MESSAGE-TAGS": "a=1,b=2,"}, [], {"a": "1", "b": "2"}),
        ({"X-SES-MESSAGE-TAGS": "a=1, b=2"}, [{"Name": "c", "Value": "3"}], {"c": "3"}),
        ([("X-SES-MESSAGE-TAGS", "a=1"), ("X-SES-MESSAGE-TAGS", "b=2")], [], {"a": "1"}),
        ({"X-SES-MESSAGE-TAGS": "a=ä"}, [], {}),
        ({}, [], {}),
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_tags_of_parameters_and_of_the_field_are_never_joined(shared, fields, tags, told, version):
    """SES Developer Guide, "Specify your configuration set when you send email"."""
    shared.local("DELETE", "messages")
    if version == 1:
        assert sent(shared, fields, SourceArn=OPEN, Tags=tags) == "sent"
    else:
        assert v2(
            shared, fields, FromEmailAddressIdentityArn=OPEN, EmailTags=tags, FeedbackForwardingEmailAddress=AUTHOR
        )

    assert [message["tags"] for message in shared.messages] == [told]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"X-SES-MESSAGE-TAGS": "a"}, "InvalidParameterValue"),
        ({"X-SES-MESSAGE-TAGS": "a=b c"}, "InvalidParameterValue"),
        ({"X-SES-MESSAGE-TAGS": "a=1, a=2"}, "InvalidParameterValue"),
        ({"X-SES-MESSAGE-TAGS": "=1"}, "InvalidParameterValue"),
        ({"X-SES-CONFIGURATION-SET": "a b"}, "InvalidParameterValue"),
        ({"X-SES-CONFIGURATION-SET": "none"}, "ConfigurationSetDoesNotExist"),
    ],
)
def test_orders_that_cannot_be_followed_are_refused(shared, fields, code):
    assert sent(shared, fields, SourceArn=OPEN) == code


def test_the_configuration_set_of_the_request_goes_before_the_field(shared):
    shared.local("DELETE", "messages")
    assert sent(shared, {"X-SES-CONFIGURATION-SET": "set"}, SourceArn=OPEN) == "sent"
    assert sent(shared, {"X-SES-CONFIGURATION-SET": "none"}, SourceArn=OPEN, ConfigurationSetName="set") == "sent"

    assert [message["configuration_set"] for message in shared.messages] == ["set", "set"]


@pytest.mark.parametrize(
    ("actions", "effect", "expected"),
    [
        (["ses:SendRawEmail", "ses:SendEmail"], "Allow", "sent"),
        ("ses:*", "Allow", "sent"),
        ("ses:SendRawEmail", "Allow", "AccessDeniedException"),
        ("ses:SendEmail", "Allow", "AccessDeniedException"),
        ("ses:SendEmail", "Deny", "AccessDeniedException"),
        ("ses:SendRawEmail", "Deny", "AccessDeniedException"),
    ],
)
def test_raw_content_of_v2_must_be_allowed_under_both_readings(house, actions, effect, expected):
    """The reference names SendEmail, SES was seen to ask for SendRawEmail: each may be the one."""
    with house.running(LocalSes([*DEMO_KEYS, BILLING])) as door:
        owner = validated(door.client())
        owner.verify_domain_identity(Domain="open.example")
        texts = {"p": policy(OPEN, BILLING.principal, Action=actions, Effect=effect)}
        if effect == "Deny":
            texts["all"] = policy(OPEN, BILLING.principal, Action="ses:*")
        for name, text in texts.items():
            owner.put_identity_policy(Identity="open.example", PolicyName=name, Policy=text)

        assert v2(door, {}, FromEmailAddressIdentityArn=OPEN) == expected


@pytest.mark.parametrize(
    ("condition", "by_v1", "by_v2"), [("2", "AccessDenied", "sent"), ("1", "AccessDenied", "AccessDeniedException")]
)
def test_the_version_of_v1_is_not_known(house, condition, by_v1, by_v2):
    """``ses:ApiVersion``: only the value of v2 is documented; what hangs on the other is allowed to nobody."""
    with house.running(LocalSes([*DEMO_KEYS, BILLING])) as door:
        door.client().verify_domain_identity(Domain="open.example")
        text = policy(
            OPEN, BILLING.principal, Action="ses:*", Condition={"StringEquals": {"ses:ApiVersion": condition}}
        )
        door.client().put_identity_policy(Identity="open.example", PolicyName="p", Policy=text)

        assert (sent(door, {}, SourceArn=OPEN), v2(door, {}, FromEmailAddressIdentityArn=OPEN)) == (by_v1, by_v2)
