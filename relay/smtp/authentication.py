"""
AUTH (RFC 4954): PLAIN and LOGIN by password, EXTERNAL by the certificate that TLS has verified, OAUTHBEARER and XOAUTH2
by bearer token. aiosmtpd's own would cut long responses in two, ignore the authorization identity, accept NUL in LOGIN
fields, compare mechanism names by case, and guess without end (W10-W14, W17).

Three budgets bound guessing: of the connection (then it ends), of the address (then whoever was not let in before hears
454), and of each name that was let in from there before (``regulars``). What cannot be guessed, a certificate or a
token, is looked at whatever the budget says, and only its failures count.
"""

import asyncio
import ssl
from base64 import b64encode
from time import time
from typing import Final

from relay.observe.events import AuthTried
from relay.smtp import replies, sasl
from relay.smtp.budgets import Peer
from relay.smtp.conversation import Conversation
from relay.smtp.inflow import LineTooLong
from relay.smtp.listeners import Listener
from relay.smtp.premises import Premises
from relay.smtp.sasl import Credentials, SaslProblem
from relay.words.certificates import CertificateName, names_of
from relay.words.replies import Reply
from relay.words.unavailable import Unavailable

BY_PASSWORD: Final = ("PLAIN", "LOGIN")
BY_TOKEN: Final = ("OAUTHBEARER", "XOAUTH2")
MECHANISMS: Final = (*BY_PASSWORD, "EXTERNAL", *BY_TOKEN)
_BLANK: Final = b""
_USERNAME: Final = b"Username:"
_PASSWORD: Final = b"Password:"
#: Between two looks whether somebody else's attempt has ended; a check of a password takes about as long.
_GLANCE_SECONDS: Final = 0.02


