"""Repairs of lines: those that end in LF alone, and those that are longer than 998 octets."""

import binascii
from typing import Final

from relay.mail.fields import Section, unfolded
from relay.mail.mime import content_type, has_parts
from relay.mail.octets import check_lines
from relay.mail.problems import Broken
from relay.mail.profile import DEFAULT
from relay.mail.repairs_fields import MIME_VERSION, field_of, refolded, refolded_fields, section_of, written
from relay.mail.repairs_withheld import Withheld, check_unsigned
from relay.words.patterns import on_demand

_HEAD_END = on_demand(rb"\n\r?\n")
_BASE64 = on_demand(rb"[A-Za-z0-9+/]*={0,2}")
#: Octets looked at in one go, in which no other thread runs; letters of base64 in a line (RFC 2045 section 6.8).
_WINDOW, _CODED = 1 << 18, 76
_LONGEST: Final = DEFAULT.line_octets
_ENCODING: Final = b"content-transfer-encoding"
_NOT_ENCODED: Final = frozenset((b"", b"7bit", b"8bit", b"binary"))


def line_feeds_paired(raw: bytes) -> bytes:
    """
    End every line of *raw* that ends in LF alone with CRLF.

    Where all lines but the last came with LF alone, and all that begin with a dot with two, the dots were doubled for
    the wire by software that took LF for the end of a line: one of two is taken away (RFC 5321 section 4.5.2).

    Raises:
        Withheld: There is a bare CR or a NUL, too; the header section has line ends of both kinds, as one has into
            which a field was smuggled; a line is a lone dot, as where a message is smuggled; the message is signed.
    """
    pairs = raw.count(b"\r\n")
    if raw.count(b"\n") == pairs:
        return raw
    if raw.count(b"\r") != pairs or b"\0" in raw:
        raise Withheld("there is a bare CR or a NUL, too")
    end = _HEAD_END.search(raw, 0, DEFAULT.header_bytes)
    if end is None:
        raise Withheld("no empty line ends the header section")
    head = raw[: end.end()]
    if b"\r\n" in head and head.count(b"\n") != head.count(b"\r\n"):
        raise Withheld("the header section has both LF and CRLF, as one has into which somebody wrote a field")
    lines = raw.translate(None, b"\r")
    if b"\n.\n" in lines or lines.startswith(b".\n") or lines.endswith(b"\n."):
        raise Withheld("a line is a lone dot, as where one message is smuggled into another")
    check_unsigned(raw)
    if b"\r\n" not in raw.rstrip(b"\r\n") and lines.count(b"\n.") == lines.count(b"\n.."):
        lines = lines.replace(b"\n..", b"\n.")
    return b"".join(lines[at : at + _WINDOW].replace(b"\n", b"\r\n") for at in range(0, len(lines), _WINDOW))


def lines_shortened(raw: bytes) -> bytes:
    """
    Fold header lines, and encode a body, that have lines of more than 998 octets.

    A text becomes quoted-printable, or base64 where that is shorter; a body of base64 in one line gets shorter lines.

    Raises:
        Withheld: The body has several parts, is encoded otherwise already, or what would change is signed.
    """
    section = section_of(raw)
    if section is None or not _is_long(raw):
        return raw
    fields = refolded(section)
    body = raw[section.body_start :]
    more: list[bytes] = []
    if _is_long(body):
        why = why_not_encoded(section)
        if why:
            raise Withheld(why)
        check_unsigned(raw)
        encoding, body = _encoded(body, _encoding_of(section))
        more = [] if _ENCODING in section.names else [field_of(b"Content-Transfer-Encoding", _ENCODING, encoding)[0]]
        more += [] if b"mime-version" in section.names else [MIME_VERSION]
        fields = [
            field_of(field[0][: len(_ENCODING)], _ENCODING, encoding) if field[1] == _ENCODING else field
            for field in fields
        ]
    return written(fields, b"".join((raw[: section.body_start], body)), section, *more)


def why_not_encoded(section: Section) -> str:
    """Say why the body behind *section* cannot be encoded anew; empty where it can."""
    field = section.value(b"content-type")
    entered = content_type(b"text/plain" if field is None else field)
    encoding = _encoding_of(section)
    if has_parts(entered):
        return "only a message of one part is encoded anew"
    if encoding == b"base64":
        return ""
    if not entered.kind.startswith(b"text/"):
        return "only text is encoded anew"
    return "" if encoding in _NOT_ENCODED else "the text is encoded already, and has long lines all the same"


def shortening_helps(raw: bytes, section: Section) -> bool:
    """Whether no line would be too long after the repair."""
    too_long = any(len(line) > _LONGEST for whole, _, _ in refolded_fields(section) for line in whole.split(b"\r\n"))
    return not too_long and not (_is_long(raw[section.body_start :]) and why_not_encoded(section))


def _encoding_of(section: Section) -> bytes:
    return unfolded(section.value(_ENCODING) or b"").lower()


def _is_long(octets: bytes) -> bool:
    try:
        check_lines(octets, _LONGEST, 0)
    except Broken:
        return True
    return False


def _encoded(body: bytes, encoding: bytes) -> tuple[bytes, bytes]:
    """Return the new encoding, and *body* in it."""
    if encoding == b"base64":
        letters = body.translate(None, b"\r\n")
        if not _BASE64.fullmatch(letters):
            raise Withheld("the body is not the base64 that it says it is")
        return b"base64", _in_lines(letters)
    quoted = _quoted_printable(body)
    if len(quoted) <= len(body) * 4 // 3 * 78 // 76:
        return b"quoted-printable", quoted
    return b"base64", _in_lines(binascii.b2a_base64(body, newline=False))


def _in_lines(letters: bytes) -> bytes:
    return b"".join(letters[at : at + _CODED] + b"\r\n" for at in range(0, len(letters), _CODED))


def _quoted_printable(body: bytes) -> bytes:
    """Encode *body* window by window; between two that part a line stands a soft line break (RFC 2045 section 6.7)."""
    pieces, start = [], 0
    while start < len(body):
        end = body.rfind(b"\r\n", start, start + _WINDOW) + 2
        ends_a_line = end > 1
        if not ends_a_line:
            end = min(start + _WINDOW, len(body))
            end -= body[end - 1 : end] == b"\r"
        piece = binascii.b2a_qp(body[start:end], quotetabs=False, istext=True)
        pieces.append(piece if ends_a_line else piece.replace(b"\n", b"\r\n"))
        if not ends_a_line and end < len(body):
            pieces.append(b"=\r\n")
        start = end
    return b"".join(pieces)
