"""What the operator decided about judging, for every delegate alike."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The ``[authorization]`` section and its neighbours, as the judge needs them.

    ``source_arn``: whether an identity may be inferred, or must be named. ``x_ses_headers``: what becomes of X-SES
    fields other than the three ARNs. ``reveal``: whether replies may quote policies. ``context``: condition keys the
    operator makes known, by name in any case, an empty tuple for a key known to be absent. ``max_stale``: seconds
    after which what was read of identities and policies decides nothing. ``null_reverse_path``: refuse ``<>``, or let
    the author be the feedback address. ``egress``: where the relay's calls reach SES from: addresses, or ``vpce-...``
    and ``vpc-...``; empty = unknown. ``secure_transport`` and ``user_agent``: how the relay calls SES.
    ``mode``: whether verdicts are enforced or only observed, until ``observe_until`` (seconds since the epoch; None =
    no end), for delegates without a mode of their own. ``sealed``: accounts and regions whose policies cannot be seen.
    """

    source_arn: Literal["infer", "required"] = "infer"
    x_ses_headers: Literal["reject", "strip"] = "reject"
    reveal: Literal["reason", "full"] = "reason"
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_stale: float = 3600.0
    null_reverse_path: Literal["refuse", "author"] = "refuse"
    egress: tuple[str, ...] = ()
    secure_transport: bool = True
    user_agent: str = "ses-relay"
    mode: Literal["enforce", "observe"] = "enforce"
    observe_until: float | None = None
    sealed: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "context", {key.lower(): tuple(values) for key, values in self.context.items()})

    def is_fresh(self, read_at: float, now: float) -> bool:
        """
        Whether what was read at *read_at* still decides at *now*, both in seconds since the epoch.

        A reading from the far future is as little worth as an old one: the clock was set back in between, and its age
        is not known.
        """
        return abs(now - read_at) <= self.max_stale

    def are_fresh(self, oldest: float, newest: float, now: float) -> bool:
        """Whether :meth:`is_fresh` says so of two readings, *oldest* not after *newest*, and of all between them."""
        return now - oldest <= self.max_stale and newest - now <= self.max_stale
