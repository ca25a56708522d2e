"""A message that nobody could decide for want of one identity waits for it, is judged again, and is told once."""

from dataclasses import replace
from typing import Any

import pytest

from relay.identities.nothing import NoDirectory
from relay.judgement.catalog import Catalog
from relay.judgement.rules import Rules
from relay.mail.profile import Profile
from relay.observe.events import Event, Judged
from relay.sending.outcomes import Refused
from relay.walk import DOUBT_PAUSE, LOOK_PATIENCE, Clocks, House, Prepared, Walk
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Session
from tests.judgement.building import NOW, OWNER, REGION, allow, arn, catalog, delegate, deny, envelope, identity

RAW = b"From: app@example.com\r\nTo: bob@rcpt.example\r\nSubject: hi\r\n\r\nhello\r\n"
SESSION = Session("s", "127.0.0.1:1", "203.0.113.7", "client", "ESMTPSA", "app")
DOMAIN = identity("example.com", allow())
UNREAD = identity("example.com", problem="it was not read from SES yet")


class Slow(NoDirectory):
    """A directory that knows more with each look; each takes ``seconds``."""

    def __init__(self, *catalogs: Catalog, seconds: float = 0.1) -> None:
        self.catalogs = list(catalogs)
        self.seconds = seconds
        self.now = 1000.0
        self.looks: list[tuple[str, list[str], float]] = []
        self.uses: list[tuple[str, list[str]]] = []
        self.invalidated: list[str] = []

    @property
    def catalog(self) -> Catalog:
        return self.catalogs[0]

    async def look(self, delegate: str, identities: Any, patience: float) -> bool:
        self.looks.append((delegate, [each.name for each in identities], patience))
        self.now += min(self.seconds, patience)
        if len(self.catalogs) == 1 or self.seconds > patience:
            return False
        self.catalogs.pop(0)
        return True

    def used(self, delegate: str, decisions: Any) -> None:
        self.uses.append((delegate, [str(each.verdict) for each in decisions]))

    def invalidate(self, identity: Any = None) -> bool:
        self.invalidated.append(identity.name)
        return True


class Place:
    """A walk over a slow directory."""

    def __init__(self, directory: Slow, **traits: Any) -> None:
        self.directory = directory
        self.events: list[Event] = []
        who = delegate(**traits)
        house = House(lambda _name: who, Rules(), Profile(own_name="relay.example"), "relay.example")
        clocks = Clocks(lambda: NOW, lambda: directory.now)
        self.walk = Walk(house, directory, observe=self.events.append, clocks=clocks)

    async def prepare(self) -> Prepared | Ending:
        return await self.walk.prepare(SESSION, envelope(), RAW)

    def verdicts(self) -> list[str]:
        return [event.verdict for event in self.events if isinstance(event, Judged)]


async def test_it_is_judged_again_and_told_once():
    place = Place(Slow(catalog(UNREAD), catalog(DOMAIN)))

    assert isinstance(await place.prepare(), Prepared)
    assert place.verdicts() == ["allowed", "allowed"]
    assert place.directory.uses == [("app", ["allowed", "allowed"])]
    assert place.directory.looks == [("app", ["example.com", "example.com"], LOOK_PATIENCE)]


async def test_what_takes_precedence_may_have_to_be_read_first_then_its_domain():
    own = "app@example.com"
    steps = (
        catalog(identity(own, problem="unread"), UNREAD),
        catalog(identity(own), UNREAD),
        catalog(identity(own), DOMAIN),
    )
    place = Place(Slow(*steps))

    assert isinstance(await place.prepare(), Prepared)
    assert [names[0] for _, names, _ in place.directory.looks] == [own, "example.com"]


async def test_it_waits_two_seconds_in_all():
    place = Place(Slow(*[catalog(UNREAD)] * 9, seconds=0.9))
    ending = await place.prepare()

    assert isinstance(ending, Ending)
    assert (ending.outcome, ending.reply.code) == (Outcome.DEFERRED, 451)
    assert [round(patience, 1) for _, _, patience in place.directory.looks] == [2.0, 1.1, 0.2]
    assert place.directory.now == pytest.approx(1000 + LOOK_PATIENCE)
    assert place.verdicts() == ["undecided", "undecided"]


async def test_nobody_waits_for_what_decides():
    for known in (catalog(DOMAIN), catalog(identity("example.com", deny())), catalog(identity("other.example"))):
        place = Place(Slow(known))
        await place.prepare()
        assert place.directory.looks == []


async def test_an_observed_delegate_waits_too_and_is_forwarded_whatever_comes():
    place = Place(Slow(catalog(UNREAD)), mode="observe")

    assert isinstance(await place.prepare(), Prepared)
    assert len(place.directory.looks) == 1


async def test_where_ses_refuses_what_was_allowed_the_identities_are_read_again_once_a_minute():
    place = Place(Slow(catalog(DOMAIN)), is_caller=True)
    prepared = await place.prepare()
    assert isinstance(prepared, Prepared)
    refused = Refused("AccessDenied", "no", Reply(554, (5, 7, 1), "no"), Reason.SES_REFUSED)
    for _ in range(5):
        place.walk.compare(refused, prepared)
    assert place.directory.invalidated == ["example.com"]
    place.directory.now += DOUBT_PAUSE
    place.walk.compare(refused, prepared)

    assert place.directory.invalidated == ["example.com"] * 2
    told: Any = place.events[-1]
    assert (told.identity, told.kind) == (arn("example.com"), "access-denied")
    assert told.readings["theirs"] == "AccessDenied: no"
    assert told.readings["ours"][0]["verdict"] == "allowed"
    assert told.readings["read_seconds_ago"] == {arn("example.com"): 0.0}


async def test_what_a_sealed_owner_does_not_let_through_is_nowhere_to_be_read_and_not_remembered():
    """A client may name any identity of theirs, another one in each message."""
    place = Place(Slow(catalog()), is_caller=True)
    place.walk.house = replace(place.walk.house, rules=Rules(sealed=frozenset({(OWNER, REGION)})))
    refused = Refused(
        "MessageRejected", "Email address is not verified.", Reply(554, (5, 7, 1), "no"), Reason.SES_REFUSED
    )
    for number in range(3):
        raw = RAW.replace(
            b"From: app@", b"X-SES-SOURCE-ARN: %b\r\nFrom: app%d@" % (arn("example.com").encode(), number)
        )
        raw = raw.replace(b"identity/example", b"identity/app%d@example" % number)
        prepared = await place.walk.prepare(SESSION, envelope(f"app{number}@example.com"), raw)
        assert isinstance(prepared, Prepared)
        place.walk.compare(refused, prepared)

    assert (place.directory.invalidated, place.walk._doubted) == ([], {})
