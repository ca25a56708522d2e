"""Whether the relay can do its work now: a list of checks, each with its reason."""

from typing import TypeAlias

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """
    One thing that sending mail needs. ``why``: what is wrong, be it for some mail only, a sentence for the operator
    without secrets. ``rests_on``: what it relies on where nothing is.
    """

    name: str
    ok: bool
    why: str = ""
    rests_on: str = ""


Readiness: TypeAlias = tuple[Check, ...]


def is_ready(readiness: Readiness) -> bool:
    """Whether every check holds; a relay that checks nothing is ready."""
    return all(check.ok for check in readiness)


def as_text(readiness: Readiness) -> str:
    """Return one line a check: ``ok`` or ``not ok``, its name, why; in parentheses what it rests on."""
    return "".join(f"{_one_line(_line(check))}\n" for check in readiness)


def _line(check: Check) -> str:
    line = f"{'ok' if check.ok else 'not ok'} {check.name}"
    return f"{line}: {check.why}" if check.why else f"{line} ({check.rests_on})" if check.rests_on else line


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
