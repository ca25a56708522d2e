"""What is ours is told to the house and not to the client: weakness W6 of aiosmtpd, and replies."""

import re

import pytest

from relay.observe.events import Incident, MessageEnded
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from tests.smtp.stage import PLAIN, NothingKnown, plain, stage

NASTY = RuntimeError("secret\r\n250 2.0.0 Ok \xff\u2028")


async def raising() -> None:
    raise NASTY


async def test_w6_an_exception_is_a_temporary_failure_that_tells_nothing(authority):
    """
    The client hears a constant and a number; the house hears the exception; the envelope is gone; the connection lives.
    """
    async with stage(authority, PLAIN) as on:
        on.reception.before = raising
        client = await on.authenticated("plain")

        answer = await client.hands_in()

        assert re.fullmatch(r"451 4\.3\.0 Internal trouble, incident id\d+", answer)
        assert [event.error for event in on.of(Incident)] == [NASTY]
        assert on.of(Incident)[0].id in answer
        assert (await client.says("DATA")).startswith("503 5.5.1")
        on.reception.before = None
        assert (await client.hands_in()).startswith("250")
        assert on.endings == [("deferred", "internal"), ("accepted", "none")]


async def test_w6_an_exception_at_mail_is_a_temporary_failure(authority):
    async with stage(authority, PLAIN) as on:

        def early(*_: object) -> Ending | None:
            raise NASTY

        on.reception.early = early
        client = await on.authenticated("plain")

        assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("451 4.3.0 Internal trouble, incident id")
        assert (await client.says("RCPT TO:<bob@rcpt.example>")).startswith("503")
        assert on.endings == [("deferred", "internal")]


@pytest.mark.parametrize("again", ["MAIL FROM:<app1@example.com>", "RSET", "EHLO client.test"])
async def test_w6_an_exception_at_rcpt_is_a_temporary_failure_of_the_whole_message(authority, again):
    """
    Were DATA, and each further RCPT, refused for want of MAIL, recipients taken before would be bounced.
    """

    class Broken(NothingKnown):
        async def refusal(self, domain: str, patience: float) -> None:
            if domain == "b.example":
                await raising()

    async with stage(authority, PLAIN, recipient_domains=Broken()) as on:
        client = await on.authenticated("plain")
        recipients = b"".join(b"RCPT TO:<x@%c.example>\r\n" % c for c in b"abc")
        await client.send(b"MAIL FROM:<app1@example.com>\r\n" + recipients + b"DATA\r\n")

        assert [(await client.reply())[:9] for _ in range(5)] == ["250 2.1.0", "250 2.1.5"] + ["451 4.3.0"] * 3
        assert on.endings == [("deferred", "internal")]
        assert (await client.says(again)).startswith("250")
        assert (await client.says("DATA")).startswith("503 5.5.1")
        assert (await client.says("RSET")).startswith("250")
        assert (await client.hands_in(to="x@a.example")).startswith("250")


async def test_w6_an_exception_at_auth_is_a_temporary_failure(authority, monkeypatch):
    async with stage(authority, PLAIN) as on:

        async def verify(*_: object) -> None:
            await raising()

        monkeypatch.setattr(on.delegates, "verify", verify)
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("451 4.3.0 Internal trouble, incident id")
        assert (await client.says("NOOP")).startswith("250")


async def test_w6_a_record_that_cannot_be_written_costs_no_count(authority):
    def record(**_: object) -> dict[str, object]:
        raise NASTY

    async with stage(authority, PLAIN, record=record) as on:
        client = await on.authenticated("plain")

        assert (await client.hands_in()).startswith("250")
        assert on.endings == [("accepted", "none")]
        assert on.of(MessageEnded)[0].record["id"]


async def test_every_reply_is_told_by_command_and_code(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.hands_in()
        await client.says("XYZZY")
        await client.says("QUIT")

        assert on.replies == {
            ("connect", 220): 1,
            ("EHLO", 250): 1,
            ("AUTH", 235): 1,
            ("MAIL", 250): 1,
            ("RCPT", 250): 1,
            ("DATA", 354): 1,
            ("data-end", 250): 1,
            ("other", 500): 1,
            ("QUIT", 221): 1,
        }


async def test_a_long_reply_is_folded(authority):
    """
    No line of a reply is longer than RFC 5321 allows, and no word is lost.
    """
    async with stage(authority, PLAIN) as on:
        text = " ".join(f"word{number}" for number in range(300))
        on.reception.early = lambda *_: Ending(Outcome.REJECTED, Reason.POLICY_DENIED, Reply(554, (5, 7, 1), text))
        client = await on.authenticated("plain")

        lines = (await client.says("MAIL FROM:<app1@example.com>")).split(" | ")

        assert len(lines) > 3
        assert all(len(line) <= 510 for line in lines)
        assert text == " ".join(line[10:] for line in lines)
