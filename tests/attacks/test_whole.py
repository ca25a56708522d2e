"""
Every case as it is, against a relay in a process of its own: the reply and what reached SES are both right.

attacks.jsonl is what the relay was built against; more_attacks.jsonl holds others of the same classes, and honest mail
as real programs write it.
"""

import pytest

from tests.attacks.cases import Case, all_cases, plain_cases
from tests.attacks.field import Field
from tests.attacks.playing import play

pytestmark = pytest.mark.system


@pytest.mark.parametrize("case", plain_cases(), ids=lambda case: case.id)
async def test_case(case: Case, attacked: Field):
    played = await play(attacked, case)

    assert played.problems == [], case.data["why"]


#: Those that need a clock, numbers, another field or hands, and where they are played.
SPECIAL = {
    "h-early-talk": "test_special.py",
    "h-noop-flood": "test_sieges.py",
    "h-rset-flood": "test_sieges.py",
    "h-unknown-flood": "test_sieges.py",
    "j-brute-reconnect": "test_sieges.py",
    "j-store-down": "test_special.py",
    "j-user-oracle": "test_special.py",
    "k-renego": "test_special.py",
    "k-stall": "test_sieges.py",
    "l-big-parallel": "test_sieges.py",
    "l-conn-total": "test_sieges.py",
    "l-crlf-flood": "test_sieges.py",
    "l-idle": "test_sieges.py",
    "l-slow-data": "test_sieges.py",
    "l-slow-reader": "test_sieges.py",
    "l-slowloris-cmd": "test_sieges.py",
}


def test_no_case_is_left_out(request: pytest.FixtureRequest):
    """What is not played here is named in the file that plays it."""
    special = {case.id for case in all_cases()} - {case.id for case in plain_cases()}
    texts = {name: request.path.with_name(name).read_text() for name in set(SPECIAL.values())}

    assert special <= set(SPECIAL)
    assert [case for case, file in SPECIAL.items() if case not in texts[file]] == []
