"""A recording SES in the test's own process, made of the standard library: it takes everything and remembers it."""

import base64
import threading
import urllib.parse
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_SENT = (
    '<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendRawEmailResult>'
    "<MessageId>{id}</MessageId></SendRawEmailResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    "</SendRawEmailResponse>"
)
_CALLER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::444455556666:user/relay</Arn><UserId>AIDAEXAMPLE</UserId><Account>444455556666</Account>"
    "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)

_UNKNOWN = (
    '<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error><Type>Sender</Type>'
    "<Code>InvalidAction</Code><Message>Not recorded here.</Message></Error><RequestId>1</RequestId></ErrorResponse>"
)


@dataclass(frozen=True)
class Taken:
    """One message as it reached SES."""

    id: str
    fields: dict[str, str]
    raw: bytes

    @property
    def destinations(self) -> list[str]:
        return [value for key, value in self.fields.items() if key.startswith("Destinations.member.")]

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]


@dataclass
class RecordingSes:
    """Listens on a loopback port of its own while used as a context."""

    taken: list[Taken] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def __enter__(self) -> "RecordingSes":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answers())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answers(self) -> type[BaseHTTPRequestHandler]:
        record = self

        class Answers(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                """Say nothing: the test tells."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fields = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
                record.authorizations.append(self.headers["Authorization"])
                match fields["Action"]:
                    case "SendRawEmail":
                        self._answer(200, record.take(fields))
                    case "GetCallerIdentity":
                        self._answer(200, _CALLER)
                    case _:
                        self._answer(400, _UNKNOWN)

            def _answer(self, status: int, text: str) -> None:
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        return Answers

    def take(self, fields: dict[str, str]) -> str:
        """Remember one SendRawEmail and answer as SES does."""
        taken = Taken(f"0100{uuid.uuid4().hex[:12]}-000000", fields, base64.b64decode(fields.pop("RawMessage.Data")))
        self.taken.append(taken)
        return _SENT.format(id=taken.id)
