"""Who sells keys: a container's endpoint, an instance's metadata, STS, IAM Identity Center and its OIDC, in one."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

#: The token that a person, or a pod, shows; see ``Shop.shown``.
TOKEN = "canary-token-of-the-morning"


class Vendor(BaseHTTPRequestHandler):
    """Answers one question."""

    server: "Shop"

    def log_message(self, *args):
        pass

    def do_PUT(self):
        self._answer(b"metadata-token")

    def do_GET(self):
        shop = self.server
        shop.gate.wait(5)
        path = urlsplit(self.path).path
        if path.endswith("/security-credentials/"):
            self._answer(b"relay-role")
            return
        is_sso = path == "/federation/credentials"
        shop.shown.append(self.headers.get("x-amz-sso_bearer_token" if is_sso else "Authorization", ""))
        self._sell(_as_sso if is_sso else _as_endpoint, 403 if is_sso else 500)

    def do_POST(self):
        shop = self.server
        shop.gate.wait(5)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/token":
            shop.shown.append(json.loads(body)["refreshToken"])
            self._answer(json.dumps({"accessToken": "canary-renewed", "expiresIn": 28800}).encode())
            return
        asked = {name: value for name, [value] in parse_qs(body).items()}
        shop.asked.append(asked)
        shop.shown.append(asked.get("WebIdentityToken", self.headers.get("Authorization", "")))
        self._sell(lambda number, end: _as_sts(asked["Action"], number, end), 403)

    def _sell(self, goods: Callable[[int, datetime], bytes], refusal: int) -> None:
        shop = self.server
        shop.sold += 1
        shop.visited.set()
        if shop.closed:
            self._answer(b"", refusal)
        else:
            self._answer(goods(shop.sold, datetime.now(UTC) + shop.lifetime))

    def _answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _as_endpoint(number: int, end: datetime) -> bytes:
    """As containers and instances are told, and as a credential process tells."""
    key = {"AccessKeyId": f"ASIA{number}", "SecretAccessKey": "canary-s", "Token": "canary-t"}
    told = {"Version": 1, "SessionToken": "canary-t", "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}", "Code": "Success"}
    return json.dumps(key | told).encode()


def _as_sts(call: str, number: int, end: datetime) -> bytes:
    return (
        f"<{call}Response><{call}Result><Credentials>"
        f"<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>canary-s</SecretAccessKey>"
        f"<SessionToken>canary-t</SessionToken><Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration>"
        f"</Credentials></{call}Result></{call}Response>"
    ).encode()


def _as_sso(number: int, end: datetime) -> bytes:
    key = {"accessKeyId": f"ASIA{number}", "secretAccessKey": "canary-s", "sessionToken": "canary-t"}
    return json.dumps({"roleCredentials": {**key, "expiration": int(end.timestamp() * 1000)}}).encode()


class Shop(ThreadingHTTPServer):
    """
    Sells ``ASIA1``, ``ASIA2``... each for its ``lifetime``; nothing while ``closed``. ``shown``: the token, or the
    signature, that came with each question; ``asked``: what STS was asked.
    """

    daemon_threads = True
    sold = 0
    closed = False
    lifetime = timedelta(hours=6)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Vendor)
        self.gate = threading.Event()
        self.gate.set()
        self.visited = threading.Event()
        self.shown: list[str] = []
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def opened_shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()
