"""Signing in at the console: a cookie in the place of a token, for as long as the token opens anything."""

import json
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest

from relay.console import sessions
from relay.console.askers import Asker, Token
from relay.console.interior import Ports
from relay.console.server import AdminServer
from relay.observe.events import Event, Noted
from tests.console.test_admin import Endpoint, running

JSON = {"Content-Type": "application/json"}
OPERATOR = Token("an-operator-5d5d", Asker("ops", may_change=True))
VIEWER = Token("a-viewer-90ab", Asker("watch", delegates=frozenset({"billing"})))


class Delegates:
    """What ``/api/delegates`` asks."""

    def listed(self, asked: object, delegates: frozenset[str] | None = None) -> dict[str, Any]:
        return {"delegates": sorted(delegates or ["all"])}

    def traffic(self, asked: object, delegates: frozenset[str] | None = None) -> dict[str, Any]:
        return {}

    async def resume(self, name: str) -> dict[str, Any]:
        return {"name": name}


class Place(Endpoint):
    """The running endpoint, off loopback, and what it told."""

    server: AdminServer
    events: list[Event]
    now: list[float]

    async def sign_in(self, token: str, **headers: str) -> tuple[int, str, Any]:
        body = json.dumps({"token": token}).encode()
        return await self.ask("/session", "POST", data=body, headers={**JSON, **headers})

    def told(self) -> list[tuple[str, Any]]:
        return [(each.event, each.details) for each in self.events if isinstance(each, Noted)]


def _nothing(accept: str) -> tuple[bytes, str]:
    return b"", "text/plain"


@pytest.fixture
async def place(monkeypatch) -> AsyncIterator[Place]:
    events, now = list[Event](), [1000.0]
    server = AdminServer(
        _nothing,
        lambda: (),
        scoped=(OPERATOR, VIEWER),
        ports=lambda: Ports(delegates=Delegates()),
        observe=events.append,
    )
    interior = server._interior = server._furnished()
    assert interior.session is not None
    for part in (interior.session._sessions, interior.session._failures):
        monkeypatch.setattr(part, "_clock", lambda: now[0])
    _, port = await server.start("0.0.0.0", 0)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        found = Place(f"http://127.0.0.1:{port}", client)
        found.server, found.events, found.now = server, events, now
        yield found
    await server.stop()


def cookie_in(headers: Any) -> tuple[str, Any]:
    [(name, morsel)] = SimpleCookie(headers["Set-Cookie"]).items()
    return name, morsel


async def signed_in(place: Place, token: Token = OPERATOR) -> dict[str, str]:
    status, text, headers = await place.sign_in(token.secret)
    assert (status, json.loads(text)) == (200, {"name": token.asker.name})
    name, morsel = cookie_in(headers)
    return {"Cookie": f"{name}={morsel.value}"}


async def test_a_cookie_stands_for_the_token_and_does_not_hold_it(place):
    """With all the flags that keep scripts and other sites away from it."""
    _, text, headers = await place.sign_in(OPERATOR.secret)
    _, morsel = cookie_in(headers)

    assert morsel["httponly"] is True
    assert (morsel["samesite"], morsel["path"], morsel["domain"]) == ("Strict", "/", "")
    assert OPERATOR.secret not in text + headers["Set-Cookie"]
    assert len(morsel.value) >= 43


@pytest.mark.parametrize(
    ("host", "name", "is_secure"),
    [
        ("localhost:8025", "ses-relay-8025", False),
        ("127.0.0.1:9000", "ses-relay-9000", False),
        ("relay.example", "__Host-ses-relay", True),
        ("10.0.0.1:8025", "__Host-ses-relay", True),
        ("localhost.example:8025", "__Host-ses-relay", True),
    ],
)
async def test_the_cookie_needs_tls_but_on_this_machine(place, host, name, is_secure):
    """Relays behind several tunnels of one machine have a cookie each."""
    _, _, headers = await place.sign_in(OPERATOR.secret, Host=host)
    found, morsel = cookie_in(headers)

    assert (found, bool(morsel["secure"])) == (name, is_secure)


async def test_who_has_signed_in_may_what_the_token_may(place):
    """The audit line of a change has the token's name."""
    operator, viewer = await signed_in(place), await signed_in(place, VIEWER)
    changed = await place.ask("/api/delegates/billing/resume", "POST", data=b"{}", headers={**JSON, **operator})
    refused = await place.ask("/api/delegates/billing/resume", "POST", data=b"{}", headers={**JSON, **viewer})
    listed = await place.ask("/api/delegates", headers=viewer)
    shown = json.loads((await place.ask("/session", headers=viewer))[1])

    assert (changed[0], refused[0], json.loads(listed[1])) == (200, 403, {"delegates": ["billing"]})
    assert (shown["asker"], shown["signed_in"]) == (
        {"name": "watch", "may_change": False, "delegates": ["billing"]},
        True,
    )
    assert place.told()[-1] == (
        "admin.changed",
        {"token": "ops", "action": "delegates.resume", "object": "billing", "status": 200},
    )


async def test_nobody_without_a_cookie_learns_more_than_that(place):
    status, text, _ = await place.ask("/session")

    assert (status, json.loads(text)) == (200, {"asker": None})
    assert (await place.ask("/api/delegates", headers={"Cookie": "ses-relay-80=x; __Host-ses-relay="}))[0] == 401


