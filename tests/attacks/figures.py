"""What the attacks cost, measured: collected by the tests, printed as a table at the end of the run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

NAME: Final = "figure"


@dataclass(frozen=True, slots=True)
class Figures:
    """Takes figures of one test; ``record`` carries them to the process that prints."""

    record: Callable[[str, object], None]

    def add(self, *columns: str) -> None:
        """One row: what was done, and what was measured."""
        self.record(NAME, list(columns))


def table(rows: list[list[str]]) -> list[str]:
    """Rows as aligned lines, in the order of their words."""
    rows = sorted(rows)
    widths: dict[int, int] = {}
    for row in rows:
        for column, text in enumerate(row):
            widths[column] = max(widths.get(column, 0), len(text))
    return ["  ".join(text.ljust(widths[column]) for column, text in enumerate(row)).rstrip() for row in rows]
