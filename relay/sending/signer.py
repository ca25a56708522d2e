"""Signs by a clock that is set by AWS's own where ours is wrong; the keys that AWS refuses are looked for again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from relay.observe.events import Noted, Observer
from relay.sending.answers import CLOCK_OR_KEY, STALE_KEY
from relay.sending.encoding import FORM
from relay.sending.keys import AccessKey, KeySource
from relay.sending.signing import Seal, Target
from relay.words.dates import http_date

#: Less than this is no reason for a refused signature: SES takes 5 minutes on either side of its own clock.
TOLERATED_SKEW: Final = timedelta(seconds=60)
#: A date further away was not meant as one: by it the next would be past the end of the calendar.
MOST_SKEW: Final = timedelta(days=100 * 365)
#: Seals that are kept: one for each key and place, and what is sent; one more, and all are made anew.
MOST_SEALS: Final = 256
_SECOND: Final = timedelta(seconds=1)


class Signer:
    """
    Signs requests for SES and STS, and learns from their refusals.

    Args:
        clock: Wall-clock time, timezone-aware.
        observe: Hears of a clock that is wrong.

    """

    def __init__(self, clock: Callable[[], datetime], observe: Observer) -> None:
        self._clock = clock
        self._observe = observe
        self._skew = timedelta(0)
        self._seals: dict[tuple[int, int, str], Seal] = {}

    def now(self) -> datetime:
        """Return the time, as AWS has it as far as we know."""
        return self._clock() + self._skew

    def sign(self, key: AccessKey, target: Target, body_hash: str, content_type: str = FORM) -> str:
        """Return the header fields of a signed POST; see :meth:`relay.sending.signing.Seal.fields`."""
        now, name = self._clock() + self._skew, (id(key), id(target), content_type)  # a seal holds on to both
        seal = self._seals.get(name)
        if seal is None or not timedelta(0) <= now - seal.second < _SECOND:
            if len(self._seals) >= MOST_SEALS:
                self._seals.clear()
            seal = self._seals[name] = Seal(key, target, content_type, now.replace(microsecond=0))
        return seal.fields(body_hash)

    def learn(self, code: str, date: str, key: AccessKey, source: KeySource) -> None:
        """
        Set the clock by AWS's, or have another key looked for, when a signature was not accepted. For the next call.

        Args:
            code: Of AWS's error.
            date: The Date header of its answer.
            key: What was signed with.
            source: Whose key it is.

        """
        bare = code.removesuffix("Exception")
        if bare in STALE_KEY:
            source.reject(key)
        if bare not in CLOCK_OR_KEY:
            return
        skew = _skew(date, self._clock())
        if abs(skew - self._skew) > TOLERATED_SKEW:
            self._skew = skew
            self._observe(Noted("warning", "clock.skew", {"seconds": round(skew.total_seconds())}))
        else:
            source.reject(key)  # the time was right, so the key is not


def _skew(date: str, now: datetime) -> timedelta:
    """Return how far the peer's Date header is ahead of *now*; zero when it is near, or none that can be."""
    theirs = http_date(date)
    skew = theirs - now if theirs else timedelta(0)
    return skew if TOLERATED_SKEW < abs(skew) < MOST_SKEW else timedelta(0)
