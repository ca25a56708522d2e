"""What the street door says of its own accord. Nothing here repeats a client's octets."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from relay.smtp.content import Fault
from relay.words.endings import Reason
from relay.words.replies import Reply

#: A reply line is at most 512 octets with CRLF (RFC 5321 section 4.5.3.1.5); longer texts are folded.
_LINE: Final = 500

OK: Final = Reply(250, (2, 0, 0), "Ok")
BYE: Final = Reply(221, (2, 0, 0), "Bye")
HELP: Final = Reply(214, (2, 0, 0), "RFC 5321; ask the operator of this relay")
CANNOT_VERIFY: Final = Reply(252, (2, 5, 0), "Cannot VRFY user, but will accept message and attempt delivery")
SENDER_OK: Final = Reply(250, (2, 1, 0), "Sender ok")
RECIPIENT_OK: Final = Reply(250, (2, 1, 5), "Recipient ok")
START_DATA: Final = Reply(354, None, "End data with <CR><LF>.<CR><LF>")
START_TLS: Final = Reply(220, (2, 0, 0), "Ready to start TLS")
AUTHENTICATED: Final = Reply(235, (2, 7, 0), "Authentication successful")

SHUTTING_DOWN: Final = Reply(421, (4, 3, 2), "Shutting down, try again")
TOO_BUSY: Final = Reply(421, (4, 3, 2), "Too many connections, try again later")
TOO_MANY_FROM_YOU: Final = Reply(421, (4, 7, 0), "Too many connections from your address")
TOO_SLOW: Final = Reply(421, (4, 4, 2), "Timeout, closing the connection")
TOO_OLD: Final = Reply(421, (4, 4, 2), "Connection open for too long, open another")
TOO_MANY_ERRORS: Final = Reply(421, (4, 7, 0), "Too many errors, goodbye")
TOO_MUCH_JUNK: Final = Reply(421, (4, 7, 0), "Too many commands without a message, goodbye")
TOO_MANY_FAILURES: Final = Reply(421, (4, 7, 0), "Too many failed authentications, goodbye")
NOT_SMTP: Final = Reply(521, (5, 5, 1), "This is SMTP, goodbye")
EARLY_TALKER: Final = Reply(554, (5, 5, 1), "You must wait for the greeting, goodbye")
OUT_OF_STEP: Final = Reply(554, (5, 5, 1), "You must wait for the reply to this command, goodbye")

LINE_TOO_LONG: Final = Reply(500, (5, 5, 2), "Line too long")
AUTH_TOO_LONG: Final = Reply(500, (5, 5, 6), "Authentication exchange line is too long")
BAD_OCTETS: Final = Reply(500, (5, 5, 2), "A command is one line of printable ASCII that ends in CRLF")
UNKNOWN_COMMAND: Final = Reply(500, (5, 5, 1), "Command unrecognized")
NOT_OFFERED: Final = Reply(502, (5, 5, 1), "Command not implemented")
NO_ARGUMENT: Final = Reply(501, (5, 5, 4), "This command takes no argument")
NEED_ARGUMENT: Final = Reply(501, (5, 5, 4), "This command needs an argument")
BAD_NAME: Final = Reply(501, (5, 5, 4), "Give your name, at most 255 octets")

NEED_EHLO: Final = Reply(503, (5, 5, 1), "Send EHLO first")
NEED_MAIL: Final = Reply(503, (5, 5, 1), "Send MAIL first")
NEED_RCPT: Final = Reply(503, (5, 5, 1), "Send RCPT first")
NO_VALID_RCPT: Final = Reply(554, (5, 5, 1), "No valid recipients")
LOST: Final = Reply(451, (4, 3, 0), "The transaction was lost to internal trouble, try again")
NESTED_MAIL: Final = Reply(503, (5, 5, 1), "A transaction is open: send RSET first")
IN_TRANSACTION: Final = Reply(503, (5, 5, 1), "Not during a mail transaction")
TLS_ALREADY: Final = Reply(503, (5, 5, 1), "TLS is active already")
AUTH_ALREADY: Final = Reply(503, (5, 5, 1), "Authenticated already")
NEED_TLS: Final = Reply(530, (5, 7, 0), "Must issue a STARTTLS command first")
NEED_AUTH: Final = Reply(530, (5, 7, 0), "Authentication required")
AUTH_NEEDS_TLS: Final = Reply(538, (5, 7, 11), "Encryption required for requested authentication mechanism")

AUTH_ARGUMENTS: Final = Reply(501, (5, 5, 4), "AUTH takes a mechanism and at most one initial response")
UNKNOWN_MECHANISM: Final = Reply(504, (5, 5, 4), "Unrecognized authentication mechanism; use PLAIN or LOGIN")
NO_CERTIFICATE: Final = Reply(504, (5, 5, 4), "EXTERNAL needs a TLS client certificate, and you have shown none")
AUTH_CANCELLED: Final = Reply(501, (5, 7, 0), "Authentication cancelled")
BAD_CREDENTIALS: Final = Reply(535, (5, 7, 8), "Authentication credentials invalid")
AUTH_UNAVAILABLE: Final = Reply(454, (4, 7, 0), "Temporary authentication failure")
AUTH_THROTTLED: Final = Reply(454, (4, 7, 0), "Too many failed authentications from your address, try again later")

TOO_BIG: Final = Reply(552, (5, 3, 4), "Message is too long")
NO_ROOM: Final = Reply(452, (4, 3, 1), "Too many messages at once, try again later")
BARE_OCTETS: Final = Reply(
    550,
    (5, 6, 11),
    "The message has a bare CR, a bare LF or a NUL: end every line with CRLF (SMTP smuggling, RFC 5321 section 2.3.8), "
    "or ask for the repair bare-lf where it is LF alone",
)


#: What is said, and counted, of octets that are no message.
OF_FAULT: Final[Mapping[Fault, tuple[Reply, Reason]]] = {
    Fault.TOO_BIG: (TOO_BIG, Reason.SIZE),
    Fault.BARE_OCTETS: (BARE_OCTETS, Reason.MESSAGE_FORM),
    Fault.NO_ROOM: (NO_ROOM, Reason.RATE),
}


@cache
def greeting(hostname: str) -> Reply:
    """Greet a client. *hostname* is ours."""
    return _lasting(Reply(220, None, f"{hostname} ESMTP"))


@cache
def named(hostname: str) -> Reply:
    """Answer HELO. *hostname* is ours."""
    return _lasting(Reply(250, None, hostname))


def too_many(most: int) -> Reply:
    """Refuse a message with more than *most* recipients, as a whole."""
    return Reply(550, (5, 5, 3), f"Too many recipients: at most {most} a message; send it in parts")


def too_many_now(most: int) -> Reply:
    """Refuse one recipient past *most*; those before it stand."""
    return Reply(452, (4, 5, 3), f"Too many recipients: at most {most} a message, send the rest in another")


def on_the_wire(reply: Reply) -> bytes:
    """Write a reply as it is sent; a text too long for one line continues on the next (RFC 5321 section 4.2.1)."""
    return WRITTEN.get(id(reply)) or _written(reply)


def _written(reply: Reply) -> bytes:
    status = f"{reply.status} " if reply.enhanced else ""
    if len(reply.text) <= _LINE:
        return f"{reply.code} {status}{reply.text}\r\n".encode("ascii")
    lines = _folded(reply.text)
    written = [f"{reply.code}-{status}{line}" for line in lines[:-1]] + [f"{reply.code} {status}{lines[-1]}"]
    return ("\r\n".join(written) + "\r\n").encode("ascii")


def _folded(text: str) -> list[str]:
    lines = []
    while len(text) > _LINE:
        blank = text.rfind(" ", 1, _LINE)
        cut = blank if blank > 0 else _LINE
        lines.append(text[:cut])
        text = text[cut:].removeprefix(" ")
    return [*lines, text]


def _lasting(reply: Reply) -> Reply:
    """Write *reply*, which lives as long as we do, once and for all."""
    WRITTEN[id(reply)] = _written(reply)
    return reply


#: Those above, written once; by identity, for they live as long as we do.
WRITTEN: Final = {id(reply): _written(reply) for reply in tuple(globals().values()) if isinstance(reply, Reply)}
