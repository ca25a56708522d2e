"""The relay's delegates, for the admin endpoint: who they are, what holds for them, what became of their mail."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final

from relay.console.asked import limit_of, once
from relay.console.spool_pages import Declined, Told
from relay.delegates.registry import Registry
from relay.observe.tally import Count, Tally
from relay.observe.traffic import SPANS, STEP, Traffic
from relay.sending.pace.shares import Share
from relay.words.delegates import Delegate
from relay.words.endings import Outcome
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

_FIELDS: Final = ("name", "limit", "after")
_TRAFFIC_FIELDS: Final = ("delegate", "limit")
_NOBODY: Final = Count()
_UNKNOWN: Final = Declined("there is no such delegate", is_known=False)
_GOOD: Final = "good"


@dataclass(frozen=True, slots=True)
class Standing:
    """
    What other rooms know of a delegate now.

    ``principal``: who it is to AWS; None until STS tells. ``role_trouble``: why its role cannot be assumed, None where
    it can. ``observed_until``: seconds since the epoch; infinite for no end, 0 where verdicts are enforced.
    ``recipients_today``: None where nobody counts. ``feedback``: what SES told of its mail; None where nobody listens.
    """

    principal: str | None
    role_trouble: str | None = None
    observed_until: float = 0.0
    share: Share = field(default_factory=Share)
    recipients_today: int | None = None
    feedback: Mapping[str, Any] | None = None


class DelegateDesk:
    """
    A :class:`relay.console.delegate_pages.DelegatesPort`.

    Args:
        registry: Knows the delegates of the moment.
        standing: Returns what others know of one.
        tally: Counts their messages.
        traffic: Counts them by the minute.
        resume: Forgives a delegate what its mail did; False where nobody is judged by that.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        registry: Registry,
        standing: Callable[[Delegate], Standing],
        tally: Tally,
        traffic: Traffic,
        resume: Callable[[str], Awaitable[bool | Unavailable]],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._standing = standing
        self._tally = tally
        self._traffic = traffic
        self._resume = resume
        self._clock = clock

    def listed(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """List a page of delegates by name."""
        wanted = once(asked, _FIELDS)
        limit, after = limit_of(wanted.get("limit")), wanted.get("after", "")
        theirs = (name for name in self._registry.names if delegates is None or name in delegates)
        names = sorted(name for name in theirs if name > after and wanted.get("name", name) == name)
        return {
            "delegates": [row for name in names[:limit] if (row := self._row(name)) is not None],
            "next": names[limit - 1] if len(names) > limit else None,
            "counted_since": _moment(self._tally.since),
        }

    def traffic(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """Tell what became of messages in the last hour, the most first."""
        wanted = once(asked, _TRAFFIC_FIELDS)
        limit, only = limit_of(wanted.get("limit")), wanted.get("delegate")
        rows, left_out = self._traffic.series(
            limit, lambda name: only in (None, name) and (delegates is None or name in delegates)
        )
        return {
            "since": _moment(self._traffic.begin()),
            "step": STEP,
            "spans": SPANS,
            "series": [
                {"delegate": row.delegate, "outcome": row.outcome, "reason": row.reason, "counts": list(row.counts)}
                for row in rows
            ],
            "left_out": left_out,
        }

    async def resume(self, name: str) -> Told:
        """Let a delegate send as ever."""
        delegate = self._registry.get(name)
        if delegate is None:
            return _UNKNOWN
        feedback = self._standing(delegate).feedback
        if feedback is None:
            return Declined("no feedback is read: nobody is slowed or suspended for it")
        if feedback["standing"] == _GOOD:
            return Declined(f"{name} stands well: there is nothing to do")
        done = await self._resume(name)
        if isinstance(done, Unavailable):
            return done
        if not done:
            return _UNKNOWN
        return {"name": name, "standing": _GOOD}

    def _row(self, name: str) -> Mapping[str, Any] | None:
        delegate, ways = self._registry.get(name), self._registry.ways_of(name)
        if delegate is None or ways is None:
            return None
        standing, count = self._standing(delegate), self._tally.counts.get(name, _NOBODY)
        share, until = standing.share, standing.observed_until
        is_observed = self._clock() < until
        return {
            "name": name,
            "principal": standing.principal,
            "role": _role(delegate, standing.role_trouble),
            "mechanisms": list(ways.mechanisms),
            "allowed_networks": list(ways.allowed_networks),
            "trusted_networks": list(ways.trusted_networks),
            "rate": share.rate,
            "daily_recipients": share.daily,
            "recipients_today": standing.recipients_today,
            "mode": "observe" if is_observed else "enforce",
            "observed_until": _moment(until) if is_observed and not math.isinf(until) else None,
            "last_seen": None if count.last_seen is None else _moment(count.last_seen),
            "messages": {outcome.value: count.messages[outcome] for outcome in Outcome},
            "recipients": count.recipients,
            "feedback": standing.feedback,
        }


def _role(delegate: Delegate, trouble: str | None) -> Mapping[str, Any] | None:
    if delegate.role is None:
        return None
    return {"arn": delegate.role.arn, "session": delegate.role.session, "trouble": trouble}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
