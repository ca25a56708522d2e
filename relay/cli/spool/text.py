"""Entries for people: a table on a terminal, whole lines in a pipe."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click

from relay.cli.explain_decision import when
from relay.cli.policies import printable
from relay.spool.details import AGAIN, HOLD, NOT_OWED, NOTICE, OWED
from relay.spool.entries import Entry, State
from relay.spool.told import Fate, fates, is_readable

_HEADER: Final = ("ID", "STATE", "AGE", "NEXT", "TRIES", "SIZE", "DELEGATE", "FROM", "TO", "WHY")
_COLOURS: Final = {State.HELD: "yellow", State.FAILED: "red", State.QUARANTINED: "red", State.SENDING: "green"}
_FATES: Final = {Fate.SENT: "green", Fate.REFUSED: "red", Fate.OPEN: None}
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ((1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def table(entries: Sequence[Entry], now: float, *, indent: str = "") -> Iterator[str]:
    """One line an entry, as wide as the terminal; in a pipe nothing is cut."""
    rows = [_HEADER, *(_cells(entry, now) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    most = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for number, row in enumerate(rows):
        line = indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        shown = line if most is None or len(line) <= most else f"{line[: most - 3]}..."
        yield _coloured(shown, entries[number - 1]) if number else click.style(shown, dim=True)


def _coloured(line: str, entry: Entry) -> str:
    colour = _COLOURS.get(entry.state)
    return line.replace(entry.state, click.style(entry.state, fg=colour), 1) if colour else line


def _cells(entry: Entry, now: float) -> tuple[str, ...]:
    paths = [str(path) for path in entry.envelope.forward_paths]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    cells = (
        entry.id,
        entry.state.value,
        span(now - entry.accepted_at),
        span(entry.due_at - now, none="now") if entry.state is State.DUE else "-",
        str(entry.attempts),
        size(entry.size),
        entry.delegate or "-",
        str(entry.envelope.reverse_path) if is_readable(entry) else "-",
        f"{paths[0]}{more}" if paths else "-",
        f"{entry.reason}: {entry.last}" if entry.last else entry.reason.value,
    )
    return tuple(map(printable, cells))


def page(entry: Entry, now: float) -> Iterator[str]:
    """All that is known of one entry, but for its message."""
    state = click.style(entry.state, fg=_COLOURS.get(entry.state), bold=True)
    held = ", held when the attempt is over" if HOLD in entry.details else ""
    yield f"{click.style(printable(entry.id), bold=True)} {state}{held}"
    for name, value in _facts(entry, now):
        yield f"  {name:<12}{printable(value)}"
    if entry.batches:
        yield "  recipients"
    for recipient, fate, batch in fates(entry):
        said = batch.ses_id or batch.refused or ""
        yield f"    {click.style(f'{fate:<8}', fg=_FATES[fate])}{printable(f'{recipient}  {said}').rstrip()}"


def _facts(entry: Entry, now: float) -> Iterator[tuple[str, str]]:
    session = entry.session
    yield "kind", entry.kind
    yield "delegate", entry.delegate or "-"
    yield "accepted", f"{when(entry.accepted_at)} UTC, {span(now - entry.accepted_at)} ago"
    if not is_readable(entry):
        yield "damage", entry.last
        return
    yield "client", f"{session.client} ({session.helo}) at {session.listener}, session {session.id}"
    yield "MAIL FROM", f"<{entry.envelope.reverse_path}>".replace("<<>>", "<>")
    yield "size", size(entry.size)
    yield "attempts", _attempts(entry)
    if (again := entry.details.get(AGAIN)) is not None:
        yield "again", f"{when(float(again))} UTC: its age counts from there"
    if entry.state is State.DUE:
        yield "next", f"{when(entry.due_at)} UTC, {span(entry.due_at - now, none='now')}"
    if entry.state is State.FAILED:
        yield "kept until", f"{when(entry.due_at)} UTC"
        yield "notice", _notice(entry)
    yield "reason", entry.reason
    if entry.last:
        yield "said", entry.last


def _attempts(entry: Entry) -> str:
    parts = [str(entry.attempts)]
    if entry.maybe:
        parts.append(f"SES may have it after {entry.maybe} of them")
    if entry.crashes:
        parts.append(f"the relay ended during {entry.crashes} of them")
    return "; ".join(parts)


def _notice(entry: Entry) -> str:
    notice = entry.details.get(NOTICE, OWED)
    words = {OWED: "owed, not written yet", NOT_OWED: "none: nobody is to be notified"}
    return words.get(notice, f"queued as {notice}")


def span(seconds: float, *, none: str = "0 s") -> str:
    """Write seconds in the largest unit that fits; *none* for none, or less."""
    for worth, unit in _UNITS:
        if seconds >= worth:
            return f"{seconds / worth:.0f} {unit}"
    return none


def size(octets: int) -> str:
    """Write octets for people."""
    for worth, unit in _SIZES:
        if octets >= worth:
            return f"{octets / worth:.0f} {unit}"
    return "0 B"


def count(number: int) -> str:
    """Write how many messages."""
    return f"{number:,} message{'' if number == 1 else 's'}"
