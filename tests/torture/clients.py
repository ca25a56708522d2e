"""Clients under way: many connections in one loop, that keep note of every answer, whatever dies before them."""

import asyncio
import hashlib
import math
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from tests.torture.field import DELEGATES

SMALLEST, LARGEST = 1_000, 300_000
#: What a name may end in: a message that lies in a row of the spool, and one that lies in a file.
SIZES = {"small": 2_000, "large": 200_000}
AUTHOR = "billing@example.com"


def size_of(name: str) -> int:
    """How large a message is: as its name says, or of any order of magnitude from 1 KB to 300 KB."""
    if said := SIZES.get(name.rpartition("-")[2]):
        return said
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    return round(SMALLEST * math.exp(share * math.log(LARGEST / SMALLEST)))


def body_of(name: str) -> bytes:
    """The body that goes with a name: both sides know it."""
    line = hashlib.sha256(name.encode()).hexdigest().encode() + b"\r\n"
    return line * max(1, size_of(name) // len(line))


def digest_of(name: str) -> str:
    return hashlib.sha256(body_of(name)).hexdigest()


def message(name: str) -> bytes:
    return f"From: {AUTHOR}\r\nSubject: {name}\r\n\r\n".encode() + body_of(name)


@dataclass
class Answers:
    """
    What clients heard: the reply to the dot by the name of the message; ``handed_over`` counts the messages whose dot
    left, ``unanswered`` those of them that heard nothing.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)

    @property
    def handed_over(self) -> int:
        return len(self.accepted) + len(self.refused) + len(self.unanswered)


class Conversation:
    """One connection of a delegate: it says what it must and no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> str:
        """Read one reply, its last line; ConnectionError where there is none."""
        while True:
            line = await self.reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError
            if line[3:4] != b"-":
                return line.decode().strip()

    async def say(self, line: bytes) -> str:
        self.writer.write(line + b"\r\n")
        return await self.reply()

    async def envelope(self) -> str:
        """MAIL, RCPT and DATA; return the first refusal, or the 354."""
        self.writer.write(f"MAIL FROM:<{AUTHOR}>\r\nRCPT TO:<ann@example.net>\r\nDATA\r\n".encode())
        replies = [await self.reply() for _ in range(3)]
        return next((reply for reply in replies if reply[0] in "45"), replies[-1])

    async def hand_over(self, name: str, answers: Answers) -> str:
        """Hand one message over and note the answer."""
        reply = await self.envelope()
        if not reply.startswith("354"):
            answers.refused[name] = reply
            return reply
        answers.unanswered.add(name)
        self.writer.write(message(name) + b".\r\n")
        reply = await self.reply()
        answers.unanswered.discard(name)
        (answers.accepted if reply.startswith("250") else answers.refused)[name] = reply
        return reply


@asynccontextmanager
async def conversation(
    address: tuple[str, int], delegate: str = "d1", sources: Mapping[str, str] = DELEGATES
) -> AsyncIterator[Conversation]:
    """Connect as a delegate, who is known by where it comes from, and say EHLO; hang up at the end."""
    reader, writer = await asyncio.open_connection(*address, local_addr=(sources[delegate], 0))
    try:
        begun = Conversation(reader, writer)
        await begun.reply()
        await begun.say(b"EHLO client.example")
        yield begun
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


class Crowd:
    """
    Clients that hand over message after message until told to rest, and come back after each death.

    ``kind`` of messages: small, large, or any size. ``pause``: seconds that a client rests between two messages.
    ``address`` is that of the relay of the moment, None when there is none.
    """

    def __init__(
        self,
        prefix: str,
        number: int,
        *,
        kind: str = "any",
        pause: float = 0.0,
        delegates: Sequence[str] = (),
        sources: Mapping[str, str] = DELEGATES,
    ) -> None:
        self.answers = Answers()
        self.address: tuple[str, int] | None = None
        self._prefix, self._number, self._kind, self._pause = prefix, number, kind, pause
        self._delegates = delegates or list(DELEGATES)
        self._sources = sources
        self._ended = False
        self._count = 0

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hand over in a thread of their own until the block ends."""
        self._ended = False
        thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        thread.start()
        try:
            yield
        finally:
            self._ended = True
            thread.join()

    async def _all(self) -> None:
        delegates = self._delegates
        await asyncio.gather(*(self._one(delegates[number % len(delegates)]) for number in range(self._number)))

    async def _one(self, delegate: str) -> None:
        while not self._ended:
            address = self.address
            if address is None:
                await asyncio.sleep(0.02)
                continue
            with suppress(OSError):
                await self._converse(address, delegate)
            await asyncio.sleep(0.02)

    async def _converse(self, address: tuple[str, int], delegate: str) -> None:
        async with conversation(address, delegate, self._sources) as talk:
            while not self._ended and self.address == address:
                self._count += 1
                name = f"{self._prefix}-{delegate}-{self._count}-{self._kind}"
                reply = await talk.hand_over(name, self.answers)
                await asyncio.sleep(max(self._pause, 0.05 if reply.startswith("4") else 0.0))


def hand_over(address: tuple[str, int], *names: str, answers: Answers) -> list[str]:
    """Hand messages over, one after the other on one connection; return the replies that came."""

    async def all_of_them() -> list[str]:
        replies = []
        with suppress(OSError):
            async with conversation(address) as talk:
                for name in names:
                    replies.append(await talk.hand_over(name, answers))  # noqa: PERF401  what came stays if it breaks off
        return replies

    return asyncio.run(all_of_them())
