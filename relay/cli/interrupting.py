"""Ctrl-C that lets what is under way come to its end."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import click

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible(what: str) -> Iterator[Callable[[], bool]]:
    """
    While inside, the first interruption is only noted, and said: *what* comes to its end first. The second one counts.

    Yields what tells whether there was one. To be used in the main thread.
    """
    noted = False

    def note(_signal: int, _frame: FrameType | None) -> None:
        nonlocal noted
        if noted:
            raise KeyboardInterrupt
        noted = True
        click.echo(f"\ninterrupted: {what} comes to its end first; once more to stop at once", err=True)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield lambda: noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
