"""Clocks that jump, and half an hour without SES in half a minute: libfaketime stands before the kernel's clocks."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.torture.clients import Answers, hand_over
from tests.torture.field import FULL, MakeField, kill, lines
from tests.torture.figures import Figures

pytestmark = pytest.mark.system

JUMPS = ["+1d", "-1d", "+1y", "-1y"]


def test_the_clock_jumps_while_the_relay_runs(
    make_field: MakeField, faked: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """
    A day and a year, ahead and back, with mail waiting: nothing expires, nothing is stuck, each is sent once, without a
    restart (C13).
    """
    field, answers, numbers = make_field("spool"), Answers(), count()
    field.ses.be(down=True)

    def hand_over_one() -> bool:
        return hand_over(relay.smtp, f"m{next(numbers)}-small", answers=answers)[0].startswith("250")

    with field.running(environ=faked("+0")) as relay:
        for jump in ["+0", *JUMPS]:
            (tmp_path / "clock").write_text(f"{jump}\n")
            tried = len(lines(relay, "delivery"))
            relay.wait_until(hand_over_one, f"250 after {jump}")
            relay.wait_until(lambda: len(lines(relay, "delivery")) > tried, f"attempts after {jump}", 20)  # noqa: B023
        field.ses.be()
        relay.wait_until(field.is_drained, "delivery", 20)

    assert sorted(field.ses.names()) == sorted(answers.accepted)
    assert field.states() == {}


@pytest.mark.parametrize("jump", JUMPS if FULL else JUMPS[-2:])
def test_the_clock_is_wrong_at_the_next_start(
    make_field: MakeField, faked: Callable[..., dict[str, str]], jump: str
) -> None:
    """
    The machine comes back with another date: what waited is sent, soon (C13).
    """
    field, answers = make_field("spool"), Answers()
    field.ses.be(down=True)
    with field.running() as relay:
        hand_over(relay.smtp, "one-small", "two-large", answers=answers)
        relay.wait_for("delivery")
        kill(relay)
    field.ses.be()
    with field.running(environ=faked(jump)) as relay:
        relay.wait_until(field.is_drained, "delivery", 20)

    assert sorted(set(field.ses.names())) == ["one-small", "two-large"]
    assert field.states() == {}


@pytest.mark.timeout(120)
def test_half_an_hour_without_ses(
    make_field: MakeField, faked: Callable[..., dict[str, str]], figures: Figures
) -> None:
    """
    Sixty times as fast as life: mail is taken all the while, SES is asked rarely, and soon after it is back all has
    left, each once (C16).
    """
    schedule = {"retry_first": "1s", "retry_longest": "15m", "retry_unsure": "30s"}
    field, answers = make_field("fallback", read_timeout="10m", **schedule), Answers()  # the far side's time is ours
    minutes = 30 if FULL else 10
    field.ses.be(down=True)
    with field.running(environ=faked("+0 x60", monotonic=True)) as relay:
        for number in range(minutes):
            hand_over(relay.smtp, f"m{number}-small", f"m{number}-large", answers=answers)
            time.sleep(1)
        calls = field.ses.book().calls
        field.ses.be()
        relay.wait_until(field.is_drained, "delivery", 60)

    rows = [("messages taken meanwhile", str(len(answers.accepted))), ("calls to SES meanwhile", str(calls))]
    figures.add(f"SES away for {minutes} minutes", rows)
    assert sorted(field.ses.names()) == sorted(answers.accepted)
    assert len(answers.accepted) == 2 * minutes
    assert calls < 40 + 5 * minutes
