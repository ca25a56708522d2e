"""
The back door: SendRawEmail, or SendEmail of v2 for large messages; signed, at most one request a call.

When a call fails the question is whether SES may have the message. :mod:`relay.sending.uploads` knows: before the last
piece was handed over the failure is Deferred, after it Ambiguous.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Final

from relay.observe.events import Noted, Observer, SesCalled
from relay.sending import endpoints
from relay.sending.answers import (
    MAYBE_SENT,
    NOT_KNOWN,
    TRY_LATER,
    is_clock_or_key,
    is_stale_key,
    outcome_of,
    outcome_of_v2,
)
from relay.sending.callers import QUESTION as WHO
from relay.sending.callers import Caller, caller_of
from relay.sending.encoding import CONTENT_TYPES, ENCODED_TWICE, PATHS, Pieces
from relay.sending.keys import AccessKey, KeySource, Unusable
from relay.sending.outcomes import Ambiguous, Deferred, Mail, Outcome, Sent
from relay.sending.pace.quota import QUESTION as HOW_MUCH
from relay.sending.pace.quota import SendQuota, quota_of
from relay.sending.signing import Target, sign
from relay.sending.wire import Answer, NoAnswer, Wire
from relay.words.apis import Api
from relay.words.endings import Reason

#: Less than this is no reason for a refused signature: SES takes 5 minutes on either side of its own clock.
TOLERATED_SKEW: Final = timedelta(seconds=60)

_RESULTS: Final = {
    Reason.SES_THROTTLED: "throttled",
    Reason.SES_CREDENTIALS: "credentials",
    Reason.SES_REFUSED: "refused",
}


class SesDoor:
    """
    Sends mail through SES, in any region; a :class:`relay.sending.ports.Sender`.

    Args:
        endpoint_url: One address for SES and STS in every region; None for AWS's own.
        credentials: Who keeps the access key.
        observe: Hears of every call.
        clock: Wall-clock time, timezone-aware; signatures need it.
        connect_timeout: Seconds for name, connection and TLS handshake together.
        read_timeout: Seconds without progress while the body leaves, then for the whole answer; also the longest wait
            for a turn.
        max_connections: Calls at a time; more wait for their turn, neither encoded nor signed.
        user_agent: For the HTTP header.
        tls: Whom to trust; None for the system's authorities.

    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own, and all but four go by name
        self,
        endpoint_url: str | None,
        credentials: KeySource,
        observe: Observer,
        clock: Callable[[], datetime],
        *,
        connect_timeout: float,
        read_timeout: float,
        max_connections: int,
        user_agent: str,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._credentials = credentials
        self._observe = observe
        self._clock = clock
        self._read_timeout = read_timeout
        self._turns = asyncio.Semaphore(max_connections)
        self._skew = timedelta(0)
        self._wire = Wire(connect_timeout=connect_timeout, read_timeout=read_timeout, user_agent=user_agent, tls=tls)

    async def start(self) -> None:
        """Open; connections are made when needed."""
        await self._wire.start()

    async def close(self) -> None:
        """Close every connection. Calls that still run end as Deferred or Ambiguous."""
        await self._wire.close()

    async def send(self, mail: Mail, region: str) -> Outcome:
        """Send *mail* through SES in *region*, once; see :class:`relay.sending.ports.Sender`."""
        if not await self._take_turn():
            why = f"no connection became free in {self._read_timeout:g} s"
            return Deferred("Busy", why, TRY_LATER, Reason.SES_UNAVAILABLE)
        try:
            key = await self._credentials.get()
            if isinstance(key, Unusable):
                return Deferred("NoCredentials", key.why, NOT_KNOWN, Reason.SES_CREDENTIALS)
            target = endpoints.target(endpoints.SES, region, self._endpoint_url).below(PATHS[mail.api])
            return await self._send(mail, key, target)
        finally:
            self._turns.release()

    async def caller_identity(self, region: str) -> Caller | Unusable:
        """Return who the relay is to AWS, by STS in *region*, or why that is not known."""
        answer = await self._ask(endpoints.target(endpoints.STS, region, self._endpoint_url), WHO)
        return answer if isinstance(answer, Unusable) else caller_of(answer.status, answer.body)

    async def send_quota(self, region: str) -> SendQuota | Unusable:
        """Return what the relay's account may send in *region*, or why that is not known."""
        answer = await self._ask(endpoints.target(endpoints.SES, region, self._endpoint_url), HOW_MUCH)
        return answer if isinstance(answer, Unusable) else quota_of(answer.status, answer.body)

    async def _ask(self, target: Target, question: bytes) -> Answer | Unusable:
        key = await self._credentials.get()
        if isinstance(key, Unusable):
            return key
        headers = sign(key, target, sha256(question).hexdigest(), self._clock() + self._skew)
        answer = await self._wire.post(target.url, headers, [question])
        if isinstance(answer, NoAnswer):
            return Unusable(f"{target.host} gave no answer: {answer.why}")
        return answer

    async def _take_turn(self) -> bool:
        try:
            async with asyncio.timeout(self._read_timeout):
                return await self._turns.acquire()
        except TimeoutError:
            return False

    async def _send(self, mail: Mail, key: AccessKey, target: Target) -> Outcome:
        body, size, body_hash = await _encode(mail)
        now = asyncio.get_running_loop().time
        began, result = now(), "ambiguous"  # what a cancelled call is
        try:
            content_type = CONTENT_TYPES[mail.api]
            headers = sign(key, target, body_hash, self._clock() + self._skew, content_type=content_type)
            answer = await self._wire.post(target.url, headers, body, size)
            outcome = _of_silence(answer) if isinstance(answer, NoAnswer) else _of_answer(answer, mail)
            result = _result_of(outcome)
        finally:
            self._observe(SesCalled(target.region, mail.api.value, result, now() - began))
        if isinstance(answer, Answer):
            self._learn(outcome, answer, key)
        return outcome

    def _learn(self, outcome: Outcome, answer: Answer, key: AccessKey) -> None:
        """Set the clock by SES's, or look for another key, when the signature was not accepted. For the next call."""
        if is_stale_key(outcome):
            self._credentials.reject(key)
        if not is_clock_or_key(outcome):
            return
        skew = _skew(answer.date, self._clock())
        if abs(skew - self._skew) > TOLERATED_SKEW:
            self._skew = skew
            self._observe(Noted("warning", "clock.skew", {"seconds": round(skew.total_seconds())}))
        else:
            self._credentials.reject(key)  # the time was right, so the key is not


