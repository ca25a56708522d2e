"""
An SES that keeps a book, in a process of its own that survives every relay:
``python -m tests.torture.far_ses SEED [HOST]``.

It takes SendRawEmail, fails at random as it is told to, and remembers what it took: which message, its digest, when the
answer left. Made of the standard library and of nothing of ours.
"""

import asyncio
import base64
import hashlib
import json
import random
import re
import sys
import time
import urllib.parse
from contextlib import suppress
from dataclasses import asdict, dataclass, field

SENT = (
    "<SendRawEmailResponse xmlns='http://ses.amazonaws.com/doc/2010-12-01/'><SendRawEmailResult><MessageId>{}"
    "</MessageId></SendRawEmailResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    "</SendRawEmailResponse>"
)
FAILED = (
    "<ErrorResponse xmlns='http://ses.amazonaws.com/doc/2010-12-01/'><Error><Type>Sender</Type><Code>{}</Code>"
    "<Message>{}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
)
QUOTA = (
    "<GetSendQuotaResponse xmlns='http://ses.amazonaws.com/doc/2010-12-01/'><GetSendQuotaResult><Max24HourSend>"
    "10000000.0</Max24HourSend><MaxSendRate>10000.0</MaxSendRate><SentLast24Hours>0.0</SentLast24Hours>"
    "</GetSendQuotaResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetSendQuotaResponse>"
)
MARK = b"X-Relay-Attempt: maybe-duplicate; id="


@dataclass
class Taken:
    """One acceptance. ``at``: when the answer had been written, in seconds since the epoch; None if it never was."""

    id: str
    name: str
    digest: str
    marked: bool
    at: float | None = None


@dataclass
class Book:
    """What SES knows. ``calls`` counts all SendRawEmail, also those that failed."""

    taken: list[Taken] = field(default_factory=list)
    calls: int = 0
    throttled: int = 0
    dropped_after: int = 0
    seen: list[str] = field(default_factory=list)


@dataclass
class Weather:
    """
    How likely each fault is, of 1; ``slow``: the longest delay in seconds of each answer; ``down``: every call fails.

    ``hold``: the name of a message that is never answered, nor taken; ``keep``: of one that is taken and not answered.
    ``rate``: recipients a second, hard, none saved up for longer than a second.
    """

    throttle: float = 0.0
    broken: float = 0.0
    before: float = 0.0
    after: float = 0.0
    slow: float = 0.0
    down: bool = False
    hold: str = ""
    keep: str = ""
    rate: float | None = None


class FarSes:
    """Answers HTTP/1.1 on a port of its own."""

    def __init__(self, seed: str) -> None:
        self._chance = random.Random(seed)
        self.book = Book()
        self.weather = Weather()
        self._room, self._filled_at = 0.0, time.monotonic()
        self._numbers = iter(range(1, 1 << 60))

    async def serve(self, host: str = "127.0.0.1") -> None:
        """Print the port, then answer until killed."""
        server = await asyncio.start_server(self._converse, host, 0, limit=1 << 24, backlog=1024)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  this is how it is found
        await server.serve_forever()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False hangs up."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, path, _ = head.split(b" ", 2)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        if path == b"/book":
            return await say(writer, 200, json.dumps(asdict(self.book)))
        if path == b"/weather":
            self.weather = Weather(**json.loads(body))
            return await say(writer, 200, "{}")
        fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        if fields.get("Action") == "GetSendQuota":
            return await say(writer, 200, QUOTA)
        if method != b"POST" or fields.get("Action") != "SendRawEmail":
            return await say(writer, 400, FAILED.format("InvalidAction", "not here"))
        return await self._send(fields, writer)

    async def _send(self, fields: dict[str, str], writer: asyncio.StreamWriter) -> bool:
        weather, draw = self.weather, self._chance.random()
        self.book.calls += 1
        raw = base64.b64decode(fields["RawMessage.Data"])
        name = re.search(rb"(?m)^Subject: (\S+)\r$", raw)[1].decode()  # type: ignore[index]  # ours have one
        self.book.seen.append(name)
        await asyncio.sleep(self._chance.random() * weather.slow)
        if name == weather.hold:
            await asyncio.sleep(3600)
        if weather.down:
            return await say(writer, 503, FAILED.format("ServiceUnavailable", "down"))
        for likely, answer in (
            (weather.throttle, (400, "Throttling", "Maximum sending rate exceeded.")),
            (weather.broken, (500, "InternalFailure", "broken")),
            (weather.before, None),
        ):
            if draw < likely:
                return answer is not None and await say(writer, answer[0], FAILED.format(*answer[1:]))
            draw -= likely
        recipients = sum(key.startswith("Destinations.member.") for key in fields)
        if not self._has_room(recipients):
            self.book.throttled += 1
            return await say(writer, 400, FAILED.format("Throttling", "Maximum sending rate exceeded."))
        return await self._take(name, raw, writer, is_lost=draw < weather.after)

    async def _take(self, name: str, raw: bytes, writer: asyncio.StreamWriter, *, is_lost: bool) -> bool:
        head, _, body = raw.partition(b"\r\n\r\n")
        message_id = f"0100{next(self._numbers):012x}-000000"
        taken = Taken(message_id, name, hashlib.sha256(body).hexdigest(), MARK in head)
        self.book.taken.append(taken)
        if is_lost:
            self.book.dropped_after += 1
            return False
        if name == self.weather.keep:
            await asyncio.sleep(3600)
        await say(writer, 200, SENT.format(message_id))
        taken.at = time.time()
        return True

    def _has_room(self, recipients: int) -> bool:
        rate = self.weather.rate
        if rate is None:
            return True
        now = time.monotonic()
        self._room = min(rate, self._room + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._room < recipients:
            return False
        self._room -= recipients
        return True


async def say(writer: asyncio.StreamWriter, status: int, text: str) -> bool:
    body = text.encode()
    writer.write(
        b"HTTP/1.1 %d Said\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body
    )
    await writer.drain()
    return True


if __name__ == "__main__":
    asyncio.run(FarSes(sys.argv[1]).serve(*sys.argv[2:]))