class Authentication(Conversation):
    """A connection on which a client can say who it is."""

    __slots__ = ("_authenticated", "_extended", "_failures")

    def __init__(self, premises: Premises, listener: Listener, client: Peer) -> None:
        super().__init__(premises, listener, client)
        self._authenticated = False
        self._extended = False
        self._failures = 0

    @property
    def _auth_is_open(self) -> bool:
        """Whether a password may travel on this connection now."""
        return self._tls or self._listener.allow_plaintext_auth

    def _recognize(self) -> None:
        """Know a client without AUTH, where the listener lets it: by its certificate, else by its address."""
        if self._listener.require_auth:
            return
        delegates = self._premises.delegates
        if self._tls and (names := self._certificate_names()):
            named = delegates.by_certificate(names, self._client)
            if len(named) == 1:
                (self._delegate,) = named
                return
        self._delegate = delegates.by_network(self._client)

    def _certificate_names(self) -> frozenset[CertificateName]:
        """
        Return the names of the certificate that the client has shown and TLS has verified; none without one.

        None after its end, too: TLS looks at that in a full handshake only, and a session of TLS 1.2 can be resumed by
        its number.
        """
        secured = self.transport.get_extra_info("ssl_object") if self.transport else None
        if not isinstance(secured, ssl.SSLObject):
            return frozenset()
        der, decoded = secured.getpeercert(binary_form=True), secured.getpeercert()
        if not der or not decoded or ssl.cert_time_to_seconds(str(decoded["notAfter"])) <= time():
            return frozenset()
        return names_of(der, decoded)

    def _mechanisms(self) -> tuple[str, ...]:
        """List what is offered on this connection now. A token travels under TLS only (RFC 7628 section 4)."""
        if not self._tls:
            return BY_PASSWORD
        by_certificate = ("EXTERNAL",) if self._certificate_names() else ()
        return BY_PASSWORD + by_certificate + (BY_TOKEN if self._premises.delegates.takes_tokens else ())

    def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Authenticate, or say why not."""
        self._must_end_segment()
        mechanism, blank, initial = arg.partition(" ")
        mechanism = mechanism.upper()
        refusal = self._auth_refusal(mechanism, initial)
        if refusal is None:
            response = initial.encode("ascii") if blank else None
            if not self._lets_in_at_once(mechanism, response):
                self._attend(self._hear_credentials(mechanism, response))
            return
        if refusal is replies.AUTH_NEEDS_TLS:
            self._tried(mechanism, "plaintext")
        self._answer(refusal)

    def _lets_in_at_once(self, mechanism: str, response: bytes | None) -> bool:
        """Let in who says unasked what was right a short while ago, as who opens a session for each message does."""
        if mechanism != "PLAIN" or response is None or self._premises.guesses.must_wait(self.prefix, **self._budget):
            return False
        try:
            credentials = sasl.plain(sasl.decode(response), longest=self._limits.password_octets)
        except SaslProblem:
            return False
        if not self._premises.delegates.knows(credentials.name, credentials.password, self._client):
            return False
        self._premises.regulars.welcome(self.prefix, credentials.name, credentials.password)
        self._take(mechanism, credentials.name)
        return True

    async def _hear_credentials(self, mechanism: str, initial: bytes | None) -> None:
        try:
            await self._hear_out(mechanism, initial)
        except SaslProblem as problem:
            self._tried(mechanism, problem.result)
            self._answer(problem.reply)

    def _auth_refusal(self, mechanism: str, initial: str) -> Reply | None:  # noqa: PLR0911 - a list of rules
        """Say why AUTH cannot be begun, if so. The order is that of what the client has to mend first."""
        if not self._extended:
            return replies.NEED_EHLO
        if not self._auth_is_open or (
            mechanism in BY_TOKEN and not self._tls and self._premises.delegates.takes_tokens
        ):
            return replies.AUTH_NEEDS_TLS if self._listener.tls == "starttls" else replies.NOT_OFFERED
        if self._authenticated:
            return replies.AUTH_ALREADY
        if self._transaction is not None:
            return replies.IN_TRANSACTION
        if not mechanism:
            return replies.NEED_ARGUMENT
        if mechanism == "EXTERNAL" and self._tls and not self._certificate_names():
            return replies.NO_CERTIFICATE
        if mechanism not in self._mechanisms():
            return replies.UNKNOWN_MECHANISM
        return replies.AUTH_ARGUMENTS if " " in initial else None

    async def _hear_out(self, mechanism: str, initial: bytes | None) -> None:
        """
        Hear the client out and conclude.

        Raises:
            SaslProblem: It cancelled, or what it said has no form.
        """
        if mechanism in BY_PASSWORD:
            await self._by_password(mechanism, initial)
        elif mechanism in BY_TOKEN:
            await self._by_token(mechanism, initial)
        else:
            await self._by_certificate(initial)

    # By password

    async def _by_password(self, mechanism: str, initial: bytes | None) -> None:
        try:
            credentials = await self._exchange(mechanism, initial)
        except SaslProblem as problem:
            if problem.result != "bad-credentials":
                raise
            await self._refuse(mechanism)
            return
        await self._flush()
        if await self._finds_the_budget_spent() and not self._is_regular(credentials):
            self._throttle(mechanism)
            return
        verified = await self._verify(credentials)
        if verified is None:
            await self._answer_wrong(mechanism, credentials.name)
        else:
            self._take(mechanism, verified)

    async def _verify(self, credentials: Credentials) -> str | Unavailable | None:
        name, password, regulars = credentials.name, credentials.password, self._premises.regulars
        with self._premises.guesses.attempt(self.prefix):
            verified = await self._premises.delegates.verify(name, password, self._client)
        if isinstance(verified, str):
            regulars.welcome(self.prefix, name, password)
        elif verified is None:
            regulars.forget(self.prefix, name, password)
        elif verified.is_guess:
            self._premises.guesses.failed(self.prefix, name, for_a_day=False)
        return verified

    def _is_regular(self, credentials: Credentials) -> bool:
        """Whether these were right from this address before; asked once its budget is spent, for a no is a guess."""
        limits = self._limits
        most = limits.auth_failures_per_day or limits.auth_failures_per_minute or 1
        return self._premises.regulars.knows(self.prefix, credentials.name, credentials.password, most=most)

    async def _exchange(self, mechanism: str, initial: bytes | None) -> Credentials:
        """
        Hear a name and a password.

        Raises:
            SaslProblem: It cancelled, or what it said has no form.
        """
        longest = self._limits.password_octets
        if mechanism == "PLAIN":
            return sasl.plain(await self._message(initial), longest=longest)
        name = await self._message(initial, _USERNAME)
        return sasl.login(name, await self._challenge(_PASSWORD), longest=longest)

    # By what cannot be guessed

    async def _by_certificate(self, initial: bytes | None) -> None:
        """By the certificate of this very connection. Of more than one delegate's the client says whose it is."""
        wanted = sasl.external(await self._message(initial))
        named = self._premises.delegates.by_certificate(self._certificate_names(), self._client)
        chosen = named & {wanted} if wanted else named
        if len(chosen) == 1:
            self._take("EXTERNAL", next(iter(chosen)))
        else:
            await self._refuse("EXTERNAL")

    async def _by_token(self, mechanism: str, initial: bytes | None) -> None:
        message = await self._message(initial)
        bearer = sasl.oauthbearer(message) if mechanism == "OAUTHBEARER" else sasl.xoauth2(message)
        await self._flush()
        verified = await self._premises.delegates.by_token(bearer.token, self._client)
        if isinstance(verified, str) and bearer.authzid not in ("", verified):
            verified = None
        if verified is None:
            await self._tell_why(mechanism)
            await self._refuse(mechanism)
        else:
            self._take(mechanism, verified)

    async def _tell_why(self, mechanism: str) -> None:
        """
        Tell in a challenge why a token is not good; the answer is of no interest (RFC 7628 section 3.2.3).

        Raises:
            SaslProblem: It cancelled, which is a failure all the same.
        """
        try:
            await self._challenge(sasl.TOKEN_FAILURES[mechanism])
        except SaslProblem:
            self._failures += 1
            self._premises.guesses.failed(self.prefix, "")
            raise

    # How it ends

    def _take(self, mechanism: str, verified: str | Unavailable) -> None:
        """Take the client for the delegate that it is, or tell it to come again."""
        if isinstance(verified, Unavailable):
            self._tried(mechanism, "unavailable")
            self._answer(replies.AUTH_UNAVAILABLE)
            return
        self._premises.guesses.succeeded(self.prefix, verified)
        self._delegate = verified
        self._authenticated = True
        self._session_view = None
        self._tried(mechanism, "ok")
        self._answer(replies.AUTHENTICATED)

    async def _refuse(self, mechanism: str) -> None:
        """Refuse what was no guess at a password; the budget of the address is that of all the same."""
        if self._has_guessed_enough():
            self._throttle(mechanism)
        else:
            await self._answer_wrong(mechanism, "")

    def _throttle(self, mechanism: str) -> None:
        self._tried(mechanism, "throttled")
        self._answer(replies.AUTH_THROTTLED)

    async def _answer_wrong(self, mechanism: str, name: str) -> None:
        """Answer what is not right, later each time; the last one allowed ends the connection."""
        self._failures += 1
        self._premises.guesses.failed(self.prefix, name)
        limits = self._limits
        await asyncio.sleep(min(limits.auth_delay_seconds, limits.auth_delay_step_seconds * self._failures))
        self._tried(mechanism, "bad-credentials")
        self._answer(replies.BAD_CREDENTIALS)
        if self._failures >= limits.auth_failures:
            self._dismiss(replies.TOO_MANY_FAILURES)

    # What is said

    async def _message(self, initial: bytes | None, challenge: bytes = _BLANK) -> bytes:
        """Take the initial response, or ask for one."""
        return sasl.decode(initial) if initial is not None else await self._challenge(challenge)

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
        if self._inflow.octets:
            self._dismiss(replies.OUT_OF_STEP)

    def _tried(self, mechanism: str, result: str) -> None:
        known = mechanism if mechanism in MECHANISMS else "other"
        delegate = self._delegate if result == "ok" else None
        self._premises.observe(AuthTried(known, result, self._id, delegate))
