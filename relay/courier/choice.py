"""Who goes next: fairly between delegates, no faster than SES bears, and alone where a crash made it suspect."""

from collections.abc import Iterable, Mapping, Sequence

from relay.courier.slots import Bounds, Slots
from relay.sending.gates import Gates
from relay.sending.troubles import Lane, lane_of
from relay.spool.details import ALONE
from relay.spool.entries import Entry


def in_turn(waiting: Iterable[Entry], under_way: Mapping[str, int]) -> list[Entry]:
    """
    Return *waiting* in the order in which the next slot is offered.

    ``under_way``: messages by delegate. A delegate alone may have every slot; as soon as another has mail, the next
    slot is that one's, however long the first one's queue.
    """
    return sorted(waiting, key=lambda entry: (under_way.get(entry.session.delegate, 0), entry.due_at, entry.id))


def choose(waiting: Iterable[Entry], slots: Slots, gates: Gates, bounds: Bounds, *, one_alone: bool) -> Entry | None:
    """
    Choose who goes now, beside those in *slots*; None when nobody may. At a shut gate the one that is chosen is the
    probe.

    *one_alone*: it is time for an entry that a crash left, if there is one: then nobody else starts before it.
    """
    if slots.calls >= bounds.calls or slots.has_alone:
        return None
    order = in_turn(waiting, slots.of_delegates())
    alone = _suspect(order, gates) if one_alone else None
    if alone is not None:
        return alone if not slots.calls and gates.admit(lane_of(alone.details)) else None
    return next((each for each in order if may_go(each, lane_of(each.details), slots, gates, bounds)), None)


def may_go(entry: Entry, lane: Lane, slots: Slots, gates: Gates, bounds: Bounds) -> bool:
    """Tell whether *entry* may go on *lane* beside those in *slots*; if so, its gates admitted it."""
    if slots.calls and slots.octets + entry.size > bounds.octets:
        return False
    return ALONE not in entry.details and slots.fit(lane, gates.window(lane)) and gates.admit(lane)


def _suspect(order: Sequence[Entry], gates: Gates) -> Entry | None:
    return next((each for each in order if ALONE in each.details and not gates.wait(lane_of(each.details))), None)
