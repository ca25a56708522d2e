"""Who goes next: fairly between delegates, no faster than SES bears, and alone where a crash made it suspect."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from relay.sending.gates import Gates
from relay.sending.troubles import Lane, lane_of
from relay.spool.details import ALONE
from relay.spool.entries import Entry
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be under way at once: calls to SES, and octets of messages in memory."""

    calls: int = 32
    octets: int = 32 << 20


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A message that is being sent; ``is_ours``: by a call of the courier's, else by one that was handed over."""

    entry: Entry
    lane: Lane
    task: "asyncio.Task[None]"
    is_ours: bool


def in_turn(waiting: Iterable[Entry], under_way: Mapping[str, int]) -> list[Entry]:
    """
    Return *waiting* in the order in which the next slot is offered.

    ``under_way``: messages by delegate. A delegate alone may have every slot; as soon as another has mail, the next
    slot is that one's, however long the first one's queue.
    """
    return sorted(waiting, key=lambda entry: (under_way.get(entry.session.delegate, 0), entry.due_at, entry.id))


def choose(
    waiting: Iterable[Entry], ours: Sequence[UnderWay], gates: Gates, bounds: Bounds, *, one_alone: bool
) -> Entry | None:
    """
    Choose who goes now, beside *ours*; None when nobody may. At a shut gate the one that is chosen is the probe.

    *one_alone*: it is time for an entry that a crash left, if there is one: then nobody else starts before it.
    """
    if len(ours) >= bounds.calls:
        return None
    octets, of_delegate, calls = 0, Counter[str](), Counter[tuple[str, str]]()
    for each in ours:  # asked for every message, with up to bounds.calls of them: one pass
        if ALONE in each.entry.details:
            return None
        octets += each.entry.size
        of_delegate[each.entry.session.delegate] += 1
        calls[each.lane.account, each.lane.region] += 1
    order = in_turn(waiting, of_delegate)
    alone = _suspect(order, gates) if one_alone else None
    if alone is not None:
        return alone if not ours and gates.admit(lane_of(alone.details)) else None
    for entry in order:
        lane = lane_of(entry.details)
        if ALONE in entry.details or (ours and octets + entry.size > bounds.octets):
            continue
        if calls[lane.account, lane.region] < gates.window(lane) and gates.admit(lane):
            return entry
    return None


def _suspect(order: Sequence[Entry], gates: Gates) -> Entry | None:
    return next((each for each in order if ALONE in each.details and not gates.wait(lane_of(each.details))), None)
