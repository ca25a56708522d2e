"""Reading the octets of a message: the end is found and bare octets are seen, however the octets are cut."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.mail.octets import check_octets
from relay.smtp.content import Content, Fault

#: Octets in which ends, false ends, stuffed dots and bare octets are likely.
DENSE = st.lists(st.sampled_from([b"\r\n", b".", b"\r", b"\n", b"\0", b"a", b"\r\n.", b"\r\n.\r\n"]), max_size=24)
HONEST = st.lists(st.sampled_from([b"\r\n", b"..", b"a", b"b.", b"\r\n..", b"\r\n..\r\n"]), max_size=24)
#: The same between lines as long as honest ones, whose blocks are looked at in another way.
LONG = b"x" * 99
SPARSE = st.lists(
    st.sampled_from([LONG, LONG, LONG + b"\r\n", LONG + b"\r\n", b"\r\n", b"\r", b"\n", b"\0", b".", b"\r\n.\r\n"]),
    max_size=12,
)


def expected(octets: bytes) -> tuple[bytes, bytes] | None:
    """Return what comes before and behind the end of data, if it is there; slowly and plainly."""
    end = (b"\r\n" + octets).find(b"\r\n.\r\n")
    return None if end < 0 else (octets[:end], octets[end + 3 :])


def unstuffed(stuffed: bytes) -> bytes:
    return b"\r\n".join(line.removeprefix(b".") for line in stuffed.split(b"\r\n"))


def is_clean(octets: bytes) -> bool:
    return not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", octets)


def read(octets: bytes, cuts: list[int], limit: int = 10**6) -> tuple[Content, bytes | None]:
    """Feed *octets* cut at *cuts*; give back what the reader did not want, all of it."""
    content = Content(limit)
    edges = [0, *sorted({cut % (len(octets) + 1) for cut in cuts}), len(octets)]
    for start, stop in itertools.pairwise(edges):
        rest = content.feed(octets[start:stop]) if start < stop else None
        if rest is not None:
            return content, rest + octets[stop:]
    return content, None


@settings(max_examples=2500, deadline=None)
@given(pieces=DENSE | HONEST | SPARSE, cuts=st.lists(st.integers(0, 2000), max_size=30))
def test_any_octets_in_any_pieces_are_read_alike(pieces, cuts):
    """
    The same message, the same fault and the same rest as a plain reading of the whole.
    """
    octets = b"".join(pieces)

    content, rest = read(octets, cuts)

    split = expected(octets)
    if split is None:
        assert rest is None
        return
    message, behind = split
    assert rest == behind
    if is_clean(message):
        assert content.fault is None
        raw = content.raw()
        assert raw == unstuffed(message)
        assert content.is_checked
        check_octets(raw)
        assert content.size == len(unstuffed(message))
    else:
        assert content.fault is Fault.BARE_OCTETS
        assert not content.is_checked


@settings(max_examples=300, deadline=None)
@given(pieces=HONEST, cuts=st.lists(st.integers(0, 200), max_size=30), limit=st.integers(0, 40))
def test_the_limit_is_that_of_the_unstuffed_message(pieces, cuts, limit):
    octets = b"".join(pieces) + b"\r\n.\r\n"

    content, rest = read(octets, cuts, limit)

    message = unstuffed(octets[:-3])
    assert rest == b""
    assert content.fault is (Fault.TOO_BIG if len(message) > limit else None)


@pytest.mark.parametrize("octets", [b".\r\n", b"..\r\n.\r\n", b"...\r\n.\r\n", b"\r\n.\r\n", b".a\r\n.\r\n"])
def test_the_first_line_is_a_line_too(octets):
    """
    Its stuffed dot is taken out, and a lone dot there ends an empty message.
    """
    whole, rest = read(octets, [])
    by_octet, _ = read(octets, list(range(len(octets))))

    assert rest == b""
    assert whole.raw() == by_octet.raw() == unstuffed(octets[:-3])


def test_what_was_condemned_is_not_kept():
    content = Content(10)
    content.feed(b"x" * 100)

    assert content.fault is Fault.TOO_BIG
    assert content.raw() == b""
    assert content.feed(b"\0\r\n.\r\nQUIT\r\n") == b"QUIT\r\n"
    assert content.fault is Fault.TOO_BIG
