"""
What a delegate's bounces and complaints come to. Pure.

SES looks at the same two rates of an account: from 5 % of bounces and 0.1 % of complaints it puts it under review, from
10 % and 0.5 % it may stop its mail (Amazon SES Developer Guide, "Amazon SES sending review process FAQs").
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from relay.words.standings import NEVER, Standing, Thresholds
from relay.words.values import dataclass

#: A standing is left when the rate is below this part of the rate from which it is taken: it does not flutter.
LEAVES_AT: Final = 0.8
_DONE: Final = {Standing.WARNED: "warned", Standing.SLOWED: "slowed", Standing.SUSPENDED: "suspended"}


@dataclass(frozen=True, slots=True)
class Tolerance:
    """
    What one delegate is judged by.

    ``window``: seconds of its mail that count; ``minimum``: recipients in it below which nothing is judged;
    ``suspend_for``: seconds; ``slow_rate``: recipients a second of who is slowed.
    """

    bounces: Thresholds = NEVER
    complaints: Thresholds = NEVER
    window: float = 86400.0
    minimum: int = 100
    suspend_for: float = 3600.0
    slow_rate: float = 1.0

    @property
    def judges(self) -> bool:
        """Whether anything could come of it."""
        return self.bounces != NEVER or self.complaints != NEVER


@dataclass(frozen=True, slots=True)
class Tally:
    """
    Recipients of a delegate's mail, by what became of it, in a stretch of time; complaints are counted by message.

    ``bounced`` is for good; what may go another time is ``bounced_transiently``.
    """

    sent: int = 0
    delivered: int = 0
    delayed: int = 0
    bounced: int = 0
    bounced_transiently: int = 0
    complained: int = 0
    rejected: int = 0
    failed_to_render: int = 0
    other: int = 0

    @property
    def volume(self) -> int:
        """How many recipients the rates are parts of. Where Send is not published, those that were delivered to."""
        return max(self.sent, self.delivered)

    @property
    def bounce_rate(self) -> float | None:
        """The part that bounced for good; None while nothing was sent."""
        return self.bounced / self.volume if self.volume else None

    @property
    def complaint_rate(self) -> float | None:
        """The part that complained; None while nothing was sent."""
        return self.complained / self.volume if self.volume else None


#: The members of a tally by the word of a happening.
MEMBERS: Final = {
    "send": "sent",
    "delivery": "delivered",
    "delivery-delay": "delayed",
    "bounce": "bounced",
    "transient-bounce": "bounced_transiently",
    "complaint": "complained",
    "reject": "rejected",
    "rendering-failure": "failed_to_render",
    "other": "other",
}


def tally_of(counts: Mapping[str, int]) -> Tally:
    """Return the tally of recipients by the word of what happened."""
    return Tally(**{MEMBERS[kind]: number for kind, number in counts.items() if kind in MEMBERS})


@dataclass(frozen=True, slots=True)
class Record:
    """
    How a delegate stands.

    ``since``, and ``until`` of a suspension: seconds since the epoch. Only mail from ``judged_from`` on counts.
    ``why``: a sentence without addresses, empty where nothing ever happened.
    """

    standing: Standing = Standing.GOOD
    since: float = 0.0
    until: float | None = None
    judged_from: float = 0.0
    why: str = ""


def judged(record: Record, tally: Tally, tolerance: Tolerance, now: float) -> Record:
    """
    Return how the delegate stands at *now*; the very same *record* where nothing changed.

    ``tally`` is of the window, from ``record.judged_from`` on. Standings rise at once, and fall when both rates are
    well below the threshold, or when a whole window had too little mail to tell. A suspension ends by its time, and
    the mail before it is forgotten; the delegate is slowed until enough of its mail is good.
    """
    if not tolerance.judges:
        return record if record.standing is Standing.GOOD else _good(record, "nothing is asked of it any more", now)
    if record.standing is Standing.SUSPENDED:
        is_over = now >= (record.until or 0.0)
        why = "its suspension ended: slowed until enough of its mail is good"
        return Record(Standing.SLOWED, now, None, now, why) if is_over else record
    if tally.volume < tolerance.minimum:
        is_old = record.standing is not Standing.GOOD and now - record.since >= tolerance.window
        return _good(record, "too little mail in a whole window to tell", now) if is_old else record
    return _weighed(record, tally, tolerance, now)


def _weighed(record: Record, tally: Tally, tolerance: Tolerance, now: float) -> Record:
    """Rise, stay or fall by the rates of enough mail."""
    reached, why = _worst(tally, tolerance, 1.0)
    if reached > record.standing:
        until = now + tolerance.suspend_for if reached is Standing.SUSPENDED else None
        return replace(record, standing=reached, since=now, until=until, why=why)
    held = min(record.standing, _worst(tally, tolerance, LEAVES_AT)[0])
    if held == record.standing:
        return record
    return _good(record, "its rates are well again", now) if held is Standing.GOOD else _fallen(record, held, now)


def resumed(now: float) -> Record:
    """Return how a delegate stands that an operator has forgiven."""
    return Record(Standing.GOOD, now, None, now, "resumed by an operator")


def _good(record: Record, why: str, now: float) -> Record:
    return Record(Standing.GOOD, now, None, record.judged_from, why)


def _fallen(record: Record, standing: Standing, now: float) -> Record:
    return Record(standing, now, None, record.judged_from, "its rates are better")


def _worst(tally: Tally, tolerance: Tolerance, part: float) -> tuple[Standing, str]:
    """The worst of both rates, against thresholds times *part*, and why."""
    found = [
        ("bounce rate", tally.bounce_rate or 0.0, tolerance.bounces),
        ("complaint rate", tally.complaint_rate or 0.0, tolerance.complaints),
    ]
    name, rate, thresholds = max(found, key=lambda each: each[2].reached(each[1] / part))
    standing = thresholds.reached(rate / part)
    from_rate = thresholds.of(standing)
    if from_rate is None:
        return standing, ""
    of = f"of {tally.volume} recipients in {tolerance.window / 3600:.3g} h"
    return standing, f"{name} {percent(rate)} {of}, {_DONE[standing]} from {percent(from_rate)}"


def percent(rate: float) -> str:
    """Write a rate for people: ``0.12 %``."""
    return f"{rate * 100:.3g} %"
