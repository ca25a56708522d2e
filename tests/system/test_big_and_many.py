"""Messages for more than fifty, and messages larger than SendRawEmail takes, through a real relay."""

import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, spawn
from tests.system.test_delivery import MARK, QUEUED, deliveries, message

pytestmark = pytest.mark.system

MIB = 1 << 20
THOUSAND = [f"r{number}@example.net" for number in range(1000)]


def hand_over(
    relay: RunningRelay, recipients: Sequence[str], raw: bytes | None = None, *, name: str = "billing"
) -> str:
    author = {"billing": "billing@example.com", "newsletter": "news@example.com"}[name]
    with relay.client(name, f"demo-{name}-secret") as client:
        return client.hand_over(author, recipients, raw or message("one", author))


def limit(house: House, **limits: object) -> House:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in limits.items())
    house.settings.write_text(f"{house.settings.read_text()}\n[limits]\n{lines}")
    return house


def taken_by(messages: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(recipient for each in messages for recipient in each["destinations"])


def raw_of(octets: int) -> bytes:
    head = b"From: billing@example.com\r\nTo: ann@example.net\r\nSubject: big\r\n\r\n"
    line = b"x" * 62 + b"\r\n"
    return head + line * ((octets - len(head)) // len(line))


# --- many


@pytest.mark.parametrize("mode", ["fallback", "spool"])
def test_a_thousand_recipients_are_accepted_divided_and_each_gets_one(
    house: House, ses: EmbeddedSes, mode: str
) -> None:
    """
    The reply names the queue; the log the twenty ids of SES. What EHLO says is what holds.
    """
    with house.keep(mode).serve() as relay:
        with relay.client("billing", "demo-billing-secret") as client:
            assert "LIMITS RCPTMAX=1000" in client.command("EHLO again.test")
        queued = QUEUED.fullmatch(hand_over(relay, THOUSAND))
        assert queued
        relay.wait_until(lambda: deliveries(relay) == ["sent"], "delivery")
        too_many = hand_over(relay, [*THOUSAND, "one@more.example"])
        (delivery,) = relay.lines("delivery")
        record = relay.lines("message")[0]

    at_ses = ses.messages()
    assert taken_by(at_ses) == Counter(THOUSAND)
    assert [len(each["destinations"]) for each in at_ses] == [50] * 20
    assert sorted(delivery["ses_ids"]) == sorted(each["id"] for each in at_ses)
    assert (record["outcome"], record["reason"], record["queue_id"]) == ("queued", "none", queued[1])
    assert record["recipients"] == THOUSAND
    assert too_many.startswith("550 5.5.3 Too many recipients: at most 1000 a message")


def test_faults_in_the_middle_make_nobody_lose_or_get_it_twice(house: House, ses: EmbeddedSes) -> None:
    """
    But for the batch whose answer was lost: it is sent again and says so.
    """
    with house.keep("fallback").serve() as relay:
        ses.suffer(
            {"delay": "0s", "times": 3},
            {"code": "Throttling"},
            {"delay": "0s", "times": 4},
            {"drop": "after"},
            {"delay": "0s", "times": 2},
            {"code": "InternalFailure", "status": 500},
        )
        assert QUEUED.fullmatch(hand_over(relay, THOUSAND))
        relay.wait_until(lambda: deliveries(relay)[-1:] == ["sent"], "delivery")
        told = deliveries(relay)

    counts = taken_by(at_ses := ses.messages())
    twice = {recipient for recipient, count in counts.items() if count == 2}
    assert set(counts) == set(THOUSAND)
    assert max(counts.values()) == 2
    assert len(twice) == 50
    assert len(at_ses) == 21
    assert MARK in [each["raw"] for each in at_ses if each["destinations"][0] in twice][-1]
    assert sorted(told) == ["ambiguous", "deferred", "deferred", "sent"]


def test_a_batch_that_ses_refuses_keeps_nobody_else_from_it(house: House, ses: EmbeddedSes) -> None:
    with house.keep("fallback").serve() as relay:
        ses.suffer({"delay": "0s"}, {"code": "MessageRejected", "message": "Illegal", "status": 400})
        assert QUEUED.fullmatch(hand_over(relay, THOUSAND[:120]))
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="failed") == 1, "failed message")

    assert taken_by(ses.messages()) == Counter(THOUSAND[:50] + THOUSAND[100:120])


