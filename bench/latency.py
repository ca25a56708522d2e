"""
What a relay adds to SES's own answer, and how long its event loop keeps everybody waiting: ``python -m bench.latency``.

Twenty clients bring messages of 5 KB at half the rate that the relay takes here, each at its time whether or not the
last one is answered late. Measured is from the end of DATA to the reply; beside it a call of the same size to the same
sink without a relay, from the same process at the same rate. Then two clients bring messages of 1 MB as well, and the
loop is looked at a thousand times a second (``bench.inside``).
"""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

from bench.clock import head, row
from bench.messages import Client, Load, hand_over, message
from bench.relays import relay, stage

CLIENTS: Final = 20
SMALL, BIG = 5_000, 1_000_000
SECONDS: Final = 6.0
#: Of a client with big messages, between two of them.
BIG_EVERY: Final = 0.25
_KEPT: Final = 20  # messages that warm up each client, not counted

#: Brings one message and returns the seconds that its answer took.
Bring = Callable[[], Awaitable[float]]


async def by_relay(port: int, octets: int) -> Bring:
    """Bring messages on one session."""
    client, data = await Client.of(port, Load(octets)), message(octets) + b".\r\n"

    async def bring() -> float:
        await client.say(b"MAIL FROM:<billing@example.com>\r\n", b"250")
        await client.say(b"RCPT TO:<bob@example.net>\r\n", b"250")
        await client.say(b"DATA\r\n", b"354")
        began = time.perf_counter()
        await client.say(data, b"250")
        return time.perf_counter() - began

    return bring


async def by_call(endpoint: str, trusted: ssl.SSLContext, octets: int) -> Bring:
    """Call the sink with as many octets as base64 makes of a message."""
    to = urlsplit(endpoint)
    reader, writer = await asyncio.open_connection(to.hostname, to.port, ssl=trusted)
    body = b"A" * (octets * 4 // 3)
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def bring() -> float:
        began = time.perf_counter()
        writer.write(request)
        answer = await reader.readuntil(b"</SendRawEmailResponse>")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return time.perf_counter() - began

    return bring


async def at_pace(bring: Bring, every: float, first: float, took: list[float]) -> None:
    """Bring a message each *every* seconds; one that is late is not waited for with the next."""
    due = asyncio.get_running_loop().time() + first
    until = due + SECONDS
    while due < until:
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        took.append(await bring())
        due += every


async def all_at_pace(brings: list[Bring], rate: float) -> list[float]:
    """Bring messages of all clients, *rate* a second together, one client after the other; return seconds, sorted."""
    took: list[list[float]] = [[] for _ in brings]
    every = len(brings) / rate
    await asyncio.gather(*(at_pace(bring, every, n / rate, took[n]) for n, bring in enumerate(brings)))
    return sorted(seconds for of_one in took for seconds in of_one[_KEPT:])


async def capacity(port: int) -> float:
    """Messages a second that are taken when each client brings the next as soon as it can."""
    load, times = Load(SMALL, clients=CLIENTS, reuses=True), 2000
    await hand_over(port, load, times // 4)
    began = time.monotonic()
    await hand_over(port, load, times)
    return times / (time.monotonic() - began)


async def answers(port: int, endpoint: str, trusted: ssl.SSLContext) -> None:
    rate = await capacity(port) / 2
    calls = await all_at_pace([await by_call(endpoint, trusted, SMALL) for _ in range(CLIENTS)], rate)
    relayed = await all_at_pace([await by_relay(port, SMALL) for _ in range(CLIENTS)], rate)
    head(f"an answer, {CLIENTS} clients, 5 KB, {rate:,.0f} messages a second (half load)", "p50", "p99")
    row("a call to SES, no relay", *_percentiles(calls))
    row("by the relay", *_percentiles(relayed))
    added = (f"{(_at(relayed, share) - _at(calls, share)) * 1e3:.2f} ms" for share in (50, 99))
    row("added by the relay", *added)


async def stalls(port: int, looks: Path) -> None:
    """The same clients at a quarter of the load, and two with big messages."""
    rate = await capacity(port) / 4
    small = [await by_relay(port, SMALL) for _ in range(CLIENTS)]
    few, big = [await by_relay(port, BIG) for _ in range(2)], list[float]()
    mixed = (at_pace(bring, BIG_EVERY, n * BIG_EVERY / 2, big) for n, bring in enumerate(few))
    await asyncio.gather(all_at_pace(small, rate), *mixed)
    await asyncio.sleep(0.5)
    seen = json.loads(looks.read_text())  # noqa: ASYNC240  nothing else runs by now
    head(f"the loop, {rate:,.0f} messages of 5 KB and {2 / BIG_EVERY:.0f} of 1 MB a second", "p99", "longest")
    row("busy at a stretch, processor time", *(f"{seconds * 1e3:.1f} ms" for seconds in seen["busy"]))
    row("by the clock", *(f"{seconds * 1e3:.1f} ms" for seconds in seen["clock"]))
    row("an answer to 1 MB: p50, p99", *_percentiles(sorted(big)))


def _percentiles(seconds: list[float]) -> tuple[str, str]:
    return f"{_at(seconds, 50) * 1e3:.2f} ms", f"{_at(seconds, 99) * 1e3:.2f} ms"


def _at(seconds: list[float], share: int) -> float:
    return seconds[len(seconds) * share // 100]


def main() -> None:
    with stage() as (endpoint, environ, folder):
        trusted = ssl.create_default_context(cafile=environ["SSL_CERT_FILE"])
        with relay(endpoint, environ, folder, "answers", "direct") as (_, _, port):
            uvloop.run(answers(port, endpoint, trusted))
        looks = folder / "looks.json"
        program = ("-m", "bench.inside", str(looks))
        with relay(endpoint, environ, folder, "stalls", "direct", program=program) as (_, _, port):
            uvloop.run(stalls(port, looks))


if __name__ == "__main__":
    main()
