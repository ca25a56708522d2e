"""When a repair is not made: what is signed stays as it was signed."""

import re
from typing import Final

from relay.mail.fields import Section

_SIGNED_PART = re.compile(
    rb"(?i)multipart/signed|application/(?:x-)?pkcs7-|application/pgp-|-----BEGIN PGP "
    rb"|^(?:[a-z0-9-]{1,60}-signature|arc-seal)[ \t]*:",
    re.MULTILINE,
)
SIGNED: Final = "the message is signed, and the signature would not hold"


class Withheld(Exception):
    """A repair that a message needs is not made. Never leaves this room: ``repair`` returns ``why``."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def check_unsigned(raw: bytes) -> None:
    """
    Look through the whole of *raw* for a signature by DKIM, ARC, S/MIME or PGP, or the words by which one begins.

    Words alone are enough: taking a text about signatures for a signed one costs no more than a repair.

    Raises:
        Withheld: There is one.
    """
    if _SIGNED_PART.search(raw):
        raise Withheld(SIGNED)


def check_unsigned_fields(section: Section) -> None:
    """
    Look for signatures that cover the fields of *section* (RFC 6376, RFC 8617).

    Raises:
        Withheld: There is one.
    """
    if any(name.endswith(b"-signature") or name == b"arc-seal" for _, name, _ in section.fields):
        raise Withheld(SIGNED)
