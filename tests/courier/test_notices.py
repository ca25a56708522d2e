"""Who hears of what failed, and who never does."""

import asyncio
import email
import email.policy
from dataclasses import replace

import pytest

from relay.courier.notices import AT_ONCE, Letterhead, Postmaster
from relay.observe.events import Event, Incident
from relay.spool.actions import Action, acted
from relay.spool.details import NOTICE, OWED
from relay.spool.entries import Batch, Entry, Kind, State
from relay.spool.ports import Damaged, Full, Wanted
from relay.words.addresses import Address, NullPath
from relay.words.delegates import NOTIFICATIONS
from relay.words.unavailable import Unavailable
from tests.spool import building
from tests.spool.building import RAW
from tests.spool.memory import MemorySpool

AUTHOR = Address("bounces", "example.com")
TO = Address("billing", "example.com")


class Office:
    """A postmaster, its spool, its clock, and what it told the courier and the log."""

    def __init__(self, spool: MemorySpool | None = None, author: Address | None = AUTHOR) -> None:
        self.spool = spool or MemorySpool()
        self.seconds = 1000.0
        self.woken = 0
        self.told = asyncio.Event()
        self.events: list[Event] = []
        self.postmaster = Postmaster(
            self.spool,
            Letterhead(author, "relay.example"),
            feedback_of=lambda entry, _raw: None if entry.envelope.reverse_path is NullPath.NULL else TO,
            now=lambda: 1_800_000_000.0,
            monotonic=lambda: self.seconds,
            committed=self._wake,
            observe=self.events.append,
        )

    def _wake(self) -> None:
        self.woken += 1
        self.told.set()

    async def failed(self, name: str, **fields: object) -> Entry:
        entry = replace(building.entry(name), last="550 5.7.1 withdrawn", **fields)  # type: ignore[arg-type]  # by name
        assert await self.spool.commit(entry, RAW) is None
        written = await self.spool.change(replace(entry, state=State.FAILED))
        assert isinstance(written, Entry)
        return written

    async def kept(self, kind: Kind) -> list[Entry]:
        found = await self.spool.find(Wanted(), limit=1000)
        assert not isinstance(found, Unavailable)
        return [entry for entry in found if entry.kind is kind]


async def test_a_failure_is_told_once_to_where_bounces_go():
    office = Office()
    await office.postmaster.owe(await office.failed("a1"), "withdrawn")

    assert await office.postmaster.tell()
    assert await office.postmaster.tell()

    (notice,) = await office.kept(Kind.NOTIFICATION)
    (message,) = await office.kept(Kind.MESSAGE)
    raw = await office.spool.body(notice)
    assert isinstance(raw, bytes)
    assert len(raw) == notice.size
    assert email.message_from_bytes(raw, policy=email.policy.default)["To"] == str(TO)
    assert (notice.session.delegate, notice.state, notice.batches) == (NOTIFICATIONS, State.DUE, (Batch((str(TO),)),))
    assert notice.envelope.reverse_path == AUTHOR
    assert message.details[NOTICE] == notice.id
    assert message.state is State.FAILED
    assert office.woken == 1


async def test_what_another_relay_tells_meanwhile_is_told_once():
    """It has looked at the same page, and its notification is sent and gone by the time we come to that failure."""
    office = Office()
    office.spool.is_shared = True
    other = Office(office.spool)
    for name in ("a1", "b2"):
        await office.failed(name)
    read, is_first = office.spool.body, iter([True])

    async def body(entry: Entry) -> bytes | Damaged | Unavailable:
        if next(is_first, False):
            assert await other.postmaster.tell()
            for notice in await office.kept(Kind.NOTIFICATION):
                await office.spool.remove(notice)
        return await read(entry)

    office.spool.body = body  # type: ignore[method-assign]  # what happens while it reads
    assert await office.postmaster.tell()
    assert (other.woken, office.woken) == (2, 0)
    assert await office.kept(Kind.NOTIFICATION) == []


