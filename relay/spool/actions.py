"""
What a person may do with an entry, and what becomes of it then. Values in, values out: the command line and the API
of the admin endpoint ask the same table, which stands in docs/reliability.md.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Final

from relay.spool.details import AGAIN, ALONE, HOLD, NOT_OWED, NOTICE, OWED, PAUSE
from relay.spool.entries import Entry, Kind, State
from relay.words.addresses import NullPath
from relay.words.values import dataclass

#: The status and the words that the notification of a message tells which a person gave up.
GIVEN_UP: Final = "5.3.0 given up by the operator of the relay"


class Action(StrEnum):
    """What a person may want of an entry."""

    RETRY = "retry"  # it is due now, and as young as if it came now
    HOLD = "hold"  # it waits until it is released
    RELEASE = "release"  # it goes on as it was due, and the time it was held does not count
    DELETE = "delete"  # it is gone, and nobody is told
    GIVE_UP = "give-up"  # it fails, and its notification is owed


@dataclass(frozen=True, slots=True)
class Removal:
    """
    The entry is to be removed. ``first``: what is written before, so that nobody begins an attempt meanwhile; None for
    an entry that cannot be written.
    """

    first: Entry | None


@dataclass(frozen=True, slots=True)
class Impossible:
    """The action makes no sense for this entry now; ``why`` is a clause that has the entry as its subject."""

    why: str


def acted(entry: Entry, action: Action, now: float, *, keep_failed: float) -> Entry | Removal | Impossible:
    """
    Return what becomes of *entry*.

    Args:
        now: Seconds since the epoch.
        keep_failed: Seconds for which a failed entry is kept.
    """
    if (impossible := _impossible(entry, action)) is not None:
        return impossible
    match action:
        case Action.RETRY:
            return _retried(entry, now)
        case Action.HOLD:
            return _held(entry)
        case Action.RELEASE:
            return _released(entry, now)
        case Action.DELETE:
            return _removed(entry, now)
        case Action.GIVE_UP:
            return _given_up(entry, now + keep_failed)


def _impossible(entry: Entry, action: Action) -> Impossible | None:
    """What holds for nearly every action."""
    if entry.version < 0 and action is not Action.DELETE:
        return Impossible("cannot be read: it can be deleted, and nothing else")
    if entry.state is State.SENDING and action not in {Action.HOLD, Action.RELEASE}:
        return Impossible("is being sent now: hold it, or wait for the end of the attempt")
    return None


def _retried(entry: Entry, now: float) -> Entry:
    """
    Whom SES or the judge refused has another chance; who got the message is not sent it again.

    What the relay is thought to have died of is tried alone: its crashes still count.
    """
    alone = {ALONE: "yes"} if entry.crashes else {}
    details = {**_without(entry, PAUSE, NOTICE, HOLD), **alone, AGAIN: f"{now:.0f}"}
    batches = tuple(replace(batch, refused=None) for batch in entry.batches)
    return replace(entry, state=State.DUE, due_at=now, batches=batches, details=details)


def _held(entry: Entry) -> Entry | Impossible:
    if entry.state is State.DUE:
        return replace(entry, state=State.HELD)
    if entry.state is State.HELD or HOLD in entry.details:
        return Impossible("is held already")
    if entry.state is State.SENDING:
        return replace(entry, details={**entry.details, HOLD: "yes"})
    return Impossible(f"is {entry.state}: nothing of it is sent, held or not")


def _released(entry: Entry, now: float) -> Entry | Impossible:
    if entry.state is State.HELD:
        return replace(entry, state=State.DUE, details={**entry.details, AGAIN: f"{now:.0f}"})
    if entry.state is State.SENDING and HOLD in entry.details:
        return replace(entry, details=_without(entry, HOLD))
    way = "; retry makes it due" if entry.state in {State.FAILED, State.QUARANTINED} else ""
    return Impossible(f"is {entry.state}, not held{way}")


def _removed(entry: Entry, now: float) -> Removal:
    if entry.version < 0:
        return Removal(None)
    details = {**entry.details, NOTICE: NOT_OWED}
    return Removal(replace(entry, state=State.FAILED, due_at=now, details=details))


def _given_up(entry: Entry, until: float) -> Entry | Impossible:
    if entry.state is State.FAILED:
        return Impossible("has failed already: delete it without a notification")
    if entry.kind is Kind.NOTIFICATION or entry.envelope.reverse_path is NullPath.NULL:
        return Impossible("is nothing that anybody is notified about: delete it without a notification")
    last = f"{GIVEN_UP}; before that: {entry.last}" if entry.last else GIVEN_UP
    details = {**_without(entry, HOLD, ALONE), NOTICE: OWED}
    return replace(entry, state=State.FAILED, due_at=until, last=last, details=details)


def _without(entry: Entry, *names: str) -> dict[str, str]:
    return {name: value for name, value in entry.details.items() if name not in names}
