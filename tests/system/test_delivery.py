"""What a 250 means in each mode, whatever SES does: real relays before an SES that fails on demand."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.spool.sqlite import open_spool
from tests.spool.building import entry
from tests.system.houses import House
from tests.system.recording_ses import RecordingSes
from tests.system.relays import EmbeddedSes, RunningRelay, command, spawn

pytestmark = pytest.mark.system

QUEUED = re.compile(r"250 2\.0\.0 Ok queued as ([0-9a-f]{16})")
MARK = b"X-Relay-Attempt: maybe-duplicate; id="
TROUBLE: dict[str, dict[str, Any]] = {
    "throttled": {"code": "Throttling", "status": 400},
    "down": {"code": "InternalFailure", "status": 500},
    "cut before": {"drop": "before"},
    "cut after": {"drop": "after"},
    "no key": {"code": "ExpiredToken", "status": 403},
}
#: What a client hears in mode direct, and why a message waits in the other modes.
DIRECT = {
    "throttled": ("454 4.7.0", "ses-throttled"),
    "down": ("451 4.3.0", "ses-unavailable"),
    "cut before": ("451 4.4.2", "ses-unavailable"),
    "cut after": ("451 4.4.2", "ses-unavailable"),
    "no key": ("451 4.3.5", "ses-credentials"),
}
UNSURE = ("cut before", "cut after")


def message(name: str, author: str = "billing@example.com", body: str = "Yours.") -> bytes:
    return f"From: {author}\r\nSubject: {name}\r\n\r\n{body}\r\n".encode()


def hand_over(relay: RunningRelay, name: str = "one", **changed: str) -> str:
    """Hand one message over, and return the reply."""
    with relay.client("billing", "demo-billing-secret") as client:
        return client.hand_over("billing@example.com", ["ann@example.net"], message(name, **changed))


def subjects(ses: EmbeddedSes) -> list[str]:
    return [re.search(rb"(?m)^Subject: (.*?)\r$", each["raw"])[1].decode() for each in ses.messages()]  # type: ignore[index]  # each has one


def deliveries(relay: RunningRelay) -> list[str]:
    return [line["result"] for line in relay.lines("delivery")]


def is_empty(relay: RunningRelay) -> bool:
    return relay.count("ses_relay_spool_messages") == 0


@pytest.mark.parametrize("mode", ["fallback", "spool"])
def test_whatever_ses_does_the_message_is_there_in_the_end(house: House, ses: EmbeddedSes, mode: str) -> None:
    """
    Once; twice only where the answer to the first call was lost, and then the second says so. Every message has one
    line and one count, whatever its deliveries are.
    """
    wanted: list[str] = []
    with house.keep(mode).serve() as relay:
        for number, (trouble, fault) in enumerate(TROUBLE.items(), 1):
            ses.forget()
            ses.suffer({**fault, "times": 1})
            queued = QUEUED.fullmatch(hand_over(relay))
            assert queued, trouble
            relay.wait_until(lambda: deliveries(relay).count("sent") == number, trouble)  # noqa: B023 - at once
            unsure = trouble in UNSURE
            at_ses = [each["raw"] for each in ses.messages()]
            assert len(at_ses) == 1 + (trouble == "cut after"), trouble
            assert [MARK + queued[1].encode() in raw for raw in at_ses][-1] == unsure, trouble
            assert [MARK in raw for raw in at_ses].count(True) == unsure, trouble
            line = relay.wait_for("message", after=number - 1)
            reason = DIRECT[trouble][1] if mode == "fallback" else "none"
            assert (line["outcome"], line["reason"], line["queue_id"]) == ("queued", reason, queued[1])
            wanted += ([] if mode == "fallback" else ["ambiguous" if unsure else "deferred"]) + ["sent"]
        relay.wait_until(lambda: is_empty(relay), "empty spool")
        assert deliveries(relay) == wanted
        assert relay.count("ses_relay_possible_duplicates_total") == len(UNSURE)
        assert relay.count("ses_relay_deliveries_total") == len(wanted)
        assert relay.count("ses_relay_messages_total") == relay.count("ses_relay_messages_received_total") == number


def test_direct_keeps_nothing(house: House, ses: EmbeddedSes) -> None:
    """
    The client hears 4xx, and at SES is what SES took.
    """
    with house.serve() as relay:
        for trouble, fault in TROUBLE.items():
            ses.forget()
            ses.suffer({**fault, "times": 1})
            assert hand_over(relay).startswith(DIRECT[trouble][0]), trouble
            assert len(ses.messages()) == (trouble == "cut after"), trouble
        assert relay.count("ses_relay_deliveries_total") == 0


def test_the_good_path_of_fallback_touches_no_disk(house: House, ses: EmbeddedSes) -> None:
    """
    SES's own id is in the reply, and nothing was ever written into the spool.
    """
    with house.keep("fallback").serve() as relay:
        (mode,) = relay.lines("delivery.mode")
        relay.wait_until(house.spool.exists, "spool")
        before = {path: path.stat().st_mtime_ns for path in house.spool.parent.iterdir() if path.is_file()}
        replies = [hand_over(relay, f"m{number}") for number in range(5)]
        after = {path: path.stat().st_mtime_ns for path in house.spool.parent.iterdir() if path.is_file()}

    assert (mode["mode"], mode["spool"]) == ("fallback", str(house.spool))
    assert sorted(reply.removeprefix("250 2.0.0 Ok ") for reply in replies) == sorted(
        each["id"] for each in ses.messages()
    )
    assert before == after


@pytest.mark.parametrize("mode", ["fallback", "spool"])
def test_a_final_no_is_heard_or_kept(house: House, ses: EmbeddedSes, mode: str) -> None:
    """
    fallback: the client hears SES's 5xx. spool: it has heard 250; the message is kept as failed, counted and logged.
    In both the judge's no is heard at once.
    """
    with house.keep(mode).serve() as relay:
        ses.suffer({"code": "MessageRejected", "message": "Illegal content", "status": 400})
        reply = hand_over(relay)
        denied = hand_over(relay, author="ceo@example.com")
        if mode == "fallback":
            assert reply.startswith("554 5.6.0 Message rejected: Illegal content")
            assert is_empty(relay)
        else:
            assert QUEUED.fullmatch(reply)
            relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="failed") == 1, "failed message")
            (line,) = relay.lines("delivery")
            assert (line["result"], line["level"], line["state"]) == ("refused", "error", "failed")
        assert denied.startswith("554 5.7.1 Access denied")
        assert ses.messages() == []


def test_a_slow_ses_is_not_waited_for_beyond_the_budget(house: House, ses: EmbeddedSes) -> None:
    """
    The client hears 250 queued; the running call is waited for, and no second one is made.
    """
    with house.keep("fallback", budget="300ms").serve() as relay:
        ses.suffer({"delay": "3s"})
        began = time.monotonic()
        reply = hand_over(relay)
        assert time.monotonic() - began < 2.5
        queued = QUEUED.fullmatch(reply)
        assert queued
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="sending") == 1, "entry under way")
        assert ses.messages() == []
        line = relay.wait_for("delivery")
        relay.wait_until(lambda: is_empty(relay), "empty spool")

    assert (line["result"], line["attempt"], line["queue_id"]) == ("sent", 1, queued[1])
    assert len(ses.messages()) == 1


def test_a_permission_withdrawn_after_250_counts(house: House, ses: EmbeddedSes) -> None:
    """
    While SES throttles the owner takes the policy away: the message is never sent, and kept as failed.
    """
    with house.keep("fallback", retry_first="1s").serve() as relay:
        ses.suffer({"code": "Throttling", "times": 1})
        assert QUEUED.fullmatch(hand_over(relay))
        house.policy("example.com/billing").unlink()
        line = relay.wait_for("delivery")
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="failed") == 1, "failed message")

    assert (line["result"], line["reason"]) == ("withdrawn", "policy-not-allowed")
    assert ses.messages() == []


def test_a_full_spool_is_said_before_the_message_is_sent(house: House, ses: EmbeddedSes) -> None:
    """
    spool: 452 4.3.1 instead of 354. fallback: SES takes the message, and only what it does not take hears 452.
    """
    with house.keep("spool", max_bytes="1MiB").serve() as relay:
        with relay.client("billing", "demo-billing-secret") as client:
            assert client.command("MAIL FROM:<billing@example.com> SIZE=2000000").startswith("250")
            assert client.command("RCPT TO:<ann@example.net>").startswith("250")
            assert client.command("DATA")[:59] == "452 4.3.1 No room to keep a message, try again later (decis"
        relay.counts(1, "ses_relay_messages_total", outcome="deferred", reason="spool-full")
    house.edit('mode = "spool"', 'mode = "fallback"')
    with house.serve(log="second.log") as relay:
        large = "x" * 70 + "\r\n"
        assert hand_over(relay, body=large * 20000).startswith("250 2.0.0 Ok 0")
        ses.suffer({"code": "Throttling", "times": 1})
        reply = hand_over(relay, body=large * 20000)
        assert reply.startswith("452 4.3.1 No room to keep a message, try again later (decision ")


def test_in_mode_direct_a_full_spool_is_told_and_the_relay_is_ready(house: House, ses: EmbeddedSes) -> None:
    """
    Nothing is put there, so mail goes as ever; in mode spool none does.
    """
    with house.keep("spool", max_bytes="1MiB", retry_first="15m").serve() as relay:
        ses.suffer({"code": "Throttling", "times": 1})
        assert QUEUED.fullmatch(hand_over(relay, body=("x" * 70 + "\r\n") * 14510))
        relay.wait_until(lambda: "not ok spool: spool.max_bytes" in relay.readiness(), "a full spool")
        assert not relay.is_ready()
    house.edit('mode = "spool"', 'mode = "direct"')
    with house.serve(log="second.log") as relay:
        assert "\nok spool: spool.max_bytes" in relay.readiness()
        assert relay.is_ready()
        assert hand_over(relay, "after").startswith("250 2.0.0 Ok 0")


def test_the_relay_without_a_place_for_a_spool_says_so(house: House) -> None:
    """
    A spool that was asked for and cannot be had is no start; one that nobody asked for is direct, and a line says so.
    """
    house.keep("fallback")
    house.spool.parent.mkdir()
    with house.serve() as relay:
        second = command("serve", "-c", str(house.settings), cwd=house.folder)
        assert relay.is_ready()
        assert "ok spool\n" in relay.readiness()
    assert second.returncode == 1
    assert str(house.spool) in second.stderr.decode() + second.stdout.decode()
    house.spool.write_bytes(b"no database " * 100)
    broken = command("serve", "-c", str(house.settings), cwd=house.folder)
    assert broken.returncode == 1


def test_mode_direct_sends_what_an_earlier_mode_left(house: House, ses: EmbeddedSes) -> None:
    """
    Whoever turns the spool off with messages in it loses none.
    """
    with house.keep("spool").serve() as relay:
        ses.suffer({"code": "Throttling", "times": 1000})
        assert QUEUED.fullmatch(hand_over(relay))
        relay.wait_for("delivery")
    house.edit('mode = "spool"', 'mode = "direct"')
    ses.forget()
    with house.serve(log="second.log") as relay:
        relay.wait_until(lambda: "sent" in deliveries(relay), "delivery")
        assert hand_over(relay, "two").startswith("250 2.0.0 Ok 0")
    assert subjects(ses) == ["one", "two"]


def test_a_stop_lets_attempts_end_and_a_start_goes_on(house: House, ses: EmbeddedSes) -> None:
    """
    SIGTERM with a call under way and mail behind it: the call ends and is settled, the rest waits for the next start.
    """
    with house.keep("spool").serve() as relay:
        ses.suffer({"delay": "2s", "times": 1000})
        replies = [hand_over(relay, f"m{number}") for number in range(8)]
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="sending") > 0, "attempts")
        assert relay.signalled(signal.SIGTERM) == 0
        stopped = relay.lines("relay.stopped")
    ses.forget_faults()
    with house.serve(log="second.log") as relay:
        relay.wait_until(lambda: is_empty(relay) and len(ses.messages()) >= 8, "empty spool")
        assert relay.lines("spool.attempts-found") == []

    assert all(map(QUEUED.fullmatch, replies))
    assert stopped[0]["quiet"] is True
    assert sorted(subjects(ses)) == [f"m{number}" for number in range(8)]


def test_a_long_queue_is_begun_at_once_and_costs_no_memory(house: House, recording: RecordingSes) -> None:
    """
    2,000 messages of 3 KB wait: the first goes when the relay is ready, or soon after; memory is that of a relay with
    none, and each message is sent once. (With 100,000: 1.2 s after the process began, 81 MiB.)
    """
    house.ses = recording.url
    house.settings.write_text(re.sub(r'"http://127[^"]*"', f'"{recording.url}"', house.settings.read_text()))
    house.keep("fallback")
    asyncio.run(fill(house.spool, 500))
    with house.serve() as relay:
        relay.wait_until(lambda: recording.taken, "first message", 2)
        status = Path(f"/proc/{relay.process.pid}/status").read_text()
        relay.wait_until(lambda: is_empty(relay), "empty spool")
        peak = Path(f"/proc/{relay.process.pid}/status").read_text()

    assert len(recording.taken) == 500
    assert len({each.head for each in recording.taken}) == 500
    for each in (status, peak):
        assert int(re.search(r"VmHWM:\s+(\d+) kB", each)[1]) < 150 * 1024  # type: ignore[index]  # Linux has it


async def fill(path: Path, number: int) -> None:
    """Keep so many messages of billing, due now, as an earlier relay would have."""
    spool = await open_spool(path, max_bytes=1 << 30)
    raw, now = message("one", body=f"{'x' * 70}\r\n" * 40), time.time()
    made = entry(raw=raw, accepted_at=now, due_at=now)
    names = [f"m{each}" for each in range(number)]
    commits = (spool.commit(replace(made, id=each, envelope=replace(made.envelope, id=each)), raw) for each in names)
    assert not any(await asyncio.gather(*commits))
    await spool.close()


@pytest.fixture
def recording() -> Iterator[RecordingSes]:
    """An SES that takes everything, and fast."""
    with RecordingSes() as ses:
        yield ses


def start(house: House, log: str) -> RunningRelay:
    """Start a relay that nobody ends in good order."""
    relay = RunningRelay(spawn(["serve", "-c", str(house.settings)], house.folder / log), house.folder / log)
    relay.addresses = relay.wait_for("relay.ready")
    return relay
