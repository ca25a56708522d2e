"""What fails after 250 is told to whoever sent it, by a real relay to an SES that judges the notification too."""

import email
import email.message
import email.policy
import json
import os
import re
import signal
import time
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main as ses_relay
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, command
from tests.system.test_delivery import QUEUED, message, start

pytestmark = pytest.mark.system

AUTHOR = "postmaster@example.com"
REJECTED = {"code": "MessageRejected", "message": "Illegal content", "status": 400}


def queue(relay: RunningRelay, name: str = "one", mail_from: str = "bounces@example.com") -> str:
    """Hand a message over, and return its queue id."""
    with relay.client("billing", "demo-billing-secret") as client:
        reply = client.hand_over(mail_from, ["ann@example.net", "bob@example.net"], message(name, body="Our secret."))
    found = QUEUED.fullmatch(reply)
    assert found, reply
    return found[1]


def type_spool(house: House, *words: str) -> Result:
    """Type ``ses-relay spool ...``, in a process that is not the relay's: ours."""
    return CliRunner().invoke(ses_relay, ["spool", *words, "-c", str(house.settings)])


def spool_list(house: House, *filters: str) -> list[dict[str, Any]]:
    """What an operator sees."""
    shown = type_spool(house, "list", "--json", *filters)
    assert shown.exit_code == 0, shown.output
    found: list[dict[str, Any]] = json.loads(shown.stdout)
    return found


def the_notification(relay: RunningRelay, ses: EmbeddedSes) -> dict[str, Any]:
    """Return what SES has, once it has one message."""
    relay.wait_until(ses.messages, "notification")
    relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="due") == 0, "empty queue")
    (only,) = ses.messages()
    return only


def wait_until_read(ses: EmbeddedSes) -> None:
    """Wait until SES has refused what a killed relay sent before it was killed: each refusal takes a fault away."""
    left, before = ses.faults_left(), None
    while left != before:
        time.sleep(0.3)
        left, before = ses.faults_left(), left


def read(notification: dict[str, Any]) -> tuple[email.message.EmailMessage, list[Any]]:
    """The notification, and the groups of fields of its delivery status."""
    told = email.message_from_bytes(notification["raw"], policy=email.policy.default)
    assert told.defects == []
    report = list(told.iter_parts())[1]
    assert isinstance(report, email.message.EmailMessage)
    groups = report.get_payload()
    assert isinstance(groups, list)
    return told, groups


def check_form(notification: dict[str, Any], queue_id: str) -> None:
    """What every notification is: from the relay, to where bounces go, for no software, without the body."""
    told, groups = read(notification)
    assert (notification["source"], notification["destinations"]) == (AUTHOR, ["bounces@example.com"])
    assert (told["From"].addresses[0].addr_spec, told["To"].addresses[0].addr_spec) == (AUTHOR, "bounces@example.com")
    assert told["Auto-Submitted"] == "auto-replied"
    assert told.get_content_type() == "multipart/report"
    assert told["Content-Type"].params["report-type"] == "delivery-status"
    text, _, header = told.iter_parts()
    assert (text.get_content_type(), header.get_content_type()) == ("text/plain", "text/rfc822-headers")
    assert groups[0]["Original-Envelope-Id"] == queue_id
    assert queue_id in text.get_content()
    assert "Subject: one" in header.get_content()
    assert b"Our secret." not in notification["raw"]


def test_what_the_owner_withdrew_is_told(house: House, ses: EmbeddedSes) -> None:
    """
    The policy was there at 250; when it is gone, a DSN arrives where bounces go, with the reason in words.
    """
    with house.keep("fallback", retry_first="1s").notify().serve() as relay:
        ses.suffer({"code": "Throttling", "times": 1})
        queue_id = queue(relay)
        house.policy("example.com/billing").unlink()
        notification = the_notification(relay, ses)
        (noted,) = relay.lines("notice.queued")

    check_form(notification, queue_id)
    _, groups = read(notification)
    assert [each["Final-Recipient"] for each in groups[1:]] == ["rfc822; ann@example.net", "rfc822; bob@example.net"]
    assert {(each["Action"], each["Status"]) for each in groups[1:]} == {("failed", "5.7.1")}
    assert "554 5.7.1 Access denied" in groups[1]["Diagnostic-Code"]
    assert noted["queue_id"] == queue_id
    (kept,) = spool_list(house)
    assert (kept["state"], kept["reason"], kept["notice"]) == ("failed", "policy-not-allowed", noted["notice"])


