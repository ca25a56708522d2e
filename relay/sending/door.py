"""
The back door: SendRawEmail, or SendEmail of v2 for large messages; signed, at most one request a call.

When a call fails the question is whether SES may have the message. :mod:`relay.sending.connection` knows: before the
last piece was handed over the failure is Deferred, after it Ambiguous.
"""

import ssl
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from relay.observe.events import Observer, SesCalled
from relay.sending import endpoints
from relay.sending.answers import (
    MAYBE_SENT,
    NO_ROLE,
    NOT_KNOWN,
    TRY_LATER,
    disagreement,
    outcome_of,
    outcome_of_v2,
)
from relay.sending.assuming import Session, question_for, region_for, session_of
from relay.sending.callers import QUESTION as WHO
from relay.sending.callers import Caller, caller_of
from relay.sending.encoding import CONTENT_TYPES, PATHS
from relay.sending.enquiries import Enquiries
from relay.sending.held import Encoded, Shelf
from relay.sending.http_answers import Answer
from relay.sending.keys import AccessKey, KeySource, Unusable
from relay.sending.outcomes import Ambiguous, Deferred, Mail, Outcome, Sent
from relay.sending.pace.quota import QUESTION as HOW_MUCH
from relay.sending.pace.quota import SendQuota, quota_of
from relay.sending.roles import Roles
from relay.sending.signer import Signer
from relay.sending.signing import Target
from relay.sending.troubles import OWN
from relay.sending.turns import Turns
from relay.sending.wire import NoAnswer, Wire
from relay.words.apis import Api
from relay.words.endings import Reason
from relay.words.roles import AssumedRole
from relay.words.values import dataclass

_RESULTS: Final = {
    Reason.SES_THROTTLED: "throttled",
    Reason.SES_CREDENTIALS: "credentials",
    Reason.SES_REFUSED: "refused",
}


class SesDoor:
    """
    Sends mail through SES, in any region; a :class:`relay.sending.ports.Sender`. Mail that names a role goes with that
    role's session, all other mail with the relay's own key; ``roles`` is told which there are.

    Args:
        endpoint_url: One address for SES and STS in every region; None for AWS's own.
        credentials: Who keeps the relay's own access key, which assumes the roles.
        observe: Hears of every call.
        clock: Wall-clock time, timezone-aware; signatures need it.
        connect_timeout: Seconds for name, connection and TLS handshake together.
        read_timeout: Seconds without progress while the body leaves, then for the whole answer; also the longest wait
            for a turn.
        max_connections: Calls at a time; more wait for their turn, neither encoded nor signed.
        user_agent: For the HTTP header.
        region: Where roles are assumed; None for a region of each role's partition.
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
        region: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._credentials = credentials
        self._observe = observe
        self._read_timeout = read_timeout
        self._region = region
        self._shelf = Shelf()
        self._turns = Turns(max_connections)
        self._signer = Signer(clock, observe)
        self._wire = Wire(connect_timeout=connect_timeout, read_timeout=read_timeout, user_agent=user_agent, tls=tls)
        self._enquiries = Enquiries(self._wire, self._signer)
        self.roles = Roles(self._assume, observe)

    async def start(self) -> None:
        """Open; connections are made when needed."""
        url = self._endpoint_url
        await self._wire.start(is_tls=url is None or urlsplit(url).scheme == "https")

    async def close(self) -> None:
        """Close every connection. Calls that still run end as Deferred or Ambiguous."""
        await self.roles.close()
        await self._wire.close()

    async def send(self, mail: Mail, region: str) -> Outcome:
        """Send *mail* through SES in *region*, once; see :class:`relay.sending.ports.Sender`."""
        if not self._turns.take() and not await self._turns.wait(self._read_timeout):
            why = f"no connection became free in {self._read_timeout:g} s"
            return Deferred("Busy", why, TRY_LATER, Reason.SES_UNAVAILABLE)
        try:
            source = self._credentials if mail.role is None else self.roles.of(mail.role)
            key = await source.get()
            if isinstance(key, Unusable):
                code, reply = ("NoCredentials", NOT_KNOWN) if mail.role is None else ("RoleNotAssumed", NO_ROLE)
                return Deferred(code, key.why, reply, Reason.SES_CREDENTIALS)
            body = Encoded(mail, self._shelf)
            try:
                if not body.is_read:
                    await body.read()
                return await self._send(mail, body, key, source, _call(mail.api, region, self._endpoint_url))
            finally:
                body.put_away()
        finally:
            self._turns.give_back()

    async def caller_identity(self, region: str) -> Caller | Unusable:
        """Return who the relay is to AWS, by STS in *region*, or why that is not known."""
        target = endpoints.target(endpoints.STS, region, self._endpoint_url)
        answer = await self._enquiries.ask(target, WHO, self._credentials)
        return answer if isinstance(answer, Unusable) else caller_of(answer.status, answer.body)

    async def send_quota(self, region: str, account: str = OWN) -> SendQuota | Unusable:
        """Return what *account*, the relay's own or that of roles, may send in *region*, or why that is not known."""
        target = endpoints.target(endpoints.SES, region, self._endpoint_url)
        quota: SendQuota | Unusable = Unusable(f"no delegate has a role of account {account}")
        for source in [self._credentials] if account == OWN else self.roles.of_account(account):
            answer = await self._enquiries.ask(target, HOW_MUCH, source)
            quota = answer if isinstance(answer, Unusable) else quota_of(answer.status, answer.body)
            if isinstance(quota, SendQuota):
                break
        return quota

    async def _assume(self, role: AssumedRole) -> Session | Unusable:
        target = endpoints.target(endpoints.STS, region_for(role, self._region), self._endpoint_url)
        answer = await self._enquiries.ask(target, question_for(role), self._credentials)
        return answer if isinstance(answer, Unusable) else session_of(answer, role, self._signer.now())

    async def _send(self, mail: Mail, body: Encoded, key: AccessKey, source: KeySource, call: "_Call") -> Outcome:
        began, result = monotonic(), "ambiguous"  # what a cancelled call is
        try:
            fields = self._signer.sign(key, call.target, body.digest, call.content_type)
            answer = await self._wire.post(call.target, fields, body.pieces, body.size)
            if isinstance(answer, NoAnswer):
                outcome = _of_silence(answer)
            elif mail.api is Api.RAW:
                outcome = outcome_of(answer.status, answer.body, own=mail.own)
            else:
                outcome = outcome_of_v2(answer.status, answer.body, answer.error, own=mail.own)
            result = _result_of(outcome)
        finally:
            self._observe(SesCalled(call.target.region, call.operation, result, monotonic() - began))
        if isinstance(answer, Answer) and isinstance(outcome, Deferred):
            self._signer.learn(outcome.code, answer.date, key, source)
        if mail.role is not None and disagreement(outcome) == "access-denied":
            self.roles.doubt(mail.role, key)
        return outcome


@dataclass(frozen=True, slots=True)
class _Call:
    """What the calls of one operation in one region have in common."""

    target: Target
    content_type: str
    operation: str


@lru_cache(maxsize=256)
def _call(api: Api, region: str, endpoint_url: str | None) -> _Call:
    target = endpoints.target(endpoints.SES, region, endpoint_url).below(PATHS[api])
    return _Call(target, CONTENT_TYPES[api], api.value)


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
