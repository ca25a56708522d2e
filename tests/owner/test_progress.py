"""Progress is shown to people, never to pipes, and leaves nothing behind."""

import builtins
import io
import sys
from typing import Any

import pytest

from relay.cli.progress import progress


class Screen(io.StringIO):
    """Standard error of somebody who looks."""

    def isatty(self) -> bool:
        return True


def look(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Sit down before a terminal; in the test itself, for pytest puts its own stream there after the fixtures."""
    made = Screen()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_pipe_sees_nothing(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)

    with progress("reading", 100) as advance:
        advance(50)

    assert pipe.getvalue() == ""


def test_a_terminal_sees_a_bar(monkeypatch):
    screen = look(monkeypatch)
    with progress("reading", 100) as advance:
        advance(50)

    assert "reading" in screen.getvalue()


@pytest.mark.parametrize(("total", "shown"), [(200, ["0 %", "50 %", "100 %"]), (None, ["1", "101", "301"])])
def test_without_rich_a_figure_takes_its_place(monkeypatch, total, shown):
    screen = look(monkeypatch)
    real = builtins.__import__

    def without_rich(name: str, *args: Any) -> Any:
        if name.startswith("rich"):
            raise ImportError(name)
        return real(name, *args)

    for name in [name for name in sys.modules if name == "rich" or name.startswith("rich.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without_rich)

    with progress("reading", total) as advance:
        for by in (1, 100, 200):
            advance(by)

    written = screen.getvalue()
    assert [part.removeprefix("reading: ") for part in written.split("\r") if part.startswith("reading")] == shown
    assert written.endswith(f"\r{' ' * len(f'reading: {shown[-1]}')}\r")
