"""What a relay has to tell the others about one account and region, until it was told."""

from collections.abc import Callable, Iterable
from dataclasses import field
from itertools import islice
from typing import Final

from relay.identities.rounds import IN_USE
from relay.words.values import dataclass

#: Everything, where names are asked for.
EVERYTHING: Final = ""
#: Names in one call, and names that may wait to be told; of more, everything is asked for, and uses are told later.
AT_ONCE: Final = 200
_MOST_WAITING: Final = 10_000
#: An identity in use is told again after this part of the time for which it counts as in use.
_AGAIN: Final = IN_USE / 12
_MOST_USED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes with one call: names that mail was allowed by, and names to be read again."""

    used: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


@dataclass(slots=True)
class Outbox:
    """
    The fellows of a place, as it sees them. ``monotonic``: the clock; ``stir``: called when something is to be told.

    ``learned_names`` were read here and not told; ``has_list``: so was the list. ``wants``: for whom names are wanted.
    """

    monotonic: Callable[[], float]
    stir: Callable[[], None]
    learned_names: dict[str, None] = field(default_factory=dict)
    has_list: bool = False
    wants: dict[str, str] = field(default_factory=dict)
    has_given_up: bool = False
    _used: dict[str, None] = field(default_factory=dict)
    _asked: dict[str, None] = field(default_factory=dict)
    _told_at: dict[str, float] = field(default_factory=dict)

    def learned(self, names: Iterable[str], *, is_listed: bool = False) -> None:
        """Note what SES told; see :class:`relay.identities.fellows.Fellows`."""
        self.learned_names |= dict.fromkeys(names)
        self.has_list = self.has_list or is_listed
        self.stir()

    def used(self, name: str) -> None:
        """Note that mail was allowed, unless all know."""
        told_at = self._told_at.get(name)
        if (told_at is None or self.monotonic() - told_at >= _AGAIN) and len(self._used) < _MOST_WAITING:
            self._used[name] = None
            self.heard_used(name)

    def heard_used(self, name: str) -> None:
        """Note that all know that *name* is in use."""
        if len(self._told_at) >= _MOST_USED:
            self._told_at.clear()
        self._told_at[name] = self.monotonic()

    def wanted(self, name: str, delegate: str) -> None:
        """Note that mail wants *name*."""
        if len(self.wants) < _MOST_WAITING:
            self.wants[name] = delegate
            self.stir()

    def invalidated(self, name: str | None) -> None:
        """Note that *name*, or everything, is to be read again."""
        self._asked[EVERYTHING if name is None or len(self._asked) >= _MOST_WAITING else name] = None
        self.stir()

    def gave_up(self) -> None:
        """Note that nobody needs to wait."""
        self.has_given_up = True
        self.stir()

    def take(self) -> Parcel:
        """Take some of what is to be told out."""
        parcel = Parcel(tuple(islice(self._used, AT_ONCE)), tuple(islice(self._asked, AT_ONCE)))
        for names, gone in ((self._used, parcel.used), (self._asked, parcel.asked)):
            for name in gone:
                del names[name]
        return parcel

    def put_back(self, parcel: Parcel) -> None:
        """Keep what could not be told."""
        self._used |= dict.fromkeys(parcel.used)
        self._asked |= dict.fromkeys(parcel.asked)

    @property
    def is_empty(self) -> bool:
        """Whether all that goes with a call was taken."""
        return not self._used and not self._asked
