"""When a message is tried again, and when no more. Values in, values out: time and chance come from the caller."""

from relay.sending.outcomes import Ambiguous, Deferred
from relay.spool.details import AGAIN, ALONE, PAUSE, SINCE
from relay.spool.entries import Entry, State
from relay.words.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    Seconds. Pauses grow from ``first`` to ``longest`` with decorrelated jitter; where SES may have the message it
    waits ``unsure`` at least. After ``max_age`` a failure is the last. A failed message is kept for ``keep_failed``.
    """

    first: float = 1.0
    longest: float = 900.0
    unsure: float = 30.0
    max_age: float = 4 * 86400.0
    keep_failed: float = 14 * 86400.0

    @property
    def far(self) -> float:
        """Nothing is ever put off for longer: what is due later was stamped by a clock that was wrong."""
        return 2 * max(self.longest, self.unsure)


def next_pause(schedule: Schedule, before: float, chance: float) -> float:
    """
    Return the pause after one of *before* seconds: anything from ``first`` to three times that, ``longest`` at most
    (decorrelated jitter: AWS Architecture Blog, "Exponential Backoff And Jitter").

    Args:
        chance: In [0, 1).
    """
    top = max(3 * before, schedule.first)
    return min(schedule.longest, schedule.first + chance * (top - schedule.first))


def spread(least: float, chance: float) -> float:
    """Return a wait of *least* seconds, or up to half as long again: what is known together is not tried together."""
    return least * (1 + chance / 2)


def put_off(entry: Entry, schedule: Schedule, now: float, chance: float, *, unsure: bool = False) -> Entry:
    """Return *entry* as it waits for its next attempt."""
    pause = next_pause(schedule, pause_of(entry, schedule), chance)
    wait = max(pause, spread(schedule.unsure, chance)) if unsure else pause
    details = {**_tried(entry), PAUSE: f"{pause:.3f}"}
    return replace(entry, state=State.DUE, due_at=now + wait, details=details)


def put_off_by(entry: Entry, schedule: Schedule, now: float, seconds: float) -> Entry:
    """Return *entry* as it waits for others' sake: its turn, a gate. That is no failure of its own."""
    return replace(entry, state=State.DUE, due_at=now + min(max(seconds, 0.0), schedule.longest))


def after(outcome: Deferred | Ambiguous, entry: Entry, schedule: Schedule, now: float, chance: float) -> Entry:
    """Return *entry* after an attempt that came to *outcome*."""
    maybe = isinstance(outcome, Ambiguous)
    told = replace(entry, reason=outcome.reason, last=said(outcome), maybe=entry.maybe + maybe)
    return put_off(told, schedule, now, chance, unsure=maybe)


def said(outcome: Deferred | Ambiguous) -> str:
    """What SES said, for people."""
    return f"{outcome.code}: {outcome.message}"


def is_too_old(entry: Entry, schedule: Schedule, now: float) -> bool:
    """Whether *entry* has waited long enough to be given up if it fails once more."""
    since = min(entry.accepted_at, _number(entry, SINCE, entry.accepted_at))
    return now - max(since, _number(entry, AGAIN, since)) > schedule.max_age


def is_far(entry: Entry, schedule: Schedule, now: float) -> bool:
    """Whether *entry* is due later than anything is ever put off: the clock was wrong then, or is now."""
    return entry.state is State.DUE and entry.due_at > now + schedule.far


def brought_near(entry: Entry, schedule: Schedule, now: float, chance: float) -> Entry:
    """Return *entry*, which is far, as it is due soon; spread, for it is seldom the only one."""
    stamped = {SINCE: f"{now:.0f}"} if entry.accepted_at > now else {}
    return replace(entry, due_at=now + chance * schedule.longest, details={**entry.details, **stamped})


def failed(entry: Entry, schedule: Schedule, now: float) -> Entry:
    """Return *entry* as it is kept when it is never to be sent; ``due_at`` is when it is forgotten."""
    return replace(entry, state=State.FAILED, due_at=now + schedule.keep_failed, details=_tried(entry))


def pause_of(entry: Entry, schedule: Schedule) -> float:
    """Return the last pause of *entry*; the first one where it had none that can be read."""
    return min(max(_number(entry, PAUSE, schedule.first), schedule.first), schedule.longest)


def _number(entry: Entry, name: str, default: float) -> float:
    try:
        return float(entry.details.get(name, default))
    except ValueError:
        return default


def _tried(entry: Entry) -> dict[str, str]:
    """Its details without the mark of a crash: it has been tried since, and nobody died."""
    return {name: value for name, value in entry.details.items() if name != ALONE}
