"""
``python -m bench.far_side DELAY [CHAIN KEY]``: an SES that takes everything and keeps nothing, after so many seconds;
under TLS with a certificate.
"""

import asyncio
import re
import ssl
import sys

import uvloop

_ANSWER = (
    b'<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult><MessageId>0100-1'
    b"</MessageId></SendRawEmailResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    b"</SendRawEmailResponse>"
)
_ANSWER_V2 = b'{"MessageId": "0100-1"}'


async def sink(delay: float, *certificate: str) -> None:
    """Print the port, and take requests until killed."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                left = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])  # type: ignore[index] # ours has one
                while left:
                    left -= len(await reader.read(min(left, 1 << 20)))
                if delay:
                    await asyncio.sleep(delay)
                answer = _ANSWER_V2 if head.startswith(b"POST /v2/") else _ANSWER
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if tls is not None:
        tls.load_cert_chain(*certificate)
    server = await asyncio.start_server(take, "127.0.0.1", 0, limit=1 << 20, ssl=tls)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(sink(float(sys.argv[1]), *sys.argv[2:]))
