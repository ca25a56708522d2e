"""Encoded-words of display names (RFC 2047), decoded strictly: what one reader could decode otherwise is refused."""

import binascii
import re
from typing import Final

from relay.mail.problems import broken_form

#: Charsets that every mail program decodes alike. UTF-7 and the stateful ones can hide ``<`` and ``@``.
CHARSETS: Final = {
    "utf-8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "cp1252",
}

_ENCODED_WORD = re.compile(r"=\?([A-Za-z0-9_-]+)\?([BbQq])\?([!->@-~]+)\?=")
_Q_TEXT = re.compile(r"(?:[!-<>@-~]|=[0-9A-Fa-f]{2})+")
_FIX: Final = "encode the display name by RFC 2047 as utf-8, one complete word after another, or write it in ASCII"


def is_marked(word: str) -> bool:
    """Whether *word* holds ``=?``, by which software recognises an encoded-word."""
    return "=?" in word


def decode_word(word: str, field: str) -> str:
    """
    Decode one encoded-word that stands alone.

    Args:
        word: Printable ASCII without blanks, with ``=?`` somewhere.
        field: Name of the field, for the refusal.

    Raises:
        Broken: 550 5.6.0: no whole encoded-word, charset not allowed, or not decodable to the last octet.
    """
    match = _ENCODED_WORD.fullmatch(word)
    if not match:
        raise broken_form("P4", f"{field} holds '=?' that begins no complete encoded-word: {_FIX}")
    charset, encoding, text = match.groups()
    codec = CHARSETS.get(charset.lower())
    if codec is None:
        raise broken_form("P4", f"{field} has an encoded-word in a charset that mail programs read differently: {_FIX}")
    try:
        return (_b(text) if encoding in "Bb" else _q(text)).decode(codec)
    except ValueError:
        raise broken_form(
            "P4", f"{field} has an encoded-word that does not decode in its own charset: {_FIX}"
        ) from None


def _b(text: str) -> bytes:
    decoded = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    if binascii.b2a_base64(decoded, newline=False).decode("ascii") != text:
        raise ValueError("a padding too many, or bits that say nothing: not all decoders take them")
    return decoded


def _q(text: str) -> bytes:
    if not _Q_TEXT.fullmatch(text):
        raise ValueError("not the Q encoding")
    return binascii.a2b_qp(text.encode("ascii"), header=True)
