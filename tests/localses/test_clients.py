"""Real AWS clients against the embedded SES."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS, Key
from relay.localses.quota import Allowance
from tests.localses.running import MESSAGE, OWNER, RELAY, bent, parameters, parsed

ARN = "arn:aws:ses:us-east-1:888888888888:identity/"
ALL = {
    "Source": "Ann <ann@example.com>",
    "Destinations": ["friend@example.net", "Other <other@example.org>"],
    "RawMessage": {"Data": MESSAGE},
    "SourceArn": ARN + "example.com",
    "FromArn": ARN + "ann@example.com",
    "ReturnPathArn": "arn:aws:ses:*:EXAMPLE65304:identity/example.com",
    "Tags": [{"Name": "delegate", "Value": "billing"}, {"Name": "n", "Value": "_-9"}],
}


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def test_a_message_arrives_with_everything_that_was_said_about_it(door, told):
    """boto3 sends with every parameter, and ``/_local/messages`` tells each of them as it was spelt."""
    door.client("sesv2").create_configuration_set(ConfigurationSetName="set-1")
    told.clear()

    sent = door.client().send_raw_email(**ALL, ConfigurationSetName="set-1")

    (message,) = door.messages
    assert re.fullmatch(r"0100[0-9a-f]{12}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-000000", sent["MessageId"])
    assert message.pop("received_at") > 1_600_000_000
    assert message == {
        "id": sent["MessageId"],
        "source": "Ann <ann@example.com>",
        "source_arn": ARN + "example.com",
        "from_arn": ARN + "ann@example.com",
        "return_path_arn": "arn:aws:ses:*:EXAMPLE65304:identity/example.com",
        "destinations": ["friend@example.net", "Other <other@example.org>"],
        "configuration_set": "set-1",
        "tags": {"delegate": "billing", "n": "_-9"},
        "principal": OWNER.principal,
        "raw_base64": base64.b64encode(MESSAGE).decode(),
    }
    assert [(s.operation, s.status, s.message_id) for s in told] == [("SendRawEmail", 200, sent["MessageId"])]


def test_what_was_not_said_is_null(door):
    """Without Source and Destinations the header's author and recipients serve; the rest is null."""
    raw = (
        b'From: ann@example.com\r\nTo: friends: b@example.net, "C, D" <c@example.net>;\r\n'
        b"Cc: d@example.net (Dora)\r\nBcc:\r\n e@example.net\r\n\r\nhi\r\n"
    )

    door.client(key=RELAY.id, secret=RELAY.secret).send_raw_email(RawMessage={"Data": raw})

    (message,) = door.messages
    assert message["destinations"] == ["b@example.net", "c@example.net", "d@example.net", "e@example.net"]
    assert message["principal"] == RELAY.principal
    assert message["tags"] == {}
    assert {message[n] for n in ("source", "source_arn", "from_arn", "return_path_arn", "configuration_set")} == {None}


@pytest.mark.parametrize(
    "body",
    [
        bytes(octet for octet in range(256) if octet not in b"\r\n") + b"\r\n",
        b"+/=%2B%2F%25&;\r\n.\r\n..\r\n",
        "žluťoučký 猫\r\n".encode(),
        b"no end of line",
        b"\n\r\r\n\x00",
        b"",
    ],
)
def test_octets_come_back_identical(door, body):
    raw = b"From: a@example.com\r\n\r\n" + body

    door.client().send_raw_email(Destinations=["b@example.net"], RawMessage={"Data": raw})

    assert base64.b64decode(door.messages[0]["raw_base64"]) == raw


def test_fifty_recipients_and_ten_mebibytes_are_accepted(door):
    """The limits themselves pass, in one request of the largest body a message of that size can need."""
    raw = b"From: a@example.com\r\n\r\n" + (b"\xfb\xef\xbe" * 300 + b"\r\n") * 11_700
    raw = raw[:10_485_760]
    assert len(raw) == 10_485_760

    status, _, body = bent(door, {"destinations": 50, "params": {"RawMessage.Data": base64.b64encode(raw).decode()}})

    assert status == 200, body
    (message,) = door.messages
    assert len(message["destinations"]) == 50
    assert base64.b64decode(message["raw_base64"]) == raw


def test_a_request_beyond_every_message_is_cut(door):
    """What no message of SES's size can need is refused before it is held."""
    status, headers, body = door.ask("POST", "/", b"x" * (44 * 1024 * 1024 + 1), {"Content-Type": "text/plain"})

    assert (status, parsed("ses", "SendRawEmail", status, headers, body)["Error"]["Code"]) == (
        413,
        "RequestEntityTooLarge",
    )