async def _encode(mail: Mail) -> tuple[Iterable[bytes], int, str]:
    """
    Encode and hash the body, and let others have the loop between pieces.

    Returns:
        Its pieces, its octets and its SHA-256. Those of a large message are made again when they are sent.
    """
    pieces, held, digest, size = Pieces(mail), list[bytes](), sha256(), 0
    is_large = len(mail.raw) > ENCODED_TWICE
    for piece in pieces:
        if size:
            await asyncio.sleep(0)
        digest.update(piece)
        size += len(piece)
        if not is_large:
            held.append(piece)
    return pieces if is_large else held, size, digest.hexdigest()


def _of_answer(answer: Answer, mail: Mail) -> Outcome:
    if mail.api is Api.RAW:
        return outcome_of(answer.status, answer.body, own=mail.own)
    return outcome_of_v2(answer.status, answer.body, answer.error, own=mail.own)


def _of_silence(silence: NoAnswer) -> Outcome:
    if silence.maybe_arrived:
        return Ambiguous("NoAnswer", silence.why, MAYBE_SENT, Reason.SES_UNAVAILABLE)
    return Deferred("NotSent", silence.why, TRY_LATER, Reason.SES_UNAVAILABLE)


def _result_of(outcome: Outcome) -> str:
    if isinstance(outcome, Sent):
        return "sent"
    if isinstance(outcome, Ambiguous):
        return "ambiguous"
    return _RESULTS.get(outcome.reason, "unavailable")


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
