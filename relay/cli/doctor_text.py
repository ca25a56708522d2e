"""The doctor's findings: grouped and coloured on a terminal, a line each in a pipe, or JSON."""

import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import click

from relay.cli.policies import printable
from relay.owner.doctor.catalog import GROUP_OF
from relay.owner.doctor.findings import Finding, Status

_COLOURS: Final = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILING: "red", Status.NOT_CHECKED: "cyan"}
_WORDS: Final = {status: status.value.replace("-", " ") for status in Status}
_FIRST, _SECOND = 13, 22
#: Good ones of one check that are told one by one.
_ONE_BY_ONE: Final = 3


def as_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings and their numbers, ready for JSON."""
    counts = Counter(each.status for each in findings)
    return {
        "ok": not counts[Status.FAILING],
        "counts": {status.value: counts[status] for status in Status},
        "findings": [
            {
                "id": each.check,
                "group": GROUP_OF[each.check],
                "about": each.about,
                "status": each.status.value,
                "what": each.what,
                "fix": each.fix,
            }
            for each in findings
        ],
    }


def render(findings: Sequence[Finding]) -> str:
    """Return the findings for people."""
    lines = list(_table(findings) if sys.stdout.isatty() else _plain(findings))
    counts = Counter(each.status for each in findings)
    told = [_counted(counts[status], status) for status in Status if counts[status]]
    return "\n".join([*lines, "", ", ".join(told)])


def _counted(number: int, status: Status) -> str:
    return f"{number} {_WORDS[status]}{'s' if status is Status.WARNING and number > 1 else ''}"


def _plain(findings: Sequence[Finding]) -> Iterator[str]:
    for each in findings:
        about = f" {printable(each.about)}" if each.about else ""
        yield f"{_WORDS[each.status]}: {each.check}{about}: {printable(each.what)}"
        yield from _fix(each, "    ")


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    width = max(60, shutil.get_terminal_size().columns)
    for group, found in groupby(findings, lambda each: GROUP_OF[each.check]):
        yield click.style(f"\n{group}", bold=True)
        for each in _gathered(list(found)):
            yield from _row(each, width)


def _gathered(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Put together many that are good in the same way, and those that were not checked for the same reason."""
    for (check, status), alike in groupby(findings, lambda each: (each.check, each.status)):
        some = list(alike)
        shown = ", ".join(each.about for each in some[:_ONE_BY_ONE])
        if status is Status.OK and len(some) > _ONE_BY_ONE:
            yield Finding(check, status, f"{len(some)}: {shown} and {len(some) - _ONE_BY_ONE} more")
        elif status is Status.NOT_CHECKED and len({(each.what, each.fix) for each in some}) == 1:
            more = f" and {len(some) - _ONE_BY_ONE} more" if len(some) > _ONE_BY_ONE else ""
            yield Finding(check, status, some[0].what, some[0].fix, f"{shown}{more}")
        else:
            yield from some


def _row(each: Finding, width: int) -> Iterator[str]:
    told = printable(f"{each.about}: {each.what}" if each.about else each.what)
    pieces = textwrap.wrap(told, width - _FIRST - _SECOND - 2, break_on_hyphens=False) or [""]
    mark = click.style(f"{_WORDS[each.status]:<{_FIRST}}", fg=_COLOURS[each.status])
    yield f"  {mark}{each.check:<{_SECOND}}{pieces[0]}"
    indent = " " * (2 + _FIRST + _SECOND)
    yield from (f"{indent}{piece}" for piece in pieces[1:])
    yield from _fix(each, " " * (2 + _FIRST))


def _fix(each: Finding, indent: str) -> Iterator[str]:
    """The fix as it is to be pasted: its lines are never wrapped."""
    if not each.fix:
        return
    first, *rest = each.fix.splitlines()
    yield f"{indent}{click.style('fix:', bold=True)} {printable(first)}"
    yield from (f"{indent}     {printable(line)}" for line in rest)
