"""Decision records wherever they are kept: in log files, in the journal's file, or in both."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from relay.journal import queries
from relay.journal.files import in_words, open_to_read
from relay.journal.schema import JournalProblem
from relay.owner.log_lines import LineCount, records_of, size_of
from relay.words.values import dataclass

#: Of a record in the journal, as if it stood in a log: for showing how far one has come.
_OCTETS: Final = 2000


@dataclass(frozen=True, slots=True)
class Records:
    """
    The records of *logs* and of the *journal*. One that both have is told once.

    Reading raises:
        LogProblem: A log cannot be read, or is no whole gzip file.
        JournalProblem: The journal cannot be read.
    """

    logs: Sequence[str] = ()
    journal: Path | None = None

    def each(
        self, count: LineCount, *, moved: Callable[[int], None] = lambda _octets: None
    ) -> Iterator[Mapping[str, Any]]:
        """Yield them, those of the journal last; *moved* hears of octets read, out of :meth:`size`."""
        if self.journal is None:
            yield from records_of(self.logs, count, moved=moved)
            return
        try:
            with closing(open_to_read(self.journal)) as file:
                kept = queries.ids(file) if self.logs else frozenset()
                for record in records_of(self.logs, count, moved=moved):
                    if record.get("id") in kept:
                        count.records -= 1
                    else:
                        yield record
                for record in queries.each(file):
                    count.records += 1
                    moved(_OCTETS)
                    yield record
        except sqlite3.Error as error:
            raise JournalProblem(f"{self.journal}: {in_words(error)}") from error

    def find(self, name: str, count: LineCount) -> Mapping[str, Any] | None:
        """Return the record with the id *name*; the journal is asked first, for it has an index."""
        if self.journal is not None:
            with closing(open_to_read(self.journal)) as file:
                try:
                    if (found := queries.decision(file, name)) is not None:
                        record: dict[str, Any] = json.loads(found)
                        return record
                    count.records += queries.count(file)
                except (sqlite3.Error, ValueError) as error:
                    why = in_words(error) if isinstance(error, sqlite3.Error) else str(error)
                    raise JournalProblem(f"{self.journal}: {why}") from error
        return next((record for record in records_of(self.logs, count) if record.get("id") == name), None)

    def size(self) -> int | None:
        """Return the octets of all of them together, as :meth:`each` counts them; None where that is not known."""
        octets = size_of(self.logs)
        if octets is None or self.journal is None:
            return octets
        with closing(open_to_read(self.journal)) as file:
            return octets + _OCTETS * queries.count(file)