def test_what_ses_refused_is_told(house: House, ses: EmbeddedSes) -> None:
    with house.keep("spool").notify().serve() as relay:
        ses.suffer(REJECTED)
        queue_id = queue(relay)
        notification = the_notification(relay, ses)
        assert relay.lines("library") == []

    check_form(notification, queue_id)
    _, groups = read(notification)
    assert {each["Status"] for each in groups[1:]} == {"5.6.0"}
    assert "Illegal content" in groups[1]["Diagnostic-Code"]


def test_what_an_operator_gave_up_is_told(house: House, ses: EmbeddedSes) -> None:
    """
    By another process; the running relay notices.
    """
    with house.keep("spool", retry_first="10s").notify().serve() as relay:
        ses.suffer({"code": "Throttling", "times": 1})
        queue_id = queue(relay)
        relay.wait_for("delivery")
        typed = command("spool", "delete", queue_id, "--notify", "--yes", "-c", str(house.settings))
        assert typed.returncode == 0, typed.stderr
        notification = the_notification(relay, ses)

    check_form(notification, queue_id)
    assert {each["Status"] for each in read(notification)[1][1:]} == {"5.3.0"}


def test_to_the_null_reverse_path_nothing_is_told(house: House, ses: EmbeddedSes) -> None:
    """
    A bounce that bounces ends here; it is kept for people.
    """
    house.settings.write_text(house.settings.read_text() + '\n[limits]\nnull_reverse_path = "author"\n')
    with house.keep("spool").notify().serve() as relay:
        ses.suffer(REJECTED)
        queue(relay, mail_from="")
        (kept,) = relay.wait_until(lambda: [one for one in spool_list(house) if one["notice"]], "note")
        told = relay.lines("notice.queued")

    assert (kept["state"], kept["notice"], kept["mail_from"]) == ("failed", "none", "<>")
    assert (told, ses.messages()) == ([], [])


def test_about_a_notification_nothing_is_told(house: House, ses: EmbeddedSes) -> None:
    """
    SES refuses the message, then the notification: both are kept, and that is all.
    """
    with house.keep("spool").notify().serve() as relay:
        ses.suffer({**REJECTED, "times": 1000})
        queue_id = queue(relay)
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="failed") == 2, "two failures")
        relay.wait_until(lambda: all(one["notice"] for one in spool_list(house)), "notes")
        kept = {one["kind"]: one for one in spool_list(house)}
        assert len(relay.lines("notice.queued")) == 1

    assert kept["message"]["id"] == queue_id
    assert kept["message"]["notice"] == kept["notification"]["id"]
    assert kept["notification"]["notice"] == "none"
    assert ses.messages() == []


def test_without_a_sender_it_is_kept_and_told_once_there_is_one(house: House, ses: EmbeddedSes) -> None:
    """
    Failed, counted, listed; nothing is dropped.
    """
    with house.keep("spool").serve() as relay:
        ses.suffer(REJECTED)
        queue_id = queue(relay)
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="failed") == 1, "failed message")
        (kept,) = spool_list(house, "--state", "failed")
        assert (kept["id"], kept["reason"]) == (queue_id, "ses-refused")
        assert type_spool(house, "delete", queue_id, "--notify", "--yes").exit_code == 2
    assert ses.messages() == []

    with house.notify().serve(log="second.log") as relay:
        check_form(the_notification(relay, ses), queue_id)


@pytest.mark.parametrize("moment", [0.0, 0.1])
def test_a_kill_between_failure_and_notification_makes_one(house: House, ses: EmbeddedSes, moment: float) -> None:
    """
    kill -9 as soon as the failure is told, or a little later; SES takes nothing until the next start.
    """
    house.keep("spool").notify()
    ses.suffer(REJECTED, {"code": "Throttling", "times": 1000})
    relay = start(house, "killed.log")
    try:
        queue_id = queue(relay)
        relay.wait_for("delivery")
        time.sleep(moment)
    finally:
        os.kill(relay.process.pid, signal.SIGKILL)
        relay.process.wait()
    wait_until_read(ses)
    ses.forget_faults()
    with house.serve(log="second.log") as relay:
        notification = the_notification(relay, ses)
        (failed,) = spool_list(house, "--state", "failed")

    check_form(notification, queue_id)
    assert re.fullmatch("[0-9a-f]{16}", failed["notice"])
