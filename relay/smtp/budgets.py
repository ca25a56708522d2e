"""How many connections and wrong passwords one address may bring. An IPv6 client is its /64: it owns all of it."""

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple, TypeAlias

from relay.smtp.gossip import Gossip, Guess, Tried
from relay.smtp.ports import ClientAddress
from relay.smtp.replies import TOO_BUSY, TOO_MANY_FROM_YOU
from relay.words.replies import Reply

Prefix: TypeAlias = tuple[int, int]  # version, and the address or its upper half

_MINUTE: Final = 60.0
_DAY: Final = 86400.0
#: Peers whose address is not read again: clients are few, most often.
_PEERS: Final = 1024
#: Prefixes and failures remembered; the prefix longest untouched is forgotten first: a botnet cannot fill memory.
_REMEMBERED: Final = 50_000
_FAILURES: Final = 200_000
#: Prefixes that other doors are remembered to have connections of, counted at each.
MOST_ELSEWHERE: Final = 200_000
#: Of one prefix. More than any day's budget is no use, and none where it is lifted.
_FAILURES_OF_ONE: Final = 1000


def client_address(text: str) -> ClientAddress:
    """Read a peer's address; an IPv4 client of a dual-stack socket is an IPv4 client."""
    address = ip_address(text.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def prefix_of(address: ClientAddress) -> Prefix:
    """Name whom an address belongs to."""
    return (4, int(address)) if isinstance(address, IPv4Address) else (6, int(address) >> 64)


class Peer(NamedTuple):
    """Who a connection is from: its address, as it is written, and whom it belongs to."""

    address: ClientAddress
    name: str
    prefix: Prefix


@lru_cache(_PEERS)
def peer_of(text: str) -> Peer:
    """Tell who an address is."""
    address = client_address(text)
    return Peer(address, str(address), prefix_of(address))


class Crowd:
    """
    The open connections: all, and per prefix.

    ``tell`` is called with a prefix whose connections here have become more or fewer.
    """

    def __init__(self) -> None:
        self.total = 0
        self.tell: Callable[[Prefix], None] | None = None
        self._by_prefix: dict[Prefix, int] = {}
        self._elsewhere: dict[str, dict[Prefix, int]] = {}
        self._sums: Counter[Prefix] = Counter()
        self._held = 0

    @property
    def in_all(self) -> int:
        """The open connections for which there is one bound."""
        return self.total

    def of(self, prefix: Prefix) -> int:
        """Count the open connections of one prefix, here and elsewhere."""
        return self.here(prefix) + self._sums[prefix]

    def here(self, prefix: Prefix) -> int:
        """Count those that are open here."""
        return self._by_prefix.get(prefix, 0)

    @property
    def prefixes(self) -> Mapping[Prefix, int]:
        """All that have connections here, with how many."""
        return self._by_prefix

    def admit(self, prefix: Prefix, *, most: int, of_one: int | None = None) -> Reply | None:
        """Count one connection more, unless there are *most*, or *of_one* from this prefix: then say so."""
        in_all = self.in_all
        if in_all >= most:
            return TOO_BUSY
        # Fewer in all are fewer of one.
        if of_one is not None and (in_all >= of_one or self._sums) and self.of(prefix) >= of_one:
            return TOO_MANY_FROM_YOU
        self.enter(prefix)
        return None

    def enter(self, prefix: Prefix) -> None:
        """Count one connection more."""
        self.total += 1
        self._by_prefix[prefix] = self._by_prefix.get(prefix, 0) + 1
        if self.tell is not None:
            self.tell(prefix)

    def leave(self, prefix: Prefix) -> None:
        """Count one connection less."""
        self.total -= 1
        left = self._by_prefix.pop(prefix, 0) - 1
        if left > 0:
            self._by_prefix[prefix] = left
        if self.tell is not None:
            self.tell(prefix)

    def elsewhere(self, source: str, counts: Mapping[Prefix, int]) -> None:
        """
        Learn how many connections of these prefixes are open at *source*, in place of what it said of them before.

        What all sources hold beyond :data:`MOST_ELSEWHERE` prefixes is not counted.
        """
        held = self._elsewhere.setdefault(source, {})
        for prefix, count in counts.items():
            before = held.pop(prefix, 0)
            self._held -= before > 0
            if count > 0 and self._held < MOST_ELSEWHERE:
                held[prefix] = count
                self._held += 1
            _count(self._sums, prefix, held.get(prefix, 0) - before)

    def without(self, source: str) -> None:
        """Forget what *source* said: it is gone, or says all of it anew."""
        held = self._elsewhere.pop(source, {})
        self._held -= len(held)
        for prefix, count in held.items():
            _count(self._sums, prefix, -count)


def _count(counts: Counter[Prefix], prefix: Prefix, more: int) -> None:
    """Count, and keep no place for what is zero."""
    counts[prefix] += more
    if counts[prefix] <= 0:
        del counts[prefix]


class _Failure(NamedTuple):
    """When it was, the mark of the name, and whether it counts in the day, too."""

    at: float
    mark: int
    for_a_day: bool


class Guesses:
    """
    Wrong passwords per prefix, over a sliding minute and a sliding day.

    A right password gives back the failures of its own name only: who knows one password cannot buy guesses at others.
    What counts here is told to others by *gossip*, and what they tell is :meth:`heard`.
    """

    def __init__(self, monotonic: Callable[[], float], gossip: Gossip | None = None) -> None:
        self._monotonic = monotonic
        self._gossip = gossip or Gossip()
        self._failures: OrderedDict[Prefix, list[_Failure]] = OrderedDict()
        self._count = 0
        self._open: Counter[Prefix] = Counter()

    def exhausted(self, prefix: Prefix, *, per_minute: int | None, per_day: int | None) -> bool:
        """Whether this prefix has guessed too often; None lifts a bound."""
        in_a_minute, in_a_day = self._counts(prefix)
        return _reaches(in_a_minute, per_minute) or _reaches(in_a_day, per_day)

    def must_wait(self, prefix: Prefix, *, per_minute: int | None, per_day: int | None) -> bool:
        """Whether it would have guessed too often if all of its open attempts fail: guessing at once is no way out."""
        in_a_minute, in_a_day = self._counts(prefix)
        attempts = self.attempts(prefix)
        return _reaches(in_a_minute + attempts, per_minute) or _reaches(in_a_day + attempts, per_day)

    def attempts(self, prefix: Prefix) -> int:
        """Count the attempts that are open."""
        return self._open[prefix]

    @contextmanager
    def attempt(self, prefix: Prefix) -> Iterator[None]:
        """Hold an attempt open until it is known how it ended."""
        self._open[prefix] += 1
        try:
            yield
        finally:
            self._open[prefix] -= 1
            if self._open[prefix] <= 0:
                del self._open[prefix]

    def _counts(self, prefix: Prefix) -> tuple[int, int]:
        """How many failures lie in the last minute and in the last day."""
        failures = self._failures.get(prefix)
        if not failures:
            return 0, 0
        now = self._monotonic()
        if failures[0].at <= now - _DAY:
            failures = self._keep(prefix, [failure for failure in failures if failure.at > now - _DAY])
        return sum(each.at > now - _MINUTE for each in failures), sum(each.for_a_day for each in failures)

    def failed(self, prefix: Prefix, name: str, *, for_a_day: bool = True) -> None:
        """
        Count a wrong password for *name* (kept as a mark only: a mistyped name may be a password).

        Args:
            for_a_day: Count it in the minute and in the day. In the minute only: it may be right, where not all that
                is right could be read.
        """
        guess = Guess(prefix, self._gossip.mark(name), Tried.WRONG if for_a_day else Tried.PERHAPS_WRONG)
        self.heard(guess)
        self._gossip.tell(guess)

    def succeeded(self, prefix: Prefix, name: str) -> None:
        """Give back what *name* has used up."""
        failures = self._failures.get(prefix)
        if not failures:
            return
        guess = Guess(prefix, self._gossip.mark(name), Tried.RIGHT)
        self.heard(guess)
        if len(self._failures.get(prefix, ())) < len(failures):
            self._gossip.tell(guess)

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        """Count what happened at another door, *ago* seconds before now, as if it had happened here."""
        failures = self._failures.get(guess.prefix, [])
        if guess.tried is Tried.RIGHT:
            self._keep(guess.prefix, [failure for failure in failures if failure.mark != guess.mark])
        elif guess.tried is not Tried.MISSED and ago < _DAY:
            self._add(guess, failures, self._monotonic() - max(0.0, ago))

    def _add(self, guess: Guess, failures: list[_Failure], at: float) -> None:
        """Put a failure where it belongs in time; of too many the oldest are forgotten."""
        failures = [*failures]
        insort(failures, _Failure(at, guess.mark, guess.tried is Tried.WRONG))
        self._keep(guess.prefix, failures[-_FAILURES_OF_ONE:])
        while len(self._failures) > _REMEMBERED or self._count > _FAILURES:
            self._count -= len(self._failures.popitem(last=False)[1])

    def _keep(self, prefix: Prefix, failures: list[_Failure]) -> list[_Failure]:
        """Keep these failures of a prefix in place of those before, as the last to be forgotten."""
        self._count += len(failures) - len(self._failures.pop(prefix, ()))
        if failures:
            self._failures[prefix] = failures
        return failures


def _reaches(count: int, bound: int | None) -> bool:
    return bound is not None and count >= max(bound, 1)  # who has not guessed has not guessed too often


class Ledger:
    """
    The room in memory of all messages that are being read or decided, and who has some of it, the oldest first.

    The oldest always finds room, past the bound if need be. Otherwise many that are half read could hold all of it
    between them, each waiting for the others, and none would be taken.
    """

    def __init__(self) -> None:
        self.used = 0
        self._holders: dict[object, None] = {}

    def take(self, holder: object, octets: int, *, most: int) -> bool:
        """Take room for *octets* if there is any, or if nobody has had some for longer."""
        if self.used + octets > most and next(iter(self._holders), holder) is not holder:
            return False
        self._holders[holder] = None
        self.used += octets
        return True

    def give_back(self, holder: object, octets: int) -> None:
        """Return all that *holder* took, which was *octets*."""
        self._holders.pop(holder, None)
        self.used -= octets
