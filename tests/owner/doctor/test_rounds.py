"""Looks side by side: order, needs, hangs, crashes, turns of SES."""

import threading
import time
from typing import Any

import pytest

from relay.owner.doctor.findings import Finding, Look, Status, failing, not_checked, ok
from relay.owner.doctor.rounds import PatientPace, Rounds, seconds_of_this_look


def a_look(check: str, *found, **more) -> Look:
    return Look((check,), lambda: found or [ok(check, "good")], **more)


def hanging(forever: threading.Event, *checks: str) -> Look:
    def work() -> list[Finding]:
        forever.wait(60)
        return []

    return Look(checks, work)


def noted(check: str, order: list[str], *found: Finding, **more: Any) -> Look:
    """A look that notes when it was made."""

    def work() -> list[Finding]:
        order.append(check)
        return list(found)

    return Look((check,), work, **more)


def statuses(findings) -> dict[str, str]:
    return {each.check: each.status.value for each in findings}


def test_a_look_that_breaks_is_a_failing_line_and_no_trouble_of_others():
    def broken():
        yield ok("quota", "before it broke")
        raise LookupError("a secret")

    found = Rounds().make([Look(("region", "sandbox", "quota"), broken), a_look("names")])

    assert statuses(found) == {"quota": "ok", "region": "failing", "sandbox": "not-checked", "names": "ok"}
    assert not any("a secret" in f"{each.what}{each.fix}" for each in found)
    assert any("LookupError" in each.what for each in found)


def test_a_look_that_hangs_is_left_alone():
    forever = threading.Event()
    found = Rounds(seconds=0.2).make([hanging(forever, "region", "quota")])

    assert statuses(found) == {"region": "failing", "quota": "not-checked"}
    assert found[0].what == "no answer within 0.2 s"
    forever.set()


def test_a_hanging_look_holds_nobody_up():
    forever = threading.Event()
    looks = [hanging(forever, "region") for _ in range(3)]
    found = Rounds(seconds=0.2, most=1).make([*looks, a_look("names")])

    assert statuses(found)["names"] == "ok"
    assert len(found) == 4
    forever.set()


def test_the_wait_for_a_turn_does_not_count():
    """The inner pace is slow: SES's one call a second."""
    pace = PatientPace(lambda _account, _region: time.sleep(0.4))
    spent = []

    def work():
        pace("1", "us-east-1")
        spent.append(seconds_of_this_look())
        return [ok("identity", "read")]

    found = Rounds(seconds=0.2).make([Look(("identity",), work)])

    assert statuses(found) == {"identity": "ok"}
    assert spent[0] < 0.2


def test_a_pace_is_kept_outside_of_looks_too():
    turns = []
    PatientPace(lambda *place: turns.append(place))("1", "us-east-1")

    assert turns == [("1", "us-east-1")]
    assert seconds_of_this_look() == 0.0


@pytest.mark.parametrize("first", [failing("credentials", "none", ""), not_checked("credentials", "why")])
def test_what_needs_something_that_is_not_good_is_not_checked(first):
    second = a_look("region", needs=(("credentials", ""),))
    third = a_look("identity", needs=(("region", ""),))
    found = Rounds().make([third, second, a_look("credentials", first)])

    assert statuses(found)["region"] == statuses(found)["identity"] == "not-checked"
    assert found[1].what.startswith("it needs credentials, which ")


def test_what_only_comes_first_may_fail():
    order: list[str] = []
    late = noted("feedback", order, ok("feedback", ""), after=(("names", ""),))
    early = noted("names", order, failing("names", "", ""))
    found = Rounds().make([late, early])

    assert order == ["names", "feedback"]
    assert statuses(found) == {"names": "failing", "feedback": "ok"}


def test_looks_lead_to_looks_but_not_to_unwanted_ones():
    leading = Look(("owner.policies",), lambda: [a_look("identity"), a_look("names"), ok("owner.policies", "")])
    found = Rounds().make([leading], lambda look: look.checks != ("names",))

    assert statuses(found) == {"owner.policies": "ok", "identity": "ok"}


def test_offline_only_this_machine_is_asked():
    asked: list[str] = []
    looks = [noted(kind, asked, asks=kind) for kind in ("here", "network", "aws")]
    found = Rounds(offline=True).make(looks)

    assert asked == ["here"]
    assert {each.status for each in found} == {Status.NOT_CHECKED}


def test_progress_is_told_of_each_look():
    steps: list[int] = []
    Rounds(advance=steps.append).make([a_look("names"), a_look("region"), a_look("quota", needs=(("names", ""),))])

    assert steps == [1, 1, 1]


def test_looks_that_wait_for_each_other_are_our_mistake():
    with pytest.raises(RuntimeError, match="wait for each other"):
        Rounds().make([a_look("names", needs=(("region", ""),)), a_look("region", needs=(("names", ""),))])
