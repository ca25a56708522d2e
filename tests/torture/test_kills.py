"""Relays killed with -9 at random moments and at system calls: what was answered 250 is at SES, and how often twice."""

import random
import time

import pytest

from tests.torture.clients import Crowd
from tests.torture.field import FULL, REST, MakeField, kill
from tests.torture.figures import Figures
from tests.torture.reckoning import reckon

pytestmark = [pytest.mark.system, pytest.mark.timeout(0 if FULL else 300)]

#: Throttling, failures, connections cut before and after SES took the message, slow answers: all at once, by chance.
STORM = {"throttle": 0.03, "broken": 0.02, "before": 0.02, "after": 0.01, "slow": 0.03}
KILLS = 55 if FULL else 4
MESSAGES = 5200 if FULL else 0


@pytest.mark.parametrize("mode", ["fallback", "spool"])
def test_kill_9_at_random_moments_under_load(make_field: MakeField, figures: Figures, mode: str) -> None:
    """
    A crowd of every size of message, an SES that fails in every way, a relay that is killed again and again: no message
    that was answered 250 is lost, none is sent twice but those whose call was cut off, nobody is taken for poison (C5,
    C7, C30).
    """
    rng, field, crowd = random.Random(f"kills {mode}"), make_field(mode), Crowd(mode, 24, pause=REST)
    field.ses.be(**STORM)
    kills = 0
    with crowd.busy():
        while kills < KILLS or len(crowd.answers.accepted) < MESSAGES:
            relay = field.start()
            crowd.address = relay.smtp
            enough = len(crowd.answers.accepted) + (MESSAGES // KILLS or 30)
            relay.wait_until(lambda: len(crowd.answers.accepted) >= enough, "load", 60)  # noqa: B023  asked at once
            time.sleep(rng.random() * 0.3)
            crowd.address = None
            kill(relay)
            kills += 1
    field.drain(300)
    reckoning = reckon(kills, crowd.answers, field.ses.book(), field.relays)
    figures.add(f"kill -9 at random, {mode}", reckoning.rows())
    reckoning.check()
