"""``/api/delegates``: who may send, what holds for each, what became of its mail; and never what proves it."""

import ipaddress
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from relay.console.interior import Ports
from relay.console.server import AdminServer
from relay.delegate_desk import DelegateDesk, Standing
from relay.delegates.entries import Elsewhere, Entry
from relay.delegates.registry import Registry
from relay.observe.events import AuthTried, MessageEnded
from relay.observe.tally import Tally
from relay.observe.traffic import SPANS, Traffic
from relay.sending.pace.shares import Share
from relay.words.certificates import read_certificate_name
from relay.words.delegates import Delegate
from relay.words.endings import Outcome, Reason
from relay.words.roles import AssumedRole
from relay.words.unavailable import Unavailable
from tests.console.test_admin import Endpoint

NOON = 1_800_000_000.0
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
ROLE = AssumedRole("arn:aws:iam::222222222222:role/news", "ses-relay-news", "an-external-id")
ENTRIES = (
    Entry.of(
        Delegate("billing", "arn:aws:iam::111111111111:user/billing"),
        password_hash=HASH,
        allowed_networks=[ipaddress.ip_network("10.0.0.0/8")],
        trusted_networks=[ipaddress.ip_network("2001:db8::/32")],
    ),
    Entry.of(
        Delegate("news", ROLE.principal, role=ROLE), client_certificates=[read_certificate_name("dns:news.example")]
    ),
    Entry.of(Delegate("own", "caller"), password_hash=HASH),
)
SUSPENDED = {"standing": "suspended", "bounced": 2}
STANDINGS = {
    "billing": Standing(ENTRIES[0].delegate.principal, share=Share(20.0, 1000), recipients_today=17),
    "news": Standing(
        ROLE.principal,
        role_trouble="AccessDenied",
        observed_until=NOON + 60,
        feedback=SUSPENDED,
    ),
    "own": Standing(None, observed_until=float("inf")),
}


def ended(delegate: str, outcome: Outcome, recipients: int = 1) -> MessageEnded:
    return MessageEnded(delegate, outcome, Reason.NONE, recipients, 10, 0.1, {})


class Place(Endpoint):
    """The running endpoint over a registry."""

    tally: Tally
    traffic: Traffic
    resumed: list[str]
    troubles: list[Unavailable]

    async def told(self, query: str = "") -> tuple[int, dict[str, Any]]:
        status, text, _ = await self.ask(f"/api/delegates{query}")
        return status, json.loads(text)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    tally = Tally(lambda: NOON)
    traffic = Traffic(lambda: NOON)
    resumed: list[str] = []

    troubles: list[Unavailable] = []

    async def resume(name: str) -> bool | Unavailable:
        if troubles:
            return troubles[0]
        resumed.append(name)
        return True

    registry = Registry(ENTRIES)
    desk = DelegateDesk(registry, lambda each: STANDINGS[each.name], tally, traffic, resume, clock=lambda: NOON)
    server = AdminServer(lambda _: (b"", "text/plain"), lambda: (), ports=lambda: Ports(delegates=desk))
    _, number = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client:
        place = Place(f"http://127.0.0.1:{number}", client)
        place.tally, place.traffic, place.resumed, place.troubles = tally, traffic, resumed, troubles
        yield place
    await server.stop()


async def test_each_delegate_is_told_with_what_holds_for_it(place):
    status, told = await place.told()
    billing, news, own = told["delegates"]

    assert (status, told["next"], told["counted_since"]) == (200, None, "2027-01-15T08:00:00Z")
    assert (billing["mechanisms"], billing["role"], billing["mode"]) == (["PLAIN", "LOGIN"], None, "enforce")
    assert (billing["allowed_networks"], billing["trusted_networks"]) == (["10.0.0.0/8"], ["2001:db8::/32"])
    assert (billing["rate"], billing["daily_recipients"], billing["recipients_today"]) == (20.0, 1000, 17)
    assert news["role"] == {"arn": ROLE.arn, "session": ROLE.session, "trouble": "AccessDenied"}
    assert (news["mechanisms"], news["feedback"]) == (["EXTERNAL"], SUSPENDED)
    assert (news["mode"], news["observed_until"]) == ("observe", "2027-01-15T08:01:00Z")
    assert (own["principal"], own["mode"], own["observed_until"]) == (None, "observe", None)


