"""An export is as it was written, or the first line that is not is named."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.audit.chain import FIRST, LONGEST_LINE, Broken, Chain, KeyNeeded, Verified, verify

KEY = b"a secret that nobody guesses"
HEADER = {"program": "ses-relay", "from": "2026-11-01", "to": "2026-12-01"}


def lines(number: int = 5, key: bytes | None = None) -> list[bytes]:
    things: Iterator[tuple[str, Mapping[str, Any]]] = (
        ("decision", {"number": n, "record": {"delegate": "billing", "bytes": n, "why": "é"}}) for n in range(number)
    )
    return list(Chain(key).chain(HEADER, things))


def rehashed(changed: list[bytes], key: bytes | None = None) -> list[bytes]:
    """The lines as somebody would write them who can make hashes of his own."""
    chain, made = Chain(key), []
    for line in changed:
        told = json.loads(line)
        made.append(
            chain.line(told["kind"], {k: v for k, v in told.items() if k not in {"seq", "prev", "kind", "hash"}})
        )
    return made


def test_what_was_written_is_unbroken():
    found = verify(lines())

    assert isinstance(found, Verified)
    assert found.lines == 7
    assert found.header["from"] == "2026-11-01"
    assert found.last == json.loads(lines()[-1])["hash"]


def test_each_line_names_the_one_before():
    told = [json.loads(line) for line in lines()]

    assert [each["seq"] for each in told] == list(range(7))
    assert [each["prev"] for each in told] == [FIRST, *(each["hash"] for each in told[:-1])]
    assert [each["kind"] for each in told] == ["header", *["decision"] * 5, "end"]
    assert all(list(each)[:2] == ["seq", "prev"] and list(each)[-1] == "hash" for each in told)


def test_anybody_can_follow_it_with_a_hash_and_a_knife():
    """No canonical form: the octets before the last member are what was hashed."""
    for line in lines():
        body, _, tail = line.rpartition(b',"hash":"')
        assert sha256(body).hexdigest() == tail.removesuffix(b'"}\n').decode()


BROKEN: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int, str]] = {
    "changed": (lambda ls: [*ls[:3], ls[3].replace(b"billing", b"bilking"), *ls[4:]], 4, "it was changed"),
    "blank added": (lambda ls: [*ls[:3], b" " + ls[3], *ls[4:]], 4, "it was changed"),
    "hash changed": (lambda ls: [*ls[:2], ls[2][:-4] + b'0"}\n', *ls[3:]], 3, "it was changed"),
    "removed": (lambda ls: [*ls[:3], *ls[4:]], 4, "it is line 4 of the chain, and 3 was due"),
    "added": (lambda ls: [*ls[:3], ls[2], *ls[3:]], 4, "lines were removed, added or moved"),
    "moved": (lambda ls: [*ls[:2], ls[3], ls[2], *ls[4:]], 3, "it is line 3 of the chain, and 2 was due"),
    "header gone": (lambda ls: ls[1:], 1, "it is no header"),
    "two headers": (lambda ls: [ls[0], *ls], 2, "it is line 0 of the chain, and 1 was due"),
    "end gone": (lambda ls: ls[:-1], 7, "the file was cut"),
    "cut in a line": (lambda ls: [*ls[:4], ls[4][:40]], 5, "the file was cut in this line"),
    "line end gone": (lambda ls: [*ls[:-1], ls[-1][:-1]], 7, "the file was cut in this line"),
    "more after the end": (lambda ls: [*ls, ls[3]], 8, "lines were added after the end"),
    "a chain after the end": (lambda ls: [*ls, *ls], 8, "lines were added after the end"),
    "empty": (lambda _: [], 1, "there is no line"),
    "blank lines": (lambda ls: [*ls[:3], b"\n", *ls[3:]], 4, "it does not end in its hash"),
    "no JSON": (lambda ls: [*ls[:3], b"[" + ls[3], *ls[4:]], 4, "it is no JSON object"),
    "CRLF": (lambda ls: [line.replace(b"\n", b"\r\n") for line in ls], 1, "it does not end in its hash"),
    "endless": (lambda ls: [ls[0], b"x" * LONGEST_LINE], 2, "too long"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_way_to_break_it_is_found_at_its_line(name):
    edit, line, why = BROKEN[name]

    found = verify(edit(lines()))

    assert isinstance(found, Broken)
    assert (found.line, why in found.why) == (line, True), found.why


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_edit_of_the_octets_is_found(data):
    """Octets put in, taken out or replaced anywhere, with a key or without: never unbroken, never an exception."""
    key = data.draw(st.sampled_from([None, KEY]))
    whole = b"".join(lines(4, key))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.one_of(st.integers(start, min(len(whole), start + 4)), st.integers(start, len(whole))))
    put = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b"0", b'"', b"{}\n", whole[:200]])))
    edited = whole[:start] + put + whole[end:]
    if edited == whole:
        return
    try:
        assert isinstance(verify(io.BytesIO(edited), key), Broken)
    except KeyNeeded:
        assert key is None


@given(st.permutations(range(7)), st.sets(st.integers(0, 6)))
@settings(max_examples=200)
def test_any_other_order_and_any_missing_line_is_found(order, gone):
    written = lines()
    edited = [written[place] for place in order if place not in gone]
    assert isinstance(verify(edited), Verified if edited == written else Broken)


def test_a_forgery_with_new_hashes_is_found_by_the_key():
    """Without a key it has another last hash, and nothing else tells."""
    forged = [line.replace(b"billing", b"bilking") for line in lines()]
    plain = verify(rehashed(forged))
    assert isinstance(plain, Verified)
    assert plain.last != json.loads(lines()[-1])["hash"]

    signed = lines(key=KEY)
    assert isinstance(verify(signed, KEY), Verified)
    for guess in (b"a secret that somebody guessed", None):
        changed = rehashed([line.replace(b"billing", b"bilking") for line in signed], guess)
        if guess is None:
            changed = rehashed([line.replace(b"hmac-sha256", b"sha256") for line in changed])
        found = verify(changed, KEY)
        assert isinstance(found, Broken)
        assert found.line == 1


def test_a_key_is_asked_for():
    with pytest.raises(KeyNeeded):
        verify(lines(key=KEY))
    assert isinstance(verify(lines(key=KEY), b"another key than that one"), Broken)
    assert verify(lines(), KEY) == Broken(1, "its hashes were not made with a key")
