"""Where bare LFs are repaired: the end of data is no other, and whoever smuggles is refused all the same."""

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.mail.facts import MessageProblem
from relay.mail.reading import read_facts
from relay.mail.repairs import Plan, explained, repair
from relay.smtp.content import Content, Fault
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session
from tests.smtp import stage as stages
from tests.smtp.stage import MESSAGE, PLAIN, in_transaction, stage
from tests.smtp.test_attack_cases import CASES, at_once, is_playable, load, play
from tests.smtp.test_content import DENSE, expected, unstuffed
from tests.smtp.test_framing import SMUGGLED

PLAN = Plan(
    ("bare-lf", "8bit-names", "long-lines", "missing-headers"), 10 << 20, "Thu, 20 Nov 2025 10:00:00 +0000", "<m@x>"
)


@dataclass
class Mending(stages.Reception):
    """Repairs whatever can be, then reads strictly; one author may send."""

    mends: bool = True

    async def receive(self, session: Session, envelope: Envelope, raw: bytes, *, is_checked: bool = False) -> Ending:
        repaired = repair(raw, PLAN)
        facts = read_facts(repaired.raw)
        if isinstance(facts, MessageProblem):
            return Ending(Outcome.REJECTED, Reason.MESSAGE_FORM, explained(facts, repaired).reply)
        if str(facts.author) != "app1@example.com":
            return Ending(Outcome.REJECTED, Reason.POLICY_NOT_ALLOWED, Reply(554, (5, 7, 1), "Access denied"))
        return await super().receive(session, envelope, repaired.raw)


def is_false_end(message: bytes) -> bool:
    """Whether a lone dot stands by a bare LF, where CRLF came before the message."""
    return re.search(rb"\n\.\n|(?<!\r)\n\.\r\n", b"\r\n" + message) is not None


@settings(max_examples=1500, deadline=None)
@given(pieces=DENSE, step=st.integers(1, 40))
@example([b".", b"\n", b"a", b"\r\n.\r\n"], 1)
@example([b"aaaa", b"\r\n.", b"\n", b"\r\n.\r\n"], 1)
@example([b"a", b"\n", b".", b"\r\n", b"\r\n.\r\n"], 1)
def test_the_end_of_data_is_no_other(pieces: list[bytes], step: int):
    """
    The same end and the same rest as for the strict reader, whatever the octets; bare CR, NUL and false ends condemn.
    """
    octets = b"".join(pieces)
    content, rest = Content(10**6, keeps_line_feeds=True), None
    for at in range(0, len(octets), step):
        rest = content.feed(octets[at : at + step])
        if rest is not None:
            rest += octets[at + step :]
            break

    split = expected(octets)
    if split is None:
        assert rest is None
        return
    message, behind = split
    assert rest == behind
    if re.search(rb"\0|\r(?!\n)", message) or is_false_end(message):
        assert content.fault is Fault.BARE_OCTETS
    else:
        assert content.fault is None
        assert not content.is_checked
        assert content.raw() == unstuffed(message)


@pytest.mark.parametrize("step", [1, 3, 10**6])
@pytest.mark.parametrize("sequence", SMUGGLED, ids=repr)
async def test_smuggling_stays_impossible(authority: Any, sequence: bytes, step: int):
    """
    What follows a false end is never a command, and the message is refused; a bare LF alone is mended.
    """
    inner = b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<victim@rcpt.example>\r\nDATA\r\nFrom: ceo\r\n\r\nx"
    async with stage(authority, PLAIN) as on:
        on.reception.mends = True
        client = await on.authenticated("plain")
        await in_transaction(client)
        await client.trickle(MESSAGE + b"a" + sequence + inner + b"\r\n.\r\n", lambda: step)

        reply = await client.reply()
        assert (await client.says("NOOP")).startswith("250")
        assert len(on.endings) == 1
        if sequence == b"\n":
            assert reply.startswith("250")
            assert [MESSAGE + b"a\n" + inner + b"\r\n"] == on.reception.raws
        else:
            assert reply.startswith("550 5.6.11")
            assert on.reception.taken == []


def cases() -> list[dict[str, Any]]:
    more = (json.loads(line) for line in CASES.with_name("more_attacks.jsonl").read_text().splitlines())
    return [case for case in (*load(), *filter(is_playable, more)) if case["class"] == "H.smtp-framing"]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
async def test_attack_with_every_repair_on(case: dict[str, Any], authority: Any, monkeypatch: pytest.MonkeyPatch):
    """
    Every dialogue about the ends of lines and messages is answered as without repairs, and forwards as much.
    """
    monkeypatch.setattr(stages, "Reception", Mending)
    async with stage(authority) as on:
        on.delegates.away = "credential store" in (case.get("needs") or "")

        await play(on, case, at_once)
        await on.settled()

        assert case.get("forwarded") in (len(on.reception.taken), "0 or 1"), on.reception.raws
        assert on.is_balanced()
