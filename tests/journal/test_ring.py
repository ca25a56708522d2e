"""The ring holds the newest, so many and no more, whatever comes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.journal import ring as rings
from relay.journal.packing import unpack
from relay.journal.queries import EVERYTHING, each
from tests.journal.building import made, ring_of, row


def kept(ring: rings.Ring) -> list[int]:
    return [int(found["id"], 16) for found in each(ring.file, EVERYTHING)]


PACKS_FOR_NOBODY = "SELECT count(*) FROM pack WHERE last < (SELECT min(number) FROM decision)"
ROWS = [row(number) for number in range(400)]


@settings(max_examples=50)
@given(batches=st.lists(st.integers(0, 99), max_size=4), entries=st.integers(1, 90))
def test_the_newest_are_kept_and_no_more(batches, entries):
    ring = ring_of(entries=entries)
    told: list[int] = []
    for size in batches:
        new = list(range(len(told), len(told) + size))
        told += new
        ring.append(rings.packs_of([ROWS[number] for number in new]))

        assert kept(ring) == told[-entries:]
        assert ring.kept == len(told[-entries:])
        assert ring.octets == ring.file.execute("SELECT coalesce(sum(length(records)), 0) FROM pack").fetchone()[0]
        assert ring.file.execute(PACKS_FOR_NOBODY).fetchone() == (0,)


def test_numbers_go_on_after_a_restart():
    ring = ring_of(entries=4)
    for number in range(10):
        ring.append(rings.packs_of([row(number)]))
    again = rings.Ring(ring.file, 4)
    again.append(rings.packs_of([row(10)]))

    assert (again.kept, kept(again)) == (4, [7, 8, 9, 10])
    assert ring.file.execute("SELECT max(number) FROM decision").fetchone() == (11,)


def test_a_ring_made_smaller_lets_go_of_the_oldest():
    ring = ring_of(*(row(number) for number in range(20)))
    smaller = rings.Ring(ring.file, 5)
    smaller.append(rings.packs_of([row(20)]))

    assert kept(smaller) == [16, 17, 18, 19, 20]


def test_records_of_thousands_of_recipients_are_fewer(monkeypatch):
    """An average is allowed for each entry; together they never have more, and the newest is always there."""
    monkeypatch.setattr(rings, "OCTETS_AN_ENTRY", 1000)
    chance = random.Random(0)
    large = [
        row(number, recipients=[f"{chance.randbytes(9).hex()}@example.net" for _ in range(100)]) for number in range(30)
    ]
    ring = ring_of(entries=10)
    for one in large:
        ring.append(rings.packs_of([one]))
        assert ring.octets <= 10_000
    assert kept(ring)[-1] == 29
    assert 1 <= ring.kept < 10

    huge = ring_of(large[0], entries=1)
    assert (huge.kept, huge.octets > 1000) == (1, True)


def test_a_pack_has_some_dozens_of_records_and_less_where_they_are_long():
    """Who asks for one unpacks them all."""
    short = [(ROWS[0][0], "{}")] * 150
    assert [len(rows) for rows, _ in rings.packs_of(short)] == [64, 64, 22]

    sizes = [20_000, 20_000, 20_000, 70_000, 1, 59_999, 1]
    packs = rings.packs_of([(ROWS[0][0], "1" * size) for size in sizes])
    assert [[len(text) for text in unpack(packed)] for _, packed in packs] == [
        [20_000, 20_000, 20_000],
        [70_000],
        [1, 59_999],
        [1],
    ]


@pytest.mark.parametrize("gone", ["number > 3", "number = 2", "true"])
def test_what_somebody_deleted_takes_no_other_along(gone):
    """The number of a decision that was taken out is not given again: its record is still there."""
    ring = ring_of(*ROWS[:5])
    ring.file.execute(f"DELETE FROM decision WHERE {gone}")
    left = kept(ring)
    ring.append(rings.packs_of(ROWS[5:7]))

    assert kept(ring) == [*left, 5, 6]
    assert ring.file.execute("SELECT max(number) FROM decision").fetchone() == (7,)


def test_a_batch_that_fails_is_not_there_at_all():
    ring = ring_of(row(1))
    before = ring.kept, ring.octets
    bad = (*row(3)[0][:-1], None)  # no reason: against the schema
    with pytest.raises(Exception, match="NOT NULL"):
        ring.append(rings.packs_of([row(2), (bad, "{}")]))  # type: ignore[list-item]  # what the schema is for

    assert (ring.kept, ring.octets) == before
    assert kept(ring) == [1]


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], None),
        (["allowed", "allowed"], "allowed"),
        (["allowed", "sealed"], "sealed"),
        (["undecided", "allowed"], "undecided"),
        (["undecided", "not-allowed", "allowed"], "not-allowed"),
        (["denied", "not-allowed"], "denied"),
    ],
)
def test_a_decision_stands_under_its_worst_verdict(verdicts, worst):
    record = made(1)
    record["roles"] = [{**record["roles"][0], "verdict": verdict} for verdict in verdicts]

    assert rings.row_of(record)[3] == worst
