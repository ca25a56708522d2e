"""Records come back as they were put in, and what is damaged says so."""

import hashlib
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.journal import packing
from relay.journal.packing import pack, record_of, unpack
from tests.journal.building import made

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_what_is_packed_comes_back(record):
    assert record_of(pack(json.dumps(record))) == record


def test_a_record_has_a_sixth_of_its_size():
    text = json.dumps(made(1), separators=(",", ":"))
    assert len(pack(text)) * 4 < len(text)


def test_the_dictionary_is_the_one_that_kept_records_were_packed_with():
    """Another one would make every journal there is unreadable: a new dictionary gets a new number."""
    known = {1: "8d8f2332ca1c4f5c8cb14130c82a7db7d5da233fd2fd5e390045aa846651362b"}
    assert {number: hashlib.sha256(words).hexdigest() for number, words in packing._DICTIONARIES.items()} == known


@given(st.binary(max_size=300))
def test_any_octets_are_a_record_or_said_to_be_none(octets):
    """And they never unpack to more than a bound."""
    try:
        text = unpack(octets)
    except ValueError:
        return
    assert len(text.encode()) <= packing.LONGEST


@given(at=st.integers(0, 10_000), to=st.integers(0, 255))
def test_a_changed_octet_is_no_crash(at, to):
    packed = bytearray(pack(json.dumps(made(1))))
    packed[at % len(packed)] = to
    with suppress(ValueError):
        packed = bytearray(pack(json.dumps(record_of(bytes(packed)))))
    assert len(packed) < 5000


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x02abc", b"\x01", pack("{}")[:-1]])
def test_what_is_no_record_says_so(octets):
    with pytest.raises(ValueError, match="record"):
        unpack(octets)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(ValueError, match="its end is missing"):
        unpack(pack("0" * (packing.LONGEST + 1)))
