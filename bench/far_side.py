"""
What stands on the far sides of a relay that is measured, in processes of their own: an SES that takes everything after
a while, and a probe that asks ``/livez`` every few milliseconds and so feels each stall of the event loop.
"""

import asyncio
import http.client
import re
import signal
import sys
import time

_ANSWER = (
    b'<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult><MessageId>0100-1'
    b"</MessageId></SendRawEmailResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    b"</SendRawEmailResponse>"
)
_ANSWER_V2 = b'{"MessageId": "0100-1"}'
_EVERY = 0.005


async def sink(delay: float) -> None:
    """Print the port, and take requests until killed."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                left = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])  # type: ignore[index] # ours has one
                while left:
                    left -= len(await reader.read(min(left, 1 << 20)))
                await asyncio.sleep(delay)
                answer = _ANSWER_V2 if head.startswith(b"POST /v2/") else _ANSWER
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def probe(admin: str) -> None:
    """Ask until SIGTERM; print p50, p99 and the longest time of an answer, in seconds, and how many there were."""
    taken: list[float] = []
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    connection = http.client.HTTPConnection(admin, timeout=60)
    while not told:
        began = time.perf_counter()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        taken.append(time.perf_counter() - began)
        time.sleep(_EVERY)
    taken.sort()
    print(taken[len(taken) // 2], taken[len(taken) * 99 // 100], taken[-1], len(taken), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "sink":
        asyncio.run(sink(float(sys.argv[2])))
    else:
        probe(sys.argv[2])
