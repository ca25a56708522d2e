"""
What clients can make the relay cost: memory and stalls, each case against a relay of its own with default limits.

``python -m bench.bounds [CASE ...]``: all cases take two minutes. A stall is how long the event loop was busy at a
stretch: of a hundred looks the longest but one, in processor time, for clients, SES and whatever else runs here want
the same cores; beside it the same by the clock. The figures are in SECURITY.md.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import trustme

from bench.record import head, row
from relay.smtp.limits import Limits
from tests.system.houses import House
from tests.system.relays import RunningRelay, clean_environ, ending, plain_response, trusting
from tests.system.rows import PERMITTED, secret_of

MIB = 1 << 20
BUDGET = Limits().inflight_bytes
#: What the relay may take beside the messages that it holds.
BESIDE = 150 * MIB
STALL = 0.020
MINE = PERMITTED[0]
TRUSTING = trusting()
HEADER = b"From: billing@example.com\r\nTo: bob@example.net\r\nSubject: s\r\n\r\n"
LINES = (b"x" * 76 + b"\r\n") * 840  # 64 KiB


class Client:
    """A client of the first listener (STARTTLS, AUTH in clear permitted), or of the second, under TLS."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def of(cls, relay: RunningRelay, *, tls: bool = False, receive: int = 0) -> "Client":
        made = socket.socket()
        if receive:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        made.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        await asyncio.get_running_loop().sock_connect(made, relay.implicit if tls else relay.smtp)
        client = cls()
        client.reader, client.writer = await asyncio.open_connection(
            sock=made, ssl=TRUSTING if tls else None, server_hostname="relay" if tls else None
        )
        await client.reply()
        return client

    async def reply(self) -> str:
        while True:
            line = await self.reader.readline()
            if line[3:4] != b"-":
                return line.decode() or "CLOSED"

    async def says(self, line: str) -> str:
        self.writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def authenticated(self) -> "Client":
        await self.says("EHLO bench")
        reply = await self.says(f"AUTH PLAIN {plain_response(MINE.delegate, secret_of(MINE.delegate))}")
        assert reply.startswith("235"), reply
        return self

    async def in_data(self, more: str = "") -> str:
        await self.says(f"MAIL FROM:<{MINE.mail_from}>{more}")
        await self.says(f"RCPT TO:<{MINE.recipients[0]}>")
        return await self.says("DATA")

    async def sends(self, octets: bytes, times: int = 1) -> None:
        with suppress(OSError):
            for _ in range(times):
                self.writer.write(octets)
                await self.writer.drain()


@dataclass
class Scene:
    """A relay that a case is played on; ``notes`` is what the case has to say."""

    relay: RunningRelay
    notes: str = ""

    def memory(self, which: str = "VmRSS") -> int:
        status = Path(f"/proc/{self.relay.process.pid}/status").read_text()
        return int(re.search(rf"{which}:\s+(\d+)", status)[1]) * 1024  # type: ignore[index] # Linux has it


async def many(number: int, make: Callable[[], Awaitable[Client]], at_once: int = 8) -> list[Client]:
    """Make clients, some at a time: a KDF runs for each that logs in."""
    turns = asyncio.Semaphore(at_once)

    async def one() -> Client:
        async with turns:
            return await make()

    return list(await asyncio.gather(*(one() for _ in range(number))))


# Cases


async def idle(scene: Scene) -> None:
    """1000 connections that were greeted and say nothing"""
    before = scene.memory()
    await many(1000, lambda: Client.of(scene.relay), 50)
    scene.notes = f"{(scene.memory() - before) / 1000 / 1024:.0f} KiB each"