async def test_a_name_of_somebody_elses_is_told_of_nobody():
    """On loopback no token is needed; a page of strangers whose name resolves to it does not even learn the version."""
    async with running() as endpoint:
        here = json.loads((await endpoint.ask("/session"))[1])
        strange = json.loads((await endpoint.ask("/session", headers={"Host": "evil.example"}))[1])

    assert (here["asker"], here["signed_in"], here["features"]) == (
        {"name": "local", "may_change": True, "delegates": None},
        False,
        [],
    )
    assert strange == {"asker": None}


async def test_signing_out_ends_it(place):
    cookie = await signed_in(place)
    out = await place.ask("/session", "DELETE", data=b"{}", headers={**JSON, **cookie})

    assert (out[0], cookie_in(out[2])[1]["max-age"]) == (200, "0")
    assert (await place.ask("/api/delegates", headers=cookie))[0] == 401
    assert [event for event, _ in place.told()] == ["admin.signed-in", "admin.signed-out"]


async def test_it_ends_by_itself(place):
    cookie = await signed_in(place)
    place.now[0] += sessions.LIFETIME - 1
    before = await place.ask("/api/delegates", headers=cookie)
    place.now[0] += 2

    assert (before[0], (await place.ask("/api/delegates", headers=cookie))[0]) == (200, 401)


async def test_it_ends_when_its_token_is_taken_away(place):
    """At once; who has another token stays."""
    operator, viewer = await signed_in(place), await signed_in(place, VIEWER)
    place.server.renew((), (VIEWER,))

    assert (await place.ask("/api/delegates", headers=operator))[0] == 401
    assert (await place.ask("/api/delegates", headers=viewer))[0] == 200


async def test_a_token_has_so_many_and_its_oldest_goes(place, monkeypatch):
    """A viewer who signs in again and again ends no session of an operator."""
    monkeypatch.setattr(sessions, "MOST_OF_ONE", 2)
    operator = await signed_in(place)
    cookies = [await signed_in(place, VIEWER) for _ in range(3)]

    assert [(await place.ask("/api/delegates", headers=each))[0] for each in cookies] == [401, 200, 200]
    assert (await place.ask("/api/delegates", headers=operator))[0] == 200


async def test_what_is_over_is_not_kept(place):
    """Tokens come and go: what stood for one that is gone goes with its time."""
    for _ in range(3):
        await signed_in(place)
    place.now[0] += sessions.LIFETIME + 1
    await signed_in(place, VIEWER)

    assert len(place.server._interior.session._sessions._open) == 1


async def test_wrong_tokens_are_bounded_and_told(place):
    """Who tries too often waits a minute, with the right one too; what was tried is told to nobody."""
    tried = [(await place.sign_in(f"wrong-{number}"))[0] for number in range(sessions.MOST_FAILURES)]
    status, text, headers = await place.sign_in(OPERATOR.secret)
    place.now[0] += sessions.FAILURE_SECONDS + 1

    assert set(tried) == {403}
    assert (status, json.loads(text), headers["Retry-After"]) == (
        429,
        {"error": "too many wrong tokens: wait a minute"},
        "60",
    )
    assert (await place.sign_in(OPERATOR.secret))[0] == 200
    assert place.told()[0] == ("admin.sign-in-failed", {"client": "127.0.0.1"})
    assert "wrong-" not in str(place.told())


async def test_addresses_that_failed_are_forgotten_the_oldest_first(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_ADDRESSES", 2)
    failures = sessions.Failures(lambda: 0.0)
    for address in ("a", "b", "c"):
        for _ in range(sessions.MOST_FAILURES):
            failures.add(address)

    assert [failures.must_wait(each) for each in ("a", "b", "c")] == [False, True, True]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b'{"token": "x"}', 415),
        ({**JSON, "Origin": "https://evil.example"}, b'{"token": "x"}', 403),
        ({**JSON, "Sec-Fetch-Site": "cross-site"}, b'{"token": "x"}', 403),
        ({**JSON, "Sec-Fetch-Site": "same-site"}, b'{"token": "x"}', 403),
        (JSON, b"", 400),
        (JSON, b'{"token": 1}', 400),
        (JSON, b'{"token": "x", "y": 1}', 400),
        (JSON, b'{"token": ""}', 403),
        (JSON, b'{"token": "\xc3\xbc"}', 403),
        (JSON, b'{"token": "\\ud800"}', 400),
        (JSON, json.dumps({"token": "x" * 5000}).encode(), 400),
        (JSON, b'{"token": ' + b"1" * 5000 + b"}", 400),
    ],
)
async def test_no_other_page_signs_anybody_in(place, headers, body, status):
    """Nor is anything but a token one."""
    got, text, _ = await place.ask("/session", "POST", data=body, headers=headers)

    assert (got, "sys." in text) == (status, False)


async def test_a_cookie_does_not_make_a_page_of_another_site_ours(place):
    cookie = await signed_in(place)
    headers = {**JSON, **cookie, "Origin": "https://evil.example"}

    assert (await place.ask("/api/delegates/billing/resume", "POST", data=b"{}", headers=headers))[0] == 403
