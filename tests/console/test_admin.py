"""The admin endpoint over real HTTP: what a probe, a scraper, a browser and a stranger get."""

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from relay.console import door
from relay.console.guard import is_loopback
from relay.console.interior import Ports
from relay.console.readiness import Check, Readiness, as_text, is_ready
from relay.console.server import AdminServer
from relay.observe.metrics import Metrics

READY = (Check("credentials", ok=True, why="of the container"), Check("policies", ok=True, why="read 3 s ago"))
NOT_READY = (READY[0], Check("policies", ok=False, why="the directory is gone"))
TOKEN = "viewer-token-4c1e"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Endpoint:
    """A running admin server and a client of it."""

    server: AdminServer

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self.client = client
        self.port = int(url.rsplit(":", 1)[1])

    async def ask(self, path: str, method: str = "GET", **more: Any) -> tuple[int, str, Any]:
        async with self.client.request(method, self.url + path, allow_redirects=False, **more) as answer:
            return answer.status, await answer.text(), answer.headers


@asynccontextmanager
async def running(
    ready: Readiness = READY, *, host: str = "127.0.0.1", metrics: Any = None, **options: Any
) -> AsyncIterator[Endpoint]:
    render = metrics or Metrics(delegates=["billing"], listeners=["127.0.0.1:2525"]).render
    server = AdminServer(render, lambda: ready, **options)
    _, port = await server.start(host, 0)
    async with aiohttp.ClientSession() as client:
        endpoint = Endpoint(f"http://127.0.0.1:{port}", client)
        endpoint.server = server
        yield endpoint
    await server.stop()


