"""The door's life: opening, closing in order, and the books it keeps."""

import asyncio
import errno
import itertools
import random
import socket
from contextlib import suppress
from dataclasses import replace

import pytest

from relay.observe.events import Event, MessageEnded, MessageReceived, Noted, SessionClosed, SessionOpened
from relay.smtp.connection import Connection
from relay.smtp.listeners import ListenerProblem
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending
from tests.smtp.stage import MESSAGE, PLAIN, TRUSTED, Client, NothingKnown, Stage, stage


async def test_a_port_that_is_taken_is_named_and_nothing_stays_open(authority):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = replace(PLAIN, name="busy", port=port)
        with pytest.raises(ListenerProblem, match=f"listener busy: cannot listen on 127.0.0.1:{port}"):
            async with stage(authority, PLAIN, busy):
                pass


async def test_addresses_tell_the_ports_the_system_chose(authority):
    async with stage(authority) as on:
        ports = [address[1] for addresses in on.door.addresses.values() for address in addresses]

        assert list(on.door.addresses) == ["starttls", "implicit", "plain"]
        assert all(ports)
        assert len(set(ports)) == 3


async def test_w29_draining_lets_open_transactions_finish_and_tells_the_idle(authority):
    """
    No new client; who idles hears 421 at once; who is inside a transaction hears its end first.
    """
    async with stage(authority, PLAIN) as on:
        idle, busy = await on.authenticated("plain"), await on.authenticated("plain")
        released = asyncio.Event()
        on.reception.before = released.wait
        await busy.says("MAIL FROM:<app1@example.com>")
        host, port = on.door.addresses["plain"][0]
        drained = asyncio.create_task(on.door.drain(10))

        assert (await idle.reply()).startswith("421 4.3.2")
        assert await idle.is_closed()
        with pytest.raises(OSError, match="onnect"):
            await Client.connect(host, port)
        await busy.says("RCPT TO:<bob@rcpt.example>")
        await busy.says("DATA")
        await busy.send(MESSAGE + b".\r\nMAIL FROM:<app1@example.com>\r\n")
        released.set()
        assert (await busy.reply()).startswith("250")
        assert (await busy.reply()).startswith("421 4.3.2")
        await idle.close()
        await busy.close()
        assert await drained
        assert on.endings == [("accepted", "none")]
        assert {event.why for event in on.of(SessionClosed)} == {"drain"}


@pytest.mark.parametrize("sent", [b"", b"RCPT TO:<bob@rcpt.example>\r\n", b"RCPT TO:<bob@rcpt.example>\r\nDATA\r\n"])
async def test_w29_whoever_takes_longer_than_the_drain_is_told_to_come_back(authority, sent):
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.send(sent)
        for _ in range(sent.count(b"\n")):
            await client.reply()

        drained = asyncio.create_task(on.door.drain(0.1))
        assert (await client.reply()).startswith("421 4.3.2")
        await client.close()
        assert await drained
        assert on.endings == [("deferred", "shutting-down")]


async def test_w29_what_is_inside_the_reception_is_never_cancelled(authority):
    """
    Not by a drain that runs out of time, not by closing: it ends, and is counted, when it ends.
    """
    async with stage(authority, PLAIN, linger_seconds=0.1) as on:
        begun, released = asyncio.Event(), asyncio.Event()

        async def before() -> None:
            begun.set()
            await released.wait()

        on.reception.before = before
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.says("RCPT TO:<bob@rcpt.example>")
        await client.says("DATA")
        await client.send(MESSAGE + b".\r\n")
        await begun.wait()

        assert not await on.door.drain(0.05)
        await on.door.close()
        assert on.endings == []
        released.set()
        await on.settled()
        assert on.endings == [("accepted", "none")]
        assert on.reception.raws == [MESSAGE]


