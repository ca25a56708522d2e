"""What becomes of accepted mail: the mailbox simulator, and the events that are told of it."""

import base64
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS, Key
from relay.localses.quota import Allowance
from relay.localses.sessions import Role
from relay.localses.store import Store
from tests.localses.running import Clock, Door

SIMULATOR = "simulator.amazonses.com"
RAW = (
    b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\n"
    b"To: b@example.net, C <c@example.net>\r\nSubject: hi\r\n\r\nx\r\n"
)
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"0100[0-9a-f]{12}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-000000")


def send(door: Door, *recipients: str, raw: bytes = RAW, **more: Any) -> str:
    asked = {"Source": "joerg@example.com", "Destinations": recipients, "RawMessage": {"Data": raw}, **more}
    return str(door.client().send_raw_email(**asked)["MessageId"])


def events(door: Door, message_id: str = "") -> list[dict[str, Any]]:
    """The records that were told, of one message or of all."""
    told = door.local("GET", f"events?message_id={message_id}" if message_id else "events")[1]
    return [each["event"] for each in told]


def kinds(door: Door, message_id: str = "") -> list[str]:
    return [each["eventType"] for each in events(door, message_id)]


@pytest.mark.parametrize(
    ("mailbox", "expected"),
    [
        ("success", ["Send", "Delivery"]),
        ("bounce", ["Send", "Bounce"]),
        ("suppressionlist", ["Send", "Bounce"]),
        ("ooto", ["Send", "Delivery", "Bounce"]),
        ("complaint", ["Send", "Delivery", "Complaint"]),
    ],
)
@pytest.mark.parametrize("label", ["", "+label1"])
def test_each_mailbox_of_the_simulator_answers_as_documented(door, mailbox, expected, label):
    """SES Developer Guide, "Sending test emails in Amazon SES with the simulator"; labels aside."""
    address = f"{mailbox}{label}@{SIMULATOR}"
    message_id = send(door, address)

    assert kinds(door, message_id) == expected
    last = events(door, message_id)[-1]
    detail = last[last["eventType"].lower()]
    addresses = detail.get("recipients") or [
        each["emailAddress"] for each in detail.get("bouncedRecipients") or detail["complainedRecipients"]
    ]
    assert addresses == [address]
    assert last["mail"]["destination"] == [address]


@pytest.mark.parametrize(
    ("mailbox", "kind", "status"),
    [
        ("bounce", ("Permanent", "General"), "5.1.1"),
        ("suppressionlist", ("Permanent", "Suppressed"), "5.1.1"),
        ("ooto", ("Transient", "General"), None),
    ],
)
def test_bounces_say_what_they_are(door, mailbox, kind, status):
    send(door, f"{mailbox}@{SIMULATOR}")

    bounce = events(door)[-1]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == kind
    assert bounce["bouncedRecipients"][0].get("status") == status
    assert TIME.fullmatch(bounce["timestamp"])
    assert ID.fullmatch(bounce["feedbackId"])


def test_bounces_of_one_message_come_together_and_everybody_else_is_delivered(door):
    """One bounce for all of one kind; a delivery for the others."""
    send(door, f"bounce+1@{SIMULATOR}", "b@example.net", f"bounce+2@{SIMULATOR}", f"complaint@{SIMULATOR}")

    _, delivery, bounce, complaint = events(door)
    assert delivery["delivery"]["recipients"] == ["b@example.net", f"complaint@{SIMULATOR}"]
    assert [each["emailAddress"] for each in bounce["bounce"]["bouncedRecipients"]] == [
        f"bounce+1@{SIMULATOR}",
        f"bounce+2@{SIMULATOR}",
    ]
    assert complaint["complaint"]["complaintFeedbackType"] == "abuse"


@pytest.mark.parametrize(
    "address", [f"nobody@{SIMULATOR}", f"bounce@not-{SIMULATOR}", f"bounce@{SIMULATOR}.example.com"]
)
def test_what_only_looks_like_the_simulator_is_delivered_to(door, address):
    send(door, address)

    assert kinds(door) == ["Send", "Delivery"]


@pytest.mark.parametrize("encode", [bytes, base64.encodebytes])
def test_the_test_virus_is_accepted_and_rejected(door, encode):
    """Accepted with a message id, then Reject and nothing else; it counts towards the quota."""
    virus = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!" + b"$H+H*"
    message_id = send(door, "b@example.net", raw=RAW + encode(virus))

    assert kinds(door, message_id) == ["Reject"]
    assert events(door)[0]["reject"] == {"reason": "Bad content"}
    assert door.client().get_send_quota()["SentLast24Hours"] == 1.0


