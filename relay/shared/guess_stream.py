"""
Wrong passwords, told to all relays: guessing does not scale with their number.

They lie in a stream for a day, so that a relay that starts or was cut off knows them, too; what is said meanwhile is
heard at once. Each entry has a number of its relay's: what was told twice, because no answer came, counts once.
"""

import json
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from relay.shared.answers import Away
from relay.shared.engine import Engine
from relay.shared.prefixes import is_prefix, travels
from relay.shared.scripts import script_of
from relay.smtp.gossip import MARKS, Guess, Tried

#: Guesses in one entry, entries of one reading, entries that are kept, guesses that wait while nobody hears them.
AT_ONCE: Final = 100
PAGE: Final = 200
MOST_KEPT: Final = 100_000
MOST_WAITING: Final = 10_000
#: Relays whose numbers are remembered, and the longest name of one; octets of an entry.
MOST_RELAYS: Final = 10_000
LONGEST_NAME: Final = 64
LONGEST: Final = 16_384
_DAY: Final = 86_400.0
#: An entry that claims to be further in the future than so many seconds is not what is read on from.
_PLAUSIBLE: Final = 60.0
_FIRST: Final = "-"
#: What comes of reading what no relay has written.
_NONSENSE: Final = (ValueError, TypeError, IndexError, RecursionError)
_TELL, _SINCE = script_of("guesses_tell"), script_of("guesses_since")

Heard = Callable[[Guess, float], None]


class GuessStream:
    """
    Args:
        me: Names this relay.
        tag: Names keys and channel.
        heard: Is told of a guess elsewhere, and how many seconds ago that was.
        stir: Called when something is to be told, or may have been missed.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        me: str,
        tag: str,
        heard: Heard,
        stir: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.is_behind = True
        self._engine = engine
        self._me = me
        self._channel = f"{tag}:guesses"
        self._key = engine.key(tag, "guesses")
        self._heard = heard
        self._stir = stir
        self._clock = clock
        self._waiting: deque[tuple[float, Guess]] = deque(maxlen=MOST_WAITING)
        self._sending: list[tuple[float, Guess]] = []
        self._number = 0
        self._last = _FIRST
        self._ahead = 0.0
        self._is_overheard = False
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def subscribe(self) -> Callable[[], None]:
        """Listen until the answer is called."""
        return self._engine.subscribe(self._channel, self._hear, self._missed)

    def tell(self, guess: Guess) -> None:
        """Let all others know of a guess here."""
        if travels(guess.prefix):
            self._waiting.append((self._clock(), guess))
            self._stir()

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._sending or self._waiting)

    async def send(self) -> None:
        """Tell what waits, as far as somebody takes it."""
        while self.has_news:
            if not self._sending:
                self._number += 1
                self._sending = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            now = self._clock()
            told = [[*guess.prefix, guess.mark, guess.tried.value, round(now - at, 3)] for at, guess in self._sending]
            text = json.dumps([self._me, self._number, told], separators=(",", ":"))
            answer = await self._engine.run(_TELL, [self._key], [text, self._engine.channel(self._channel), MOST_KEPT])
            if isinstance(answer, Away):
                return
            self._sending = []

    async def read_on(self) -> None:
        """Read what was told since the last entry that is known; at first, of the last day."""
        while self.is_behind:
            self._is_overheard = False
            answer = await self._engine.run(_SINCE, [self._key], [self._last, PAGE], deadline=1.0)
            if isinstance(answer, Away):
                return
            now, entries = answer
            self._ahead = now / 1000 - self._clock()
            for entry, fields in entries:
                self._last = entry.decode()
                with suppress(*_NONSENSE):
                    self._count(fields[1], max(0.0, now / 1000 - _told_at(self._last)))
            self.is_behind = self._is_overheard or len(entries) == PAGE

    def _missed(self) -> None:
        self.is_behind = True
        self._stir()

    def _hear(self, payload: bytes) -> None:
        """Hear one entry; while others before it are read, it is read with them."""
        if self.is_behind:
            self._is_overheard = True
            return
        with suppress(*_NONSENSE):
            name, _, text = payload.partition(b" ")
            entry = name.decode("ascii")
            self._count(text, 0.0)
            if _told_at(entry) < self._clock() + self._ahead + _PLAUSIBLE:
                self._last = entry

    def _count(self, text: bytes, ago: float) -> None:
        """
        Count the guesses of an entry.

        Raises:
            ValueError, TypeError, IndexError, RecursionError: It is none.
        """
        relay, number, guesses = json.loads(text[:LONGEST])
        if type(relay) is not str or type(number) is not int or relay == self._me or len(relay) > LONGEST_NAME:
            return
        if number <= self._numbers.get(relay, 0):
            return
        self._numbers[relay] = number
        self._numbers.move_to_end(relay)
        if len(self._numbers) > MOST_RELAYS:
            self._numbers.popitem(last=False)
        for version, prefix, mark, tried, before in guesses[:AT_ONCE]:
            if is_prefix((version, prefix)) and type(mark) is int and 0 <= mark < MARKS and 0 <= before <= _DAY:
                self._heard(Guess((version, prefix), mark, Tried(tried)), ago + before)


def _told_at(entry: str) -> float:
    """
    Return when an entry was told, by the server's clock.

    Raises:
        ValueError: It names none.
    """
    return int(entry.partition("-")[0]) / 1000