async def test_a_message_is_told_before_it_is_answered(authority, monkeypatch):
    """
    What an observer does at the end of a turn of the loop, as a worker writes to its supervisor, is done by then: a
    process that is killed behind its 250 has told of it.
    """
    order: list[str] = []
    said = Connection._say

    def say(self: Connection, reply: Reply) -> None:
        if self._verb == "data-end":
            order.append("answered")
        said(self, reply)

    monkeypatch.setattr(Connection, "_say", say)
    async with stage(authority, PLAIN) as on:
        loop, told = asyncio.get_running_loop(), on.door._premises.observe

        def tell(event: Event) -> None:
            told(event)
            if isinstance(event, MessageEnded):
                loop.call_soon(order.append, "told")

        on.door._premises.observe = tell
        client = await on.authenticated("plain")

        assert (await client.hands_in()).startswith("250")
        assert order == ["told", "answered"]


async def test_a_wait_that_is_cancelled_ends_the_open_message(authority):
    """
    As a loop does that is torn down: the message is counted, and the client is not left waiting.
    """
    begun = asyncio.Event()

    class Endless(NothingKnown):
        async def refusal(self, domain: str, patience: float) -> Reply | None:
            begun.set()
            await asyncio.Event().wait()
            return None

    async with stage(authority, PLAIN, recipient_domains=Endless()) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.send(b"RCPT TO:<bob@rcpt.example>\r\n")
        await begun.wait()
        (visitor,) = on.door._premises.visitors
        visitor._at_work.cancel()  # type: ignore[attr-defined] # as a loop does that is torn down
        assert await client.is_closed()
        await on.settled()

        assert on.endings == [("deferred", "shutting-down")]


async def test_a_long_segment_of_commands_does_not_stop_the_loop(authority):
    """
    Others get their turn after a few dozen commands at most.
    """
    async with stage(authority, PLAIN) as on:
        asked = 0
        seen = [0]

        def early(*_: object) -> Ending:
            nonlocal asked
            asked += 1
            return Ending(Outcome.REJECTED, Reason.POLICY_DENIED, Reply(550, (5, 7, 1), "no"))

        async def watch() -> None:
            while asked < 2000:
                seen.append(asked)
                await asyncio.sleep(0)

        on.reception.early = early
        client = await on.authenticated("plain")
        await client.send(b"MAIL FROM:<ceo@example.com>\r\n" * 2000)
        await watch()

        assert max(after - before for before, after in itertools.pairwise(seen)) <= 40


async def test_a_trusted_network_needs_no_password(authority):
    async with stage(authority, TRUSTED) as on:
        stranger = await on.greeted("trusted")
        assert (await stranger.says("MAIL FROM:<app1@example.com>")).startswith("530 5.7.0")

        on.delegates.network = "app1"
        neighbour = await on.greeted("trusted")
        assert (await neighbour.hands_in()).startswith("250")
        assert on.reception.taken[0][0].delegate == "app1"
        assert on.reception.taken[0][0].protocol == "ESMTP"


async def test_a_listener_that_requires_auth_trusts_no_network(authority):
    async with stage(authority, PLAIN) as on:
        on.delegates.network = "app1"
        client = await on.greeted("plain")

        assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("530 5.7.0")


async def test_helo_is_enough_where_no_extension_is_needed(authority):
    async with stage(authority, TRUSTED) as on:
        on.delegates.network = "app1"
        client = await on.client("trusted")
        await client.reply()

        assert await client.says("HELO old.client") == "250 relay.test"
        assert (await client.says("AUTH PLAIN AA==")).startswith("503 5.5.1")
        assert (await client.hands_in()).startswith("250")
        assert on.reception.taken[0][0].protocol == "SMTP"


async def test_recipients_that_were_all_refused_name_the_ending(authority):
    """
    A client that gives up because no recipient was taken has not simply gone: its addresses were wrong.
    """
    async with stage(authority, PLAIN) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.says("RCPT TO:<bob>")
        await client.says("RSET")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.says("RCPT TO:<bob@rcpt.example>")
        await client.says("RCPT TO:<bob>")
        await client.says("QUIT")

        assert on.endings == [("rejected", "address-form"), ("aborted", "client-gone")]