def test_an_event_has_the_documented_members(door):
    """Those of "Contents of event data that Amazon SES publishes to Amazon SNS": mail with header fields and tags."""
    door.client("sesv2").create_configuration_set(ConfigurationSetName="news")
    message_id = send(
        door,
        "b@example.net",
        ConfigurationSetName="news",
        Tags=[{"Name": "delegate", "Value": "billing"}],
        SourceArn="arn:aws:ses:us-east-1:888888888888:identity/example.com",
    )

    record = events(door)[1]
    mail, delivery = record["mail"], record["delivery"]
    assert list(record) == ["eventType", "mail", "delivery"]
    assert TIME.fullmatch(mail.pop("timestamp"))
    assert mail == {
        "source": "joerg@example.com",
        "sourceArn": "arn:aws:ses:us-east-1:888888888888:identity/example.com",
        "sendingAccountId": "888888888888",
        "messageId": message_id,
        "destination": ["b@example.net"],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": "=?utf-8?q?J=C3=B6rg?= <joerg@example.com>"},
            {"name": "To", "value": "b@example.net, C <c@example.net>"},
            {"name": "Subject", "value": "hi"},
        ],
        "commonHeaders": {
            "from": ["Jörg <joerg@example.com>"],
            "to": ["b@example.net", "C <c@example.net>"],
            "subject": "hi",
            "messageId": message_id,
        },
        "tags": {
            "ses:operation": ["SendRawEmail"],
            "ses:configuration-set": ["news"],
            "ses:source-ip": ["127.0.0.1"],
            "ses:from-domain": ["example.com"],
            "ses:caller-identity": ["owner"],
            "ses:outgoing-ip": ["127.0.2.0"],
            "delegate": ["billing"],
        },
    }
    assert set(delivery) == {
        "timestamp",
        "processingTimeMillis",
        "recipients",
        "smtpResponse",
        "remoteMtaIp",
        "reportingMTA",
    }


def test_long_headers_are_cut(door):
    """At 10 KiB, said by ``headersTruncated``."""
    send(door, "b@example.net", raw=b"".join(b"X-%d: %s\r\n" % (n, b"x" * 900) for n in range(20)) + RAW)

    mail = events(door)[0]["mail"]
    assert mail["headersTruncated"] is True
    assert 0 < len(mail["headers"]) < 20
    assert mail["commonHeaders"]["subject"] == "hi"


def test_the_caller_of_an_event_is_the_user_or_the_role(house):
    """``sendingAccountId`` is the delegate's account, whoever owns the identity."""
    role = Role("arn:aws:iam::222222222222:role/team/news", ("*",))
    with house.running(LocalSes(DEMO_KEYS, roles=[role])) as door:
        given = door.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="evening")["Credentials"]
        client = door.client(key=given["AccessKeyId"], secret=given["SecretAccessKey"], token=given["SessionToken"])
        client.send_raw_email(RawMessage={"Data": RAW})
        mail = events(door)[0]["mail"]

    assert (mail["tags"]["ses:caller-identity"], mail["sendingAccountId"]) == (["news"], "222222222222")
    assert mail["source"] == "=?utf-8?q?J=C3=B6rg?= <joerg@example.com>"


def test_the_simulator_is_free_of_the_daily_quota_and_not_of_the_rate(house, clock):
    """SES Developer Guide: limited by the sending rate, without effect on the daily quota."""
    allowance = Allowance(max_send_rate=1, max_24_hour_send=1, enforced=True)
    with house.running(LocalSes(DEMO_KEYS, allowance=allowance, clock=clock)) as door:
        for second in range(0, 6, 2):
            clock.seconds = second
            send(door, f"success@{SIMULATOR}")
        with pytest.raises(ClientError, match="Maximum sending rate exceeded"):
            send(door, f"success@{SIMULATOR}")
        clock.seconds = 10
        assert door.client().get_send_quota()["SentLast24Hours"] == 0.0
        send(door, "b@example.net")
        clock.seconds = 12
        send(door, f"success@{SIMULATOR}")
        with pytest.raises(ClientError, match="Daily message quota exceeded"):
            send(door, "b@example.net")