def test_kill_9_between_batches_gives_nobody_a_message_twice_but_those_of_the_call_it_fell_into(
    house: House, ses: EmbeddedSes
) -> None:
    """
    Killed four times in the middle of twenty calls: whoever is in two of them was in one that had no end, once a kill.
    """
    house.keep("fallback")
    kills = 0
    for kill in range(4):
        ses.suffer({"delay": "120ms", "times": 1000})
        relay = start(house, f"life-{kill}.log")
        try:
            if not kill:
                assert QUEUED.fullmatch(hand_over(relay, THOUSAND))
            before = len(ses.messages())
            relay.wait_until(partial(has_more, ses, before + 2), "two batches")
            os.kill(relay.process.pid, signal.SIGKILL)
            kills += 1
        finally:
            relay.process.kill()
            relay.process.wait()
    ses.forget_faults()
    with house.serve(log="last.log") as relay:
        relay.wait_until(lambda: deliveries(relay) == ["sent"], "delivery")

    at_ses = ses.messages()
    counts = taken_by(at_ses)
    assert set(counts) == set(THOUSAND)
    assert 20 <= len(at_ses) <= 20 + kills
    assert sum(count - 1 for count in counts.values()) == 50 * (len(at_ses) - 20)


def has_more(ses: EmbeddedSes, number: int) -> bool:
    return len(ses.messages()) >= number


def start(house: House, log: str) -> RunningRelay:
    """Start a relay that nobody ends in good order."""
    relay = RunningRelay(spawn(["serve", "-c", str(house.settings)], house.folder / log), house.folder / log)
    relay.addresses = relay.wait_for("relay.ready")
    return relay


def test_policies_are_asked_for_all_recipients_and_for_those_of_each_call(house: House, ses: EmbeddedSes) -> None:
    """
    One outside is refused with all of them; a copy that must be among the recipients is not among each call's.
    """
    with house.keep("fallback").serve() as relay:
        fine = hand_over(relay, THOUSAND[:120], name="newsletter")
        outside = hand_over(relay, [*THOUSAND[:120], "eve@elsewhere.example"], name="newsletter")
        relay.wait_until(lambda: deliveries(relay) == ["sent"], "delivery")
        policy = json.loads(house.policy("example.com/newsletter").read_text())
        policy["Statement"][0]["Condition"] = {"ForAnyValue:StringEquals": {"ses:Recipients": THOUSAND[0]}}
        house.policy("example.com/newsletter").write_text(json.dumps(policy))
        relay.wait_until(lambda: hand_over(relay, THOUSAND[1:2], name="newsletter").startswith("554"), "new policy")
        before = taken_by(ses.messages())
        one_call = hand_over(relay, THOUSAND[:50], name="newsletter")
        two_calls = hand_over(relay, THOUSAND[:51], name="newsletter")

    assert QUEUED.fullmatch(fine)
    assert outside.startswith("554 5.7.1 Access denied")
    assert one_call.startswith("250 2.0.0 Ok 0")
    assert two_calls.startswith("554 5.7.1 Access denied")
    assert f"ses:Recipients is {THOUSAND[50]}" in two_calls
    assert [each for each in THOUSAND[2:120] if before[each] != 1] == []
    assert taken_by(ses.messages()) - before == Counter(THOUSAND[:50])


