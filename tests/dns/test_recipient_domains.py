"""Which recipients are refused for their domain: by real answers, and by scripted ones for what is remembered."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from relay.dns.answers import Absent, Fault, Found, Trouble
from relay.dns.recipient_domains import NO_MAIL_HOST, NO_SUCH_DOMAIN, NULL_MX, RecipientDomains
from relay.dns.resolver import Resolver
from relay.dns.servers import read_server
from relay.observe.events import Event, RecipientDomainChecked
from tests.dns.lab import NOBODY
from tests.smtp.conftest import authority  # noqa: F401 - a fixture
from tests.smtp.stage import PLAIN, NothingKnown, stage

PATIENCE = 5.0


def domains_of(*servers: str, events: list[Event] | None = None) -> RecipientDomains:
    resolver = Resolver(lambda: tuple(map(read_server, servers)))
    return RecipientDomains(resolver.ask, (events if events is not None else []).append)


@pytest.mark.system
@pytest.mark.parametrize(
    ("domain", "result", "refusal"),
    [
        ("mx.test", "taken", None),
        ("implicit.mx.test", "taken", None),
        ("implicit6.mx.test", "taken", None),
        ("x.alias.test", "no-such-domain", NO_SUCH_DOMAIN),
        ("nothing-here.good.test", "no-such-domain", NO_SUCH_DOMAIN),
        ("no-such-domain-anywhere", "no-such-domain", NO_SUCH_DOMAIN),
        ("nothing.mx.test", "no-mail-host", NO_MAIL_HOST),
        ("null.test", "null-mx", NULL_MX),
        ("both.null.test", "taken", None),
        ("big.test", "no-mail-host", NO_MAIL_HOST),
        ("broken.test", "unanswered", None),
        ("bogus.test", "unanswered", None),
        ("lame.test", "no-mail-host", NO_MAIL_HOST),
    ],
)
async def test_what_the_dns_is_sure_of_is_refused_and_nothing_else(lab, domain, result, refusal):
    events: list[Event] = []
    domains = domains_of(lab.resolver, events=events)

    assert await domains.refusal(domain, PATIENCE) == refusal
    assert events == [RecipientDomainChecked(result)]


@pytest.mark.system
async def test_where_one_resolver_is_silent_the_next_is_asked(lab):
    domains = domains_of(f"{NOBODY}:{lab.port}", lab.resolver)

    assert await domains.refusal("null.test", PATIENCE) == NULL_MX


@pytest.mark.system
async def test_refused_recipients_hear_it_at_rcpt_and_the_others_go_on(lab, authority):  # noqa: F811 - the fixture
    events: list[Event] = []
    async with stage(authority, PLAIN, recipient_domains=domains_of(lab.resolver, events=events)) as on:
        client = await on.authenticated("plain")
        await client.says("MAIL FROM:<app1@example.com>")

        assert await client.says("RCPT TO:<ann@NULL.test>") == str(NULL_MX)
        assert await client.says("RCPT TO:<ann@nothing-here.good.test>") == str(NO_SUCH_DOMAIN)
        assert (await client.says("RCPT TO:<ann@mx.test>")).startswith("250 2.1.5")
        assert (await client.says("RCPT TO:<ann@mx.test>")).startswith("250 2.1.5")
        assert (await client.says("RCPT TO:<ann@broken.test>")).startswith("250 2.1.5")
        await client.says("RSET")
        await client.says("MAIL FROM:<app1@example.com>")
        await client.says("RCPT TO:<ann@null.test>")
        assert (await client.says("DATA")).startswith("554")
        await client.says("RSET")

        assert on.endings == [("aborted", "client-gone"), ("rejected", "address-form")]
        assert [event.result for event in events if isinstance(event, RecipientDomainChecked)] == [
            "null-mx",
            "no-such-domain",
            "taken",
            "unanswered",
            "null-mx",
        ]


async def test_strangers_cannot_make_the_relay_ask(authority):  # noqa: F811 - the fixture
    """Who has not authenticated is refused before any domain is looked at."""
    asked = []

    class Asked(NothingKnown):
        async def refusal(self, domain: str, patience: float) -> None:
            asked.append(domain)

    async with stage(authority, PLAIN, recipient_domains=Asked()) as on:
        client = await on.greeted("plain")
        assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("530")
        assert (await client.says("RCPT TO:<ann@example.net>")).startswith("503")

    assert asked == []


class Script:
    """Answers as it is told, counts what it was asked, and holds on for as long as ``held`` is clear."""

    def __init__(self, **answers: Found | Absent | Trouble) -> None:
        self.answers = {"A": Absent(True, 30), "AAAA": Absent(True, 30), **answers}
        self.asked: list[tuple[str, str]] = []
        self.held = asyncio.Event()
        self.held.set()

    async def __call__(self, name: str, kind: str) -> Found | Absent | Trouble:
        self.asked.append((name, kind))
        await self.held.wait()
        return self.answers[kind]

    @property
    def lookups(self) -> int:
        return sum(kind == "MX" for _, kind in self.asked)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


MX = ("10 mail.example.com",)
SILENT = Trouble(Fault.SILENT, "no answer")


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Found(MX, 600), 600),
        (Found(MX, 0), 60),
        (Found(MX, 86400 * 7), 3600),
        (Found(("0 .",), 120), 120),
        (Absent(False, 0), 10),
        (Absent(False, 86400), 30),  # the addresses' own negative answer ends first
        (SILENT, 10),
    ],
)
async def test_an_answer_is_kept_by_its_ttl_within_bounds(answer, seconds):
    script, clock = Script(MX=answer), Clock()
    domains = RecipientDomains(script, lambda event: None, monotonic=clock)
    await domains.refusal("example.com", PATIENCE)
    clock.now += seconds - 1
    await domains.refusal("example.com", PATIENCE)
    assert script.lookups == 1

    clock.now += 1
    await domains.refusal("example.com", PATIENCE)
    assert script.lookups == 2


async def test_what_is_known_is_told_without_a_wait():
    """And counted; as long as it is believed. Where nobody is asked, everybody is let through uncounted."""
    clock, events = Clock(), list[Event]()
    domains = RecipientDomains(Script(MX=Found(("0 .",), 60)), events.append, monotonic=clock)
    assert not domains.knows("example.com")
    assert await domains.refusal("example.com", PATIENCE) == NULL_MX

    assert domains.knows("example.com")
    assert domains.known_refusal("example.com") == NULL_MX
    assert events == [RecipientDomainChecked("null-mx")] * 2
    clock.now += 60
    assert not domains.knows("example.com")
    domains.renew(None)
    assert domains.knows("example.com")
    assert domains.known_refusal("example.com") is None
    assert len(events) == 2


async def test_no_more_domains_are_kept_than_there_is_room_for():
    """The one that was asked for longest ago goes first."""
    script = Script(MX=Found(MX, 600))
    domains = RecipientDomains(script, lambda event: None, most=2)
    for name in ("a.test", "b.test", "a.test", "c.test", "a.test", "b.test"):
        await domains.refusal(name, PATIENCE)

    assert [name for name, _ in script.asked] == ["a.test", "b.test", "c.test", "b.test"]


async def test_a_domain_is_asked_for_once_at_a_time():
    script = Script(MX=Found(("0 .",), 60))
    script.held.clear()
    domains = RecipientDomains(script, lambda event: None)
    waiting = [asyncio.create_task(domains.refusal("example.com", PATIENCE)) for _ in range(20)]
    await asyncio.sleep(0)
    script.held.set()

    assert {await each for each in waiting} == {NULL_MX}
    assert script.lookups == 1


async def test_who_waits_too_long_is_let_through_and_the_answer_is_there_for_the_next():
    script = Script(MX=Found(("0 .",), 60))
    script.held.clear()
    domains = RecipientDomains(script, lambda event: None)

    assert await domains.refusal("example.com", 0.01) is None
    script.held.set()
    await asyncio.sleep(0.01)
    assert await domains.refusal("example.com", 0) == NULL_MX
    assert script.lookups == 1


async def test_without_patience_what_is_not_known_is_not_asked():
    script = Script(MX=Found(("0 .",), 60))
    domains = RecipientDomains(script, lambda event: None)

    assert await domains.refusal("example.com", 0) is None
    assert script.asked == []


@pytest.mark.parametrize(
    ("answers", "refusal"),
    [
        ({"MX": Absent(False), "A": Found(("192.0.2.1",), 60)}, None),
        ({"MX": Absent(True), "A": SILENT}, None),
        ({"MX": Absent(True), "AAAA": SILENT}, None),
        ({"MX": Absent(False), "A": Absent(False), "AAAA": Absent(False)}, NO_SUCH_DOMAIN),
        ({"MX": Absent(False), "A": Absent(True), "AAAA": Absent(False)}, NO_MAIL_HOST),
        ({"MX": Found(("10 .",), 60)}, NULL_MX),
    ],
)
async def test_doubts_refuse_nobody(answers, refusal):
    """A server may say of one type that the name is not there, or nothing of another."""
    assert await RecipientDomains(Script(**answers), lambda event: None).refusal("example.com", PATIENCE) == refusal


async def test_a_mistake_of_ours_refuses_nobody_and_is_told():
    async def broken(name: str, kind: str) -> Found:
        raise RuntimeError("ours")

    events: list[Event] = []

    assert await RecipientDomains(broken, events.append).refusal("example.com", PATIENCE) is None
    assert [getattr(event, "event", "") for event in events] == ["recipient-domain.failed", ""]


async def test_lookups_at_a_time_are_bounded(monkeypatch):
    monkeypatch.setattr("relay.dns.recipient_domains.MOST_ASKED", 2)
    script = Script(MX=Found(("0 .",), 60))
    script.held.clear()
    domains = RecipientDomains(script, lambda event: None)
    waiting = [asyncio.create_task(domains.refusal(f"{number}.test", PATIENCE)) for number in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    script.held.set()

    assert [await each for each in waiting] == [NULL_MX, NULL_MX, None]
    domains.close()


async def test_switched_off_nobody_is_asked_and_switched_on_all_are_asked_anew():
    """What a reload of the settings does."""
    script = Script(MX=Found(("0 .",), 60))
    domains = RecipientDomains(None, lambda event: None)
    assert await domains.refusal("example.com", PATIENCE) is None

    domains.renew(script)
    assert await domains.refusal("example.com", PATIENCE) == NULL_MX
    domains.renew(None)
    assert await domains.refusal("example.com", PATIENCE) is None


@pytest.fixture(autouse=True)
async def nothing_is_left_running() -> AsyncIterator[None]:
    yield
    left = [task for task in asyncio.all_tasks() if task.get_name() == "recipient-domain"]
    for task in left:
        task.cancel()
    assert left == []
