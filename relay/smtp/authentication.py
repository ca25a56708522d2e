"""
AUTH PLAIN and LOGIN (RFC 4954, RFC 4616). aiosmtpd's own would cut long responses in two, ignore the authorization
identity, accept NUL in LOGIN fields, compare mechanism names by case, and guess without end (W10-W14, W17).
"""

import asyncio
from base64 import b64encode
from typing import Final

from relay.observe.events import AuthTried
from relay.smtp import replies, sasl
from relay.smtp.connection import Connection
from relay.smtp.inflow import LineTooLong
from relay.smtp.sasl import Credentials, SaslProblem
from relay.words.replies import Reply
from relay.words.unavailable import Unavailable

MECHANISMS: Final = ("PLAIN", "LOGIN")
_BLANK: Final = b""
_USERNAME: Final = b"Username:"
_PASSWORD: Final = b"Password:"
#: Between two looks whether somebody else's attempt has ended; a check of a password takes about as long.
_GLANCE_SECONDS: Final = 0.02


class Authentication(Connection):
    """A connection on which a client can say who it is."""

    _delegate: str | None = None
    _authenticated = False
    _extended = False
    _failures = 0

    @property
    def _is_stranger(self) -> bool:
        return self._delegate is None

    @property
    def _auth_is_open(self) -> bool:
        """Whether a password may travel on this connection now."""
        return self._tls or self._listener.allow_plaintext_auth

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Authenticate, or say why not."""
        self._must_end_segment()
        mechanism, blank, initial = (arg or "").partition(" ")
        mechanism = mechanism.upper()
        refusal = self._auth_refusal(mechanism, initial)
        if refusal is not None:
            if refusal is replies.AUTH_NEEDS_TLS:
                self._tried(mechanism, "plaintext")
            self._answer(refusal)
        elif self._has_guessed_enough():
            self._tried(mechanism, "throttled")
            self._answer(replies.AUTH_THROTTLED)
        else:
            await self._hear_out(mechanism, initial.encode("ascii") if blank else None)

    def _auth_refusal(self, mechanism: str, initial: str) -> Reply | None:  # noqa: PLR0911 - a list of rules
        """Say why AUTH cannot be begun, if so. The order is that of what the client has to mend first."""
        if not self._extended:
            return replies.NEED_EHLO
        if not self._auth_is_open:
            return replies.AUTH_NEEDS_TLS if self._listener.tls == "starttls" else replies.NOT_OFFERED
        if self._authenticated:
            return replies.AUTH_ALREADY
        if self._transaction is not None:
            return replies.IN_TRANSACTION
        if not mechanism:
            return replies.NEED_ARGUMENT
        if mechanism not in MECHANISMS:
            return replies.UNKNOWN_MECHANISM
        return replies.AUTH_ARGUMENTS if " " in initial else None

    async def _hear_out(self, mechanism: str, initial: bytes | None) -> None:
        name = ""
        try:
            credentials = await self._exchange(mechanism, initial)
            name = credentials.name
            await self._flush()
            if await self._finds_the_budget_spent():
                self._tried(mechanism, "throttled")
                self._answer(replies.AUTH_THROTTLED)
                return
            with self._premises.guesses.attempt(self.prefix):
                verified = await self._premises.delegates.verify(name, credentials.password, self._client)
        except SaslProblem as problem:
            if problem.result != "bad-credentials":
                self._tried(mechanism, problem.result)
                self._answer(problem.reply)
                return
            verified = None
        if isinstance(verified, Unavailable):
            self._tried(mechanism, "unavailable")
            self._answer(replies.AUTH_UNAVAILABLE)
        elif verified is None:
            await self._refuse(mechanism, name)
        else:
            self._welcome(mechanism, name, verified)

    def _welcome(self, mechanism: str, name: str, delegate: str) -> None:
        self._premises.guesses.succeeded(self.prefix, name)
        self._delegate = delegate
        self._authenticated = True
        self._session_view = None
        self._tried(mechanism, "ok")
        self._answer(replies.AUTHENTICATED)

    async def _refuse(self, mechanism: str, name: str) -> None:
        """Answer a wrong password, later each time; the last one allowed ends the connection."""
        self._failures += 1
        self._premises.guesses.failed(self.prefix, name)
        limits = self._limits
        await asyncio.sleep(min(limits.auth_delay_seconds, limits.auth_delay_step_seconds * self._failures))
        self._tried(mechanism, "bad-credentials")
        self._answer(replies.BAD_CREDENTIALS)
        if self._failures >= limits.auth_failures:
            self._dismiss(replies.TOO_MANY_FAILURES)

    async def _exchange(self, mechanism: str, initial: bytes | None) -> Credentials:
        """
        Hear the client out.

        Raises:
            SaslProblem: It cancelled, or what it said has no form.
        """
        longest = self._limits.password_octets
        if mechanism == "PLAIN":
            message = sasl.decode(initial) if initial is not None else await self._challenge(_BLANK)
            return sasl.plain(message, longest=longest)
        name = sasl.decode(initial) if initial is not None else await self._challenge(_USERNAME)
        return sasl.login(name, await self._challenge(_PASSWORD), longest=longest)

    async def _challenge(self, challenge: bytes) -> bytes:
        """
        Send 334 and read the response: one line of at most ``auth_line`` octets, never logged, never repeated.

        Raises:
            SaslProblem: Cancelled, too long, or not base64.
        """
        self._say(Reply(334, None, b64encode(challenge).decode("ascii")))
        try:
            line = await self._read_line(idle=self._limits.command_seconds)
        except LineTooLong:
            raise SaslProblem(replies.AUTH_TOO_LONG, "form") from None
        if not line.endswith(b"\r\n"):
            raise SaslProblem(replies.BAD_OCTETS, "form")
        if line == b"*\r\n":
            raise SaslProblem(replies.AUTH_CANCELLED, "aborted")
        return sasl.decode(line[:-2])

    def _has_guessed_enough(self) -> bool:
        return self._premises.guesses.exhausted(self.prefix, **self._budget)

    async def _finds_the_budget_spent(self) -> bool:
        """Wait while it hangs on attempts of this address that are open on other connections."""
        while not self._has_guessed_enough():
            if not self._premises.guesses.must_wait(self.prefix, **self._budget):
                return False
            await asyncio.sleep(_GLANCE_SECONDS)
        return True

    @property
    def _budget(self) -> dict[str, int | None]:
        limits = self._limits
        return {"per_minute": limits.auth_failures_per_minute, "per_day": limits.auth_failures_per_day}

    def _must_end_segment(self) -> None:
        """Hang up on a client that did not wait for a reply it depends on: what follows cannot be meant (W25)."""
        if self._inflow.pending:
            self._dismiss(replies.OUT_OF_STEP)

    def _tried(self, mechanism: str, result: str) -> None:
        known = mechanism if mechanism in MECHANISMS else "other"
        delegate = self._delegate if result == "ok" else None
        self._premises.observe(AuthTried(known, result, self._id, delegate))