def test_every_answer_fits_the_model(door):
    """botocore's own parser reads the three answers, and finds every member of its model, rightly typed."""
    door.client().send_raw_email(**ALL)
    cases = [
        ("ses", "SendRawEmail", {}, {"MessageId": str}),
        ("ses", "GetSendQuota", {}, dict.fromkeys(("Max24HourSend", "MaxSendRate", "SentLast24Hours"), float)),
        ("sts", "GetCallerIdentity", {"Version": "2011-06-15"}, dict.fromkeys(("Arn", "UserId", "Account"), str)),
    ]
    for service, action, more, members in cases:
        status, headers, body = bent(door, {"service": service, "params": {"Action": action, **more}})
        answer = parsed(service, action, status, headers, body)
        assert answer.pop("ResponseMetadata")["RequestId"]
        assert {name: type(value) for name, value in answer.items()} == members


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        ("AKIANOBODY0000000000", "demo-owner-secret", "InvalidClientTokenId"),
        (OWNER.id, "guess", "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_key_or_secret_is_refused(door, key, secret, code):
    status, said, _ = refusal(door.client(key=key, secret=secret).send_raw_email, **ALL)

    assert (status, said) == (403, code)
    assert door.messages == []


@pytest.mark.parametrize("seconds", [-360, 360])
def test_a_clock_that_is_off_is_refused(door, clock, seconds):
    clock.seconds = seconds

    status, code, message = refusal(door.client().send_raw_email, **ALL)

    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Signature expired: " if seconds > 0 else "Signature not yet current: ")


@pytest.mark.parametrize("seconds", [-290, 290])
def test_a_clock_that_is_a_little_off_is_not(door, clock, seconds):
    clock.seconds = seconds

    assert door.client().send_raw_email(**ALL)["MessageId"]


def test_a_refusal_is_a_client_error_in_ses_words(door):
    one_too_many = [f"r{n}@example.net" for n in range(51)]

    assert refusal(door.client().send_raw_email, **{**ALL, "Destinations": one_too_many}) == (
        400,
        "InvalidParameterValue",
        "Recipient count exceeds 50.",
    )
    assert refusal(door.client().list_templates)[:2] == (400, "InvalidAction")
    assert refusal(door.client("sesv2").list_contact_lists)[:2] == (404, "UnknownOperationException")


def test_the_date_header_serves_as_the_stamp_too(door):
    """botocore uses a Date header where the caller set one: the same signature verifies."""
    client = door.client()
    client.meta.events.register("before-sign.*", lambda request, **_: request.headers.add_header("Date", "now"))

    assert client.send_raw_email(**ALL)["MessageId"]


def test_a_get_with_its_parameters_in_the_target_is_a_request_too(door):
    """The Query API takes GET; the canonical query is that of the wire, whatever its order and escapes."""
    path = "/?Version=2010-12-01&Action=GetSendQuota&Odd=a%20b%2fc*~"
    signed = "/?Action=GetSendQuota&Odd=a%20b%2Fc%2A~&Version=2010-12-01"

    status, _, body = door.ask("GET", path, None, door.signed("GET", signed, b"", {}))

    assert status == 200, body


@pytest.mark.parametrize("key", [OWNER, RELAY])
def test_sts_says_who_a_key_is(door, key):
    answer = door.client("sts", key.id, key.secret).get_caller_identity()

    assert (answer["Arn"], answer["Account"]) == (key.principal, "888888888888")
    assert answer["UserId"].startswith("AIDA")


@pytest.mark.parametrize(
    ("principal", "user_id"),
    [
        ("arn:aws:iam::EXAMPLE65304:root", "EXAMPLE65304"),
        ("arn:aws:sts::222222222222:assumed-role/newsletter/run-1", r"AROA[A-Z2-7]{17}:run-1"),
        ("arn:aws:iam::222222222222:role/path/newsletter", r"AROA[A-Z2-7]{17}"),
    ],
)
def test_sts_knows_roots_roles_and_sessions(house, principal, user_id):
    with house.running(LocalSes([Key("K", "s", principal)])) as door:
        answer = door.client("sts", "K", "s").get_caller_identity()

    assert answer["Account"] == principal.split(":")[4]
    assert re.fullmatch(user_id, answer["UserId"])


def test_the_quota_counts_recipients_of_the_account_and_region(door):
    """Both users of one account share a count; another region has its own."""
    door.client().send_raw_email(**ALL)
    door.client(key=RELAY.id, secret=RELAY.secret).send_raw_email(**ALL)

    assert door.client().get_send_quota()["SentLast24Hours"] == 4.0
    assert door.client(region="eu-west-1").get_send_quota()["SentLast24Hours"] == 0.0


def test_a_rate_that_is_enforced_throttles(house):
    """What is over the quota or the rate is refused in SES's words, and nothing of it is kept."""
    with house.running(LocalSes(DEMO_KEYS, allowance=Allowance(0.001, 3, enforced=True))) as door:
        client = door.client()
        client.send_raw_email(**ALL)
        assert refusal(client.send_raw_email, **ALL) == (400, "Throttling", "Daily message quota exceeded.")
        one = {**ALL, "Destinations": ["friend@example.net"]}
        assert refusal(client.send_raw_email, **one) == (400, "Throttling", "Maximum sending rate exceeded.")
        assert len(door.messages) == 1


def test_without_verification_every_key_is_believed(house):
    """A known key is its principal, an unknown one is account 000000000000, a wrong secret is no matter."""
    with house.running(LocalSes(DEMO_KEYS, verify_signatures=False)) as door:
        door.client(key=RELAY.id, secret="guess").send_raw_email(**ALL)
        door.client(key="AKIANOBODY0000000000", secret="x").send_raw_email(**ALL)
        assert door.client("sts", "AKIANOBODY0000000000", "x").get_caller_identity()["Account"] == "000000000000"

        assert [m["principal"] for m in door.messages] == [RELAY.principal, "arn:aws:iam::000000000000:root"]
        assert refusal(door.client().send_raw_email, **{**ALL, "Source": "x"})[1] == "InvalidParameterValue"


def test_parameters_of_a_good_request_are_good(door):
    """The request every wrong one is bent from is accepted."""
    assert parameters({})["Action"] == "SendRawEmail"
    assert bent(door, {})[0] == 200
