"""Signs by a clock that is set by AWS's own where ours is wrong; the keys that AWS refuses are looked for again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from relay.observe.events import Noted, Observer
from relay.sending.answers import CLOCK_OR_KEY, STALE_KEY
from relay.sending.encoding import FORM
from relay.sending.keys import AccessKey, KeySource
from relay.sending.signing import Target, sign

#: Less than this is no reason for a refused signature: SES takes 5 minutes on either side of its own clock.
TOLERATED_SKEW: Final = timedelta(seconds=60)


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

    def now(self) -> datetime:
        """Return the time, as AWS has it as far as we know."""
        return self._clock() + self._skew

    def sign(self, key: AccessKey, target: Target, body_hash: str, content_type: str = FORM) -> dict[str, str]:
        """Return the headers of a signed POST; see :func:`relay.sending.signing.sign`."""
        return sign(key, target, body_hash, self.now(), content_type=content_type)

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
    """Return how far the peer's Date header is ahead of *now*; zero when it is near, or none."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return timedelta(0)
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    skew = theirs - now
    return skew if abs(skew) > TOLERATED_SKEW else timedelta(0)
