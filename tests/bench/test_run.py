"""A tiny round of whole relays: all that is needed is there, and every message arrives once."""

import pytest

from bench import relays
from bench.contenders import BOUND, NAIVE, Ours
from bench.messages import Load
from bench.record import recording
from bench.rows import full, peer, quick, sensible
from bench.turns import USER, Row


@pytest.mark.system
def test_a_tiny_round(tool):
    for name in ("nginx", "smtp-source"):
        tool(name)
    rows = [
        peer(NAIVE, 5_000),
        Row("ses-relay, plain", Ours(), Load(5_000, clients=2)),
        Row("ses-relay, sealed", Ours(), Load(5_000, clients=2, user=USER, starttls=True, reuses=True)),
        peer(BOUND, 5_000),
    ]

    with recording() as record:
        relays.main(rows, rounds=1, seconds=0.05)

    (table,) = record.tables
    assert table.heading[0] == "messages of 5 KB"
    assert [line[0] for line in table.rows] == [each.name for each in rows]
    assert {"cpu plain 5 KB", "ratio plain 5 KB"} <= record.figures.keys()
    assert all(value > 0 for value in record.figures.values())


@pytest.mark.parametrize("rows", [sensible, quick, full])
def test_each_row_is_there_once_and_sizes_are_together(rows):
    found = rows()
    sizes = [each.load.octets for each in found]

    assert len({(each.name, each.load.octets) for each in found}) == len(found)
    assert sizes == sorted(sizes)


def test_the_whole_product_is_whole():
    ours = [each for each in full() if isinstance(each.of, Ours)]

    assert len(ours) == 3 * 2 * 3 * 2 * 3 * 5
