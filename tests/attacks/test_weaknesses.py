"""Weaknesses of aiosmtpd that only a whole relay can show closed, by number (docs/explanation/aiosmtpd.md)."""

from pathlib import Path

import pytest

from tests.attacks.cases import Case, plain_cases
from tests.attacks.field import Client, Field, open_relay
from tests.attacks.playing import play

ARN = b"X-SES-SOURCE-ARN: arn:aws:ses:us-east-1:111122223333:identity/example.com\r\n"
HEAD = b"From: app1@example.com\r\nTo: bob@rcpt.example\r\n"

#: The classes in which aiosmtpd's own state is under attack, some of each.
STATEFUL = [case for case in plain_cases() if case.kind in ("H.smtp-framing", "I.envelope", "J.auth", "K.tls")][::3]


async def hands_in(field: Field, raw: bytes) -> tuple[str, Client]:
    client = await field.opened("authed", "app1")
    return await client.hands_in(raw), client


@pytest.mark.parametrize(
    ("line", "answer"),
    [(b"x" * 998, "250 2.0.0"), (b"x" * 999, "554 5.6.0"), (b"." + b"x" * 997, "250 2.0.0"), (b"." * 999, "554 5.6.0")],
    ids=["998", "999", "998 with a dot", "999 dots"],
)
async def test_w23_a_line_has_998_octets_as_it_is_meant_and_not_as_it_is_stuffed(line, answer, attacked: Field):
    reply, client = await hands_in(attacked, HEAD + ARN + b"\r\n" + line + b"\r\n")

    assert reply.startswith(answer)
    assert [taken.body for taken in attacked.taken_from(client)] == [line + b"\r\n"] * (answer[0] == "2")


async def test_w32_a_message_tells_where_it_has_been_and_does_not_go_round(attacked: Field):
    """What the relay has sent has its Received field, and is refused when it comes back."""
    reply, client = await hands_in(attacked, HEAD + ARN + b"\r\nround and round\r\n")
    assert reply.startswith("250 2.0.0")
    (taken,) = attacked.taken_from(client)
    assert taken.head.startswith(b"Received: from client.test ([")
    assert b"with ESMTPSA id " in taken.head

    again, _ = await hands_in(attacked, taken.raw)
    assert again.startswith("554 5.4.6")


async def test_w32_fifty_hops_are_enough(attacked: Field):
    hops = b"Received: from a.example by b.example; Thu, 20 Nov 2025 10:00:00 +0000\r\n"

    assert (await hands_in(attacked, hops * 50 + HEAD + ARN + b"\r\nhello\r\n"))[0].startswith("250 2.0.0")
    assert (await hands_in(attacked, hops * 51 + HEAD + ARN + b"\r\nhello\r\n"))[0].startswith("554 5.4.6")


@pytest.fixture(scope="module")
def optimized(certificate, tmp_path_factory: pytest.TempPathFactory):
    """The field, its relay run as ``python -OO``: nothing is left of any assert."""
    with open_relay(tmp_path_factory.mktemp("optimized"), certificate, {"PYTHONOPTIMIZE": "2"}) as field:
        yield field


@pytest.mark.system
@pytest.mark.parametrize("case", STATEFUL, ids=lambda case: case.id)
async def test_w34_no_verdict_hangs_on_an_assert(case: Case, optimized: Field):
    played = await play(optimized, case)

    assert played.problems == []


@pytest.mark.system
def test_w34_what_was_run_was_really_without_asserts(optimized: Field):
    environ = Path(f"/proc/{optimized.relay.process.pid}/environ").read_bytes()  # type: ignore[union-attr]  # a process

    assert b"\0PYTHONOPTIMIZE=2\0" in b"\0" + environ
