"""For every message that is accepted, all readings name the one author that was judged, and nothing steers SES."""

import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.mail.repairs import Plan, repair
from relay.words.delegates import Repair
from tests.fuzz.times import TIMES, bounded, chance_of
from tests.readings.all import READINGS, check_one_reading, named_by
from tests.readings.cases import ACCEPTED, MESSAGES, SMALL
from tests.readings.grammar import messages
from tests.readings.mutants import mutant

EVERYTHING = Plan(get_args(Repair), 1 << 20, "Thu, 20 Nov 2025 10:00:00 +0000", "<repaired@relay.example>")


@pytest.mark.parametrize("raw", ACCEPTED, ids=range(len(ACCEPTED)))
def test_every_accepted_case_has_one_reading(raw: bytes):
    assert check_one_reading(raw) is not None


def test_both_kinds_of_cases_are_there():
    assert len(ACCEPTED) > 150
    assert len(MESSAGES) - len(ACCEPTED) > 400


@bounded(1500)
@given(messages())
def test_whatever_a_grammar_writes_has_one_reading(raw: bytes):
    check_one_reading(raw)


@pytest.mark.parametrize("seed", range(4))
def test_mutants_of_accepted_messages_have_one_reading(seed: int):
    """Five thousand mutants each: refused, or the author that is judged is the author for everybody."""
    chance = chance_of(seed)
    accepted = 0
    for _ in range(5000 * TIMES):
        accepted += check_one_reading(mutant(chance.choice(SMALL), chance, SMALL)) is not None

    assert accepted > 500


@bounded(600)
@given(messages(), st.sampled_from([b"\r\n", b"\n"]))
def test_a_repaired_message_has_one_reading(raw: bytes, line_end: bytes):
    """With every repair on, what is accepted is read alike, and as whoever could read it before read it."""
    check_repaired(raw.replace(b"\r\n", line_end))


@pytest.mark.parametrize("seed", range(2))
def test_a_repaired_mutant_has_one_reading(seed: int):
    chance = chance_of(seed)
    made = sum(check_repaired(_worn(mutant(chance.choice(SMALL), chance, SMALL), chance)) for _ in range(3000 * TIMES))

    assert made > 300


def _worn(raw: bytes, chance: random.Random) -> bytes:
    """Write *raw* as old software does: lines that end in LF, names in raw UTF-8, or neither."""
    if chance.random() < 0.6:
        raw = raw.replace(b"\r\n", b"\n")
    return raw.replace(b"App", "Zoë".encode()) if chance.random() < 0.5 else raw


def check_repaired(raw: bytes) -> bool:
    """Whether *raw* is accepted because of a repair; then nobody reads it as somebody else's before or after."""
    repaired = repair(raw, EVERYTHING)
    facts = check_one_reading(repaired.raw)
    if facts is None or not repaired.made:
        return False
    for name in READINGS:
        assert set(named_by(name, raw)) <= {str(facts.author)}, (name, raw, repaired)
    return True
