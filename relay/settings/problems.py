"""What is wrong with the settings, and where: values, so that all of it is told at once."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from relay.settings.keys import KeyPath, dotted
from relay.settings.model import Settings
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """
    One thing to correct.

    ``path`` is the key, ``delegate[0].principal``; ``line`` is its line in the TOML file, None when it is not there;
    ``source`` names the environment variable or the further file it came from. ``why`` never quotes a secret.
    """

    path: str
    line: int | None
    why: str
    source: str | None = None

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.source, f"line {self.line}" if self.line else None)))
        return f"{self.path} ({place}): {self.why}" if place else f"{self.path}: {self.why}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: the settings, unless there are problems; warnings do not stand in the way."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """
    A problem or a warning before its place is known.

    ``reads`` are the other keys the finding was made from: when one of them is itself wrong, nothing follows from it.
    """

    path: KeyPath
    why: str
    reads: tuple[KeyPath, ...] = ()
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: a line of the file, or a source of its own."""

    line: int | None = None
    source: str | None = None


@dataclass(slots=True)
class Written:
    """
    What people wrote, merged: file, environment and further files; and where each value stands.

    ``shift`` is the index at which the delegates of the further file begin in ``delegate``.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    shift: int | None = None

    def origin(self, path: KeyPath) -> Origin:
        """Return where *path* is written, or the nearest table around it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return Origin()

    def problem(self, finding: Finding) -> Problem:
        """Give a finding its place."""
        origin = self.origin(finding.path)
        return Problem(dotted(self._as_written(finding.path)), origin.line, finding.why, origin.source)

    def _as_written(self, path: KeyPath) -> KeyPath:
        match path:
            case ("delegate", int() as index, *rest) if self.shift is not None and index >= self.shift:
                return ("delegate", index - self.shift, *rest)
            case _:
                return path

    def says(self, path: KeyPath) -> bool:
        """Whether anybody wrote this key; else it is at its default."""
        return value_at(self.values, path) is not ABSENT


class _Absent:
    """No value: TOML has no null, so this cannot be mistaken for one."""


ABSENT = _Absent()


def value_at(values: Mapping[str, Any], path: KeyPath) -> Any:
    """Return the value at *path*, or ABSENT."""
    now: Any = values
    for part in path:
        if isinstance(part, int):
            if not isinstance(now, list) or part >= len(now):
                return ABSENT
            now = now[part]
        elif isinstance(now, Mapping) and part in now:
            now = now[part]
        else:
            return ABSENT
    return now
