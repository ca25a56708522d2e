"""What is asked of the ring: the newest first, as many as wanted, and nothing of others."""

import json
from typing import Any

import pytest

from relay.journal import queries
from relay.journal.queries import Page, Wanted, count, decision, each, ids, page
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


def test_a_damaged_record_is_left_out_and_told():
    file = ring_of(row(0), row(1), row(2)).file
    file.execute("UPDATE decision SET record = x'01ff' WHERE number = 2")
    spoiled: list[Any] = []

    assert [int(kept["id"], 16) for kept in each(file, spoiled=lambda: spoiled.append(1))] == [0, 2]
    assert len(spoiled) == 1
    assert numbers(page(file, Wanted(), 10)) == [2, 0]
    with pytest.raises(ValueError, match="damaged"):
        decision(file, f"{1:016x}")


def test_a_file_of_texts_alone_has_no_decisions():
    file = ring_of(row(0)).file
    assert (count(file), ids(file)) == (1, frozenset({f"{0:016x}"}))
    file.execute("DROP TABLE decision")

    assert (list(each(file)), decision(file, "x"), count(file), ids(file)) == ([], None, 0, frozenset())


def test_a_search_reads_the_index_alone():
    """Whatever is asked: 50,000 records are 20 MB, their index is some megabytes, and lies together."""
    terms, values = Wanted("a", "denied", "rejected", "rate", 1.0, 2.0, frozenset({"a"})).terms()
    query = f"SELECT number FROM decision INDEXED BY decision_browsed WHERE {terms} ORDER BY number DESC LIMIT 9"
    plan = [row[3] for row in SEEN.execute(f"EXPLAIN QUERY PLAN {query}", values)]

    assert plan == ["SCAN decision USING COVERING INDEX decision_browsed"]


def test_what_is_written_meanwhile_comes_too(monkeypatch):
    """They are read some at a time: nobody holds the writer's log for as long as a reader takes."""
    monkeypatch.setattr(queries, "_SLICE", 2)
    ring = ring_of(row(0), row(1), row(2))
    found = []
    for kept in each(ring.file):
        found.append(int(kept["id"], 16))
        if found == [0]:
            ring.append([row(3)])
    assert found == [0, 1, 2, 3]
