"""``/api/decisions`` over real HTTP, with a real journal behind it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from relay.console.asked import MOST
from relay.console.askers import Asker, Token
from relay.console.interior import Ports
from relay.console.server import AdminServer
from relay.decision_desk import DecisionDesk
from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.past_desk import PastDesk, Present
from tests.console.test_admin import BEARER, TOKEN, Endpoint
from tests.journal.building import Keeping, made
from tests.observe.givens import assert_valid

NEWS = {"Authorization": "Bearer of-news"}


class Place(Endpoint):
    """The running endpoint over a journal."""

    kept: Keeping

    async def get(self, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        status, text, fields = await self.ask(path, **{"headers": BEARER, **more})
        assert fields["Content-Type"].startswith("application/json")
        return status, json.loads(text)

    async def numbers(self, query: str = "", **more: Any) -> list[int]:
        status, told = await self.get(f"/api/decisions{query}", **more)
        assert status == 200, told
        return [int(each["id"], 16) for each in told["decisions"]]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    kept = Keeping()
    kept.tell(0, 1)
    kept.tell(2, delegate="news", verdict="denied", outcome="rejected", reason="policy-denied")
    kept.tell(3, delegate="-", verdict=None, outcome="rejected", reason="address-form")
    kept.tell(4, delegate="news")
    viewer = Token("of-news", Asker("team-news", delegates=frozenset({"news"})))
    port = DecisionDesk(kept.journal, PastDesk(Present(lambda _: None, Rules, Catalog)))
    server = AdminServer(
        lambda _: (b"", "text/plain"),
        lambda: (),
        tokens=(TOKEN,),
        scoped=(viewer,),
        ports=lambda: Ports(decisions=port),
    )
    _, number = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client:
        found = Place(f"http://127.0.0.1:{number}", client)
        found.kept = kept
        yield found
    await server.stop()
    port.close()
    kept.journal.close()


async def test_decisions_are_listed_the_newest_first(place):
    """Whole records, as the log has them."""
    status, told = await place.get("/api/decisions")

    assert status == 200
    assert [int(each["id"], 16) for each in told["decisions"]] == [4, 3, 2, 1, 0]
    assert told["next"] is None
    for each in told["decisions"]:
        assert_valid(each)
    assert told["decisions"][-1] == json.loads(json.dumps(made(0)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?delegate=news", [4, 2]),
        ("?delegate=-", [3]),
        ("?delegate=nobody", []),
        ("?verdict=denied", [2]),
        ("?outcome=rejected", [3, 2]),
        ("?reason=address-form", [3]),
        ("?delegate=billing&verdict=allowed&limit=1", [1]),
        ("?since=2026-11-21T12:00:03Z", [4, 3]),
        ("?until=2026-11-21T12:00:01", [0]),
        ("?after=0000000000000003", [2, 1, 0]),
        ("?after=ffffffffffffffff", []),
    ],
)
async def test_what_is_asked_for_is_told(place, query, expected):
    assert await place.numbers(query) == expected


async def test_pages_are_gone_through_by_after(place):
    found, after = [], ""
    while after is not None:
        _, told = await place.get(f"/api/decisions?limit=2{after and f'&after={after}'}")
        found += [int(each["id"], 16) for each in told["decisions"]]
        after = told["next"]
    assert found == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("?colour=red", "there is no 'colour'"),
        ("?delegate=a&delegate=b", "once"),
        ("?delegate=a%27%20OR%201", "delegate is a name"),
        ("?delegate=%ED%A0%80", "delegate is a name"),
        ("?verdict=maybe", "verdict is one of denied"),
        ("?outcome=", "outcome is one of"),
        ("?reason=because", "reason is one of"),
        ("?limit=0", "from 1 to"),
        (f"?limit={MOST + 1}", "from 1 to"),
        ("?limit=9999999999999999999999", "from 1 to"),
        ("?limit=0000005000000", "from 1 to"),
        (f"?limit=000000500{'0' * 30}", "from 1 to"),
        (f"?limit={'0' * 5000}5", "from 1 to"),
        ("?limit=%C2%B2", "from 1 to"),
        ("?since=yesterday", "since is a time"),
        ("?until=2026-13-01", "until is a time"),
        ("?after=", "after is the id"),
        ("?after=%00", "after is the id"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(place, query, word):
    status, told = await place.get(f"/api/decisions{query}")

    assert status == 400
    assert word in told["error"]


async def test_one_decision(place):
    assert await place.get(f"/api/decisions/{1:016x}") == (200, json.loads(json.dumps(made(1))))
    for unknown in ("ffff", "%ED%A0%80", "a" * 200, "%27", "..%2f"):
        status, told = await place.get(f"/api/decisions/{unknown}")
        assert status == 404, unknown
        assert "error" in told


async def test_a_viewer_of_some_delegates_sees_theirs_alone(place):
    """Others are not there for it: not in a list, not by their id, not as the place where a page begins."""
    assert await place.numbers(headers=NEWS) == [4, 2]
    assert await place.numbers("?delegate=billing", headers=NEWS) == []
    assert await place.numbers("?delegate=-", headers=NEWS) == []
    assert await place.numbers(f"?after={3:016x}", headers=NEWS) == []
    assert (await place.get(f"/api/decisions/{1:016x}", headers=NEWS))[0] == 404
    assert (await place.get(f"/api/decisions/{2:016x}", headers=NEWS))[0] == 200


async def test_what_was_just_decided_is_there(place):
    for number in range(10, 30):
        place.kept.tell(number)
        assert (await place.get(f"/api/decisions/{number:016x}"))[0] == 200


async def test_a_journal_that_is_closed_is_unavailable(place):
    place.kept.journal.close()
    status, told = await place.get("/api/decisions")
    assert status == 503
    assert "error" in told
