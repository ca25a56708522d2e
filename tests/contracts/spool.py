"""What every engine of the spool owes, whatever it keeps its entries in."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from relay.spool.entries import Batch, Entry, Kind, State
from relay.spool.ports import Census, Damaged, Full, Spool, Wanted
from relay.words.addresses import NullPath
from relay.words.endings import Reason
from relay.words.transactions import Envelope
from relay.words.unavailable import Unavailable
from tests.spool.building import NOON, RAW, entry

LARGE = bytes(range(256)) * 4096  # one MiB: more than any engine keeps beside the entry


class Place(ABC):
    """Where an engine keeps its entries, and what may happen to them there."""

    @abstractmethod
    async def open(self, *, max_bytes: int = 1 << 30) -> Spool:
        """Open the spool. *max_bytes*: its bound; *failed* entries may hold a quarter of it."""

    @abstractmethod
    async def crash(self, spool: Spool) -> Spool:
        """Open what the next start finds after kill -9 of the process that has *spool* open."""

    @abstractmethod
    def damage(self, spool: Spool, name: str) -> None:
        """Take the message of the entry *name* away behind the engine's back."""


async def kept(spool: Spool, *entries: Entry) -> None:
    """Commit *entries*."""
    for one in entries:
        assert await spool.commit(one, RAW) is None


async def found(spool: Spool, **wanted: object) -> list[str]:
    """The ids that the spool lists."""
    listed = await spool.find(Wanted(**wanted), limit=1000)  # type: ignore[arg-type]  # fields of Wanted, by name
    return ids(listed)


def ids(entries: Sequence[Entry] | Unavailable) -> list[str]:
    assert not isinstance(entries, Unavailable), entries
    return [one.id for one in entries]


async def due(
    spool: Spool, now: float = NOON, *, limit: int = 100, per_delegate: int = 100, **busy: set[str]
) -> list[str]:
    """The ids that are due."""
    return ids(await spool.due(now, limit=limit, per_delegate=per_delegate, **busy))


async def begun(spool: Spool, one: Entry) -> Entry:
    written = await spool.begin(one, NOON)
    assert isinstance(written, Entry), written
    return written


async def changed(spool: Spool, one: Entry) -> Entry:
    written = await spool.change(one)
    assert isinstance(written, Entry), written
    return written


async def counted(spool: Spool) -> Census:
    census = await spool.census()
    assert isinstance(census, Census), census
    return census


