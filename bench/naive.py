"""
``python -m bench.naive REGION ENDPOINT``: the relay that a Python user writes: aiosmtpd, and boto3 in threads.

Nobody is authorized, nothing is counted. ``-`` for the endpoint: nothing is sent either, which is aiosmtpd alone.
"""

import asyncio
import sys
from typing import Any

import boto3
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session


class Naive:
    """A handler of aiosmtpd."""

    def __init__(self, ses: Any) -> None:
        self._ses = ses

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's
        if self._ses is None:
            return "250 2.0.0 Ok"
        sent = await asyncio.to_thread(
            self._ses.send_raw_email,
            Source=envelope.mail_from,
            Destinations=envelope.rcpt_tos,
            RawMessage={"Data": envelope.content},
        )
        return f"250 2.0.0 Ok {sent['MessageId']}"


async def serve(region: str, endpoint: str) -> None:
    """Print the port, and take messages until killed."""
    ses = None if endpoint == "-" else boto3.client("ses", region_name=region, endpoint_url=endpoint)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Naive(ses), hostname="naive", data_size_limit=1 << 26, loop=loop), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:3]))
