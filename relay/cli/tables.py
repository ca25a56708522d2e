"""Rows for people: as wide as the terminal, whole in a pipe."""

import shutil
import sys
from collections.abc import Iterator, Sequence

import click

from relay.cli.policies import printable


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = "") -> Iterator[str]:
    """Lay out *rows* under *header*; what others wrote in them does not steer the terminal."""
    cells = [tuple(header), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    most = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for number, row in enumerate(cells):
        line = indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        shown = line if most is None or len(line) <= most else f"{line[: most - 3]}..."
        yield shown if number else click.style(shown, dim=True)