async def test_about_a_notification_none_is_written():
    office = Office()
    await office.postmaster.owe(await office.failed("a1", kind=Kind.NOTIFICATION), "refused")

    assert await office.postmaster.tell()
    assert len(await office.kept(Kind.NOTIFICATION)) == 1


async def test_to_the_null_reverse_path_none_is_written():
    office = Office()
    envelope = replace(building.entry("a1").envelope, reverse_path=NullPath.NULL)
    await office.postmaster.owe(await office.failed("a1", envelope=envelope), "refused")

    assert await office.postmaster.tell()
    assert await office.kept(Kind.NOTIFICATION) == []


async def test_without_a_sender_the_message_is_kept_and_told_when_there_is_one():
    office = Office(author=None)
    await office.postmaster.owe(await office.failed("a1"), "refused")
    assert await office.postmaster.tell()
    (message,) = await office.kept(Kind.MESSAGE)
    assert message.details[NOTICE] == OWED

    later = Office(office.spool)
    assert await later.postmaster.tell()

    assert len(await later.kept(Kind.NOTIFICATION)) == 1


@pytest.mark.parametrize("is_noted", [True, False])
async def test_a_crash_between_failure_and_notification_makes_one_notification(is_noted):
    office = Office()
    entry = await office.failed("a1")
    if is_noted:
        await office.postmaster.owe(entry, "refused")

    later = Office(office.spool.crashed())
    assert await later.postmaster.tell()

    assert len(await later.kept(Kind.NOTIFICATION)) == 1


async def test_a_crash_between_notification_and_its_note_makes_no_second_one():
    office = Office()
    await office.failed("a1")
    before = office.spool.crashed()
    await office.postmaster.tell()
    (notice,) = await office.kept(Kind.NOTIFICATION)
    raw = await office.spool.body(notice)
    assert isinstance(raw, bytes)
    assert await before.commit(notice, raw) is None

    later = Office(before)
    assert await later.postmaster.tell()

    assert [entry.id for entry in await later.kept(Kind.NOTIFICATION)] == [notice.id]
    (message,) = await later.kept(Kind.MESSAGE)
    assert message.details[NOTICE] == notice.id


async def test_many_failures_of_one_moment_are_told_over_time():
    office = Office()
    for number in range(50):
        await office.postmaster.owe(await office.failed(f"a{number}"), "refused")

    assert not await office.postmaster.tell()
    at_first = len(await office.kept(Kind.NOTIFICATION))
    office.seconds += 10
    assert not await office.postmaster.tell()
    then = len(await office.kept(Kind.NOTIFICATION))
    for _ in range(3):
        office.seconds += 20
        await office.postmaster.tell()

    assert (at_first, then) == (AT_ONCE, AT_ONCE + 10)
    assert len(await office.kept(Kind.NOTIFICATION)) == 50


async def test_only_those_who_got_nothing_are_named():
    office = Office()
    batches = (Batch(("a@example.net",), ses_id="1"), Batch(("b@example.net",), refused="554 5.6.0 no"))
    await office.failed("a1", batches=batches)
    await office.postmaster.tell()

    (notice,) = await office.kept(Kind.NOTIFICATION)
    raw = await office.spool.body(notice)
    assert isinstance(raw, bytes)
    assert b"a@example.net" not in raw
    assert b"Final-Recipient: rfc822; b@example.net\r\nAction: failed\r\nStatus: 5.6.0" in raw


async def test_a_full_spool_puts_it_off():
    office = Office()
    await office.postmaster.owe(await office.failed("a1"), "refused")
    office.spool.full = Full("no disk")
    assert not await office.postmaster.tell()

    office.spool.full = None
    assert await office.postmaster.tell()
    assert len(await office.kept(Kind.NOTIFICATION)) == 1


