"""``/api/spool`` over real HTTP: what programs get, what a stranger's web page gets, and what never leaves."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from relay.console.asked import MOST
from relay.console.interior import Ports
from relay.console.server import AdminServer
from relay.observe.events import Event, Noted
from relay.settings.units import read_duration
from relay.spool.desk import Desk
from relay.spool.entries import Entry, State
from relay.spool.ports import Wanted
from relay.spool_desk import SpoolDesk
from relay.words.endings import Reason
from relay.words.unavailable import Unavailable
from tests.console.test_admin import BEARER, TOKEN, Endpoint
from tests.spool.building import NOON, RAW, entry
from tests.spool.memory import MemorySpool

JSON = {"Content-Type": "application/json"}


@dataclass
class House:
    """A spool in memory, and who is woken."""

    spool: MemorySpool = field(default_factory=MemorySpool)
    desk: Desk | None = None
    notifies: bool = True
    looks: int = 0
    events: list[Event] = field(default_factory=list)

    def look(self) -> None:
        self.looks += 1

    async def keep(self, *entries: Entry) -> None:
        for one in entries:
            assert await self.spool.commit(one, RAW) is None

    async def states(self) -> dict[str, str]:
        found = await self.spool.find(Wanted(), limit=100)
        assert not isinstance(found, Unavailable)
        return {one.id: one.state.value for one in found}


class Place(Endpoint):
    """The running endpoint over a house."""

    house: House

    async def get(self, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        status, text, _ = await self.ask(path, **more)
        return status, json.loads(text)

    async def post(self, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, Any]]:
        octets = b"" if body is None else json.dumps(body).encode()
        status, text, _ = await self.ask(path, "POST", data=octets, headers={**JSON, **headers})
        return status, json.loads(text)


async def served(host: str) -> AsyncIterator[Place]:
    house = House()
    house.desk = Desk(house.spool, now=lambda: NOON + 60, keep_failed=1000)
    await house.keep(
        entry("a1", last="Throttling: slow down", reason=Reason.SES_THROTTLED),
        entry("b2", state=State.HELD, delegate="news", accepted_at=NOON - 86400),
        entry("c3", state=State.FAILED),
        entry("d4", state=State.SENDING, attempts=1),
    )
    port = SpoolDesk(house, read_duration=read_duration, observe=house.events.append)
    server = AdminServer(lambda _: (b"", "text/plain"), lambda: (), tokens=(TOKEN,), ports=lambda: Ports(spool=port))
    _, number = await server.start(host, 0)
    async with aiohttp.ClientSession() as client:
        place = Place(f"http://127.0.0.1:{number}", client)
        place.house = house
        yield place
    await server.stop()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async for one in served("127.0.0.1"):
        yield one


@pytest.fixture
async def abroad() -> AsyncIterator[Place]:
    """Bound so that others reach it."""
    async for one in served("0.0.0.0"):
        yield one


async def ids(place: Place, query: str) -> list[str]:
    status, told = await place.get(f"/api/spool{query}")
    assert status == 200, told
    return [one["id"] for one in told["entries"]]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ["a1", "b2", "c3", "d4"]),
        ("?state=due&state=held", ["a1", "b2"]),
        ("?delegate=news", ["b2"]),
        ("?reason=slow+down", ["a1"]),
        ("?older_than=1h", ["b2"]),
        ("?limit=2", ["a1", "b2"]),
        ("?limit=2&after=b2", ["c3", "d4"]),
        ("?delegate=nobody", []),
    ],
)
async def test_a_query_chooses(place, query, wanted):
    assert await ids(place, query) == wanted


async def test_a_list_tells_where_it_goes_on_and_counts_all(place):
    _, told = await place.get("/api/spool?limit=3")
    _, last = await place.get("/api/spool?limit=3&after=" + told["next"])

    assert (told["next"], last["next"], [one["id"] for one in last["entries"]]) == ("c3", None, ["d4"])
    assert told["counts"] == {"due": 1, "sending": 1, "held": 1, "failed": 1, "quarantined": 0}
    assert told["entries"][0]["last"] == "Throttling: slow down"


async def test_one_is_told_whole_but_for_its_message(place):
    status, told = await place.get("/api/spool/a1")

    assert (status, told["session"]["client"]) == (200, "192.0.2.7")
    assert [one["recipient"] for one in told["fates"]] == ["ann@example.net", "bob@example.net"]
    assert "Invoice" not in json.dumps(told)
    assert "Yours." not in json.dumps(told)


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("a1/hold", "held"),
        ("b2/release", "due"),
        ("c3/retry", "due"),
        ("d4/hold", "sending"),
        ("a1/delete", "removed"),
    ],
)
async def test_an_action_is_done_told_and_logged(place, path, state):
    status, told = await place.post(f"/api/spool/{path}", {})
    name, action = path.split("/")

    assert (status, told["state"]) == (200, state)
    assert (await place.house.states()).get(name, "removed") == state
    assert place.house.looks == 1
    (event,) = place.house.events
    assert isinstance(event, Noted)
    assert (event.event, dict(event.details)) == ("spool.changed", {"queue_id": name, "action": action, "state": state})


async def test_a_deletion_may_owe_a_notification(place):
    assert (await place.post("/api/spool/a1/delete", {"notify": True}))[1]["state"] == "failed"
    assert await place.house.states() == {"a1": "failed", "b2": "held", "c3": "failed", "d4": "sending"}

    place.house.notifies = False
    status, told = await place.post("/api/spool/b2/delete", {"notify": True})
    assert (status, told) == (409, {"error": "notifications.from is not set: nobody could be notified"})


@pytest.mark.parametrize(
    ("path", "status"),
    [("d4/delete", 409), ("d4/retry", 409), ("a1/release", 409), ("zz/retry", 404), ("a1/explode", 404)],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(place, path, status):
    before = await place.house.states()
    got, told = await place.post(f"/api/spool/{path}", {})

    assert (got, bool(told["error"])) == (status, True)
    assert await place.house.states() == before
    assert place.house.looks == 0


@pytest.mark.parametrize(
    "query",
    [
        "?state=lost",
        "?older_than=soon",
        f"?limit={MOST + 1}",
        "?limit=0",
        "?limit=x",
        "?body=1",
        "?after=a&after=b",
    ],
)
async def test_a_question_that_makes_no_sense_is_400(place, query):
    status, told = await place.get(f"/api/spool{query}")

    assert (status, len(told["error"]) > 10) == (400, True)


@pytest.mark.parametrize("body", [[], {"notify": 1}, {"force": True}, "x"])
async def test_a_body_that_makes_no_sense_is_400(place, body):
    assert (await place.post("/api/spool/a1/delete", body))[0] == 400
    assert (await place.post("/api/spool/a1/retry", {"notify": True}))[0] == 400
    assert (await place.house.states())["a1"] == "due"


@pytest.mark.parametrize("octets", [b"{", b"[" * 100_000, b"x" * 2_000_000])
async def test_octets_that_are_no_json_are_refused(place, octets):
    status, _, _ = await place.ask("/api/spool/a1/delete", "POST", data=io.BytesIO(octets), headers=JSON)

    assert status in {400, 413}
    assert (await place.house.states())["a1"] == "due"


async def test_nothing_is_changed_by_looking(place):
    """A link, an image, a form that is sent by GET."""
    assert (await place.get("/api/spool/a1/delete"))[0] == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8025"},
        {"Host": "[::1].evil.example"},
    ],
)
async def test_the_page_of_a_stranger_changes_nothing(place, headers):
    """
    A form, a script, a name that was made to mean this machine.
    """
    status, _ = await place.post("/api/spool/a1/delete", {}, **headers)

    assert status in {403, 415}
    assert (await place.house.states())["a1"] == "due"


async def test_the_page_of_a_stranger_reads_nothing(place):
    for host in ("evil.example", "localhost.evil.example", "192.0.2.1"):
        assert (await place.get("/api/spool", headers={"Host": host}))[0] == 403
    for host in ("localhost", "127.0.0.1:8025", "[::1]:8025", "localhost:1"):
        assert (await place.get("/api/spool", headers={"Host": host}))[0] == 200


async def test_our_own_page_may(place):
    headers = {"Origin": place.url, "Sec-Fetch-Site": "same-origin"}

    assert (await place.post("/api/spool/a1/hold", {}, **headers))[0] == 200


async def test_off_loopback_a_token_is_needed(abroad):
    assert (await abroad.get("/api/spool"))[0] == 401
    assert (await abroad.post("/api/spool/a1/delete", {}))[0] == 401
    assert (await abroad.post("/api/spool/a1/delete", {}, Authorization="Bearer wrong"))[0] == 401
    assert (await abroad.house.states())["a1"] == "due"

    named = {**BEARER, "Host": "relay.example:8025"}
    assert (await abroad.get("/api/spool", headers=named))[0] == 200
    assert (await abroad.post("/api/spool/a1/delete", {}, **named))[0] == 200
    assert (await abroad.post("/api/spool/b2/delete", {}, **named, Origin="https://evil.example"))[0] == 403


async def test_without_a_spool_and_with_a_broken_one_it_says_so(place):
    place.house.spool.trouble = Unavailable("the disk fails: EIO")
    for path in ("/api/spool", "/api/spool/a1"):
        assert await place.get(path) == (503, {"error": "the disk fails: EIO"})
    assert await place.post("/api/spool/a1/retry", {}) == (503, {"error": "the disk fails: EIO"})

    place.house.desk = None
    for path in ("/api/spool", "/api/spool/a1"):
        assert (await place.get(path))[0] == 503
    assert (await place.post("/api/spool/a1/retry", {}))[0] == 503
