"""Rule P10: the body is opaque, but its MIME structure has bounds, and message/partial is refused."""

import re
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from relay.mail.fields import unfolded
from relay.mail.problems import Broken, broken_bound, broken_form
from relay.mail.profile import Profile

_PARAMETER = re.compile(rb'(?i);\s*boundary\s*=\s*(?:"((?>(?:[^"\\]|\\.)*))"|([^\s;"]+))')
_PARAMETERS = re.compile(rb';\s*([^\s;="]+)\s*=\s*(?:"((?>(?:[^"\\]|\\.)*))"|([^\s;"]+))')
#: A boundary in sections, or with a charset, percent-encoded (RFC 2231).
_SECTION = re.compile(rb"boundary\*([0-9]{0,3})\*?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_QUOTED_PAIR = re.compile(rb"\\(.)")
_COMMENT = re.compile(rb"\([^()]*+\)")
_CONTENT_TYPE = re.compile(rb"\r\ncontent-type[ \t]*+:([^\r]*+(?>(?:\r\n[ \t][^\r]*+)*))")

_STRUCTURED = (b"multipart/", b"message/")

#: A part's own header is looked at so far, in octets; it may say so often what it is.
_PART_HEADER, _TYPES = 16384, 8
#: Lines that begin with a boundary and go on, as ``--b`` and ``--b1``: so many are no accident.
_NEAR_MISSES = 5000
#: The structure may make us look at each octet so many times; what is small may be looked at anyway.
_LOOKS, _SMALL = 16, 1 << 22


class ContentType(NamedTuple):
    """What a Content-Type field says that matters here: ``kind`` lower-cased, ``boundary`` empty when there is none."""

    kind: bytes
    boundary: bytes


_UNTYPED, _LETTER = ContentType(b"", b""), ContentType(b"message/rfc822", b"")


class _Open:
    """A multipart whose end has not been seen, or a message in a message (without delimiter)."""

    __slots__ = ("after", "at", "closing", "delimiter", "kind")

    def __init__(self, kind: bytes, delimiter: bytes) -> None:
        self.kind = kind
        self.delimiter = delimiter
        self.at = -1  # where its next delimiter line begins (at the CRLF before it), -1 when there is no more
        self.after = -1  # where that line ends (at the CRLF after it)
        self.closing = False  # whether that line is the last, "--boundary--"


def check_mime(raw: bytes, body_start: int, field: bytes | None, profile: Profile) -> None:
    """
    Bound the parts and the depth of a body whose Content-Type field has the value *field*.

    Looks for delimiter lines of the boundaries that are open, nothing else: linear in the size, never recursive. A
    boundary that never comes, or has no end, is the recipient's matter.

    Raises:
        Broken: 550 5.7.1 for message/partial (RFC 2046 section 5.2.2: reassembled, it is a message nobody judged),
            554 5.6.0 beyond a bound.
    """
    if field is not None and has_parts(found := content_type(field)):
        _Outline(raw, profile).read(found, body_start)


def has_parts(entered: ContentType) -> bool:
    """Whether a body of this type has a structure."""
    return entered.kind.startswith(_STRUCTURED)


@lru_cache(maxsize=64)
def content_type(value: bytes) -> ContentType:
    """
    Read a Content-Type field's value, comments dropped (RFC 2045 section 5.1).

    Remembered: it is asked for twice, and most parts are of a few types.
    """
    before, _, _ = (_without_comments(value) if b"(" in value else value).partition(b";")
    kind = b"".join(before.split()).lower()
    if not kind.startswith(b"multipart/"):
        return ContentType(kind, b"")
    text = unfolded(value)
    found = _PARAMETER.search(text)
    if found is None:
        boundary = _odd_boundary(_without_comments(text))
    elif text.count(b";") > 1 and text.lower().count(b"boundary") > 1:
        boundary = _odd_boundary(text)
    else:
        boundary = found[2] or _QUOTED_PAIR.sub(rb"\1", found[1] or b"")
    return ContentType(kind, boundary.rstrip())


def _odd_boundary(text: bytes) -> bytes:
    """Read a boundary of an unusual spelling: by RFC 2231, or behind a quoted string that holds what looks like one."""
    found = reversed(_PARAMETERS.findall(text))  # of two that are alike the first counts
    values = {name.lower(): bare or _QUOTED_PAIR.sub(rb"\1", quoted) for name, quoted, bare in found}
    if b"boundary" in values:
        return values[b"boundary"]
    named = [(section, value) for name, value in values.items() if (section := _SECTION.fullmatch(name))]
    sections = sorted((int(section[1] or 0), _section(section[0], value)) for section, value in named)
    return b"".join(value for _, value in sections)


def _section(name: bytes, value: bytes) -> bytes:
    if not name.endswith(b"*"):
        return value
    return _PERCENT.sub(lambda octet: bytes.fromhex(octet[1].decode()), value.rpartition(b"'")[2])


def _without_comments(value: bytes) -> bytes:
    for _ in range(8):  # comments nest; so deep is enough
        value, count = _COMMENT.subn(b"", value)
        if not count:
            break
    return value


class _Outline:
    """One walk over a body from delimiter to delimiter."""

    def __init__(self, raw: bytes, profile: Profile) -> None:
        self._raw = raw
        self._profile = profile
        self._open: list[_Open] = []
        self._parts = 0
        self._near_misses = 0
        self._looks = max(_LOOKS * len(raw), _SMALL)

    def read(self, outer: ContentType, start: int) -> None:
        """Walk the body that begins at *start*, of the type *outer*."""
        self._enter(outer, start)
        while (level := self._nearest()) is not None:
            entry = self._open[level]
            after = entry.after
            if entry.closing:
                del self._open[level:]
                self._advance(after)
            else:
                del self._open[level + 1 :]
                self._part(after, _LETTER if entry.kind == b"multipart/digest" else _UNTYPED)

    def _part(self, start: int, default: ContentType) -> None:
        """Begin a part; *start* is the CRLF before its header."""
        self._parts += 1
        if self._parts > self._profile.mime_parts:
            raise broken_bound(
                "P10", f"The message has more than {self._profile.mime_parts} MIME parts, which SES refuses: send fewer"
            )
        self._advance(start)
        self._enter(*self._header(start, default))

    def _enter(self, entered: ContentType, start: int) -> None:
        """Open what begins at *start*; the CRLF before it may begin the first delimiter (RFC 2046 section 5.1.1)."""
        while start >= 0:
            _check_partial(entered.kind)
            if entered.kind in (b"message/rfc822", b"message/global"):
                self._push(_Open(entered.kind, b""), start)
                entered, start = self._header(start - 2, _UNTYPED)
                continue
            if entered.kind.startswith(b"multipart/") and entered.boundary:
                self._push(_Open(entered.kind, b"\r\n--" + entered.boundary), start)
            return

    def _header(self, start: int, default: ContentType) -> tuple[ContentType, int]:
        """Read the header of a part or of an enclosed message: its type, and where its body begins (-1 nowhere)."""
        limit = min(self._next_delimiter(), start + _PART_HEADER)
        end = self._raw.find(b"\r\n\r\n", start, limit + 2)
        header = self._raw[start : limit if end < 0 else end]
        spans = [match.span(1) for match in islice(_CONTENT_TYPE.finditer(header.lower()), _TYPES + 1)]
        types = [content_type(header[first:last]) for first, last in spans[:_TYPES]] or [default]
        for each in types:
            _check_partial(each.kind)
        if len(spans) > _TYPES or (len(spans) > 1 and any(map(has_parts, types))):
            raise broken_bound(
                "P10", "A MIME part has many Content-Type fields: send one, mail programs choose differently"
            )
        return types[0], -1 if end < 0 else end + 4

    def _push(self, entry: _Open, start: int) -> None:
        if len(self._open) >= self._profile.mime_depth:
            raise self._too_deep()
        if len(entry.delimiter) - 4 > self._profile.boundary:
            raise broken_bound(
                "P10",
                f"A MIME boundary has more than {self._profile.boundary} octets: choose a shorter one "
                "(RFC 2046 section 5.1.1)",
            )
        if entry.delimiter:
            self._find(entry, start - 2, self._next_delimiter())
        self._open.append(entry)

    def _nearest(self) -> int | None:
        """Return the level whose delimiter comes next, the innermost of equals; None when there is none."""
        found: int | None = None
        for level, entry in enumerate(self._open):
            if entry.at >= 0 and (found is None or entry.at <= self._open[found].at):
                found = level
        return found

    def _next_delimiter(self) -> int:
        """Where the next delimiter line of any open multipart begins: what is inside ends there."""
        nearest = len(self._raw)
        for entry in self._open:
            if 0 <= entry.at < nearest:
                nearest = entry.at
        return nearest

    def _advance(self, position: int) -> None:
        """Find anew the delimiters that lie before *position*; what is inside ends where the outer goes on."""
        limit = len(self._raw)
        for entry in self._open:
            if 0 <= entry.at < position:
                self._find(entry, position, limit)
            if entry.at >= 0:
                limit = min(limit, entry.at)

    def _find(self, entry: _Open, start: int, end: int) -> None:
        """Find the first whole delimiter line of *entry* that begins in ``start .. end``, both included."""
        # Included: the delimiter of an outer multipart is the inner one's where both have the same boundary.
        end = min(end + len(entry.delimiter), len(self._raw))
        while True:
            entry.at = self._raw.find(entry.delimiter, start, end)
            self._looks -= (end if entry.at < 0 else entry.at) - start
            if self._looks < 0:
                raise self._too_deep()
            if entry.at < 0:
                return
            start = entry.at + len(entry.delimiter)
            line_end = self._raw.find(b"\r\n", start, start + 1000)
            entry.after = len(self._raw) if line_end < 0 else line_end
            tail = self._raw[start : entry.after].rstrip(b" \t")
            if tail in (b"", b"--"):
                entry.closing = tail == b"--"
                return
            self._near_misses += 1
            if self._near_misses > _NEAR_MISSES:
                raise broken_bound("P10", "Too many lines begin with a MIME boundary: choose one not in the text")

    def _too_deep(self) -> Broken:
        return broken_bound(
            "P10",
            f"The MIME parts are nested more than {self._profile.mime_depth} levels deep: send forwarded mail side by "
            "side",
        )


def _check_partial(kind: bytes) -> None:
    if kind == b"message/partial":
        raise broken_form(
            "P10",
            "A message/partial is put together by the recipient, unjudged: send the message whole, or link to it",
            status=(5, 7, 1),
        )
