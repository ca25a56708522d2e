"""The report of a replay for people."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import click

from relay.cli.policies import printable
from relay.owner.report import EXAMPLES, Affected, Group, Kind, Report

_TITLES: Final = {
    Kind.LOSES: ("LOSES", "red", "allowed then, not any more"),
    Kind.GAINS: ("GAINS", "green", "refused then, allowed now"),
    Kind.MAY_GAIN: ("MAY GAIN", "yellow", "refused then, perhaps allowed now"),
    Kind.REASON: ("OTHER REASON", "yellow", "refused then and now, for another reason"),
    Kind.STATEMENT: ("OTHER STATEMENT", "cyan", "the same answer, by another statement"),
}
_COUNTED: Final = {
    Kind.LOSES: "lose",
    Kind.GAINS: "gain",
    Kind.MAY_GAIN: "may gain",
    Kind.REASON: "for another reason",
    Kind.STATEMENT: "by another statement",
}
_HEADER: Final = ("DELEGATE", "ADDRESS", "MESSAGES", "BEFORE", "AFTER", "SUCH AS")


def render(report: Report, *, top: int, has_settings: bool) -> str:
    """Return the report as text: a table for each kind of change, at most *top* rows long, colours for a terminal."""
    lines = [*_summary(report)]
    for kind in Kind:
        rows = _without_labels([pair for pair in report.groups.items() if pair[0].kind is kind])
        if rows:
            lines += ["", *_section(report, kind, rows, top)]
    notes = list(_notes(report, has_settings=has_settings))
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _without_labels(rows: Sequence[tuple[Group, Affected]]) -> list[tuple[Group, Affected]]:
    """Put rows together whose addresses differ in their ``+label`` only, the largest first: JSON has each by itself."""
    alike: dict[Group, list[tuple[Group, Affected]]] = {}
    for group, affected in rows:
        alike.setdefault(replace(group, address=_labelled(group.address)), []).append((group, affected))
    joined = [pairs[0] if len(pairs) == 1 else (group, _sum(pairs)) for group, pairs in alike.items()]
    return sorted(joined, key=lambda pair: -pair[1].count)


def _labelled(address: str) -> str:
    local, at, domain = address.rpartition("@")
    stem, plus, _ = local.partition("+")
    return f"{stem}+...{at}{domain}" if plus else address


def _sum(pairs: Sequence[tuple[Group, Affected]]) -> Affected:
    first = pairs[0][1]
    examples = [each for _, affected in pairs for each in affected.examples]
    return replace(first, count=sum(affected.count for _, affected in pairs), examples=examples[:EXAMPLES])


def _summary(report: Report) -> Iterator[str]:
    changed = sum(report.total(kind) for kind in Kind if kind.is_change)
    counts = [f"{report.total(kind)} {_COUNTED[kind]}" for kind in Kind if report.total(kind)]
    verdict = f"{changed} would change" if changed else "nothing would change"
    yield click.style(f"{_number(report.judged, 'message')} judged again: {verdict}", bold=True)
    if counts:
        yield f"  {', '.join(counts)}"
    if report.spared.sent:
        spared = _number(report.spared.sent, "message")
        yield f"  {spared} went out only because observed; to enforce these policies would refuse {_some(report)}"
    for skipped, count in sorted(report.skipped.items()):
        yield f"  {count} not judged again: {skipped.why}"


def _some(report: Report) -> str:
    refused = report.spared.still_refused
    return "none of them" if not refused else "all of them" if refused == report.spared.sent else f"{refused:,} of them"


def _section(report: Report, kind: Kind, rows: Sequence[tuple[Group, Affected]], top: int) -> Iterator[str]:
    title, colour, what = _TITLES[kind]
    delegates = len({group.delegate for group, _ in rows})
    count = _number(report.total(kind), "message")
    yield f"{click.style(title, fg=colour, bold=True)}  {count} of {_number(delegates, 'delegate')}: {what}"
    shown = rows[:top]
    cells = [_HEADER, *(_cells(group, affected) for group, affected in shown)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    yield click.style(_aligned(_HEADER, widths), dim=True)
    for row, (_, affected) in zip(cells[1:], shown, strict=True):
        yield _aligned(row, widths)
        if kind is not Kind.STATEMENT:
            yield f"      {printable(affected.why)}"
    if len(rows) > top:
        rest = sum(affected.count for _, affected in rows[top:])
        yield f"  and {len(rows) - top} more rows with {_number(rest, 'message')}: --top or --json shows them"


def _cells(group: Group, affected: Affected) -> tuple[str, ...]:
    examples = ", ".join(affected.examples) + (", ..." if affected.count > len(affected.examples) else "")
    cells = (group.delegate, group.address, str(affected.count), group.before, group.after, examples)
    return tuple(printable(cell) for cell in cells)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return ("  " + "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))).rstrip()


def _notes(report: Report, *, has_settings: bool) -> Iterator[str]:
    if report.by_account:
        yield (
            f"note: {_number(report.by_account, 'message')} stay allowed by a grant to the delegate's whole account; "
            "whether that counts (account_grant) is in relay.toml: give it with -c"
        )
    if report.has_changes and not has_settings:
        yield "note: without -c relay.toml the relay knows of delegates only what the records tell: their principals"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
