"""What ``make fuzz`` asserts in full, for a moment: the seeds, all that was ever found, and mutants of both."""

import zlib

import pytest

from tests.fuzz.target import Target, findings, rows
from tests.fuzz.targets import TARGETS
from tests.fuzz.times import TIMES, chance_of
from tests.readings.mutants import mutant

#: So many take each target a second or two.
MUTANTS = {"reader": 2500, "repairs": 1500, "from": 2500, "policy": 400, "settings": 60}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_it_holds_for_seeds_and_findings(target: Target):
    kept = [*target.seeds(), *findings(target.name)]

    assert len(kept) >= 5
    for octets in (b"", *kept):
        target.check(octets)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_it_holds_for_mutants(target: Target):
    """The same mutants each time: a failure can be repeated."""
    chance = chance_of(zlib.crc32(target.name.encode()))
    pool = [*target.seeds(), *findings(target.name)]
    for _ in range(TIMES * MUTANTS.get(target.name, 3000)):
        octets = mutant(chance.choice(pool), chance, pool, target.tokens)
        try:
            target.check(octets)
        except Exception as error:
            raise AssertionError(f"{target.name}: {octets!r}") from error


def test_findings_are_of_known_targets():
    assert {row["target"] for row in rows("fuzz.jsonl")} <= set(TARGETS)
