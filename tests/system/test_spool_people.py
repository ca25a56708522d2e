"""People and the spool of a running relay: what they type and what programs ask counts at once."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay
from tests.system.test_delivery import QUEUED, hand_over, subjects
from tests.system.test_notifications import spool_list, type_spool

pytestmark = pytest.mark.system

DOWN = {"code": "Throttling", "times": 1000}


def queued(relay: RunningRelay, name: str) -> str:
    found = QUEUED.fullmatch(hand_over(relay, name))
    assert found
    return found[1]


def spool(house: House, *words: str) -> str:
    """Type a command; return what it printed."""
    typed = type_spool(house, *words)
    assert typed.exit_code == 0, typed.output
    return typed.stdout


def post(relay: RunningRelay, path: str, body: object) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{relay.addresses['admin']}/api/spool/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


def wait_for_subjects(relay: RunningRelay, ses: EmbeddedSes, *names: str) -> None:
    relay.wait_until(lambda: sorted(subjects(ses)) == sorted(names), f"{names} at SES")


def test_what_an_operator_types_counts_while_the_relay_runs(house: House, ses: EmbeddedSes) -> None:
    """
    Held mail stays when SES is well again; released, deleted and retried mail does as it is told.
    """
    with house.keep("spool", retry_first="1s").serve() as relay:
        ses.suffer(DOWN)
        ids = {name: queued(relay, name) for name in ("held", "gone", "last")}
        relay.wait_until(lambda: len(relay.lines("delivery")) >= 3, "attempts")
        assert {one["id"] for one in spool_list(house, "--delegate", "billing")} == set(ids.values())
        for action, name in (("hold", "held"), ("delete", "gone")):
            act(relay, house, action, ids[name])
        ses.forget_faults()
        wait_for_subjects(relay, ses, "last")
        (kept,) = spool_list(house)
        assert (kept["id"], kept["state"]) == (ids["held"], "held")
        assert "Subject: held" in spool(house, "show", ids["held"], "--headers")
        spool(house, "release", "--state", "held", "--yes")
        wait_for_subjects(relay, ses, "last", "held")


def act(relay: RunningRelay, house: House, action: str, queue_id: str) -> None:
    """Type it again while the message is just being sent."""

    def done() -> bool:
        return type_spool(house, action, queue_id, "--yes").exit_code == 0

    relay.wait_until(done, action)


def test_a_stopped_relay_starts_with_what_was_decided(house: House, ses: EmbeddedSes) -> None:
    with house.keep("spool").serve() as relay:
        ses.suffer(DOWN)
        ids = {name: queued(relay, name) for name in ("gone", "held", "sent")}
        relay.wait_until(lambda: len(relay.lines("delivery")) >= 3, "attempts")
    spool(house, "delete", ids["gone"], "--yes")
    spool(house, "hold", ids["held"])
    ses.forget_faults()
    with house.serve(log="second.log") as relay:
        wait_for_subjects(relay, ses, "sent")
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="due") == 0, "empty queue")
        assert [one["id"] for one in spool_list(house)] == [ids["held"]]


def test_failed_mail_goes_out_once_the_policy_is_back(house: House, ses: EmbeddedSes) -> None:
    """
    The owner made a mistake; nobody has to send anything again.
    """
    policy = house.policy("example.com/billing")
    text = policy.read_text()
    with house.keep("fallback", retry_first="1s").serve() as relay:
        ses.suffer({"code": "Throttling", "times": 1})
        queued(relay, "one")
        policy.unlink()
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="failed") == 1, "failed message")
        policy.write_text(text)
        shown = spool(house, "retry", "--state", "failed", "--reason", "policy-not-allowed", "--yes")
        assert shown == "retry: 1 message\n"
        wait_for_subjects(relay, ses, "one")
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages") == 0, "empty spool")


def test_programs_do_the_same_over_http(house: House, ses: EmbeddedSes) -> None:
    with house.keep("spool", retry_first="30s").serve() as relay:
        ses.suffer({"code": "Throttling", "times": 2})
        first, second = queued(relay, "first"), queued(relay, "second")
        relay.wait_until(lambda: len(relay.lines("delivery")) == 2, "attempts")
        listed = json.loads(relay.get("/api/spool?delegate=billing&state=due"))
        assert {one["id"] for one in listed["entries"]} == {first, second}
        assert listed["counts"]["due"] == 2
        assert post(relay, f"{first}/hold", {})["state"] == "held"
        assert post(relay, f"{second}/retry", {})["state"] == "due"
        wait_for_subjects(relay, ses, "second")
        with pytest.raises(urllib.error.HTTPError, match="409"):
            post(relay, f"{first}/hold", {})
        assert post(relay, f"{first}/delete", {})["state"] == "removed"
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages") == 0, "empty spool")
        assert [line["action"] for line in relay.lines("spool.changed")] == ["hold", "retry", "delete"]
    assert subjects(ses) == ["second"]
