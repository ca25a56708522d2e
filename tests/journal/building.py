"""Records, and journals that write them, for the tests of this room."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relay.journal.files import open_in_memory
from relay.journal.keeping import Journal
from relay.journal.queries import EVERYTHING, each
from relay.journal.ring import Ring, Row, packs_of, row_of
from relay.observe.events import Event, JournalDropped, MessageEnded, Noted
from relay.observe.privacy import AddressHashes
from relay.observe.record_texts import RecordTexts
from relay.words.endings import Outcome, Reason
from relay.words.unavailable import Unavailable
from tests.observe.givens import NOON, ROLE, record

PATIENCE = 20.0
#: Files of rings in memory: each test closes its own.
OPENED: list[sqlite3.Connection] = []


def made(number: int, *, delegate: str = "billing", verdict: str | None = "allowed", **changes: Any) -> dict[str, Any]:
    """The record of the message *number*, a second after the one before; *verdict* None: nothing was asked."""
    roles = [] if verdict is None else [ROLE, {**ROLE, "role": "feedback", "verdict": verdict}]
    kept = record(id=f"{number:016x}", time=NOON.timestamp() + number)
    return kept | {"delegate": delegate, "roles": roles} | changes


def ended(number: int, **changes: Any) -> MessageEnded:
    """The event of the message *number*."""
    kept = made(number, **changes)
    return MessageEnded(kept["delegate"], Outcome.ACCEPTED, Reason.NONE, 2, 5120, 0.1, kept)


def row(number: int, **changes: Any) -> tuple[Row, str]:
    """What the ring keeps of the message *number*: its row, and its record's JSON."""
    kept = made(number, **changes)
    return row_of(kept), json.dumps(kept)


def ring_of(*rows: tuple[Row, str], entries: int = 50_000) -> Ring:
    """A ring in memory."""
    OPENED.append(open_in_memory())
    ring = Ring(OPENED[-1], entries)
    ring.append(packs_of(rows))
    return ring


class Keeping:
    """A journal that runs, and what it tells."""

    def __init__(self, path: Path | None = None, entries: int = 50_000, *, hashes: AddressHashes | None = None) -> None:
        self.events: list[Event] = []
        self.journal = Journal(path, entries, texts=RecordTexts(hashes), observe=self.events.append)
        self.journal.start()

    def tell(self, *numbers: int, **changes: Any) -> "Keeping":
        """Let messages end."""
        for number in numbers:
            self.journal(ended(number, **changes))
        return self

    def records(self) -> list[dict[str, Any]]:
        """All that is kept, the oldest first."""
        found = self.journal.read(lambda file: list(each(file, EVERYTHING)))
        assert not isinstance(found, Unavailable), found
        return found

    def numbers(self) -> list[int]:
        return [int(kept["id"], 16) for kept in self.records()]

    def noted(self) -> list[str]:
        return [event.event for event in self.events if isinstance(event, Noted)]

    def detail(self, name: str) -> dict[str, Any]:
        return next(dict(event.details) for event in self.events if isinstance(event, Noted) and event.event == name)

    @property
    def dropped(self) -> int:
        return sum(event.records for event in self.events if isinstance(event, JournalDropped))

    def __enter__(self) -> "Keeping":
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()


def until(holds: Callable[[], Any]) -> None:
    """Wait until *holds*."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