SAYINGS = [
    b"EHLO x\r\n",
    b"HELO x\r\n",
    b"AUTH PLAIN AGFwcDEAczNjcmV0LWFwcDE=\r\n",
    b"AUTH PLAIN AGFwcDEAeA==\r\n",
    b"MAIL FROM:<app1@example.com>\r\n",
    b"MAIL FROM:<app1@example.com> SIZE=1\r\n",
    b"MAIL FROM:<ceo@example.com>\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<x\r\n",
    b"MAIL\r\n",
    b"MAIL FROM:<app1@example.com> SIZE=99999999\r\n",
    b"RCPT TO:<bob@rcpt.example>\r\n",
    b"RCPT TO:<eve@rcpt.example>\r\n",
    b"RCPT TO:<>\r\n",
    b"DATA\r\n",
    MESSAGE + b".\r\n",
    b"Subject: no author\r\n\r\n.\r\n",
    b"From: bare\n\r\n.\r\n",
    b"From: x\r\n\r\n" + b"x" * 3000 + b"\r\n.\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"XYZZY\r\n",
    b"DATA\r\nearly\r\n",
    b"QUIT\r\n",
]
FAVOURED = [SAYINGS[0], SAYINGS[2], SAYINGS[4], SAYINGS[11], SAYINGS[14], SAYINGS[15]]


async def converse(on: Stage, chance: random.Random) -> None:
    """Say things in a mostly sensible order, wait for replies or not, and leave in one of several ways."""
    client = await on.client("plain")
    await client.reply()
    for number in range(chance.randint(1, 30)):
        said = chance.choice(SAYINGS) if chance.random() < 0.4 else FAVOURED[number % len(FAVOURED)]
        try:
            if chance.random() < 0.3:
                await client.trickle(said, lambda: chance.randint(1, 40))
            else:
                await client.send(said)
        except OSError:
            break
        if chance.random() < 0.7:
            await client.reply(0.02)
    leave = chance.choice([client.vanish, client.shut, None])
    if leave is not None:
        with suppress(OSError, RuntimeError):  # RuntimeError: so uvloop calls a closed transport
            leave()
    await asyncio.sleep(0)
    await client.close()


@pytest.mark.parametrize("seed", range(40))
async def test_every_message_received_ends_once(authority, seed):
    """
    Whatever clients say and however they leave: the sum over outcomes is the number received, and nothing is left.
    """
    chance = random.Random(seed)
    async with stage(authority, PLAIN, message_bytes=2000, recipients=1, stranger_seconds=5) as on:
        on.reception.before = lambda: asyncio.sleep(chance.random() * 0.01)
        await asyncio.gather(*(converse(on, chance) for _ in range(4)))
        await on.settled()

        assert len(on.of(MessageEnded)) == len(on.of(MessageReceived))
        assert len(on.of(SessionClosed)) == len(on.of(SessionOpened))
        assert len(on.reception.taken) == on.endings.count(("accepted", "none"))
        assert on.door._premises.ledger.used == 0
        assert on.door._premises.crowd.total == 0


class ExhaustedSocket:
    """A listening socket in a process that has no file left for a connection."""

    def accept(self) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    def __init__(self, bound: socket.socket) -> None:
        self.bound = bound

    def fileno(self) -> int:
        return self.bound.fileno()


async def test_without_a_file_for_another_client_the_door_takes_a_breath(authority):
    """
    It does not spin, says so once a breath, and lets in who waited when there is room.
    """
    async with stage(authority, PLAIN) as on:
        (entrance,) = on.door._entrances
        bound = entrance._bound
        entrance._bound = ExhaustedSocket(bound)  # type: ignore[assignment] # stands in for a socket
        client = await on.client("plain")
        await asyncio.sleep(0.05)
        noted = [event.event for event in on.of(Noted)]
        entrance._bound = bound

        assert (await client.reply()).startswith("220")
        assert noted == ["listener.accept-failed"]