class SpoolContract:
    """One suite for all engines: a class of tests that derives from this gives the fixture ``place``."""

    @pytest.fixture
    async def spool(self, place: Place) -> AsyncIterator[Spool]:
        spool = await place.open()
        yield spool
        await spool.close()

    @pytest.mark.parametrize(
        "raw", [b"", RAW, LARGE, b"\x00\xff\r\n.\r\n" * 40_000], ids=["empty", "small", "1MiB", "octets"]
    )
    async def test_message_comes_back_as_it_was_committed(self, spool, raw):
        """After a crash too: every octet of the message."""
        one = entry(raw=raw)
        assert await spool.commit(one, raw) is None
        assert await spool.body(one) == raw

    async def test_entry_comes_back_as_it_was_committed(self, place, spool):
        """The judge sees after a crash what it would have seen before it: every field of the entry."""
        one = entry(
            kind=Kind.NOTIFICATION,
            envelope=Envelope(NullPath.NULL, entry().envelope.forward_paths, "a1"),
            batches=(
                Batch(("ann@example.net",), ses_id="0100-x"),
                Batch(("bob@example.net",), refused="no"),
                Batch(("c@d.e",)),
            ),
            due_at=NOON + 0.25,
            attempts=3,
            crashes=1,
            maybe=2,
            reason=Reason.SES_THROTTLED,
            last='Throttling: "Maximum sending rate exceeded" \N{EM DASH} \x00 \ud800',
            details={"decision": "D1", "\u00fc": ""},
        )
        await kept(spool, one, entry("b2", accepted_at=1e9 / 3))
        assert await spool.find(Wanted(), limit=9) == [one, entry("b2", accepted_at=1e9 / 3)]
        after = await place.crash(spool)
        assert await after.find(Wanted(), limit=9) == [one, entry("b2", accepted_at=1e9 / 3)]
        assert await after.body(one) == RAW
        await after.close()

    async def test_what_was_written_survives_a_crash(self, place, spool):
        """Commit, begin, change and remove: each is there, or gone, at the next start."""
        await kept(spool, entry("a1"), entry("b2"), entry("c3"))
        sending = await begun(spool, entry("a1"))
        held = await changed(spool, replace(entry("b2"), state=State.HELD, last="by a person"))
        assert await spool.remove(entry("c3")) is None
        after = await place.crash(spool)
        assert await after.find(Wanted(), limit=9) == [sending, held]
        await after.close()

    async def test_id_is_kept_once(self, spool):
        """A second commit of an id is no commit, and takes nothing from the first."""
        await kept(spool, entry())
        assert isinstance(await spool.commit(entry(raw=LARGE), LARGE), Unavailable)
        assert await spool.body(entry()) == RAW

    async def test_sending_entries_are_recovered(self, place, spool):
        """Those that were *sending* when the process died come back, and stay *sending*; no others do."""
        await kept(spool, entry("a1"), entry("b2"), entry("c3", state=State.SENDING, attempts=1))
        one = await begun(spool, entry("a1"))
        after = await place.crash(spool)
        recovered = await after.recover()
        assert recovered == [one, entry("c3", state=State.SENDING, attempts=1)]
        assert await due(after) == ["b2"]
        assert (await begun(after, one)).attempts == 2
        await after.close()

    async def test_attempt_is_registered_by_one_only(self, spool):
        """Of two that begin the same entry one gets it; the attempt is counted before it is made."""
        await kept(spool, entry())
        assert await begun(spool, entry()) == replace(entry(), state=State.SENDING, attempts=1, version=1)
        assert await spool.begin(entry(), NOON) is None
        assert await due(spool) == []

    @pytest.mark.parametrize("state", [State.HELD, State.FAILED, State.QUARANTINED])
    async def test_what_may_not_be_sent_is_not_begun(self, spool, state):
        one = entry(state=state)
        await kept(spool, one)
        assert await due(spool, NOON * 2) == []
        assert await spool.begin(one, NOON) is None

    async def test_change_needs_the_stored_version(self, spool):
        """Who read the entry before another changed it changes nothing."""
        await kept(spool, entry())
        held = await changed(spool, replace(entry(), state=State.HELD))
        assert held.version == 1
        assert await spool.change(replace(entry(), state=State.DUE)) is None
        assert await spool.find(Wanted(), limit=9) == [held]

    async def test_what_is_gone_is_neither_begun_nor_changed(self, spool):
        await kept(spool, entry())
        assert await spool.remove(entry()) is None
        assert await spool.remove(entry()) is None
        assert await spool.begin(entry(), NOON) is None
        assert await spool.change(entry()) is None
        assert isinstance(await spool.body(entry()), Damaged | Unavailable)

    async def test_due_is_what_has_come_due_in_its_order(self, spool):
        times = {"a1": 3.0, "b2": -2.0, "c3": 0.0, "d4": -2.0}
        await kept(spool, *(entry(name, due_at=NOON + late) for name, late in times.items()))
        assert await due(spool) == ["b2", "d4", "c3"]
        assert await due(spool, busy={"d4"}) == ["b2", "c3"]
        assert await due(spool, NOON + 3) == ["b2", "d4", "c3", "a1"]

    async def test_next_due_is_the_first_to_come(self, spool):
        assert await spool.next_due(NOON) is None
        await kept(spool, entry("a1"), entry("b2", due_at=NOON + 9, delegate="other"), entry("c3", due_at=NOON + 5.5))
        await kept(spool, entry("d4", due_at=NOON + 1, state=State.HELD))
        assert await spool.next_due(NOON) == NOON + 5.5
        assert await spool.next_due(NOON + 5.5) == NOON + 9
        assert await spool.next_due(NOON + 9) is None

    async def test_backlog_of_one_delegate_hides_no_other(self, spool):
        """Each delegate's oldest comes first, however many and however old another's are."""
        flood = [entry(f"f{n:02}", delegate="flood", due_at=NOON - 100 + n) for n in range(20)]
        await kept(spool, *flood, entry("a1"), entry("z9", delegate="zeta", due_at=NOON - 1))
        assert await due(spool, per_delegate=3) == ["f00", "f01", "f02", "z9", "a1"]
        assert await due(spool, limit=3) == ["f00", "z9", "a1"]

    async def test_limit_leaves_no_delegate_out_for_ever(self, spool):
        """Of more delegates than *limit* the next call names those that this one left out."""
        await kept(spool, *(entry(f"{name}{n}", delegate=name, due_at=NOON - n) for name in "vwxyz" for n in range(3)))
        named = [await due(spool, limit=2) for _ in range(5)]
        assert sorted(name[0] for names in named for name in names) == sorted("vwxyz" * 2)

    async def test_list_narrows_by_all_that_is_wanted(self, spool):
        await kept(
            spool,
            entry("a1", accepted_at=NOON - 100),
            entry("b2", state=State.HELD, reason=Reason.SES_CREDENTIALS, last="The security token has expired"),
            entry("c3", delegate="other", state=State.HELD, last="100%_sure"),
        )
        assert await found(spool) == ["a1", "b2", "c3"]
        assert await found(spool, ids=("c3", "a1", "nobody")) == ["a1", "c3"]
        assert await found(spool, delegate="other") == ["c3"]
        assert await found(spool, delegates=("other", "nobody")) == ["c3"]
        assert await found(spool, delegates=("other",), delegate="billing") == []
        assert await found(spool, delegates=()) == []
        assert await found(spool, states=(State.HELD,)) == ["b2", "c3"]
        assert await found(spool, states=(State.HELD, State.DUE), delegate="billing") == ["a1", "b2"]
        assert await found(spool, reason="credentials") == ["b2"]
        assert await found(spool, reason="token has") == ["b2"]
        assert await found(spool, reason="0%_s") == ["c3"]
        assert await found(spool, reason="e_") == []
        assert await found(spool, older_than=NOON) == ["a1"]
        assert await found(spool, older_than=NOON - 100) == []

    async def test_list_is_read_in_pages(self, spool):
        await kept(spool, *(entry(f"n{n}") for n in range(5)))
        first = await spool.find(Wanted(), limit=2)
        assert ids(first) == ["n0", "n1"]
        assert ids(await spool.find(Wanted(), limit=2, after="n1")) == ["n2", "n3"]
        assert ids(await spool.find(Wanted(), limit=2, after="n3")) == ["n4"]

    async def test_census_counts_what_is_there(self, spool):
        assert await counted(spool) == Census(dict.fromkeys(State, 0), 0, None)
        await kept(spool, entry("a1", accepted_at=NOON - 9), entry("b2", accepted_at=NOON - 5), entry("c3"))
        await changed(spool, replace(entry("a1", accepted_at=NOON - 9), state=State.FAILED))
        await begun(spool, entry("c3"))
        expected = dict.fromkeys(State, 0) | {State.FAILED: 1, State.DUE: 1, State.SENDING: 1}
        assert await counted(spool) == Census(expected, 3 * len(RAW), NOON - 5)
        for name in ("a1", "b2", "c3"):
            await spool.remove(entry(name))
        assert await counted(spool) == Census(dict.fromkeys(State, 0), 0, None)

    async def test_bound_on_bytes(self, place):
        """What would not fit is refused whole; once room returns it is taken."""
        spool = await place.open(max_bytes=3 * 1024 * 1024)
        assert spool.room(4 * 1024 * 1024) is not None
        assert spool.room(len(LARGE)) is None
        assert [await spool.commit(entry(f"n{n}", raw=LARGE), LARGE) for n in range(2)] == [None, None]
        raw = LARGE + RAW
        assert isinstance(spool.room(len(raw)), Full)
        assert isinstance(await spool.commit(entry("x", raw=raw), raw), Full)
        assert await found(spool) == ["n0", "n1"]
        assert await spool.remove(entry("n0", raw=LARGE)) is None
        assert spool.room(len(raw)) is None
        assert await spool.commit(entry("x", raw=raw), raw) is None
        await spool.close()

    async def test_lost_message_is_quarantined(self, place, spool):
        """A message that is not what was committed is never handed out; the entry is set aside, and can be removed."""
        one = entry(raw=LARGE)
        assert await spool.commit(one, LARGE) is None
        place.damage(spool, one.id)
        assert isinstance(await spool.body(one), Damaged)
        assert (await counted(spool)).messages[State.QUARANTINED] == 1
        assert await due(spool) == []
        assert await spool.begin(one, NOON) is None
        assert await spool.remove(one) is None
        assert await found(spool) == []

    async def test_failed_entries_end_with_their_retention(self, spool):
        await kept(spool, entry("a1", state=State.FAILED, due_at=NOON + 5), entry("b2", due_at=NOON - 9))
        assert await spool.sweep(NOON) == []
        swept = await spool.sweep(NOON + 5)
        assert len(swept) == 1
        assert "a1" in str(swept[0])
        assert await found(spool) == ["b2"]
        assert await spool.sweep(NOON + 5) == []

    async def test_failed_entries_cannot_fill_the_spool(self, place):
        """Beyond a quarter of the bound the oldest are removed before their time."""
        spool = await place.open(max_bytes=6 * 1024 * 1024)
        for n in range(3):
            one = entry(f"n{n}", raw=LARGE, state=State.FAILED, due_at=NOON + 100 + n)
            assert await spool.commit(one, LARGE) is None
        assert len(await spool.sweep(NOON)) == 2
        assert await found(spool) == ["n2"]
        await spool.close()
