"""Findings for people: the place, a sentence, the line with a mark under it, the fix."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import click

from relay.cli.policy.lint_files import FileFinding
from relay.policy.lint import Finding, Severity

_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_WIDTH: Final = 100
#: How much of a long line is shown before the mark.
_BEFORE: Final = 40


def render(found: Sequence[FileFinding], policies: int) -> str:
    """Everything, file by file; the last line counts. With ANSI colours, which click takes out where they do not go."""
    lines: list[str] = []
    for one in found:
        lines += [*_finding(one), ""]
    return "\n".join([*lines, _summary(found, policies)])


def _finding(one: FileFinding) -> Iterator[str]:
    finding = one.finding
    severity = click.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    place = click.style(f"{_printable(one.file)}:{finding.line}:{finding.column}:", bold=True)
    yield f"{place} {severity}: {_printable(finding.message)} [{finding.code}]"
    yield from _excerpt(one)
    yield f"    {click.style('at:', fg='green')} {_printable(finding.path)}"
    yield f"    {click.style('fix:', fg='green')} {_printable(finding.fix)}"


def _excerpt(one: FileFinding) -> Iterator[str]:
    """The line of the text, cut to what can be read, and a mark under the place."""
    finding, lines = one.finding, one.text.split("\n")
    if finding.line > len(lines) or not lines[finding.line - 1].strip():
        return
    line, start, length = lines[finding.line - 1].rstrip("\r"), finding.column - 1, _length(finding)
    cut = 0 if len(line) <= _WIDTH else max(0, start - _BEFORE)
    shown = _printable(line[cut : cut + _WIDTH].replace("\t", " "))
    head, tail = "..." if cut else "", "..." if cut + _WIDTH < len(line) else ""
    mark = click.style("^" * max(1, min(length, len(shown) - (start - cut))), fg=_COLOURS[finding.severity])
    number = str(finding.line)
    yield f"    {number} | {head}{shown}{tail}"
    yield f"    {' ' * len(number)} | {' ' * (len(head) + start - cut)}{mark}"


def _length(finding: Finding) -> int:
    return finding.end_column - finding.column if finding.end_line == finding.line else 1


def _summary(found: Sequence[FileFinding], policies: int) -> str:
    counts = [_count(sum(one.finding.severity is level for one in found), level) for level in Severity]
    told = ", ".join(count for count in counts if count)
    return f"{policies} {'policy' if policies == 1 else 'policies'}: {told or click.style('clean', fg='green')}"


def _count(number: int, level: Severity) -> str:
    words = f"{number} {level}{'' if number == 1 else 's'}"
    return click.style(words, fg=_COLOURS[level]) if number else ""


def as_json(found: Iterable[FileFinding]) -> list[dict[str, object]]:
    """The findings for machines."""
    return [
        {
            "file": one.file,
            "line": one.finding.line,
            "column": one.finding.column,
            "end_line": one.finding.end_line,
            "end_column": one.finding.end_column,
            "severity": str(one.finding.severity),
            "code": one.finding.code,
            "policy": one.finding.policy,
            "identity": None if one.identity is None else str(one.identity),
            "path": one.finding.path,
            "message": one.finding.message,
            "fix": one.finding.fix,
        }
        for one in found
    ]


def _printable(text: str) -> str:
    """What a policy says must not steer the terminal of whoever reads about it."""
    return "".join(character if character.isprintable() else "?" for character in text)
