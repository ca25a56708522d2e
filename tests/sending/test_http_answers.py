"""The reader of HTTP answers: strict, bounded, the same however the octets come, and as the stdlib reads them."""

import http.client
import io
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.sending.documents import LONGEST_DOCUMENT
from relay.sending.http_answers import LONGEST_HEAD, Answer, AnswerReader, MalformedError

SIZED = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 5\r\nx-amzn-ErrorType: Odd\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 Slow Down\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"5\r\nhello\r\n00000b;a=b\r\n and \r\nmore\r\n0\r\nServer: x\r\n\r\n"
)


def read(*pieces: bytes, ends: bool = False) -> AnswerReader:
    """Feed *pieces* as a connection does; *ends*: it is closed behind them."""
    reader = AnswerReader()
    for piece in pieces:
        if reader.answer is None:
            reader.feed(piece)
    if ends:
        reader.end(is_clean=True)
    return reader


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (SIZED, Answer(200, b"hello", "now", "Odd")),
        (CHUNKED, Answer(503, b"hello and \r\nmore", "")),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", Answer(200, b"", "")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b"", "")),
        (b"HTTP/1.1 304 \xe9\tx\r\nCONTENT-length:\t0 \r\nX:\r\n\r\n", Answer(304, b"", "")),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_an_answer_is_read_the_same_in_pieces_of_any_size(octets, answer, step):
    reader = read(*(octets[start : start + step] for start in range(0, len(octets), step)))

    assert reader.answer == answer
    assert reader.keeps


@pytest.mark.parametrize("octets", [SIZED, CHUNKED], ids=["sized", "chunked"])
def test_cut_anywhere_it_is_no_answer_or_the_status_alone(octets):
    final = octets.rindex(b"HTTP/1.1")
    head = octets.index(b"\r\n\r\n", final) + 4

    for cut in range(len(octets)):
        answer = read(octets[:cut], ends=True).answer
        if cut < head:
            assert answer is None
        else:
            assert answer is not None
            assert answer.body == b""
            assert answer.status == int(octets[final + 9 : final + 12])


@pytest.mark.parametrize("is_clean", [True, False])
def test_without_a_length_the_connections_end_is_the_bodys_unless_it_broke(is_clean):
    reader = read(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")
    assert reader.answer is None

    reader.end(is_clean=is_clean)

    assert reader.answer == Answer(200, b"hello" if is_clean else b"", "")
    assert not reader.keeps


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nH",
        SIZED + SIZED,
        CHUNKED + b"\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_a_connection_in_doubt_carries_no_other_request(octets):
    reader = read(octets)

    assert reader.answer is not None
    assert not reader.keeps


MALFORMED = {
    "another protocol": b"220 mail.example ESMTP\r\n\r\n",
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/0.9": b"<html>\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\n\r\n",
    "an empty line before": b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    "two blanks": b"HTTP/1.1  200 OK\r\n\r\n",
    "status 99": b"HTTP/1.1 099 OK\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    "a bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 5\r\n\r\n",
    "a folded field": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n 5\r\n\r\n",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nContent-Length 0\r\n\r\n",
    "no name": b"HTTP/1.1 200 OK\r\n: 0\r\n\r\n",
    "a length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
    "a length in hexadecimal": b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
    "a length with underscores": b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n",
    "an empty length": b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    "an immense length": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "no coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "an upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "a long head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * LONGEST_HEAD + b"\r\n\r\n",
    "many interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_a_head_that_could_be_read_in_two_ways_is_none(octets, step):
    with pytest.raises(MalformedError):
        read(*(octets[start : start + step] for start in range(0, len(octets), step)))


START = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "octets",
    [
        START + b"g\r\nhello\r\n0\r\n\r\n",
        START + b"5\nhello\r\n0\r\n\r\n",
        START + b" 5\r\nhello\r\n0\r\n\r\n",
        START + b"-5\r\nhello\r\n0\r\n\r\n",
        START + b"0x5\r\nhello\r\n0\r\n\r\n",
        START + b"\r\nhello\r\n0\r\n\r\n",
        START + b"4\r\nhello\r\n0\r\n\r\n",
        START + b"5\r\nhello0\r\n\r\n",
        START + b"5\r\nhelloXX0\r\n\r\n",
        START + b"5\r\nhello\r\n0\r\nno field\r\n\r\n",
        START + b"5\r\nhello\r\n0\r\n folded: x\r\n\r\n",
        START + b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
        START + b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 5000,
        START + b"fffffffff\r\nhello\r\n0\r\n\r\n",
        START + b"ffffffff\r\nhello\r\n0\r\n\r\n",
        START + b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (LONGEST_DOCUMENT + 1),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (LONGEST_DOCUMENT + 1),
    ],
)
@pytest.mark.parametrize("step", [1, 1 << 20])
def test_of_a_body_that_is_none_or_too_long_the_status_is_left(octets, step):
    reader = read(*(octets[start : start + step] for start in range(0, len(octets), step)))

    assert reader.answer == Answer(200, b"", "")
    assert not reader.keeps


def test_the_longest_body_is_read():
    body = b"x" * LONGEST_DOCUMENT
    reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body)

    assert reader.answer == Answer(200, body, "")


def test_fields_that_stand_twice_are_joined():
    """As RFC 9110 section 5.3 has it; of two kinds of error neither is taken for the one."""
    reader = read(b"HTTP/1.1 400 Bad\r\nx-amzn-ErrorType: A\r\nX-Amzn-Errortype: B\r\nContent-Length: 0\r\n\r\n")

    assert reader.answer == Answer(400, b"", "", "A, B")


