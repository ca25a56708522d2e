"""The running relay's watch: what it tells, what it keeps, and what it does when it cannot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from relay.audit import trail as audit_trail
from relay.audit.book import AuditBook, Entry, entries_between
from relay.audit.trail import Surroundings, Trail
from relay.journal.files import open_to_read
from relay.judgement.catalog import Catalog, Identity
from relay.judgement.rules import Rules
from relay.observe.events import (
    DelegatesObserved,
    Event,
    LoopLagged,
    Noted,
    PoliciesRefreshed,
    PolicyChanged,
    StandingChanged,
)
from relay.words.standings import Standing
from tests.owner.test_changes import DELEGATES, INVOICES, NEWS, catalog, identity


class Watched:
    """A relay as its watch sees it, what is read and the clock in our hand."""

    def __init__(self, path: Path | None) -> None:
        self.events: list[Event] = []
        self.forgotten: list[float] = []
        self.now = 1_795_248_000.0
        self.path = path
        self._catalog = Catalog()
        self.trail = self.restart()

    def restart(self, keep: float | None = None) -> Trail:
        seen = Surroundings(self._read, lambda: DELEGATES, Rules, self.forgotten.append, lambda: self.now)
        book = None if self.path is None else AuditBook(self.path)
        self.trail = Trail(book, seen, self.events.append, keep=keep)
        return self.trail

    def _read(self) -> Catalog:
        return self._catalog

    def reads(self, *identities: Identity) -> None:
        self.trail(PoliciesRefreshed("ok"))  # told before it is published
        self._catalog = catalog(*identities)

    @property
    def changes(self) -> list[PolicyChanged]:
        return [event for event in self.events if isinstance(event, PolicyChanged)]

    def notes(self, name: str) -> list[Noted]:
        return [event for event in self.events if isinstance(event, Noted) and event.event == name]

    def kept(self) -> list[Entry]:
        assert self.path is not None
        with closing(open_to_read(self.path)) as file:
            return list(entries_between(file, 0.0, 2e9))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.trail.start()
        try:
            yield
        finally:
            await self.trail.close()

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110  what is waited for tells nobody
                await asyncio.sleep(0.01)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(audit_trail, "GATHERING", 0.0)
    monkeypatch.setattr(audit_trail, "RETRY", 0.05)
    return Watched(tmp_path / "journal.db")


async def test_each_state_is_compared_with_the_one_before(watched):
    """Also one that lasted until the next reading only."""
    watched._catalog = catalog(identity(billing=INVOICES))
    async with watched.running():
        await asyncio.sleep(0.05)
        watched.reads(identity(billing=NEWS))
        await asyncio.sleep(0)
        watched.reads(identity(billing=INVOICES))
        await watched.until(lambda: len(watched.changes) == 2)

    first, second = (change.record["effects"][0] for change in watched.changes)
    assert first["gained"] == second["lost"] == ["From news@example.com"]
    assert [change.kinds for change in watched.changes] == [("changed",)] * 2
    assert all(change.is_loss for change in watched.changes)
    assert [entry.kind for entry in watched.kept()] == ["change", "change"]


async def test_what_the_last_run_kept_is_what_the_next_one_compares_with(watched):
    watched._catalog = catalog(identity(billing=INVOICES))
    async with watched.running():
        pass
    watched._catalog = catalog(identity(billing=NEWS))
    watched.restart()
    async with watched.running():
        await watched.until(lambda: watched.changes)

    (change,) = watched.changes
    assert change.record["at_start"]
    # The text of then was never kept here, and nothing is made up for it.
    assert change.record["effects"][0]["unclear"]
    watched.restart()
    async with watched.running():
        await asyncio.sleep(0.05)
    assert len(watched.changes) == 1


async def test_without_a_file_changes_are_told_and_nothing_piles_up(tmp_path):
    watched = Watched(None)
    watched._catalog = catalog(identity(billing=INVOICES))
    async with watched.running():
        watched.trail(Noted("info", "relay.reloaded"))
        await asyncio.sleep(0.05)
        watched.reads(identity(billing=NEWS))
        await watched.until(lambda: watched.changes)
    assert not watched.trail._is_behind
    assert not watched.trail._changes


async def test_what_operators_do_is_kept_and_nothing_else(watched):
    async with watched.running():
        watched.trail(Noted("info", "spool.changed", {"queue_id": "q", "action": "hold", "long": "x" * 9000}))
        watched.trail(Noted("info", "caller.known", {"arn": "x"}))
        watched.trail(LoopLagged(0.1))
        watched.trail(DelegatesObserved({"intern": float("inf")}))
        watched.trail(StandingChanged("intern", Standing.SUSPENDED, watched.now, "0.4 % complaints"))
        watched.trail(StandingChanged("billing", Standing.WARNED, is_news=False))

    actions = {entry.what["action"]: entry.what["details"] for entry in watched.kept()}
    assert actions.keys() == {"spool.changed", "observing", "delegate.standing"}
    assert actions["delegate.standing"]["delegate"] == "intern"
    assert actions["delegate.standing"]["until"] == "2026-11-21T08:00:00.000000Z"
    assert actions["observing"] == {"until": {"intern": "no end"}}
    assert len(actions["spool.changed"]["long"]) < 3000


async def test_what_cannot_be_kept_waits_and_is_told_once(watched, monkeypatch):
    """Of more than there is room for the oldest are lost, and that is kept."""
    monkeypatch.setattr(audit_trail, "MOST_WAITING", 3)
    watched.path.mkdir()
    async with watched.running():
        for number in range(5):
            watched.trail(Noted("info", "spool.changed", {"queue_id": f"q{number}"}))
        await watched.until(lambda: watched.notes("audit.not-kept"))
        await asyncio.sleep(0.2)
        watched.path.rmdir()
        await watched.until(lambda: watched.path.exists() and not watched.trail._is_behind)

    assert len(watched.notes("audit.not-kept")) == 1
    told = [entry.what["details"] for entry in watched.kept()]
    assert [each.get("queue_id") for each in told if "queue_id" in each] == ["q2", "q3", "q4"]
    assert {"entries": 2} in told


async def test_where_many_change_at_once_what_it_means_is_not_asked_for_long(watched, monkeypatch):
    monkeypatch.setattr(audit_trail, "ASKING", -1.0)
    watched._catalog = catalog(identity(billing=INVOICES), identity("b.example"))
    async with watched.running():
        await asyncio.sleep(0.05)
        watched.reads(identity(billing=NEWS))
        await watched.until(lambda: len(watched.changes) == 2)

    for change in watched.changes:
        assert change.record["effects"] is None
        assert change.record["effects_unknown"] == "2 identities changed at once"


async def test_what_is_too_old_goes_once_an_hour(watched):
    watched.restart(keep=7200.0)
    async with watched.running():
        watched.trail(Noted("info", "relay.reloaded"))
        await watched.until(lambda: watched.path.exists() and watched.kept())
        assert watched.forgotten == []
        watched.now += 3600 * 3
        watched.trail(Noted("info", "relay.reloaded"))
        await watched.until(lambda: len(watched.forgotten) == 1)

    assert watched.forgotten == [watched.now - 7200.0]
    assert [entry.time for entry in watched.kept()] == [watched.now]


async def test_a_fault_of_ours_does_not_end_the_watch(watched, monkeypatch):
    monkeypatch.setattr(audit_trail, "AFTER_FAULT", 0.0)
    watched._catalog = catalog(identity(billing=INVOICES))
    async with watched.running():
        await asyncio.sleep(0.05)
        with monkeypatch.context() as broken:
            broken.setattr(audit_trail, "entry_of", lambda *_: 1 / 0)
            watched.reads(identity(billing=NEWS))
            await watched.until(lambda: watched.notes("audit.fault"))
        watched.reads(identity(billing=INVOICES))
        await watched.until(lambda: watched.changes)
