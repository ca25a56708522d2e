"""
What a client can say, and what it hears: RFC 5321 in the order of its section 4.1.4, with SIZE (RFC 1870), 8BITMIME
(RFC 6152), PIPELINING (RFC 2920), ENHANCEDSTATUSCODES (RFC 2034), STARTTLS (RFC 3207), AUTH (RFC 4954) and LIMITS
(RFC 9422). Announced is only what holds: SES has no SMTPUTF8, and CHUNKING and DSN would be promises of others.
"""

import asyncio
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from relay.smtp import replies
from relay.smtp.behind_tls import BehindTls
from relay.smtp.connection import TLS_HANDSHAKE, prototype
from relay.smtp.conversation import HTTP_VERBS
from relay.smtp.inflow import Interruption
from relay.smtp.transfer import Transfer

_UNFIT_FOR_RECEIVED: Final = re.compile(r"[^A-Za-z0-9.:\[\]-]+")

#: Of other times and other servers (W25): each is answered, none is obeyed.
_NOT_OFFERED: Final = frozenset(
    {"ATRN", "BDAT", "BURL", "ETRN", "ONEX", "SAML", "SEND", "SOML", "TURN", "VERB", "XCLIENT", "XFORWARD"}
)
_EIGHT_BIT_VERBS: Final = frozenset({"MAIL", "RCPT"})
_QUIT: Final = Interruption("quit")

#: A line without control octets, and its CRLF.
_COMMAND: Final = re.compile(rb"([^\x00-\x1f\x7f]*)\r\n")
#: Lines that are not read again: clients say the same in each session, and often in each message.
_LINES: Final = 512


