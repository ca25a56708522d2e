"""``python -m bench.bound ENDPOINT OCTETS TIMES``: the same bytes encoded, signed and sent, and nothing else."""

import asyncio
import os
import ssl
import sys
import time
from datetime import UTC, datetime
from typing import Final

import uvloop

from bench.machine import peak_of
from bench.messages import message
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey
from relay.sending.outcomes import Mail, Sent

AT_ONCE: Final = 20


async def send(endpoint: str, octets: int, times: int) -> None:
    """Print CPU seconds a message, and the peak of memory in octets."""
    door = SesDoor(
        endpoint,
        FixedKey(AccessKey("AKIADEMORELAY0000000", "demo-relay-secret")),
        lambda _event: None,
        lambda: datetime.now(UTC),
        connect_timeout=5,
        read_timeout=60,
        max_connections=AT_ONCE,
        user_agent="bench",
        tls=ssl.create_default_context(),
    )
    await door.start()
    left = iter(range(times))
    arn = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
    mail = Mail("billing@example.com", ("bob@example.net",), arn, arn, arn, message(octets))

    async def some() -> None:
        for _ in left:
            outcome = await door.send(mail, "us-east-1")
            assert isinstance(outcome, Sent), outcome

    await door.send(mail, "us-east-1")
    began = time.process_time()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    print((time.process_time() - began) / times, peak_of(os.getpid()))
    await door.close()


if __name__ == "__main__":
    uvloop.run(send(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