async def raw(port: int, octets: bytes) -> bytes:
    """What comes back for *octets* until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(octets)
    got = await reader.read()
    writer.close()
    return got


async def test_livez():
    """
    The loop turns.
    """
    async with running(NOT_READY) as endpoint:
        status, text, _ = await endpoint.ask("/livez")

    assert (status, text) == (200, "ok\n")


@pytest.mark.parametrize(("checks", "status", "text"), [(READY, 200, "ready\n"), (NOT_READY, 503, "not ready\n")])
async def test_readyz(checks, status, text):
    """
    200 when mail can be sent, 503 when it cannot.
    """
    async with running(checks) as endpoint:
        got = await endpoint.ask("/readyz")

    assert got[:2] == (status, text)


async def test_readyz_verbose_tells_each_check():
    """
    One line a check, with its reason.
    """
    async with running(NOT_READY) as endpoint:
        status, text, _ = await endpoint.ask("/readyz?verbose")

    assert (status, text) == (
        503,
        "ok credentials: of the container\nnot ok policies: the directory is gone\nnot ready\n",
    )


async def test_readyz_that_fails_is_not_ready():
    """
    A check that raises is no 200, and tells nobody why.
    """

    def broken() -> Readiness:
        raise RuntimeError("secret detail")

    server = AdminServer(lambda accept: (b"", "text/plain"), broken)
    host, port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client, client.get(f"http://{host}:{port}/readyz") as answer:
        text = await answer.text()
    await server.stop()

    assert (answer.status, json.loads(text)) == (500, {"error": "internal error"})


def test_a_reason_stays_on_its_line():
    """
    What a check says cannot look like another check.
    """
    text = as_text(
        (
            Check("policies", ok=False, why="no\nok policies: fine\x1b[0m"),
            Check("loop", ok=True),
            Check("spool", ok=True, rests_on="its server syncs"),
        )
    )

    assert text == "not ok policies: no?ok policies: fine?[0m\nok loop\nok spool (its server syncs)\n"
    assert is_ready(())


async def test_metrics():
    """
    The Prometheus page, as text or as OpenMetrics.
    """
    async with running() as endpoint:
        status, text, headers = await endpoint.ask("/metrics")
        _, open_text, open_headers = await endpoint.ask(
            "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1"}
        )

    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'ses_relay_messages_received_total{listener="127.0.0.1:2525"} 0.0\n' in text
    assert open_headers["Content-Type"].startswith("application/openmetrics-text")
    assert open_text.endswith("# EOF\n")


async def test_metrics_that_fail_tell_nothing():
    """
    A page that cannot be made is a 500 without a reason.
    """

    def broken(accept: str) -> tuple[bytes, str]:
        raise RuntimeError("secret detail")

    async with running(metrics=broken) as endpoint:
        status, text, _ = await endpoint.ask("/metrics", headers={"Accept": "text/html"})

    assert (status, json.loads(text)) == (500, {"error": "internal error"})


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/"])
async def test_head(path):
    """
    HEAD says what GET would, without saying it.
    """
    async with running() as endpoint:
        got = await endpoint.ask(path, "GET")
        head = await endpoint.ask(path, "HEAD")

    assert (head[0], head[1], head[2]["Content-Type"]) == (got[0], "", got[2]["Content-Type"])


async def test_the_page_loads_nothing_from_elsewhere():
    """
    Every script, style and picture is one of ours and there; the policy allows no other, and none in the page itself.
    """
    async with running() as endpoint:
        status, text, headers = await endpoint.ask("/")
        links = re.findall(r'(?:href|src)="(/[^"]*)"', text)
        followed = {link: (await endpoint.ask(link))[0] for link in links}

    policy = headers["Content-Security-Policy"]
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert not re.search(r"https?://|@import|<style|<script>|style=| on\w+=", text)
    assert followed == dict.fromkeys(links, 200)
    assert {"/static/main.js", "/static/console.css"} <= followed.keys()


async def test_the_page_can_be_off():
    """
    With console = false only the three probes are there.
    """
    async with running(console=False) as endpoint:
        for path in ("/", "/static/main.js", "/session"):
            assert (await endpoint.ask(path))[0] == 404
        assert (await endpoint.ask("/livez"))[0] == 200


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/api/decisions", "//", "/%2e%2e/etc/passwd"])
async def test_unknown_paths(path):
    """
    A short 404 in JSON.
    """
    async with running() as endpoint:
        status, text, headers = await endpoint.ask(path)

    assert (status, json.loads(text)) == (404, {"error": "not found"})
    assert headers["Content-Type"].startswith("application/json")


async def test_what_is_behind_the_probes_is_put_together_once_by_who_asks_first():
    """Load balancers and scrapers ask for nothing of it, and many may be the first."""
    asked: list[str] = []

    def ports() -> Ports:
        asked.append(threading.current_thread().name)
        return Ports()

    async with running(ports=ports) as endpoint:
        for path in ("/livez", "/readyz?verbose", "/metrics"):
            assert (await endpoint.ask(path))[0] == 200
        assert asked == []
        answers = await asyncio.gather(*(endpoint.ask("/api/openapi.json") for _ in range(5)))

    assert [status for status, _, _ in answers] == [200] * 5
    assert len(asked) == 1
    assert asked != [threading.current_thread().name]


async def test_what_cannot_be_put_together_is_tried_again():
    """The mail goes on meanwhile, and so do the probes."""
    troubles = [OSError("too many open files")]

    def ports() -> Ports:
        if troubles:
            raise troubles.pop()
        return Ports()

    async with running(ports=ports) as endpoint:
        answers = [await endpoint.ask(path) for path in ("/api/openapi.json", "/livez", "/api/openapi.json")]

    assert [status for status, _, _ in answers] == [500, 200, 200]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_other_methods(method):
    """
    405 with the methods that are allowed.
    """
    async with running() as endpoint:
        status, text, headers = await endpoint.ask("/livez", method)

    assert (status, json.loads(text)) == (405, {"error": "method not allowed"})
    assert set(headers["Allow"].split(",")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"EHLO app.example\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET /livez HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["answered", "unknown", "smtp", "tls", "malformed", "long", "negative"],
)
async def test_no_answer_tells_what_it_is_made_of(octets):
    """
    Neither product versions nor the server's own words, also where no page was ever asked.
    """
    async with running() as endpoint:
        got = await raw(endpoint.port, octets)

    assert got.startswith(b"HTTP/1.")
    assert b"server: ses-relay\r\n" in got.lower()
    for word in (b"aiohttp", b"Python", b"Traceback", b"0.1.0"):
        assert word not in got


async def test_malformed_requests_are_not_logged(caplog):
    """
    Anybody can send those, as many as they like.
    """
    async with running() as endpoint:
        await raw(endpoint.port, b"\x00\x01\x02\r\n\r\n")

    assert caplog.records == []


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 50\r\n", b'{"token":'),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\nzz\r\n"),
        (b"Content-Encoding: gzip\r\nContent-Length: 7\r\n", b"garbage"),
        (b"Content-Encoding: deflate\r\nContent-Length: 7\r\n", b"garbage"),
    ],
    ids=["cut", "cut-chunk", "no-chunk", "no-gzip", "no-deflate"],
)
async def test_a_body_that_breaks_off_is_no_fault_of_ours(caplog, fields, body):
    """
    Anybody can send those, too: 400 if somebody still listens, and nothing in the log.
    """
    head = b"POST /session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async with running() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(head + fields + b"Connection: close\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(body)
        await asyncio.sleep(0.1)
        writer.write_eof()
        got = await reader.read()
        writer.close()

    assert got[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.0 400"}
    assert caplog.records == []


async def test_answers_are_not_kept():
    """
    No cache holds a readiness of yesterday, no browser guesses types.
    """
    async with running() as endpoint:
        _, _, headers = await endpoint.ask("/readyz")

    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


async def test_connections_are_bounded(monkeypatch):
    """
    Past the bound a connection is closed at once, and when others leave there is room again.
    """
    monkeypatch.setattr(door, "MOST_CONNECTIONS", 3)
    async with running() as endpoint:
        idle = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(3)]
        await asyncio.sleep(0.05)

        assert await raw(endpoint.port, b"") == b""
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        got = b""
        async with asyncio.timeout(10):
            while not got:
                got = await raw(endpoint.port, b"GET /livez HTTP/1.0\r\n\r\n")

    assert b"200 OK" in got


# --- off loopback ---


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/readyz?verbose", "/metrics"])
async def test_probes_need_no_token(path):
    """
    Probes and scrapers ask without a token wherever the endpoint is bound.
    """
    async with running(host="0.0.0.0", tokens=(TOKEN,)) as endpoint:
        assert (await endpoint.ask(path))[0] == 200


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/decisions", "/static/", "/static/x.js", "/livez/", "//livez", "/metrics%2f"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer " + TOKEN[:-1]},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \xe9\xff"},
    ],
    ids=str,
)
async def test_everything_else_needs_the_token_off_loopback(path, headers):
    """
    Without it nobody learns even which pages there are.
    """
    async with running(host="0.0.0.0", tokens=(TOKEN,)) as endpoint:
        status, text, answered = await endpoint.ask(path, headers=headers)

    assert (status, answered["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(text) == {"error": "a bearer token is needed"}


async def test_the_token_opens():
    """
    Any of the tokens, the scheme in any case; unknown paths are then just unknown.
    """
    async with running(host="0.0.0.0", tokens=("another", TOKEN)) as endpoint:
        assert (await endpoint.ask("/api/openapi.json", headers=BEARER))[0] == 200
        assert (await endpoint.ask("/api/openapi.json", headers={"Authorization": "bearer another"}))[0] == 200
        assert (await endpoint.ask("/nothing", headers=BEARER))[0] == 404


@pytest.mark.parametrize("tokens", [(), ("",)])
async def test_no_token_configured_is_no_open_door(tokens):
    """
    Off loopback without any token there is no way in, an empty one included.
    """
    async with running(host="0.0.0.0", tokens=tokens) as endpoint:
        assert (await endpoint.ask("/api/decisions"))[0] == 401
        assert (await endpoint.ask("/api/decisions", headers={"Authorization": "Bearer "}))[0] == 401


async def test_on_loopback_no_token_is_needed():
    """
    Who is on this machine may look.
    """
    async with running(tokens=(TOKEN,)) as endpoint:
        assert (await endpoint.ask("/"))[0] == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_what_is_loopback(host, local):
    """
    A name that is not surely this machine alone is the world's.
    """
    assert is_loopback(host) is local


async def test_a_taken_port_is_an_error():
    """
    Whoever starts it hears so, and nothing is left behind.
    """
    async with running() as endpoint:
        second = AdminServer(lambda accept: (b"", "text/plain"), lambda: READY)
        with pytest.raises(
            OSError, match=f"^admin: cannot listen on 127.0.0.1:{endpoint.port}: Address already in use$"
        ):
            await second.start("127.0.0.1", endpoint.port)


async def test_stop_closes_idle_connections():
    """
    A scraper's kept connection does not hold up the end.
    """
    server = AdminServer(lambda accept: (b"", "text/plain"), lambda: READY)
    _, port = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"ok\n")

    async with asyncio.timeout(10):
        await server.stop()
        rest = await reader.read()

    writer.close()
    assert rest == b""
