"""
One answer of HTTP/1.1, read as its octets come, strictly: what two readers could read in two ways is no answer.

Refused are, some of it beyond RFC 9112: folded fields, lone CR and LF, Content-Length twice or beside
Transfer-Encoding, codings other than chunked, long heads. Interim answers (1xx) are passed over.
"""

import re
from typing import Final

from relay.sending.documents import LONGEST_DOCUMENT
from relay.words.patterns import on_demand
from relay.words.values import dataclass

#: Octets of an answer's head, those of interim answers and trailers included; AWS's are below 1 KiB.
LONGEST_HEAD: Final = 16 * 1024
#: Octets of a line among chunks.
LONGEST_LINE: Final = 1024

_HEAD_END: Final = b"\r\n\r\n"
_TEXT: Final = rb"[\t -~\x80-\xff]*+"
_FIELD: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:" + _TEXT + rb"\r\n"
_HEAD: Final = on_demand(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: " + _TEXT + rb")?\r\n((?>(?:" + _FIELD + rb")*))\r\n")
#: An answer as SES gives it to nearly all mail, in one look; of what is looked at each stands in it once, and nothing
#: else can. Any other is read field by field, and comes to the same.
_OTHERS: Final = rb"(?>(?:(?:Content-Type|Server|x-amzn-RequestId):" + _TEXT + rb"\r\n)*)"
_DATE: Final = rb"(?>(?:Date:(" + _TEXT + rb")\r\n" + _OTHERS + rb")?)"
_ORDINARY: Final = re.compile(
    rb"HTTP/1\.1 200 OK\r\n%b%bContent-Length: ([0-9]{1,4})\r\n%b%b(?>(?:Connection: keep-alive\r\n%b)?)\r\n"
    % (_OTHERS, _DATE, _OTHERS, _DATE, _OTHERS)
)
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")
_CHUNK_LINE: Final = on_demand(rb"([0-9A-Fa-f]{1,8})(?:[\t ]*;" + _TEXT + rb")?\r\n")
_CHUNK_END: Final = re.compile(rb"\r\n")
_TRAILER: Final = on_demand(rb"(?:" + _FIELD + rb"|\r\n)")
#: The fields that are looked at, in lower case.
_LOOKED_AT: Final = frozenset({b"connection", b"content-length", b"date", b"transfer-encoding", b"x-amzn-errortype"})
_SWITCHING: Final = 101
_FINAL: Final = 200
_WITHOUT_BODY: Final = (204, 304)


class MalformedError(ConnectionError):
    """What came is no answer of HTTP/1.1."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What came back. ``body`` is empty when it did not come whole, or was longer than any answer of AWS; ``error`` is the
    kind of error that a header names, where AWS answers in JSON.
    """

    status: int
    body: bytes
    date: str
    error: str = ""