async def idle_tls(scene: Scene) -> None:
    """500 delegates under TLS, each after a message of 100 KiB"""

    async def one() -> Client:
        client = await (await Client.of(scene.relay, tls=True)).authenticated()
        await client.in_data()
        await client.sends(HEADER + LINES + LINES[:36000] + b"\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        return client

    before = scene.memory()
    await many(500, one, 4)
    scene.notes = f"{(scene.memory() - before) / 500 / 1024:.0f} KiB each"


async def endless_line(scene: Scene) -> None:
    """64 MiB without a line end in DATA"""
    client = await (await Client.of(scene.relay)).authenticated()
    await client.in_data()
    await client.sends(b"a" * MIB, 64)
    scene.notes = await ended(client)


async def empty_lines(scene: Scene) -> None:
    """31 MiB of empty lines in DATA"""
    client = await (await Client.of(scene.relay)).authenticated()
    await client.in_data()
    await client.sends(b"\r\n" * (MIB // 2), 31)
    scene.notes = await ended(client)


async def full_of_lines(scene: Scene) -> None:
    """8 at once: messages of 10 MiB, all empty lines"""

    async def one() -> str:
        client = await (await Client.of(scene.relay)).authenticated()
        await client.in_data()
        await client.sends(HEADER + b"\r\n" * (5 * MIB - 1000))
        return await ended(client)

    scene.notes = counted(await asyncio.gather(*(one() for _ in range(8))))


async def parallel(scene: Scene) -> None:
    """64 at once: messages of 9 MB, SES takes 1 s for each"""

    async def one() -> str:
        client = await (await Client.of(scene.relay)).authenticated()
        reply = await client.in_data()
        if not reply.startswith("354"):
            return reply[:3]
        await client.sends(HEADER)
        await client.sends(LINES, 9_000_000 // len(LINES))
        return await ended(client)

    scene.notes = counted(await asyncio.gather(*(one() for _ in range(64))))


async def half(scene: Scene) -> None:
    """70 at once: 8 MiB of a message, and then nothing"""

    async def one() -> str:
        client = await (await Client.of(scene.relay)).authenticated()
        reply = await client.in_data()
        if reply.startswith("354"):
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await client.sends(HEADER)
                    await client.sends(LINES, 8 * MIB // len(LINES))
                    await asyncio.sleep(10)
        return reply[:3]

    scene.notes = counted(await asyncio.gather(*(one() for _ in range(70))))


async def deaf(scene: Scene) -> None:
    """1000 clients that pipeline commands and read no reply"""

    async def one() -> Client:
        client = await Client.of(scene.relay, receive=4096)
        cast("asyncio.ReadTransport", client.writer.transport).pause_reading()  # deaf as can be
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.sends(b"HELP\r\n" * 10_000, 30)
        return client

    clients = await many(1000, one, 100)
    scene.notes = f"{len(clients)} connections"


async def impatient(scene: Scene) -> None:
    """80 clients that go on talking while SES takes 1 s"""

    async def one() -> Client:
        client = await (await Client.of(scene.relay)).authenticated()
        await client.in_data()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await client.sends(HEADER + b".\r\n")
                await client.sends(b"NOOP\r\n" * 10_000, 100)
        return client

    await many(80, one, 80)


async def flood(scene: Scene) -> None:
    """3000 connections one after the other, 64 at a time"""

    async def one() -> str:
        try:
            client = await Client.of(scene.relay)
            reply = await client.says("QUIT")
            client.writer.close()
        except OSError:
            return "-"
        return reply[:3]

    turns = asyncio.Semaphore(64)

    async def taking_turns() -> str:
        async with turns:
            return await one()

    scene.notes = counted(await asyncio.gather(*(taking_turns() for _ in range(3000))))


async def handshakes(scene: Scene) -> None:
    """300 TLS handshakes, 32 at a time"""

    async def one() -> Client:
        return await Client.of(scene.relay, tls=True)

    began = time.monotonic()
    await many(300, one, 32)
    scene.notes = f"{300 / (time.monotonic() - began):.0f}/s"


async def guesses(scene: Scene) -> None:
    """40 wrong passwords at a time, for 5 s"""

    async def one() -> None:
        with suppress(OSError):
            while True:
                client = await Client.of(scene.relay)
                await client.says("EHLO bench")
                reply = await client.says(f"AUTH PLAIN {plain_response('billing', 'wrong')}")
                if reply == "CLOSED":
                    continue
                client.writer.close()

    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            await asyncio.gather(*(one() for _ in range(40)))


CASES = (
    idle,
    idle_tls,
    endless_line,
    empty_lines,
    full_of_lines,
    parallel,
    half,
    deaf,
    impatient,
    flood,
    handshakes,
    guesses,
)
LIFTED = "\n[limits]\nconnections_per_client = 0\nauth_failures_per_minute = 0\nauth_failures_per_day = 0\n"


async def ended(client: Client) -> str:
    await client.sends(b"\r\n.\r\n")
    with suppress(OSError):
        return (await client.reply())[:3]
    return "reset"


def counted(replies: list[str]) -> str:
    """How often each was heard."""
    return ", ".join(f"{replies.count(reply)} x {reply}" for reply in sorted(set(replies)))


# Measuring


@contextmanager
def far_side(delay: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-m", "bench.far_side", delay], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def certificate(folder: Path) -> tuple[Path, Path]:
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("relay", key_type=trustme.KeyType.ECDSA)
    chain, key = folder / "c.pem", folder / "k.pem"
    chain.write_bytes(issued.cert_chain_pems[0].bytes())
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


@dataclass(frozen=True)
class Cost:
    """Octets of memory before, at most and after; stalls in seconds: p99 and longest, and p99 by the clock."""

    before: int
    peak: int
    after: int
    p99: float
    longest: float
    clock: float
    notes: str

    @property
    def is_within_bounds(self) -> bool:
        return self.peak <= BESIDE + BUDGET and self.p99 <= STALL


def measured(case: Callable[[Scene], Awaitable[None]]) -> Cost:
    """Play one case on a relay of its own."""
    delay = "1" if case in (parallel, impatient) else "0"
    with tempfile.TemporaryDirectory() as name, far_side(delay) as sink:
        assert sink.stdout is not None
        folder = Path(name)
        house = House(folder / "house", certificate(folder), ses=f"http://127.0.0.1:{sink.stdout.readline().strip()}")
        house.settings.write_text(house.settings.read_text() + LIFTED)
        looks = folder / "looks.json"
        with serving(house, looks) as relay:
            scene = Scene(relay)
            before = scene.memory()
            asyncio.run(played(case, scene))
            time.sleep(0.3)
            seen = json.loads(looks.read_text())
            (p99, longest), (clock, _) = seen["busy"], seen["clock"]
            return Cost(before, scene.memory("VmHWM"), scene.memory(), p99, longest, clock, scene.notes)


@contextmanager
def serving(house: House, looks: Path) -> Iterator[RunningRelay]:
    """Run a relay that looks at its own event loop."""
    log = house.folder / "relay.log"
    arguments = [sys.executable, "-m", "bench.inside", str(looks), "serve", "-c", str(house.settings)]
    with log.open("wb") as sink:
        process = subprocess.Popen(arguments, stdout=sink, stderr=subprocess.STDOUT, env=clean_environ())
    relay = RunningRelay(process, log)
    with ending(relay):
        relay.addresses = relay.wait_for("relay.ready")
        yield relay


async def played(case: Callable[[Scene], Awaitable[None]], scene: Scene) -> None:
    await case(scene)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def main(names: list[str]) -> int:
    """Print a line a case; exit 1 when a figure is past its goal."""
    print(f"budget for messages: {BUDGET // MIB} MiB; goals: peak <= {(BESIDE + BUDGET) // MIB} MiB, p99 <= 20 ms")
    head("", "MiB before", "peak", "after", "stall p99", "longest", "p99 by clock", "")
    bad = 0
    for case in CASES:
        if names and case.__name__ not in names:
            continue
        cost = measured(case)
        sizes = [f"{octets / MIB:.0f}" for octets in (cost.before, cost.peak, cost.after)]
        stalls = [f"{seconds * 1e3:.1f} ms" for seconds in (cost.p99, cost.longest, cost.clock)]
        row(case.__doc__ or "", *sizes, *stalls, "  " + cost.notes)
        bad += not cost.is_within_bounds
        sys.stdout.flush()
    return min(bad, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
