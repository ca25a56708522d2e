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
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import uvloop

from bench.arithmetic import Spread, at
from bench.contenders import relay
from bench.machine import REST, on
from bench.messages import Client, Load, hand_over, message
from bench.record import figure, head, row
from bench.ses import stage

CLIENTS: Final = 20
SMALL, BIG = 5_000, 1_000_000
SECONDS, ROUNDS = 3.0, 3
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
    """Call without a relay and by it, in turns; added is what differs in a round, and of that the median."""
    rate = await capacity(port) / 2
    calling = [await by_call(endpoint, trusted, SMALL) for _ in range(CLIENTS)]
    bringing = [await by_relay(port, SMALL) for _ in range(CLIENTS)]
    rounds = [(await all_at_pace(calling, rate), await all_at_pace(bringing, rate)) for _ in range(ROUNDS)]
    head(f"an answer, {CLIENTS} clients, 5 KB, {rate:,.0f} messages a second (half load)", "p50 ms", "p99 ms")
    row("a call to SES, no relay", *(_spread(at(calls, share) for calls, _ in rounds) for share in (50, 99)))
    row("by the relay", *(_spread(at(relayed, share) for _, relayed in rounds) for share in (50, 99)))
    added = {share: [at(relayed, share) - at(calls, share) for calls, relayed in rounds] for share in (50, 99)}
    row("added by the relay", *map(_spread, added.values()))
    for share, seconds in added.items():
        figure(f"added p{share}", Spread.of(seconds).middle * 1e3)


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
    waits = sorted(big)
    head("an answer to a message of 1 MB among them", "p50", "p99")
    row("by the relay", *(f"{at(waits, share) * 1e3:.1f} ms" for share in (50, 99)))
    figure("loop p99", seen["clock"][0] * 1e3)


def _spread(seconds: Iterable[float]) -> str:
    return Spread.of(list(seconds)).text(".2f", 1e3)


def main() -> None:
    with stage() as on_it:
        trusted = ssl.create_default_context(cafile=on_it.environ["SSL_CERT_FILE"])
        with relay(on_it, "answers") as (_, _, port), on(REST):
            uvloop.run(answers(port, on_it.endpoint, trusted))
        looks = on_it.folder / "looks.json"
        program = ("-m", "bench.inside", str(looks))
        with relay(on_it, "stalls", program=program) as (_, _, port), on(REST):
            uvloop.run(stalls(port, looks))


if __name__ == "__main__":
    main()
