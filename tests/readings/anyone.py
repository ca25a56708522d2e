"""
A reader without rules: all that any lenient program was ever seen to take for a field or an address, taken at once.

Lines end at CR, LF, NUL, VT, FF, the separators 1C to 1E, and Unicode's NEL, LS and PS; a byte order mark, blanks and
controls around a name do not count, nor does its case or its width; a line without colon neither ends the section nor
hides a field. Of a From field: whatever looks like an address in the text as written, decoded, unquoted, without
comments, after a route, in compatibility form, without invisible characters.
"""

import re
import unicodedata
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header

from tests.readings.sight import Field, Sight, sight_of

_LINE_END = re.compile("\r\r\n|\r\n|[\r\n\0\v\f\x1c-\x1e\x85\u2028\u2029]")
_ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[BbQq]\?[^?]*\?=")
_COMMENT = re.compile(r"\([^()]*\)")
_TOKEN = re.compile(r"[^\s<>(),:;\"\[\]\\]+@[^\s<>(),:;\"\[\]\\]+")
_ANGLES = re.compile(r"<([^<>]*)>")


def anyone(raw: bytes) -> Sight:
    """See everything. ``authors`` is sorted, each address once."""
    sight = sight_of(_fields(raw), _addresses)
    return Sight(
        tuple(sorted(set(sight.authors))),
        tuple(sorted(set(sight.beside))),
        sight.return_paths,
        sight.steering,
        sight.bcc,
    )


def _fields(raw: bytes) -> Iterator[Field]:
    field: list[str] = []
    for line in [*_LINE_END.split(raw.decode("utf-8", "surrogateescape")), ""]:
        if line[:1].isspace() and field:
            field.append(line)
            continue
        if field:
            yield from _field(" ".join(field))
        if not line:
            return
        field = [line]


def _field(text: str) -> Iterator[Field]:
    name, colon, value = text.partition(":")
    if colon:
        plain = "".join(char for char in unicodedata.normalize("NFKC", name) if "!" <= char <= "~")
        yield plain, value


def _addresses(value: str) -> Iterator[str]:
    for text in _forms(value):
        yield from _TOKEN.findall(text)
        yield from (inner.rpartition(":")[2].strip() for inner in _ANGLES.findall(text) if "@" in inner)


def _forms(value: str) -> Iterator[str]:
    decoded = _ENCODED_WORD.sub(_decoded, value)
    for text in (value, decoded, re.sub(r"\?=\s+=\?", "?==?", value)):
        visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
        compatible = unicodedata.normalize("NFKC", visible)
        unquoted = re.sub(r"\\(.)", r"\1", text)
        bare = text
        while _COMMENT.search(bare):
            bare = _COMMENT.sub("", bare)
        plain = unquoted.replace('"', "")
        yield from (text, visible, compatible, unquoted, plain, bare, _ENCODED_WORD.sub(_decoded, unquoted))


def _decoded(word: re.Match[str]) -> str:
    try:
        parts = decode_header(word[0])
        return "".join(
            text if isinstance(text, str) else text.decode(charset or "ascii", "replace") for text, charset in parts
        )
    except (HeaderParseError, LookupError, ValueError):
        return word[0]