class Cut:
    """What ``http.client`` reads from."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._octets)


def stdlib(octets: bytes) -> tuple[int, bytes, str | None]:
    response = http.client.HTTPResponse(Cut(octets), method="POST")  # type: ignore[arg-type] # all that it uses
    response.begin()
    return response.status, response.read(), response.getheader("Date")


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place for place in places if place < len(octets)), len(octets)]
    return [octets[start:end] for start, end in pairwise(marks)]


TOKENS = st.text("abcXYZ019-_.!~", min_size=1, max_size=12)
VALUES = st.text("abc XYZ\t:;,=\"'()<>@", max_size=20)
OTHERS = st.lists(st.tuples(TOKENS.map("X-".__add__), VALUES), max_size=5)
BODIES = st.lists(st.binary(min_size=1, max_size=60), max_size=6)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Well-formed answers, in all framings."""
    fields: list[tuple[str, Any]] = draw(OTHERS)
    parts = draw(BODIES)
    body = b"".join(parts)
    framing = draw(st.sampled_from(["sized", "chunked", "closed"]))
    if framing == "sized":
        fields.append(("Content-Length", len(body)))
    elif framing == "chunked":
        fields.append(("transfer-Encoding", "chunked"))
        body = b"".join(b"%X\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    if draw(st.booleans()):
        fields.append(("Date", "Sun, 01 Mar 2026 12:00:00 GMT"))
    fields = draw(st.permutations(fields))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    status = draw(st.sampled_from([200, 201, 307, 400, 403, 429, 500, 503]))
    return f"HTTP/1.1 {status} {draw(VALUES)}\r\n{lines}\r\n".encode() + body


@given(octets=answers(), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_well_formed_answers_read_as_the_stdlib_reads_them(octets, cuts):
    reader = read(*cut(octets, cuts), ends=True)

    assert reader.answer is not None
    status, body, date = stdlib(octets)
    assert (reader.answer.status, reader.answer.body, reader.answer.date) == (status, body, date or "")


LINES = st.sampled_from(
    [
        *(b"Date: now", b"Date:\tthen ", b"Date:", b"date: now", b"Content-Length: 5", b"Content-Length: 0"),
        *(b"Content-Length: 05", b"Content-Length: 5 ", b"Content-Length:5", b"content-length: 5"),
        *(b"Connection: keep-alive", b"Connection: close", b"connection: keep-alive", b"Content-Type: text/xml"),
        *(b"Server: nginx", b"Server:", b"x-amzn-RequestId: 1", b"x-amzn-ErrorType: A", b"Transfer-Encoding: chunked"),
        *(b"Server: a\rb", b"Server: a\0", b"Server: \xe9", b"X: y", b" folded", b"", b"Content-Type text/xml"),
    ]
)
STATUSES = st.sampled_from([b"HTTP/1.1 200 OK", b"HTTP/1.1 200", b"HTTP/1.0 200 OK", b"HTTP/1.1 400 Bad", b"x"])


@given(
    status=st.just(b"HTTP/1.1 200 OK") | STATUSES,
    lines=st.lists(LINES, max_size=6),
    length=st.just([b"Content-Length: 5"]) | st.just([]),
    body=st.just(b"hello") | st.binary(max_size=7),
)
@example(
    status=b"HTTP/1.1 200 OK", lines=[b"Date:", b"Server: a", b"Content-Length: 5", b"Date:"], length=[], body=b"hello"
)
@example(status=b"HTTP/1.1 200 OK", lines=[b"Connection: keep-alive"], length=[b"Content-Length: 5"], body=b"hello")
def test_an_answer_read_in_one_look_comes_to_what_it_does_field_by_field(status, lines, length, body):
    """In two pieces no answer is read in one look."""
    octets = b"\r\n".join([status, *lines[:3], *length, *lines[3:], b"", body])
    results: list[tuple[Answer | None, bool] | None] = []
    for pieces in ([octets], [octets[:1], octets[1:]]):
        reader = AnswerReader()
        try:
            for piece in pieces:
                reader.feed(piece)
            results.append((reader.answer, reader.keeps))
        except MalformedError:
            results.append(None)

    assert results[0] == results[1]


@pytest.mark.parametrize(
    "fields",
    [
        b"x-amzn-RequestId: 1\r\nContent-Type: text/xml\r\nContent-Length: 5\r\nDate: now\r\n",
        b"Date: now\r\nContent-Type: a\r\nContent-Length: 5\r\nConnection: keep-alive\r\nx-amzn-RequestId: 1\r\n",
        b"Server: nginx\r\nDate: now\r\nContent-Type: text/xml\r\nContent-Length: 5\r\nConnection: keep-alive\r\n",
    ],
)
def test_what_ses_says_to_mail_is_read_in_one_look(fields):
    reader = AnswerReader()
    assert reader._ordinary(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nhello")
    assert (reader.answer, reader.keeps) == (Answer(200, b"hello", "now"), True)


PARTS = st.sampled_from(
    [
        *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"200", b"100", b" OK", b"\r\n", b"\n", b"\r", b" ", b":", b"\0", b"\xff"),
        *(b"Content-Length", b"Transfer-Encoding", b"chunked", b"5", b"0", b"hello", b"Connection: close\r\n"),
        *(b"HTTP/1.1 200 OK\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n"),
    ]
)


@given(octets=st.lists(PARTS | st.binary(max_size=3), max_size=14).map(b"".join), cuts=st.lists(st.integers(0, 90)))
@example(octets=CHUNKED, cuts=[30])
def test_whatever_comes_it_is_read_the_same_in_pieces_or_refused_as_malformed(octets, cuts):
    """No other exception, and no difference that a segment makes."""
    results: list[Answer | None] = []
    for pieces in ([octets], cut(octets, cuts)):
        answer = None
        with suppress(MalformedError):
            answer = read(*pieces, ends=True).answer
        results.append(answer)

    assert results[0] == results[1]
