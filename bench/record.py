"""What is measured, as it is printed and as it is kept for the page: tables, and the figures that goals are about."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Table:
    """A heading with the names of columns, and rows."""

    heading: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def markdown(self) -> str:
        width = len(self.heading)
        lines = [self.heading, ("---",) * width, *((*row, *[""] * (width - len(row))) for row in self.rows)]
        return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


@dataclass
class Record:
    """All that one run of the bench has found out."""

    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def markdown(self) -> str:
        return "\n\n".join(table.markdown for table in self.tables)


_RECORDS = [Record()]


@contextmanager
def recording() -> Iterator[Record]:
    """Keep what is told in the block in a record of its own."""
    _RECORDS.append(Record())
    try:
        yield _RECORDS[-1]
    finally:
        _RECORDS.pop()


def head(name: str, *columns: str) -> None:
    """Begin a table."""
    _RECORDS[-1].tables.append(Table((name, *columns)))
    print()
    _printed(name, *columns)


def row(name: str, *columns: str) -> None:
    """Tell a row of the table that was begun last."""
    if _RECORDS[-1].tables:
        _RECORDS[-1].tables[-1].rows.append((name, *columns))
    _printed(name, *columns)


def figure(name: str, value: float) -> None:
    """Keep a figure that a goal is about (``bench.goals``)."""
    _RECORDS[-1].figures[name] = value


def _printed(name: str, *columns: str) -> None:
    wide = max([16, *(len(column) + 2 for column in columns)]) if len(columns) > 5 else 16
    print(f"  {name:<58}" + "".join(f"{column:>{wide}}" for column in columns))
    sys.stdout.flush()
