"""Whether the relay can do its work now: a list of checks, each with its reason."""

from typing import TypeAlias

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that sending mail needs. ``why`` is a sentence for the operator, without secrets."""

    name: str
    ok: bool
    why: str = ""


Readiness: TypeAlias = tuple[Check, ...]


def is_ready(readiness: Readiness) -> bool:
    """Whether every check holds; a relay that checks nothing is ready."""
    return all(check.ok for check in readiness)


def as_text(readiness: Readiness) -> str:
    """Return one line a check: ``ok`` or ``not ok``, its name, why."""
    lines = [f"{'ok' if check.ok else 'not ok'} {check.name}: {check.why}".rstrip(" :") for check in readiness]
    return "".join(f"{_one_line(line)}\n" for line in lines)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