class AnswerReader:
    """
    Reads one answer to a POST.

    ``answer`` is set as soon as there is one; ``keeps`` tells whether the connection may then carry another request.
    """

    # What it begins with; an ordinary answer changes none of it but the first two.
    answer: Answer | None = None
    keeps = False
    _octets = b""
    _at = 0  # what comes before was read
    _seen = 0  # octets of heads and trailers
    _status = 0
    _left = 0  # octets of the body, or of a chunk of it, that have not come
    _size = 0
    _fields: dict[bytes, bytes]
    _body: list[bytes]

    def __init__(self) -> None:
        self._read = AnswerReader._head  # reads one element if it is there, and tells whether it was

    def feed(self, octets: bytes) -> None:
        """
        Take what came; nothing more once ``answer`` is set.

        Raises:
            MalformedError: The head is none: nothing is known then. A body that is none leaves the status alone.
        """
        if not self._octets and self._ordinary(octets):
            return
        self._octets = self._octets[self._at :] + octets if self._octets else octets
        self._at = 0
        while self.answer is None and self._read(self):
            pass

    def end(self, *, is_clean: bool) -> None:
        """Take the end of the connection: a body without a length ends there, any other is cut short."""
        if self.answer is None and self._status:
            self._conclude(has_body=is_clean and self._read is AnswerReader._until_the_end)

    def _ordinary(self, octets: bytes) -> bool:
        """Read an answer that is as nearly all are, and has come whole; tell whether it was one."""
        head = _ORDINARY.match(octets) if len(octets) <= LONGEST_HEAD else None
        if head is None:
            return False
        earlier, size, later = head.groups()
        start, date = head.end(), later if earlier is None else earlier
        if len(octets) != start + int(size) or (earlier is not None and later is not None):
            return False
        told = "" if date is None else date.strip(b" \t").decode("latin-1")
        self.answer, self.keeps = Answer(200, octets[start:], told), True
        return True

    def _head(self) -> bool:
        found = self._octets.find(_HEAD_END, self._at)
        end = len(self._octets) if found < 0 else found + len(_HEAD_END)
        if self._seen + end - self._at > LONGEST_HEAD:
            raise MalformedError(f"a head of more than {LONGEST_HEAD} octets")
        if found < 0:
            return False
        head = _HEAD.fullmatch(self._octets, self._at, end)
        if head is None:
            raise MalformedError("no head of an answer of HTTP/1.1")
        self._seen, self._at = self._seen + end - self._at, end
        status = int(head[2])
        if status == _SWITCHING:
            raise MalformedError("another protocol, for which nobody asked")
        if status >= _FINAL:
            self._status, self._fields = status, _fields(head[3])
            is_modern = head[1] == b"1"
            self.keeps = is_modern and self._fields.get(b"connection", b"keep-alive").lower() == b"keep-alive"
            self._begin_body(is_modern=is_modern)
        return True

    def _begin_body(self, *, is_modern: bool) -> None:
        """Find out where the body ends (RFC 9112 section 6.3)."""
        self._body = []
        length, coding = self._fields.get(b"content-length"), self._fields.get(b"transfer-encoding")
        if coding is not None:
            if length is not None or coding.lower() != b"chunked" or not is_modern:
                raise MalformedError("a body whose end could be read in two ways")
            self._read = AnswerReader._chunk_line
        elif length is not None:
            if not _LENGTH.fullmatch(length):
                raise MalformedError("a length that is no number")
            self._left = int(length)
            self._read = AnswerReader._sized
        else:
            self._read = AnswerReader._until_the_end
        if self._status in _WITHOUT_BODY:
            self.keeps = self.keeps and self._left == 0
            self._conclude(has_body=False)
        elif self._left > LONGEST_DOCUMENT:
            self._give_up()

    def _sized(self) -> bool:
        self._take(self._left)
        if not self._left:
            self._conclude()
        return not self._left

    def _until_the_end(self) -> bool:
        self.keeps = False
        self._take(LONGEST_DOCUMENT + 1)
        if self._size > LONGEST_DOCUMENT:
            self._give_up()
        return False

    def _chunk_line(self) -> bool:
        line = self._line(_CHUNK_LINE)
        if line is not None:
            self._left = int(line[1], 16)
            self._read = AnswerReader._chunk if self._left else AnswerReader._trailer
            if self._size + self._left > LONGEST_DOCUMENT:
                self._give_up()
        return line is not None

    def _chunk(self) -> bool:
        self._take(self._left)
        if not self._left:
            self._read = AnswerReader._chunk_end
        return not self._left

    def _chunk_end(self) -> bool:
        line = self._line(_CHUNK_END)
        if line is not None:
            self._read = AnswerReader._chunk_line
        return line is not None

    def _trailer(self) -> bool:
        """Pass over a field behind the last chunk; an empty line is the end."""
        line = self._line(_TRAILER)
        if line is not None and line[0] == b"\r\n":
            self._conclude()
        return line is not None

    def _line(self, form: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Read a line among the chunks; None when it has not come, or is of another *form*: that ends the answer."""
        end = self._octets.find(b"\n", self._at, self._at + LONGEST_LINE) + 1
        line = form.fullmatch(self._octets, self._at, end) if end else None
        self._seen += max(0, end - self._at) if form is _TRAILER else 0
        if self._seen > LONGEST_HEAD or (line is None and (end or len(self._octets) - self._at >= LONGEST_LINE)):
            self._give_up()
            return None
        self._at = end or self._at
        return line

    def _take(self, octets: int) -> None:
        """Keep up to so many octets of the body."""
        piece = self._octets[self._at : self._at + octets]
        self._body.append(piece)
        self._at += len(piece)
        self._size += len(piece)
        self._left -= len(piece)

    def _give_up(self) -> None:
        """Keep the status alone: the body is none, or longer than any that is read."""
        self.keeps = False
        self._conclude(has_body=False)

    def _conclude(self, *, has_body: bool = True) -> None:
        """End here. What came beyond an answer nobody asked for: its connection is not used again."""
        self.keeps = self.keeps and self._at == len(self._octets)
        date, error = (self._fields.get(name, b"").decode("latin-1") for name in (b"date", b"x-amzn-errortype"))
        self.answer = Answer(self._status, b"".join(self._body) if has_body else b"", date, error)


def _fields(lines: bytes) -> dict[bytes, bytes]:
    """Return the fields that are looked at; of those that stand twice the values joined (RFC 9110 section 5.3)."""
    fields: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _LOOKED_AT:
            value = value.strip(b" \t")
            fields[name] = b"%b, %b" % (fields[name], value) if name in fields else value
    return fields
