"""Repairs of lines: those that end in LF alone, and those that are longer than 998 octets."""

import base64
import binascii
import re
from typing import Final

from relay.mail.fields import Section, unfolded
from relay.mail.mime import content_type
from relay.mail.octets import check_lines
from relay.mail.problems import Broken
from relay.mail.profile import DEFAULT
from relay.mail.repairs_fields import MIME_VERSION, field_of, refolded, refolded_fields, section_of, written
from relay.mail.repairs_withheld import Withheld, check_unsigned

_BARE_LF = re.compile(rb"(?<!\r)\n")
_OTHER_BARE = re.compile(rb"\r(?!\n)|\0")
_HEAD_END = re.compile(rb"\n\r?\n")
#: A line of one dot with a bare LF before or behind it.
_LONE_DOT = re.compile(rb"(?<!\r)\n\.(?:\r?\n|\Z)|(?:\n|\A)\.\n")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_LONGEST: Final = DEFAULT.line_octets
_ENCODING: Final = b"content-transfer-encoding"
_NOT_ENCODED: Final = frozenset((b"", b"7bit", b"8bit", b"binary"))


def line_feeds_paired(raw: bytes) -> bytes:
    """
    End every line of *raw* that ends in LF alone with CRLF.

    Raises:
        Withheld: There is a bare CR or a NUL, too; the header section has line ends of both kinds, as one has into
            which a field was smuggled; a lone dot stands by a bare LF, as where a message is smuggled; or the message
            is signed.
    """
    if not _BARE_LF.search(raw):
        return raw
    if _OTHER_BARE.search(raw):
        raise Withheld("there is a bare CR or a NUL, too")
    end = _HEAD_END.search(raw)
    head = raw[: end.end()] if end else raw
    if b"\r\n" in head and _BARE_LF.search(head):
        raise Withheld("the header section has both LF and CRLF, as one has into which somebody wrote a field")
    if _LONE_DOT.search(raw):
        raise Withheld("a lone dot stands by a bare LF, as where one message is smuggled into another")
    check_unsigned(raw)
    return _BARE_LF.sub(b"\r\n", raw)


def lines_shortened(raw: bytes) -> bytes:
    """
    Fold header lines, and encode a body, that have lines of more than 998 octets.

    A text becomes quoted-printable, or base64 where that is shorter; a body of base64 in one line gets shorter lines.

    Raises:
        Withheld: The body has several parts, is encoded otherwise already, or what would change is signed.
    """
    section = section_of(raw)
    if section is None or not _is_long(raw, section):
        return raw
    fields = refolded(section)
    body = raw[section.body_start :]
    more: list[bytes] = []
    if _has_long_line(body):
        why = why_not_encoded(section)
        if why:
            raise Withheld(why)
        check_unsigned(raw)
        encoding, body = _encoded(body, _encoding_of(section))
        more = [] if _ENCODING in section.once else [field_of(b"Content-Transfer-Encoding", _ENCODING, encoding)[0]]
        more += [] if b"mime-version" in section.once else [MIME_VERSION]
        fields = [
            field_of(field[0][: len(_ENCODING)], _ENCODING, encoding) if field[1] == _ENCODING else field
            for field in fields
        ]
    return written(fields, b"".join((raw[: section.body_start], body)), section, *more)


def why_not_encoded(section: Section) -> str:
    """Say why the body behind *section* cannot be encoded anew; empty where it can."""
    kind = content_type(section.once.get(b"content-type", b"text/plain")).kind
    encoding = _encoding_of(section)
    if kind.startswith((b"multipart/", b"message/")):
        return "only a message of one part is encoded anew"
    if encoding == b"base64":
        return ""
    if not kind.startswith(b"text/"):
        return "only text is encoded anew"
    return "" if encoding in _NOT_ENCODED else "the text is encoded already, and has long lines all the same"


def shortening_helps(raw: bytes, section: Section) -> bool:
    """Whether no line would be too long after the repair."""
    too_long = any(len(line) > _LONGEST for whole, _, _ in refolded_fields(section) for line in whole.split(b"\r\n"))
    return not too_long and not (_has_long_line(raw[section.body_start :]) and why_not_encoded(section))


def _encoding_of(section: Section) -> bytes:
    return unfolded(section.once.get(_ENCODING, b"")).lower()


def _is_long(raw: bytes, section: Section) -> bool:
    try:
        check_lines(raw, _LONGEST, section.body_start)
    except Broken:
        return True
    return False


def _has_long_line(body: bytes) -> bool:
    return any(len(line) > _LONGEST for line in body.split(b"\r\n"))


def _encoded(body: bytes, encoding: bytes) -> tuple[bytes, bytes]:
    """Return the new encoding, and *body* in it."""
    if encoding == b"base64":
        letters = b"".join(body.split())
        if not _BASE64.fullmatch(letters):
            raise Withheld("the body is not the base64 that it says it is")
        lines = [letters[at : at + 76] for at in range(0, len(letters), 76)]
        return b"base64", b"".join(line + b"\r\n" for line in lines)
    quoted = binascii.b2a_qp(body, quotetabs=False, istext=True)
    coded = base64.encodebytes(body).replace(b"\n", b"\r\n")
    return (b"quoted-printable", quoted) if len(quoted) <= len(coded) else (b"base64", coded)
