"""Which blocks of a message are even: always what a plain search finds, whatever the lines look like."""

import base64
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.smtp.evenness import is_even

UNEVEN = re.compile(rb"\0|\r(?!\n|\Z)|(?<!\r)\n|\n\.")
ATTACHMENT = base64.encodebytes(random.Random(1).randbytes(5000)).replace(b"\n", b"\r\n")
#: What a block is made of: lines of one length, of another, none at all, and what must be seen between them.
PARTS = st.lists(
    st.sampled_from(
        [ATTACHMENT, b"some words\r\n" * 300, b"\r\n" * 2100, b"x" * 5000, b"a.b\r\n", b"\r\n", b"\r", b"\n"]
    ),
    max_size=4,
).map(b"".join)
CHANGES = st.lists(st.tuples(st.integers(0, 25_000), st.sampled_from(b"\r\n\0.x")), max_size=4)


@settings(max_examples=1500, deadline=None)
@given(parts=PARTS, changes=CHANGES, cut=st.integers(0, 90))
def test_any_block_is_as_even_as_a_plain_search_finds(parts: bytes, changes: list[tuple[int, int]], cut: int):
    block = bytearray(parts[cut:])
    for at, octet in changes:
        if block:
            block[at % len(block)] = octet

    assert is_even(bytes(block)) is not bool(UNEVEN.search(block))


@pytest.mark.parametrize("octet", [b"\r", b"\n", b"\0", b"."], ids=["CR", "LF", "NUL", "dot"])
def test_an_octet_anywhere_in_an_attachment_is_seen(octet: bytes):
    """
    At each place of three lines, wherever they lie: at the beginning, in the middle, at the end.
    """
    for around in (0, len(ATTACHMENT) // 2, len(ATTACHMENT) - 3 * 78):
        for at in range(around, around + 3 * 78):
            block = ATTACHMENT[:at] + octet + ATTACHMENT[at + 1 :]
            assert is_even(block) is not bool(UNEVEN.search(block)), at


@pytest.mark.parametrize("pitch", [2, 3, 4, 77, 78, 999, 1500])
def test_lines_of_any_one_length_are_even(pitch: int):
    block = (b"x" * (pitch - 2) + b"\r\n") * (9000 // pitch)

    assert is_even(block)
    assert is_even(block + b"\r")
    assert not is_even(block + b".\r\n")
    assert not is_even(block[:-2] + b"\n")
