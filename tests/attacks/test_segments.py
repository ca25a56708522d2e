"""
How octets are cut into segments changes no verdict.

Every case of at most 8 KiB comes octet by octet (64 KiB in ``make attacks``), longer ones in random pieces, and each
step in two pieces, cut at some places here and at every place in ``make attacks``. (test_whole.py plays all of them
uncut, against a relay in a process of its own.) Left out are cases in which the segment itself is the test.
"""

import os
import random
from collections.abc import Iterator
from itertools import islice

import pytest

from tests.attacks.cases import Case, plain_cases
from tests.attacks.field import Cut, open_field
from tests.attacks.figures import Figures
from tests.attacks.playing import wrong_among, wrong_when_split

#: ``make attacks``: every place, not some.
FULL = os.environ.get("ATTACKS") == "full"
PLACES_OF_A_CASE = 10**6 if FULL else 6
LONGEST_BY_OCTET = (64 if FULL else 8) * 1024
LONGEST_SPLIT = 2048

CASES = [case for case in plain_cases() if not case.is_about_segments]
KINDS = sorted({case.kind for case in CASES})


def by_octet(_: int, octets: bytes) -> Iterator[bytes]:
    return (octets[at : at + 1] for at in range(len(octets)))


def by_chance(seed: int) -> Cut:
    """Cut into pieces of 1 to 20,000 octets."""

    def cut(_: int, octets: bytes) -> Iterator[bytes]:
        chance = random.Random(seed)
        at = 0
        while at < len(octets):
            size = chance.choice((1, 2, 3, chance.randint(1, 20_000)))
            yield octets[at : at + size]
            at += size

    return cut


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
async def test_octet_by_octet(kind, tmp_path, certificate, figures: Figures):
    """Each octet is a segment of its own, and is read as one."""
    cases = [case for case in CASES if case.kind == kind and case.length <= LONGEST_BY_OCTET]
    async with open_field(tmp_path, certificate) as field:
        wrong = await wrong_among(field, cases, by_octet)

    assert (wrong, field.incidents) == ({}, [])
    assert field.segments[1] > 0.7 * sum(case.length for case in cases)  # some are hung up on before they have said all
    figures.add("segments of one octet", kind, f"{len(cases)} cases", f"{field.segments[1]} segments", "0 wrong")


LONG = [case for case in CASES if case.length > LONGEST_BY_OCTET]


@pytest.mark.parametrize("seed", range(50 if FULL else 2))
async def test_long_ones_in_random_pieces(seed, tmp_path, certificate):
    async with open_field(tmp_path, certificate) as field:
        wrong = await wrong_among(field, LONG, by_chance(seed))

    assert (wrong, field.incidents) == ({}, [])
    assert len(field.segments) > 100


def places(case: Case) -> Iterator[tuple[Case, int, int]]:
    """Where a case can be cut in two: a step and an offset in it; half of those taken here are near an end."""
    lengths = [min(len(case.octets(step)), LONGEST_SPLIT) for step in case.steps]
    found = [(case, number, at) for number, length in enumerate(lengths) for at in range(1, length)]
    chance = random.Random(case.id)
    chance.shuffle(found)
    ends = [place for place in found if place[2] > lengths[place[1]] - 6]
    yield from islice(dict.fromkeys([*ends[: PLACES_OF_A_CASE // 2], *found]), PLACES_OF_A_CASE)


@pytest.mark.timeout(0 if FULL else 300)
@pytest.mark.parametrize("kind", KINDS)
async def test_cut_in_two(kind, tmp_path, certificate, figures: Figures):
    """Two segments, wherever the cut is."""
    cuts = [place for case in CASES if case.kind == kind and case.length <= LONGEST_BY_OCTET for place in places(case)]
    async with open_field(tmp_path, certificate) as field:
        wrong = await wrong_when_split(field, cuts)

    assert (wrong, field.incidents) == ({}, [])
    figures.add("cut in two", kind, f"{len(cuts)} places", "0 wrong")
