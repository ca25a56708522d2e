"""What is asked of the ring: the newest first, as many as wanted, and nothing of others."""

import json
from typing import Any

import pytest

from relay.journal import packs, queries
from relay.journal.packing import unpack
from relay.journal.packs import DECISIONS, PACK
from relay.journal.queries import Page, Wanted, count, decision, each, ids, page
from relay.journal.ring import packs_of
from tests.journal.building import ring_of, row
from tests.observe.givens import NOON

SEEN = ring_of(
    row(0),
    row(1, delegate="news", verdict="denied", outcome="rejected", reason="policy-denied"),
    row(2, delegate="-", verdict=None, outcome="rejected", reason="address-form"),
    row(3),
    row(4, verdict="undecided", outcome="deferred", reason="policy-undecided"),
    row(5, delegate="news"),
).file
NOW = NOON.timestamp()


def numbers(found: Page) -> list[int]:
    return [int(json.loads(text)["id"], 16) for text in found.texts]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), [5, 4, 3, 2, 1, 0]),
        (Wanted(delegate="news"), [5, 1]),
        (Wanted(delegate="-"), [2]),
        (Wanted(verdict="allowed"), [5, 3, 0]),
        (Wanted(verdict="denied"), [1]),
        (Wanted(outcome="rejected"), [2, 1]),
        (Wanted(reason="policy-undecided"), [4]),
        (Wanted(delegate="news", verdict="allowed"), [5]),
        (Wanted(since=NOW + 3), [5, 4, 3]),
        (Wanted(until=NOW + 3), [2, 1, 0]),
        (Wanted(since=NOW + 2, until=NOW + 4, outcome="accepted"), [3]),
        (Wanted(delegates=frozenset({"billing"})), [4, 3, 0]),
        (Wanted(delegates=frozenset({"billing", "news"}), verdict="denied"), [1]),
        (Wanted(delegates=frozenset({"billing"}), delegate="news"), []),
        (Wanted(delegates=frozenset()), []),
        (Wanted(delegate="' OR 1=1 --"), []),
    ],
)
def test_what_is_wanted_is_found_the_newest_first(wanted, expected):
    assert numbers(page(SEEN, wanted, 100)) == expected
    assert [int(kept["id"], 16) for kept in each(SEEN, wanted)] == expected[::-1]


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(delegate="billing"), Wanted(delegates=frozenset({"news"}))], ids=repr
)
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_follow_each_other_without_gap_or_repetition(wanted, limit):
    whole, found, after = numbers(page(SEEN, wanted, 100)), [], None
    while True:
        part = page(SEEN, wanted, limit, after)
        found += numbers(part)
        after = part.next
        if after is None:
            break
        assert len(part.texts) == limit
    assert found == whole


def test_a_page_of_very_long_records_is_shorter(monkeypatch):
    monkeypatch.setattr(queries, "LONGEST_PAGE", 3000)
    first = page(SEEN, Wanted(), 100)

    assert 1 <= len(first.texts) < 6
    assert (
        numbers(first) + numbers(page(SEEN, Wanted(), 100, first.next))[:1]
        == [5, 4, 3, 2, 1, 0][: len(first.texts) + 1]
    )


def test_after_a_decision_that_is_not_there_is_nothing():
    """It has been let go of, and so has all that came before it. One of others is not there either."""
    assert page(SEEN, Wanted(), 10, "ffff") == Page((), None)
    assert page(SEEN, Wanted(delegates=frozenset({"billing"})), 10, f"{5:016x}") == Page((), None)


def test_one_decision_by_its_id():
    found = decision(SEEN, f"{1:016x}")

    assert found is not None
    assert json.loads(found)["delegate"] == "news"
    assert decision(SEEN, f"{1:016x}", frozenset({"news"})) == found
    assert decision(SEEN, f"{1:016x}", frozenset({"billing"})) is None
    assert decision(SEEN, "1") is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE pack SET records = x'01ff' WHERE last = 3",
        "UPDATE pack SET records = (SELECT records FROM pack WHERE last = 1) WHERE last = 3",
        "DELETE FROM pack WHERE last = 3",
    ],
    ids=["octets", "another's", "gone"],
)
def test_damaged_records_are_left_out_and_told(damage):
    """With them, those that were packed together."""
    ring = ring_of(row(0))
    ring.append(packs_of([row(1), row(2)]))
    ring.append(packs_of([row(3)]))
    file = ring.file
    file.execute(damage)
    spoiled: list[Any] = []

    assert [int(kept["id"], 16) for kept in each(file, spoiled=lambda: spoiled.append(1))] == [0, 3]
    assert len(spoiled) == 2
    assert numbers(page(file, Wanted(), 10)) == [3, 0]
    for number in (1, 2):
        with pytest.raises(ValueError, match="damaged"):
            decision(file, f"{number:016x}")


def test_a_file_of_texts_alone_has_no_decisions():
    file = ring_of(row(0)).file
    assert (count(file), ids(file)) == (1, frozenset({f"{0:016x}"}))
    file.execute("DROP TABLE decision")
    file.execute("DROP TABLE pack")

    assert (list(each(file)), decision(file, "x"), count(file), ids(file)) == ([], None, 0, frozenset())


def test_a_pack_is_found_by_its_key_and_nothing_is_sorted():
    """Whatever is asked: a search reads the rows, which lie together, and the packs of what it finds."""
    terms, values = Wanted("a", "denied", "rejected", "rate", 1.0, 2.0, frozenset({"a"})).terms()
    query = f"SELECT number, {PACK} FROM {DECISIONS} WHERE {terms} ORDER BY number DESC LIMIT 9"
    plan = [row[3] for row in SEEN.execute(f"EXPLAIN QUERY PLAN {query}", values)]

    assert plan[0] == "SCAN decision"
    assert plan[1].startswith("SEARCH pack USING INTEGER PRIMARY KEY (rowid=?)")
    assert plan[2:] == ["CORRELATED SCALAR SUBQUERY 1", "SEARCH later USING INTEGER PRIMARY KEY (rowid>?)"]


def test_a_pack_is_unpacked_once_for_a_page(monkeypatch):
    unpacked: list[bytes] = []

    def counted(packed: bytes) -> list[str]:
        unpacked.append(packed)
        return unpack(packed)

    monkeypatch.setattr(packs, "unpack", counted)
    ring = ring_of(*map(row, range(5)))
    ring.append(packs_of(map(row, range(5, 10))))

    assert numbers(page(ring.file, Wanted(), 7)) == [9, 8, 7, 6, 5, 4, 3]
    assert [int(kept["id"], 16) for kept in each(ring.file)] == list(range(10))
    assert len(unpacked) == 4


def test_a_decision_out_of_a_pack_whose_oldest_are_gone():
    ring = ring_of(*map(row, range(5)), entries=5)
    ring.append(packs_of([row(5), row(6)]))

    assert numbers(page(ring.file, Wanted(), 9)) == [6, 5, 4, 3, 2]
    assert (decision(ring.file, f"{1:016x}"), decision(ring.file, f"{2:016x}")) == (None, row(2)[1])


def test_what_is_written_meanwhile_comes_too(monkeypatch):
    """They are read some at a time: nobody holds the writer's log for as long as a reader takes."""
    monkeypatch.setattr(queries, "_SLICE", 2)
    ring = ring_of(row(0), row(1), row(2))
    found = []
    for kept in each(ring.file):
        found.append(int(kept["id"], 16))
        if found == [0]:
            ring.append(packs_of([row(3)]))
    assert found == [0, 1, 2, 3]
