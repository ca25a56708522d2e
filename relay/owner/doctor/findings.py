"""What a check comes to, and a look that makes some of them."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Literal, TypeAlias

from relay.words.values import dataclass


class Status(StrEnum):
    """How it stands: only ``failing`` keeps mail from going out, or policies from being enforced."""

    OK = "ok"
    WARNING = "warning"
    FAILING = "failing"
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One line of the doctor's.

    ``check``: the id of the check, stable. ``what``: what was found, or why nothing was; without secrets. ``fix``: what
    to type, add or publish, over several lines where it is JSON; empty where nothing is to be done. ``about``: the
    delegate, identity, account or address it is about, where there are several.
    """

    check: str
    status: Status
    what: str
    fix: str = ""
    about: str = ""


#: A check, and whom it is about.
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """
    One thing to look at, which may answer several checks and lead to further looks.

    ``checks``: their ids, the first of which says so where the look itself goes wrong. ``work`` is called in a thread
    of its own. ``needs``: checks without which this one has no sense: where one of them is not good enough, this is not
    checked. ``after``: checks that only come first. ``leads_to``: checks of looks that it may lead to. ``asks``: whom:
    this machine, the network, or AWS.
    """

    checks: tuple[str, ...]
    work: Callable[[], Iterable["Finding | Look"]]
    about: str = ""
    needs: tuple[Key, ...] = ()
    after: tuple[Key, ...] = ()
    leads_to: tuple[str, ...] = ()
    asks: Literal["here", "network", "aws"] = "here"


def ok(check: str, what: str, about: str = "") -> Finding:
    """Return a check that is as it should be."""
    return Finding(check, Status.OK, what, about=about)


def warning(check: str, what: str, fix: str, about: str = "") -> Finding:
    """Return a check of which somebody should know."""
    return Finding(check, Status.WARNING, what, fix, about)


def failing(check: str, what: str, fix: str, about: str = "") -> Finding:
    """Return a check that somebody must mend."""
    return Finding(check, Status.FAILING, what, fix, about)


def not_checked(check: str, why: str, about: str = "", fix: str = "") -> Finding:
    """Return a check that could not be made, and why; *fix*: what would let it be made."""
    return Finding(check, Status.NOT_CHECKED, why, fix, about)
