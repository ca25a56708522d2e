"""Records come back as they were put in, and what is damaged says so."""

import hashlib
import json
import zlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.journal import packing
from relay.journal.packing import pack, unpack
from tests.journal.building import made

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=1, max_size=4))
def test_what_is_packed_comes_back(records):
    assert [json.loads(text) for text in unpack(pack([json.dumps(record) for record in records]))] == records


def test_a_record_alone_has_a_fifth_of_its_size_and_many_much_less():
    texts = [json.dumps(made(number), separators=(",", ":")) for number in range(20)]
    assert len(pack(texts[:1])) * 4 < len(texts[0])
    assert len(pack(texts)) * 12 < len("".join(texts))


def test_a_record_that_was_packed_alone_by_an_earlier_release_is_read():
    """They chose another window, and codes that nobody made for it."""
    text = json.dumps(made(1))
    before = zlib.compressobj(2, zlib.DEFLATED, -12, 5, zlib.Z_FIXED, packing._DICTIONARIES[1])

    assert unpack(b"\x01" + before.compress(text.encode()) + before.flush()) == [text]


def test_the_dictionary_is_the_one_that_kept_records_were_packed_with():
    """Another one would make every journal there is unreadable: a new dictionary gets a new number."""
    known = {1: "8d8f2332ca1c4f5c8cb14130c82a7db7d5da233fd2fd5e390045aa846651362b"}
    assert {number: hashlib.sha256(words).hexdigest() for number, words in packing._DICTIONARIES.items()} == known


@given(st.binary(max_size=300))
def test_any_octets_are_a_record_or_said_to_be_none(octets):
    """And they never unpack to more than a bound."""
    try:
        texts = unpack(octets)
    except ValueError:
        return
    assert len("".join(texts)) <= packing.LONGEST


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
def test_a_changed_octet_is_no_crash(at, to):
    packed = bytearray(pack([json.dumps(made(1))]))
    packed[at % len(packed)] = to
    with suppress(ValueError):
        packed = bytearray(pack(unpack(bytes(packed))))
    assert len(packed) < 5000


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x02abc", b"\x01", pack(["{}"])[:-1]])
def test_what_is_no_record_says_so(octets):
    with pytest.raises(ValueError, match="record"):
        unpack(octets)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(ValueError, match="its end is missing"):
        unpack(pack(["0" * (packing.LONGEST + 1)]))
