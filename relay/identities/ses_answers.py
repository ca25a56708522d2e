"""The calls of a plan, made in whatever thread, and what came of them as values."""

import time
from collections.abc import Callable, Container
from typing import Final, TypeAlias

from relay.identities.accounts import Away, AwsProblem, Refused
from relay.identities.names import is_identity
from relay.identities.rounds import Look, NextPage
from relay.identities.ses_api import Held, Listed, SesApi
from relay.words.values import dataclass

#: What whoever reads an owner's policies must be allowed to do.
NEEDED: Final = '{"Effect": "Allow", "Action": ["ses:ListEmailIdentities", "ses:GetEmailIdentity"], "Resource": "*"}'
OPERATIONS: Final = {NextPage: "ListEmailIdentities", Look: "GetEmailIdentity"}
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedOperation"})


def no_chance() -> float:
    """Return the least chance there is."""
    return 0.0


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds since the epoch, for ages; monotonic seconds, for pauses; chance in [0, 1)."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = no_chance


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list. ``passed_over``: names under which no mail could be sent."""

    listed: tuple[Listed, ...]
    passed_over: tuple[str, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class Looked:
    """One identity; ``held`` is None where SES does not know it."""

    held: Held | None


Answer: TypeAlias = Page | Looked | AwsProblem


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: when it began, in seconds since the epoch, how many seconds it took, and what came of it."""

    at: float
    seconds: float
    answer: Answer

    @property
    def result(self) -> str:
        """The word for it in the metrics."""
        match self.answer:
            case Away():
                return "throttled" if self.answer.is_throttled else "unavailable"
            case Refused():
                return "refused"
            case _:
                return "sent"


def ask(api: SesApi, step: NextPage | Look, clocks: Clocks, *, token: str | None, known: Container[str]) -> Asked:
    """Make the call of *step*; *token*: of the next page; *known*: names that were looked at before."""
    at, began = clocks.wall(), clocks.monotonic()
    try:
        answer: Answer = _page(api, token, known) if isinstance(step, NextPage) else Looked(api.identity(step.name))
    except AwsProblem as problem:
        answer = problem
    return Asked(at, clocks.monotonic() - began, answer)


def _page(api: SesApi, token: str | None, known: Container[str]) -> Page:
    listed, following = api.page(token)
    good = {each.name for each in listed if each.name in known or is_identity(each.name)}
    bad = tuple(each.name for each in listed if each.name not in good)
    return Page(tuple(each for each in listed if each.name in good), bad, following)


def told(problem: AwsProblem) -> str:
    """Say what went wrong, and what the identity owner has to allow."""
    if problem.code not in _DENIED:
        return str(problem)
    if "AssumeRole" in str(problem):
        return f"{problem}; the role must trust the relay's principal, with the external_id if it wants one"
    return f"{problem}; the IAM policy of whoever reads must hold {NEEDED}"
