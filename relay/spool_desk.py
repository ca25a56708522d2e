"""The running relay's own spool, for the admin endpoint; the courier hears of every change at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from relay.console.asked import fields_of, limit_of
from relay.console.spool_pages import Declined, Told
from relay.observe.events import Noted, Observer
from relay.spool.actions import Action, Impossible
from relay.spool.desk import Desk, Done, states_of
from relay.spool.entries import Entry, State
from relay.spool.ports import Wanted
from relay.spool.told import brief, whole
from relay.words.unavailable import Unavailable

_NO_SPOOL: Final = Unavailable("no messages are kept: there is no spool")
_UNKNOWN: Final = Declined("there is no such message in the spool", is_known=False)
_FIELDS: Final = ("delegate", "state", "older_than", "reason", "limit", "after")


class House(Protocol):
    """Whoever has the spool open; ``desk`` is None while there is none. ``look``: something was changed there."""

    desk: Desk | None

    @property
    def notifies(self) -> bool:
        """Whether anybody is notified of what fails."""

    def look(self) -> None:
        """Wake courier and postmaster."""


class SpoolDesk:
    """
    A :class:`relay.console.spool_pages.SpoolPort`.

    Args:
        house: Has the spool open, or none.
        read_duration: Reads ``2d`` as seconds; raises ValueError.
        observe: Hears what people did.
    """

    def __init__(self, house: House, *, read_duration: Callable[[str], float], observe: Observer) -> None:
        self._house = house
        self._read_duration = read_duration
        self._observe = observe

    async def listed(self, asked: Sequence[tuple[str, str]], delegates: frozenset[str] | None = None) -> Told:
        """List a page of entries, and count all by state for who sees all."""
        desk = self._house.desk
        if desk is None:
            return _NO_SPOOL
        wanted, limit, after = self._read(asked, desk.now())
        wanted = replace(wanted, delegates=_in_order(delegates))
        found, census = await desk.page(wanted, limit=limit + 1, after=after), await desk.spool.census()
        if isinstance(found, Unavailable):
            return found
        if isinstance(census, Unavailable):
            return census
        page, now = found[:limit], desk.now()
        return {
            "entries": [brief(entry, now) for entry in page],
            "next": page[-1].id if len(found) > limit else None,
            "counts": {state.value: census.messages.get(state, 0) for state in State} if delegates is None else None,
        }

    async def shown(self, name: str, delegates: frozenset[str] | None = None) -> Told:
        """Tell of one entry."""
        desk = self._house.desk
        if desk is None:
            return _NO_SPOOL
        found = await desk.page(Wanted(ids=(name,), delegates=_in_order(delegates)), limit=1)
        if isinstance(found, Unavailable):
            return found
        return whole(found[0], desk.now()) if found else _UNKNOWN

    async def act(self, name: str, action: str, delegates: frozenset[str] | None = None, *, notify: bool) -> Told:
        """Act on one entry, and let courier and postmaster know."""
        desk = self._house.desk
        if desk is None:
            return _NO_SPOOL
        if notify and not self._house.notifies:
            return Declined("notifications.from is not set: nobody could be notified")
        theirs = Wanted(delegates=_in_order(delegates))
        done = await desk.act(name, Action.GIVE_UP if notify else Action(action), theirs)
        match done:
            case Done(entry):
                return self._done(desk, name, action, entry)
            case Impossible(why):
                return Declined(f"it {why}")
            case Unavailable():
                return done
            case None:
                return _UNKNOWN

    def _done(self, desk: Desk, name: str, action: str, entry: Entry | None) -> Told:
        self._house.look()
        state = "removed" if entry is None else entry.state.value
        self._observe(Noted("info", "spool.changed", {"queue_id": name, "action": action, "state": state}))
        return {"id": name, "state": state, "entry": None if entry is None else brief(entry, desk.now())}

    def _read(self, asked: Sequence[tuple[str, str]], now: float) -> tuple[Wanted, int, str]:
        """Read the fields of a query; each may be given once, ``state`` more often."""
        given = fields_of(asked, _FIELDS, repeated=("state",))
        one = {name: values[0] for name, values in given.items() if values}
        age = one.get("older_than")
        wanted = Wanted(
            delegate=one.get("delegate"),
            states=states_of(given["state"]),
            reason=one.get("reason"),
            older_than=None if age is None else now - self._read_duration(age),
        )
        return wanted, limit_of(one.get("limit")), one.get("after", "")


def _in_order(delegates: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if delegates is None else tuple(sorted(delegates))