def test_people_put_events_of_their_own(door):
    """Of a message that is kept: all of its recipients or some, with members in the place of the usual ones."""
    message_id = send(door, "b@example.net", "C <c@example.net>")
    asked = {
        "message_id": message_id,
        "type": "Bounce",
        "recipients": ["c@example.net"],
        "detail": {"bounceType": "Transient", "bounceSubType": "MailboxFull"},
    }

    status, told = door.local("POST", "events", asked)
    complaint = door.local("POST", "events", {"message_id": message_id, "type": "Complaint"})[1]["event"]["complaint"]

    bounce = told["event"]["bounce"]
    assert (status, told["message_id"]) == (200, message_id)
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "MailboxFull")
    assert [each["emailAddress"] for each in bounce["bouncedRecipients"]] == ["c@example.net"]
    assert len(complaint["complainedRecipients"]) == 2
    assert kinds(door, message_id) == ["Send", "Delivery", "Bounce", "Complaint"]
    assert door.local("DELETE", "events") == (200, {})
    assert events(door) == []


@pytest.mark.parametrize("kind", ["Send", "Reject", "Delivery", "DeliveryDelay", "Open", "Click", "Rendering Failure"])
def test_every_documented_type_can_be_put(door, kind):
    message_id = send(door, "b@example.net")

    record = door.local("POST", "events", {"message_id": message_id, "type": kind})[1]["event"]

    assert record["eventType"] == kind
    assert len(record) == 3


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([], "Give an object with message_id, type"),
        ({"message_id": "x", "type": "Bounce"}, "x is no message that is kept here."),
        ({"type": "Bounce"}, "None is no message that is kept here."),
        ({"kind": "Bounce"}, "Give an object with message_id, type"),
        ({"message_id": "ID", "type": "bounce"}, "type is one of Send, Reject, Bounce"),
        ({"message_id": "ID"}, "type is one of Send, Reject, Bounce"),
        ({"message_id": "ID", "type": ["Bounce"]}, "type is one of Send, Reject, Bounce"),
        (
            {"message_id": "ID", "type": "Bounce", "recipients": ["x@example.net"]},
            "recipients are some of b@example.net",
        ),
        ({"message_id": "ID", "type": "Bounce", "recipients": []}, "recipients are some of b@example.net"),
        ({"message_id": "ID", "type": "Bounce", "recipients": "b@example.net"}, "recipients are some of"),
        ({"message_id": "ID", "type": "Bounce", "detail": "x"}, "detail is an object"),
    ],
)
def test_an_event_nobody_can_put_changes_nothing(door, asked, says):
    message_id = send(door, "b@example.net")
    before = kinds(door)
    if isinstance(asked, dict) and asked.get("message_id") == "ID":
        asked = {**asked, "message_id": message_id}

    status, told = door.local("POST", "events", asked)

    assert (status, told["message"].startswith(says)) == (400, True), told
    assert kinds(door) == before


def test_a_refused_message_has_no_events(house):
    with house.running(LocalSes([Key("K", "s", "arn:aws:iam::1:user/a")], clock=Clock())) as door:
        with pytest.raises(ClientError):
            door.client(key="K", secret="s").send_raw_email(RawMessage={"Data": b"Subject: x\r\n\r\n"})
        assert events(door) == []


def test_messages_of_an_earlier_run_can_bounce(house, tmp_path):
    """What an event needs of a message is kept with it."""

    with house.running(LocalSes(DEMO_KEYS, store=Store(tmp_path))) as door:
        message_id = send(door, "b@example.net")
    with house.running(LocalSes(DEMO_KEYS, store=Store(tmp_path))) as door:
        record = door.local("POST", "events", {"message_id": message_id, "type": "Complaint"})[1]["event"]

    assert record["mail"]["tags"]["ses:source-ip"] == ["127.0.0.1"]
    assert record["mail"]["sourceArn"] == "arn:aws:ses:us-east-1:888888888888:identity/example.com"


@pytest.mark.parametrize(
    "author", ["a@localhost", "a@-x.example", '"quoted@x"@example.com', "a@" + "x" * 70 + ".example"]
)
def test_odd_addresses_have_events_too(door, author):
    """What is accepted is told of, whatever ARN its identity would have."""
    send(door, "b@example.net", raw=b"From: " + author.encode() + b"\r\n\r\nx\r\n", Source=author)

    assert kinds(door) == ["Send", "Delivery"]
