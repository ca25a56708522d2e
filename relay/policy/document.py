"""A sending authorization policy, read strictly: what cannot be judged cannot be held by these types."""

from dataclasses import dataclass, field
from typing import Any

from relay.policy.answers import PolicyProblem


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read whole. ``digest``: SHA-256 of its text, hex."""

    name: str
    digest: str
    statements: tuple[Any, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class UnreadablePolicy:
    """A policy of which some part cannot be judged; whoever asks it gets UNDECIDED, unless another policy denies."""

    name: str
    digest: str
    problems: tuple[PolicyProblem, ...]


def parse_policy(name: str, text: str) -> Policy | UnreadablePolicy:
    """Read a policy document (IAM User Guide, "Grammar of the IAM JSON policy language"). Never raises."""
    raise NotImplementedError(name, text)
