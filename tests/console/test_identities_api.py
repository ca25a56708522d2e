"""``/api/identities`` over real HTTP: what is known, how old it is, and having it read again."""

import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from relay.console.asked import MOST, USUAL
from relay.console.interior import Ports
from relay.console.server import AdminServer
from relay.identity_desk import IdentityDesk
from relay.living_texts import LivingTexts
from relay.observe.events import Event, Noted
from tests.console.test_admin import BEARER, TOKEN, Endpoint
from tests.identities.account import World
from tests.judgement.building import OWNER, REGION, allow, arn

JSON = {"Content-Type": "application/json"}


class Place(Endpoint):
    """The running endpoint over a directory."""

    world: World
    events: list[Event]

    async def get(self, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        status, text, _ = await self.ask(path, **more)
        return status, json.loads(text)

    async def post(self, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
        path = "/api/identities/refresh"
        status, text, _ = await self.ask(path, "POST", data=body, headers={**JSON, **headers})
        return status, json.loads(text)


async def served(host: str) -> AsyncIterator[Place]:
    world, events = World(), list[Event]()
    world.accounts.put("example.com", allow())
    world.accounts.held["example.com"]["broken"] = "{"
    world.accounts.put("good.example", allow())
    world.accounts.put("pending.example")
    world.accounts.pending.add("pending.example")
    world.run(30, each=lambda: world.verdict("app@good.example"))
    texts = LivingTexts(lambda: world.directory, lambda: None)
    desk = IdentityDesk(lambda: world.directory, events.append, texts.of, lambda: world.now)
    ports = Ports(identities=desk)
    server = AdminServer(lambda _: (b"", "text/plain"), lambda: (), tokens=(TOKEN,), ports=lambda: ports)
    _, number = await server.start(host, 0)
    async with aiohttp.ClientSession() as client:
        place = Place(f"http://127.0.0.1:{number}", client)
        place.world, place.events = world, events
        yield place
    await server.stop()


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async for one in served("127.0.0.1"):
        yield one


async def test_every_identity_is_told_with_its_age_its_policies_and_what_is_wrong(place):
    status, told = await place.get("/api/identities")
    example, good, pending = told["identities"]

    assert (status, told["next"]) == (200, None)
    assert (example["arn"], example["verified"], example["problem"]) == (arn("example.com"), True, None)
    assert [(policy["name"], bool(policy["problem"])) for policy in example["policies"]] == [
        ("broken", True),
        ("p", False),
    ]
    assert 0 < good["age"] < 30
    assert (example["in_use"], good["in_use"]) == (False, True)
    assert (pending["verified"], pending["age"], pending["policies"]) == (False, None, [])


async def test_every_account_and_region_is_told(place):
    (told,) = (await place.get("/api/identities"))[1]["places"]

    assert 0 <= told.pop("listed_age") < 40
    assert told == {
        "account": OWNER,
        "region": REGION,
        "source": "ses",
        "identities": 3,
        "in_use": 1,
        "revocation": 60.0,
        "problem": None,
        "troubles": [],
    }


async def test_no_policy_text_is_told(place):
    assert "Statement" not in (await place.ask("/api/identities"))[1]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=GOOD.example", ["good.example"]),
        ("in_use=true", ["good.example"]),
        ("in_use=false", ["example.com", "pending.example"]),
        ("account=1", []),
        ("region=us-east-1&limit=1", ["example.com"]),
        (f"after={arn('good.example')}", ["pending.example"]),
    ],
)
async def test_identities_are_chosen_by_fields(place, query, names):
    told = (await place.get(f"/api/identities?{query}"))[1]

    assert [each["arn"].partition("/")[2] for each in told["identities"]] == names


async def test_mail_does_not_wait_while_identities_are_looked_through(place, monkeypatch):
    """There may be a hundred thousand, and the loop is that of the mail."""
    threads: set[int] = set()

    def wanted(*_: Any) -> bool:
        threads.add(threading.get_ident())
        return True

    monkeypatch.setattr("relay.identity_desk._is_wanted", wanted)
    assert len((await place.get("/api/identities"))[1]["identities"]) == 3

    assert threads
    assert threading.get_ident() not in threads


async def test_a_page_names_where_the_next_begins(place):
    told = (await place.get("/api/identities?limit=2"))[1]
    rest = (await place.get(f"/api/identities?limit=2&after={told['next']}"))[1]

    assert [len(told["identities"]), len(rest["identities"]), rest["next"]] == [2, 1, None]
    assert USUAL <= MOST


@pytest.mark.parametrize("query", ["delegate=x", "limit=0", f"limit={MOST + 1}", "limit=1&limit=2", "in_use=yes"])
async def test_what_cannot_be_asked_is_said(place, query):
    status, told = await place.get(f"/api/identities?{query}")

    assert (status, bool(told["error"])) == (400, True)


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_everything_is_read_again(place, body):
    assert await place.post(body) == (202, {"refreshing": "all"})
    place.world.accounts.asked.clear()
    place.world.run(12)

    assert set(place.world.accounts.asked) == {"list", "example.com", "good.example"}
    assert place.events == [Noted("info", "policies.refresh-wanted", {"identity": None})]


async def test_one_identity_is_read_again_first(place):
    body = json.dumps({"identity": arn("good.example")}).encode()
    assert await place.post(body) == (202, {"refreshing": arn("good.example")})
    place.world.accounts.asked.clear()
    place.world.run(2)

    assert place.world.accounts.asked == ["good.example"]


async def test_an_identity_of_nobody_here_is_not_found(place):
    status, told = await place.post(json.dumps({"identity": arn("example.com", account="1")}).encode())

    assert (status, place.events) == (404, [])
    assert "read here" in told["error"]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b'{"identity": 1}', b'{"identity": null}', b'{"all": true}', b'{"identity": "x"}']
)
async def test_what_is_no_wish_is_refused(place, body):
    assert (await place.post(body))[0] == 400


async def test_a_page_of_a_stranger_reads_nothing_again(place):
    assert (await place.post(b"", Origin="http://evil.example"))[0] == 403
    status, _, _ = await place.ask("/api/identities/refresh", "POST", data=b"", headers={"Content-Type": "text/plain"})
    assert status == 415


async def test_off_loopback_a_token_is_needed():
    async for place in served("0.0.0.0"):
        assert (await place.ask("/api/identities"))[0] == 401
        assert (await place.ask("/api/identities", headers=BEARER))[0] == 200


async def test_every_policy_of_an_identity_is_told_as_it_is_read(place):
    """What cannot be read has its problems, with its text all the same."""
    status, told = await place.get(f"/api/identities/policies?identity={arn('example.com')}")
    broken, good = told["policies"]
    [statement] = good["statements"]

    assert (status, told["arn"]) == (200, str(arn("example.com")))
    assert (broken["name"], broken["text"], broken["statements"]) == ("broken", "{", [])
    assert broken["problems"][0]["path"] == "$"
    assert (statement["effect"], good["problems"]) == ("Allow", [])
    assert json.loads(good["text"])["Statement"][0]["Effect"] == "Allow"
    assert statement["actions"] == {"negated": False, "values": ["ses:SendRawEmail"]}


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("?identity=x", 400), ("?colour=red", 400), (f"?identity={arn('nothing.example')}", 404)],
)
async def test_what_is_no_identity_has_no_policies(place, query, status):
    assert (await place.get(f"/api/identities/policies{query}"))[0] == status
