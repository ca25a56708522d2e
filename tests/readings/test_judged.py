"""A mutant of an accepted message is never sent for an author, in any reading, other than the one that is allowed."""

import pytest

from relay.judgement.rules import Rules
from relay.mail.facts import MessageFacts
from relay.mail.reading import read_facts
from relay.mail.rewriting import rewrite
from relay.words.delegates import Delegate
from tests.fuzz.times import TIMES, chance_of
from tests.judgement.building import envelope, judge
from tests.judgement.test_attacks import FIXTURE, KNOWN, principal
from tests.mail.letters import RECEIVED, attacks
from tests.readings.all import READINGS, named_by
from tests.readings.mutants import mutant

RULES = Rules(source_arn="required", x_ses_headers="reject")
WHO = Delegate("app1", principal("app1"))
PATH = envelope(FIXTURE["defaults"]["mail_from"], FIXTURE["defaults"]["rcpt"])

CASES = [case["raw"] for case in attacks() if case.get("delegate", "app1") == "app1"]


def permits(raw: bytes) -> bytes | None:
    """What would be sent of *raw* for app1: read, judged by the policies of the attack cases, rewritten."""
    facts = read_facts(raw)
    if not isinstance(facts, MessageFacts) or judge(KNOWN, facts, PATH, who=WHO, rules=RULES).permit is None:
        return None
    sent = rewrite(raw, facts, RECEIVED)
    return sent if isinstance(sent, bytes) else None


PERMITTED = [raw for raw in CASES if permits(raw) and len(raw) < 4000]


def test_there_is_mail_that_is_permitted_and_mail_that_is_not():
    assert len(PERMITTED) > 15
    assert len(CASES) - len(PERMITTED) > 100


@pytest.mark.parametrize("seed", range(3))
def test_a_mutant_is_sent_for_the_permitted_author_only(seed: int):
    """app1 may send from one address; whatever its mutants turn into, nobody reads another author in what is sent."""
    chance = chance_of(seed)
    sent = 0
    for _ in range(4000 * TIMES):
        raw = permits(mutant(chance.choice(PERMITTED), chance, CASES))
        if raw is None:
            continue
        sent += 1
        for name in READINGS:
            assert named_by(name, raw) == ["app1@example.com"], (name, raw)

    assert sent > 300
