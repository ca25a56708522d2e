"""What the torture measured: told by the tests, printed at the end of the run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

NAME: Final = "torture"


@dataclass(frozen=True, slots=True)
class Figures:
    """Takes figures of one test; ``record`` carries them to the process that prints."""

    record: Callable[[str, object], None]

    def add(self, what: str, rows: Iterable[tuple[str, str]]) -> None:
        """Tell what was done, and figures of it by name."""
        self.record(NAME, [what, [list(row) for row in rows]])


def report(told: list[tuple[str, list[list[str]]]]) -> list[str]:
    """As lines to read and to paste."""
    lines = []
    for what, rows in sorted(told):
        lines += [what, *(f"  {name:<45} {value}" for name, value in rows)]
    return lines
