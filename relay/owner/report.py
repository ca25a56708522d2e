"""What a replay found: groups of messages to which the same would happen. Pure."""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from typing import Any, Final

from relay.owner.observed import NotReplayable, Observed
from relay.words.values import dataclass

#: Ids of messages that are kept of each group of changes.
EXAMPLES: Final = 3


class Kind(StrEnum):
    """
    What would become different for a message.

    ``may-gain``: it might pass, which hangs on something that the record or the settings do not tell. ``statement``:
    the answer stays, another statement gives it.
    """

    LOSES = "loses"
    GAINS = "gains"
    MAY_GAIN = "may-gain"
    REASON = "reason"
    STATEMENT = "statement"

    @property
    def is_change(self) -> bool:
        """Whether it is a change of what becomes of mail, or of what its client hears."""
        return self is not Kind.STATEMENT


@dataclass(frozen=True, slots=True)
class Group:
    """Messages to which the same would happen. ``address``: the author, or MAIL FROM where nobody saw the author."""

    kind: Kind
    delegate: str
    address: str
    before: str
    after: str


@dataclass(slots=True)
class Affected:
    """The messages of one group: how many, when, the first of them by id, and why in the case of the first."""

    why: str
    advice: tuple[str, ...]
    count: int = 0
    first: float = inf
    last: float = -inf
    examples: list[str] = field(default_factory=list)

    def add(self, seen: Observed) -> None:
        """Count one message."""
        self.count += 1
        self.first, self.last = min(self.first, seen.time), max(self.last, seen.time)
        if len(self.examples) < EXAMPLES:
            self.examples.append(seen.id)


@dataclass(slots=True)
class Spared:
    """Messages that went out only because their delegate is observed, and how many of them policies still refuse."""

    sent: int = 0
    still_refused: int = 0

    def add(self, *, is_allowed: bool) -> None:
        """Count one message; *is_allowed* by the new answer."""
        self.sent += 1
        self.still_refused += not is_allowed


@dataclass(frozen=True, slots=True)
class Report:
    """
    What a replay found.

    ``groups``: losses first, the largest first. ``messages``: judged again, by delegate. ``skipped``: what could not
    be. ``by_account``: messages that stay allowed only if grants to whole accounts count for their delegates.
    """

    groups: Mapping[Group, Affected]
    messages: Mapping[str, int]
    skipped: Mapping[NotReplayable, int]
    by_account: int
    spared: Spared = field(default_factory=Spared)

    @property
    def judged(self) -> int:
        """How many messages were judged again."""
        return sum(self.messages.values())

    @property
    def has_changes(self) -> bool:
        """Whether anything would become of any message that did not become of it."""
        return any(group.kind.is_change for group in self.groups)

    def total(self, kind: Kind, delegate: str | None = None) -> int:
        """How many messages would change so, of all delegates or of one."""
        return sum(
            affected.count
            for group, affected in self.groups.items()
            if group.kind is kind and delegate in {None, group.delegate}
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole report, JSON-ready."""
        return {
            "format": 1,
            "changes": self.has_changes,
            "judged": self.judged,
            "unchanged": self.judged - sum(self.total(kind) for kind in Kind if kind.is_change),
            "not_replayable": {str(skipped): count for skipped, count in sorted(self.skipped.items())},
            "by_account_grant": self.by_account,
            "observed": {"sent": self.spared.sent, "still_refused": self.spared.still_refused},
            "totals": {str(kind): self.total(kind) for kind in Kind},
            "delegates": {
                name: {"messages": count} | {str(kind): self.total(kind, name) for kind in Kind}
                for name, count in sorted(self.messages.items())
            },
            "groups": [_group_json(group, affected) for group, affected in self.groups.items()],
        }


def _group_json(group: Group, affected: Affected) -> dict[str, Any]:
    return {
        "kind": str(group.kind),
        "delegate": group.delegate,
        "address": group.address,
        "before": group.before,
        "after": group.after,
        "messages": affected.count,
        "first": _iso(affected.first),
        "last": _iso(affected.last),
        "why": affected.why,
        "advice": list(affected.advice),
        "examples": affected.examples,
    }


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