async def test_what_became_of_its_mail_is_counted(place):
    place.tally(ended("billing", Outcome.ACCEPTED, 3))
    place.tally(ended("billing", Outcome.QUEUED, 2))
    place.tally(ended("billing", Outcome.REJECTED, 9))
    place.tally(ended("-", Outcome.ABORTED))
    place.tally(AuthTried("PLAIN", "ok", "s", "news"))
    place.tally(AuthTried("PLAIN", "bad-credentials", "s", "own"))
    billing, news, own = (await place.told())[1]["delegates"]

    assert billing["messages"] == {"accepted": 1, "queued": 1, "rejected": 1, "deferred": 0, "aborted": 0}
    assert billing["recipients"] == 5
    assert (billing["last_seen"], news["last_seen"], own["last_seen"]) == (*["2027-01-15T08:00:00Z"] * 2, None)


async def test_nothing_that_proves_a_delegate_is_told(place):
    text = (await place.ask("/api/delegates"))[1]

    for secret in (HASH, "argon2", "news.example", "an-external-id"):
        assert secret not in text


async def test_a_page_names_where_the_next_begins(place):
    _, first = await place.told("?limit=2")
    _, rest = await place.told(f"?limit=2&after={first['next']}")

    names = [[each["name"] for each in page["delegates"]] for page in (first, rest)]
    assert (names, first["next"], rest["next"]) == ([["billing", "news"], ["own"]], "news", None)
    assert [each["name"] for each in (await place.told("?name=own"))[1]["delegates"]] == ["own"]


@pytest.mark.parametrize("query", ["?limit=0", "?limit=501", "?limit=x", "?name=a&name=b", "?password=x"])
async def test_a_question_that_makes_no_sense_is_400(place, query):
    status, told = await place.told(query)

    assert (status, bool(told["error"])) == (400, True)


def test_ways_in_beside_a_delegates_own_are_told(tmp_path):
    """A name of the htpasswd file has a password there."""
    file = tmp_path / "htpasswd"
    file.write_text(f"news:{HASH}\n")

    registry = Registry(ENTRIES, Elsewhere(htpasswd=file))
    ways = registry.ways_of("news")

    assert ways is not None
    assert ways.mechanisms == ("PLAIN", "LOGIN", "EXTERNAL")
    assert registry.ways_of("nobody") is None


async def test_traffic_is_told_by_delegate_and_reason_the_most_first(place):
    """An hour of minutes, the last of them now."""
    for delegate, outcome, reason in (
        ("billing", Outcome.ACCEPTED, Reason.NONE),
        ("billing", Outcome.ACCEPTED, Reason.NONE),
        ("-", Outcome.REJECTED, Reason.ADDRESS_FORM),
    ):
        place.traffic(MessageEnded(delegate, outcome, reason, 1, 10, 0.1, {}))
    status, text, _ = await place.ask("/api/traffic")
    told = json.loads(text)
    narrow = json.loads((await place.ask("/api/traffic?delegate=-&limit=1"))[1])
    few = json.loads((await place.ask("/api/traffic?limit=1"))[1])

    assert (status, told["step"], told["spans"], told["since"]) == (200, 60, SPANS, "2027-01-15T07:01:00Z")
    assert [(row["delegate"], row["reason"], sum(row["counts"])) for row in told["series"]] == [
        ("billing", "none", 2),
        ("-", "address-form", 1),
    ]
    assert told["series"][0]["counts"] == [0] * (SPANS - 1) + [2]
    assert [row["delegate"] for row in narrow["series"]] == ["-"]
    assert (len(few["series"]), few["left_out"]) == (1, 1)
    assert (await place.ask("/api/traffic?colour=red"))[0] == 400


@pytest.mark.parametrize(
    ("name", "body", "status", "says"),
    [
        ("news", b"{}", 200, "good"),
        ("billing", b"", 409, "no feedback is read"),
        ("nobody", b"{}", 404, "no such delegate"),
        ("news", b'{"x": 1}', 400, "the body is {}"),
        ("news", b"{", 400, "no JSON"),
    ],
)
async def test_a_delegate_is_resumed(place, name, body, status, says):
    """By whoever may; where there is nothing to resume it is said."""
    headers = {"Content-Type": "application/json"}
    got, text, _ = await place.ask(f"/api/delegates/{name}/resume", "POST", data=body, headers=headers)

    assert (got, says in text) == (status, True), text
    assert place.resumed == (["news"] if status == 200 else [])


async def test_what_cannot_be_kept_is_no_fault_of_ours(place):
    place.troubles.append(Unavailable("feedback.db: database or disk is full"))
    told = await place.ask("/api/delegates/news/resume", "POST", json={})

    assert told[:2] == (503, '{"error": "feedback.db: database or disk is full"}')
