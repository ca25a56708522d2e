"""When a repair is not made: what is signed stays as it was signed."""

from typing import Final

from relay.mail.fields import Section

#: By these words, in lower case, the signatures of S/MIME, PGP, DKIM and ARC begin.
_SIGNS: Final = (
    b"multipart/signed",
    b"application/pkcs7-",
    b"application/x-pkcs7-",
    b"application/pgp-",
    b"-----begin pgp ",
    b"-signature:",
    b"arc-seal:",
)
SIGNED: Final = "the message is signed, and the signature would not hold"


class Withheld(Exception):
    """A repair that a message needs is not made. Never leaves this room: ``repair`` returns ``why``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def check_unsigned(raw: bytes) -> None:
    """
    Look through the whole of *raw* for the words by which a signature begins, also one inside an attached message.

    The words are enough: to take a text about signatures for a signed one costs no more than a repair.

    Raises:
        Withheld: There is one.
    """
    lowered = raw.lower()
    if any(sign in lowered for sign in _SIGNS):
        raise Withheld(SIGNED)


def check_unsigned_fields(section: Section) -> None:
    """
    Look for signatures that cover the fields of *section* (RFC 6376, RFC 8617).

    Raises:
        Withheld: There is one.
    """
    if any(name.endswith(b"-signature") or name == b"arc-seal" for name in section.names):
        raise Withheld(SIGNED)