class Dialogue(Transfer):
    """A connection on which all of SMTP is spoken."""

    __slots__ = ()

    def _greet(self) -> None:
        self._recognize()
        super()._greet()

    def _obey(self, line: bytes) -> None:
        try:
            self._verb, method, argument = _remembered(line)
        except LookupError:
            self._obey_another(line)
        else:
            method(self, argument)

    def _obey_another(self, line: bytes) -> None:
        """Answer what is not remembered."""
        self._verb = "other"
        words = _words(line)
        if words is None:
            if line.startswith(TLS_HANDSHAKE):  # a ClientHello holds an LF, most often
                self._dismiss(replies.NOT_SMTP)
            self._answer(replies.BAD_OCTETS)
            return
        verb, argument = words
        if verb == "AUTH":
            self._verb = verb
            self.smtp_AUTH(argument)
        elif verb in _NOT_OFFERED:
            self._not_offered(verb)
        elif verb in HTTP_VERBS:
            self._dismiss(replies.NOT_SMTP)
        else:
            self._answer(replies.UNKNOWN_COMMAND)

    def _not_offered(self, verb: str) -> None:
        self._verb = verb
        if verb in ("BDAT", "BURL"):  # what follows may be a message: it must not be read as commands
            self._dismiss(replies.NOT_OFFERED)
        self._answer(replies.NOT_OFFERED)

    # Greeting

    def smtp_HELO(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet a client that knows no extensions."""
        if self._is_greeted(arg, extended=False):
            self._say(replies.named(self._premises.hostname))

    def smtp_EHLO(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Greet, and announce what holds on this connection now."""
        if self._is_greeted(arg, extended=True):
            limits, offers_tls = self._limits, self._tls_is_offered
            mechanisms = self._mechanisms() if self._auth_is_open else ()
            hostname = self._premises.hostname
            said = _announced(hostname, limits.message_bytes, limits.recipients, offers_tls, mechanisms)
            self._outgoing += said
            self._premises.said[self._listener.name, self._verb, 250] += 1

    def _is_greeted(self, name: str, *, extended: bool) -> bool:
        self._leads_nowhere()
        if not name or len(name) > self._limits.helo_name:
            self._answer(replies.BAD_NAME)
            return False
        self._without_mail = None
        self._abandon_transaction()
        self._helo = _fit_for_received(name)
        self._extended = extended
        self._session_view = None
        return True

    def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Begin TLS and forget all that was said before (RFC 3207 section 4.2)."""
        if self._tls:
            self._answer(replies.TLS_ALREADY)
        elif not self._tls_is_offered:
            self._answer(replies.NOT_OFFERED)
        elif arg:
            self._answer(replies.NO_ARGUMENT)
        elif self._transaction is not None:
            self._answer(replies.IN_TRANSACTION)
        else:
            self._must_end_segment()
            self._attend(self._start_tls())

    async def _start_tls(self) -> None:
        """By the loop's own, public, start_tls; aiosmtpd's reaches into private parts of asyncio (W33)."""
        self._answer(replies.START_TLS)
        await self._flush()
        transport, context = self.transport, self._premises.tls_context
        if transport is None or context is None or self._inflow.octets:
            raise Interruption("tls")
        self._shakes_hands = True
        try:
            secured = await self.loop.start_tls(
                transport,
                BehindTls(self, self._premises.tls_place),
                context,
                server_side=True,
                ssl_handshake_timeout=self._limits.tls_handshake_seconds,
            )
        except (OSError, ValueError):  # the latter: asyncio reads the client's certificate, and a name is no text
            secured = None
        self._shakes_hands = False
        if secured is None:
            # asyncio tells the protocol nothing of a connection that is lost during the handshake
            self._why = "tls"
            transport.abort()
            self.connection_lost(None)
            raise Interruption("tls")
        self._speak_by(secured)
        self._forget()

    def _forget(self) -> None:
        self._tls = True
        self._helo, self._extended, self._authenticated, self._session_view = "", False, False, None
        self._delegate, self._without_mail = None, None
        self._recognize()

    # Odds and ends

    def smtp_NOOP(self, arg: str) -> None:  # noqa: ARG002, N802 - RFC 5321: an argument is ignored
        """Do nothing."""
        self._leads_nowhere()
        self._answer(replies.OK)

    def smtp_RSET(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Give up the transaction."""
        self._leads_nowhere()
        if arg:
            self._answer(replies.NO_ARGUMENT)
            return
        self._without_mail = None
        self._abandon_transaction()
        self._answer(replies.OK)

    def smtp_VRFY(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Tell nothing about anybody (RFC 5321 section 7.3)."""
        self._leads_nowhere()
        self._answer(replies.CANNOT_VERIFY if arg else replies.NEED_ARGUMENT)

    def smtp_HELP(self, arg: str) -> None:  # noqa: ARG002, N802 - aiosmtpd's name
        """Point to the standard."""
        self._leads_nowhere()
        self._answer(replies.HELP)

    def smtp_EXPN(self, arg: str) -> None:  # type: ignore[override]  # noqa: ARG002, N802 - theirs is awaited
        """Expand no list."""
        self._answer(replies.NOT_OFFERED)

    def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Part."""
        if arg:
            self._answer(replies.NO_ARGUMENT)
            return
        self._say(replies.BYE)
        self._end(_QUIT)


def _words(line: bytes) -> tuple[str, str] | None:
    """Read a line as verb, in upper case, and argument; None if it has octets that no command may have."""
    command = _COMMAND.fullmatch(line)
    if command is None:
        return None
    text = command[1].decode("latin-1").rstrip(" ")
    verb, _, argument = text.partition(" ")
    verb = verb.upper()
    return (verb, argument) if text.isascii() or verb in _EIGHT_BIT_VERBS else None


@lru_cache(_LINES)
def _remembered(line: bytes) -> tuple[str, "Command", str]:
    """
    Read a line as verb, what obeys it, and argument.

    Raises:
        LookupError: It is no command, or AUTH, of which nothing is remembered.
    """
    verb, argument = _words(line) or ("", "")
    if verb == "AUTH":
        raise LookupError
    return verb, COMMANDS[verb], argument


@lru_cache(maxsize=64)
def _announced(hostname: str, octets: int, recipients: int, offers_tls: bool, mechanisms: tuple[str, ...]) -> bytes:  # noqa: FBT001 - keys of a memory
    """Write the reply to EHLO, of which there are few."""
    lines = [
        hostname,
        "PIPELINING",
        f"SIZE {octets}",
        "8BITMIME",
        "ENHANCEDSTATUSCODES",
        f"LIMITS RCPTMAX={recipients}",
    ]
    if offers_tls:
        lines.append("STARTTLS")
    if mechanisms:
        lines.append("AUTH " + " ".join(mechanisms))
    return "".join([f"250-{line}\r\n" for line in lines[:-1]] + [f"250 {lines[-1]}\r\n"]).encode("ascii")


@lru_cache(maxsize=256)
def _fit_for_received(name: str) -> str:
    """Leave of a client's name what a Received field may hold of it."""
    return _UNFIT_FOR_RECEIVED.sub("", name) or "unknown"


def spoken_by(hostname: str) -> type[Dialogue]:
    """Return the class of the connections of one door in this event loop, with what they have in common."""
    return type("Dialogue", (Dialogue,), prototype(hostname, asyncio.get_running_loop()))


Command = Callable[[Any, str], None]

#: The verbs that are obeyed. Looked up here and not by reflection: no method becomes a command by its name alone.
COMMANDS: Final[dict[str, Command]] = {
    "AUTH": Dialogue.smtp_AUTH,
    "DATA": Dialogue.smtp_DATA,
    "EHLO": Dialogue.smtp_EHLO,
    "EXPN": Dialogue.smtp_EXPN,
    "HELO": Dialogue.smtp_HELO,
    "HELP": Dialogue.smtp_HELP,
    "MAIL": Dialogue.smtp_MAIL,
    "NOOP": Dialogue.smtp_NOOP,
    "QUIT": Dialogue.smtp_QUIT,
    "RCPT": Dialogue.smtp_RCPT,
    "RSET": Dialogue.smtp_RSET,
    "STARTTLS": Dialogue.smtp_STARTTLS,
    "VRFY": Dialogue.smtp_VRFY,
}
