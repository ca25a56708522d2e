"""
What a start makes of attempts that have no end: the process that made them was killed, or died of one of them.

SES may have each of these messages. They are tried again one at a time, while nothing else is under way: should the
relay die again, it is known of which. A message that was alone in flight at three deaths is not tried a fourth time.
It waits longer after each, so that a relay which somebody else kills again and again accuses none by chance.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from relay.courier.schedule import Schedule, spread
from relay.spool.details import ALONE
from relay.spool.entries import Entry, State
from relay.words.endings import Reason

#: Deaths of a relay that had nothing else under way, before a message is taken to be the cause.
MOST_CRASHES: Final = 3
#: How many times as long it waits after each such death.
LONGER: Final = 4.0
LOST: Final = "the spool lost how it ended"
UNSETTLED: Final = "the relay ended while it was being sent"
POISON: Final = f"the relay ended {MOST_CRASHES} times while only this message was being sent"


def after_crash(found: Sequence[Entry], schedule: Schedule, now: float, chance: float) -> tuple[Entry, ...]:
    """Return the entries *found* in the state *sending* as they go on."""
    is_alone = len(found) == 1
    return tuple(_after_crash(entry, schedule, now, chance, is_alone=is_alone) for entry in found)


def after_loss(found: Sequence[Entry], schedule: Schedule, now: float, chance: float) -> tuple[Entry, ...]:
    """Return entries *found* in the state *sending*, whose end the spool lost, as they go on: nobody died of them."""
    due_at = now + spread(schedule.unsure, chance)
    return tuple(
        replace(one, state=State.DUE, due_at=due_at, maybe=one.maybe + 1, reason=Reason.INTERNAL, last=LOST)
        for one in found
    )


def _after_crash(entry: Entry, schedule: Schedule, now: float, chance: float, *, is_alone: bool) -> Entry:
    crashes = entry.crashes + is_alone
    told = replace(entry, crashes=crashes, maybe=entry.maybe + 1, reason=Reason.INTERNAL)
    if crashes >= MOST_CRASHES:
        return replace(told, state=State.QUARANTINED, last=POISON)
    wait = max(schedule.unsure, min(schedule.unsure * LONGER**crashes, schedule.longest))
    due_at = now + spread(wait, chance)
    details = {**entry.details, ALONE: "yes"}
    return replace(told, state=State.DUE, due_at=due_at, last=UNSETTLED, details=details)