@pytest.mark.parametrize(
    ("over", "reply"),
    [
        ("refuse-message", "550 5.5.3 Too many recipients: at most 50 a message; send it in parts"),
        ("452", "452 4.5.3 Too many recipients: at most 50 a message, send the rest in another"),
    ],
)
def test_without_a_spool_fifty_are_the_most(house: House, ses: EmbeddedSes, over: str, reply: str) -> None:
    """
    All or none: nobody would remember which of several calls SES took.
    """
    with limit(house, over_recipients=over).serve() as relay:
        with relay.client("billing", "demo-billing-secret") as client:
            assert "LIMITS RCPTMAX=50" in client.command("EHLO again.test")
        refused = hand_over(relay, THOUSAND[:51])
        fifty = hand_over(relay, THOUSAND[:50])

    assert refused.startswith(reply)
    assert fifty.startswith("250 2.0.0 Ok 0")
    assert [len(each["destinations"]) for each in ses.messages()] == [50]


# --- big


def test_a_message_of_20_mb_goes_by_v2_octet_for_octet(house: House, ses: EmbeddedSes) -> None:
    """
    With the identities that were judged; the record, the metrics and SES agree on the call.
    """
    raw = raw_of(20 * MIB)
    with limit(house, message_bytes="25MiB").serve() as relay:
        reply = hand_over(relay, ["ann@example.net", "bob@example.net"], raw)
        small = hand_over(relay, ["ann@example.net"])
        records = relay.wait_for_messages(2)
        calls = {
            operation: relay.count("ses_relay_ses_requests_total", operation=operation, result="sent")
            for operation in ("SendEmail", "SendRawEmail")
        }

    big, _ = ses.messages()
    arn = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
    assert reply == f"250 2.0.0 Ok {big['id']}"
    assert small.startswith("250 2.0.0 Ok 0")
    assert big["raw"].endswith(raw)
    assert big["raw"][: -len(raw)].startswith(b"Received: ")
    assert (big["source"], big["destinations"]) == ("billing@example.com", ["ann@example.net", "bob@example.net"])
    assert (big["from_arn"], big["return_path_arn"]) == (arn, arn)
    assert big["tags"] == {"ses-relay-delegate": "billing"}
    assert [record["api"] for record in records] == ["ses:SendEmail", "ses:SendRawEmail"]
    assert calls == {"SendEmail": 1, "SendRawEmail": 1}


def test_a_large_message_for_many_waits_out_faults_as_a_small_one_does(house: House, ses: EmbeddedSes) -> None:
    """
    12 MB to 120 recipients, throttled once: three calls, the same octets in each.
    """
    raw = raw_of(12 * MIB)
    with limit(house.keep("fallback"), message_bytes="30MiB").serve() as relay:
        ses.suffer({"code": "Throttling"}, operation="SendEmail")
        assert QUEUED.fullmatch(hand_over(relay, THOUSAND[:120], raw))
        relay.wait_until(lambda: deliveries(relay) == ["deferred", "sent"], "delivery")

    at_ses = ses.messages()
    assert taken_by(at_ses) == Counter(THOUSAND[:120])
    assert len({each["raw"] for each in at_ses}) == 1
    assert at_ses[0]["raw"].endswith(raw)


def test_who_may_use_send_raw_email_alone_may_send_no_more_than_it_takes(house: House, ses: EmbeddedSes) -> None:
    """
    7 and 9 MiB go by it, 12 MiB would need SendEmail; above the limit of messages the size is refused.
    """
    policy = json.loads(house.policy("example.com/billing").read_text())
    policy["Statement"][0]["Action"] = "ses:SendRawEmail"
    house.policy("example.com/billing").write_text(json.dumps(policy))
    with limit(house, message_bytes="13MiB").serve() as relay:
        replies = [hand_over(relay, ["ann@example.net"], raw_of(size * MIB)) for size in (7, 9, 12)]
        with relay.client("billing", "demo-billing-secret") as client:
            assert f"SIZE {13 * MIB}" in client.command("EHLO again.test")
            too_large = client.command(f"MAIL FROM:<billing@example.com> SIZE={13 * MIB + 1}")

    assert [reply[:12] for reply in replies] == ["250 2.0.0 Ok", "250 2.0.0 Ok", "554 5.7.1 Ac"]
    assert "`ses:SendEmail'" in replies[2]
    assert too_large.startswith("552 5.3.4")
    assert len(ses.messages()) == 2