async def test_a_damaged_message_is_told_of_to_nobody():
    office = Office()
    await office.failed("a1")
    office.spool.damage("a1")

    await office.postmaster.tell()

    assert await office.kept(Kind.NOTIFICATION) == []


async def test_what_fails_again_after_a_retry_is_told_again():
    """
    Under a name of its own, so that no mailbox takes it for the first.
    """
    office = Office()
    first = await office.failed("a1")
    assert await office.postmaster.tell()
    (told,) = [entry for entry in await office.kept(Kind.MESSAGE) if entry.id == first.id]
    retried = acted(told, Action.RETRY, building.NOON + 60, keep_failed=60)
    assert isinstance(retried, Entry)
    due = await office.spool.change(retried)
    assert isinstance(due, Entry)
    again = await office.spool.change(replace(due, state=State.FAILED))
    assert isinstance(again, Entry)
    await office.postmaster.owe(again, "refused again")
    assert await office.postmaster.tell()

    raws = [await office.spool.body(notice) for notice in await office.kept(Kind.NOTIFICATION)]
    names = {email.message_from_bytes(raw)["Message-ID"] for raw in raws if isinstance(raw, bytes)}
    assert len(names) == len(raws) == 2


async def test_what_a_person_gives_up_in_another_process_is_told(monkeypatch):
    """
    Nobody tells the postmaster; it counts.
    """
    monkeypatch.setattr("relay.courier.notices.GLANCE", 0.01)
    office = Office()
    running = asyncio.create_task(office.postmaster.run())
    await asyncio.sleep(0.02)
    entry = building.entry("a1")
    assert await office.spool.commit(entry, RAW) is None
    given_up = acted(entry, Action.GIVE_UP, building.NOON, keep_failed=60)
    assert isinstance(given_up, Entry)
    await office.spool.change(given_up)
    await office.told.wait()
    running.cancel()

    (notice,) = await office.kept(Kind.NOTIFICATION)
    raw = await office.spool.body(notice)
    assert isinstance(raw, bytes)
    assert b"\r\nStatus: 5.3.0\r\nDiagnostic-Code: smtp; 5.3.0 given up by the operator of the relay\r\n" in raw


async def test_a_mistake_while_nothing_is_owed_ends_nothing(monkeypatch):
    monkeypatch.setattr("relay.courier.notices.GLANCE", 0.01)
    monkeypatch.setattr("relay.courier.notices.ROUND_SECONDS", 0.01)
    office = Office()
    census = office.spool.census

    async def mistaken() -> object:
        office.spool.census = census  # type: ignore[method-assign]  # once
        raise RuntimeError("a mistake")

    running = asyncio.create_task(office.postmaster.run())
    await asyncio.sleep(0.005)
    office.spool.census = mistaken  # type: ignore[assignment,method-assign]
    while not any(isinstance(event, Incident) for event in office.events):
        assert not running.done()
        await asyncio.sleep(0.01)
    await office.postmaster.owe(await office.failed("a1"), "refused")
    await asyncio.wait_for(office.told.wait(), 10)
    running.cancel()


async def test_a_long_memory_of_failures_is_looked_through_once():
    """Of those that are told of by now nothing is read again when one more fails."""
    office = Office()
    for number in range(5):
        await office.postmaster.owe(await office.failed(f"a{number}"), "refused")
    assert await office.postmaster.tell()
    looked: list[Wanted] = []
    find = office.spool.find

    async def watched(wanted: Wanted, *, limit: int, after: str = "") -> object:
        looked.append(wanted)
        return await find(wanted, limit=limit, after=after)

    office.spool.find = watched  # type: ignore[assignment,method-assign]  # only watched
    await office.postmaster.owe(await office.failed("b1"), "refused")
    assert await office.postmaster.tell()

    assert looked == [Wanted(ids=("b1",))]
    assert len(await office.kept(Kind.NOTIFICATION)) == 6
