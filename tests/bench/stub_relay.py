"""A relay that is none: it takes mail, tells SES, and notes that it was run. What trees hold in test_compare."""

import asyncio
import json
import os
import re
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit


async def serve(settings: str) -> None:
    to = urlsplit(re.search(r'endpoint_url = "(.+)"', settings)[1])  # type: ignore[index]  # the bench wrote one
    tls = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])

    async def tell_ses() -> None:
        reader, writer = await asyncio.open_connection(to.hostname, to.port, ssl=tls)
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n" + b"A" * 1000)
        await reader.readuntil(b"</SendRawEmailResponse>")
        writer.close()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 stub\r\n")
        while line := await reader.readline():
            if line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                await tell_ses()
            writer.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 fine\r\n")
            if line.startswith(b"QUIT"):
                break
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, limit=1 << 20)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    sys.stdout.write(json.dumps({"event": "relay.ready", "listeners": [address, address]}) + "\n")
    sys.stdout.flush()
    await server.serve_forever()


def note() -> None:
    """Say who was run: the last word of this file, which differs from tree to tree."""
    with Path(os.environ["STUB_NOTES"]).open("a") as notes:
        notes.write(Path(__file__).read_text().split()[-1] + "\n")


if __name__ == "__main__":
    note()
    asyncio.run(serve(Path(sys.argv[3]).read_text()))
