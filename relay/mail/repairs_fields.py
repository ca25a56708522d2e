"""Repairs of header fields: names in raw UTF-8, lines beyond 998 octets, fields that are not there."""

from typing import Final

from relay.mail.fields import Field, Section, read_section, unfolded
from relay.mail.problems import Broken
from relay.mail.profile import DEFAULT, X_SES
from relay.mail.repairs_names import phrases_encoded, text_encoded
from relay.mail.repairs_withheld import Withheld, check_unsigned_fields
from relay.words.patterns import on_demand

#: Fields of mailboxes with names, and fields of plain text, that may hold raw UTF-8 by mistake.
_MAILBOXES: Final = frozenset(b"from sender reply-to to cc bcc resent-from resent-sender resent-to resent-cc".split())
_TEXTS: Final = frozenset(b"subject comments organization thread-topic".split())
#: What decides over the message is folded as its writer folded it.
_DECIDING: Final = frozenset(b"from sender return-path resent-from resent-sender".split())
_TYPING: Final = frozenset((b"content-type", b"content-transfer-encoding"))
MIME_VERSION: Final = b"MIME-Version: 1.0\r\n"
_LONGEST, _USUAL = DEFAULT.line_octets, 78
_WORD = on_demand(rb"[ \t]*[^ \t]+[ \t]*\Z|[ \t]*[^ \t]+")


def section_of(raw: bytes) -> Section | None:
    """Read the header section of *raw*; None where the strict reader finds none: it is not repaired but refused."""
    try:
        return read_section(raw, DEFAULT)
    except Broken:
        return None


def names_encoded(raw: bytes) -> bytes:
    """
    Write raw UTF-8 in display names, Subject and the like as encoded-words.

    Raises:
        Withheld: The header section is signed, or a field that names the author is 8-bit elsewhere than in a name.
    """
    section = section_of(raw)
    if section is None or raw.isascii() or section.octets.isascii():
        return raw
    fields = [field if field[0].isascii() else _encoded(field) for field in section.fields]
    if any(name in _DECIDING and not value.isascii() for _, name, value in fields):
        raise Withheld("only a display name in valid UTF-8, without encoded-words beside it, can be encoded")
    if fields == section.fields:
        return raw
    check_unsigned_fields(section)
    return written(fields, raw, section)


def refolded(section: Section) -> list[Field]:
    """
    Fold the lines of more than 998 octets in the fields of *section* at blanks, so that unfolding gives them back.

    Raises:
        Withheld: The header section is signed.
    """
    fields = refolded_fields(section)
    if fields != section.fields:
        check_unsigned_fields(section)
    return fields


def refolded_fields(section: Section) -> list[Field]:
    """Fold as :func:`refolded`, signed or not. What names an author or feedback address, or steers SES, stays."""
    return [_refolded(field) for field in section.fields]


def fields_added(raw: bytes, date: str, message_id: str) -> bytes:
    """
    Add Date and Message-ID where they are missing, and the fields that tell what an 8-bit body is.

    MIME-Version is added to the other MIME fields (RFC 2045 section 4); all three of text/plain in utf-8 where there is
    none of the other two and the body is UTF-8 beyond ASCII. From is never added.

    Raises:
        Withheld: The header section is signed: a signature may cover the absence of a field.
    """
    section = section_of(raw)
    if section is None:
        return raw
    is_typed = not _TYPING.isdisjoint(section.names)
    mime = [] if is_typed else _of_utf8(raw[section.body_start :])
    if (is_typed or mime) and b"mime-version" not in section.names:
        mime = [MIME_VERSION, *mime]
    usual = {b"date": f"Date: {date}\r\n", b"message-id": f"Message-ID: {message_id}\r\n"}
    added = [field.encode("ascii") for name, field in usual.items() if name not in section.names] + mime
    if not added:
        return raw
    check_unsigned_fields(section)
    return written(section.fields, raw, section, *added)


def written(fields: list[Field], raw: bytes, section: Section, *more: bytes) -> bytes:
    """Write a message of *fields*, *more* whole fields, and the body that *raw* has behind *section*."""
    return b"".join((*(whole for whole, _, _ in fields), *more, b"\r\n", memoryview(raw)[section.body_start :]))


def field_of(spelt: bytes, name: bytes, value: bytes) -> Field:
    """Write one field."""
    return b"".join((spelt, b": ", value, b"\r\n")), name, b" " + value


def _encoded(field: Field) -> Field:
    whole, name, value = field
    encode = phrases_encoded if name in _MAILBOXES else text_encoded if name in _TEXTS else None
    new = encode(unfolded(value)) if encode else None
    return field if new is None else _refolded(field_of(whole[: len(name)], name, new))  # it was unfolded


def _refolded(field: Field) -> Field:
    whole, name, _ = field
    if len(whole) <= _LONGEST or name in _DECIDING or name.startswith(X_SES):
        return field
    lines = whole[:-2].split(b"\r\n")
    if all(len(line) <= _LONGEST for line in lines):
        return field
    folded = b"\r\n".join(_folded(line) if len(line) > _LONGEST else line for line in lines) + b"\r\n"
    return folded, name, folded[len(name) + 1 : -2]


def _folded(line: bytes) -> bytes:
    """Begin a new line at a blank wherever the next word would pass the usual length."""
    lines = [b""]
    for word in _WORD.findall(line):
        if lines[-1] and len(lines[-1]) + len(word) > _USUAL:
            lines.append(word)
        else:
            lines[-1] += word
    return b"\r\n".join(lines)


def _of_utf8(body: bytes) -> list[bytes]:
    if body.isascii():
        return []
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return []
    return [b"Content-Type: text/plain; charset=utf-8\r\n", b"Content-Transfer-Encoding: 8bit\r\n"]
