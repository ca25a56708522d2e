"""
What policies answer, with the reasons: decision, deciding statements, what each statement lacked, what was
unreadable.
"""

from enum import StrEnum
from typing import Literal, TypeAlias

from relay.words.values import dataclass


class Decision(StrEnum):
    """The four ends of an evaluation (IAM User Guide, "Policy evaluation logic"; Undecided is ours)."""

    ALLOW = "Allow"
    EXPLICIT_DENY = "ExplicitDeny"
    IMPLICIT_DENY = "ImplicitDeny"
    UNDECIDED = "Undecided"


class Truth(StrEnum):
    """Whether a statement applies: surely, surely not, or that hangs on a key nobody here knows."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


Grant: TypeAlias = Literal["direct", "account"]


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """
    A place in a policy that cannot be judged: ``path`` is a JSON path (``$.Statement[0].Effect``), ``why`` a
    sentence.
    """

    policy: str
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class StatementRef:
    """One statement of one policy. ``sid`` is None when it has none; ``index`` counts from 0."""

    policy: str
    sid: str | None
    index: int

    def __str__(self) -> str:
        return f"{self.policy}/{self.sid or self.index}"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """
    The first thing in a statement that did not match.

    ``element``: Principal, NotPrincipal, Action, NotAction, Resource, NotResource or Condition. ``operator`` and
    ``key`` as the policy spells them, for a Condition. ``wanted``: the policy's values; ``found``: the request's,
    None = absent.
    """

    element: str
    wanted: tuple[str, ...]
    found: tuple[str, ...] | None
    operator: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """
    How one statement fared. ``mismatch`` is None when it applies; ``unknown`` names the keys that could turn it;
    ``grant`` says whether an applying statement names the caller (or everyone), or only its account.
    """

    statement: StatementRef
    effect: Literal["Allow", "Deny"]
    applies: Truth
    mismatch: Mismatch | None = None
    unknown: tuple[str, ...] = ()
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """
    The answer of all policies of one resource to one request.

    ``because``: the statements that decided (empty for an implicit deny). ``grant``: ``direct`` when any applying Allow
    names the caller or everyone, ``account`` when all of them name only the account, None unless allowed. ``traces`` is
    empty unless asked for. ``action`` is the one that was asked about.
    """

    decision: Decision
    because: tuple[StatementRef, ...] = ()
    grant: Grant | None = None
    unknown: tuple[str, ...] = ()
    traces: tuple[StatementTrace, ...] = ()
    problems: tuple[PolicyProblem, ...] = ()
    action: str = ""
