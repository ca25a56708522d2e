"""
A delegate whose mail is complained about, from the mailbox simulator to its own refusal: embedded SES, SQS of moto, a
relay.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.feedback.telling import recorded
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, command, started_ses
from tests.system.test_owner_and_delegate import owner, policy

pytestmark = pytest.mark.system

RAW = b"From: billing@example.com\r\nTo: friend@example.net\r\nSubject: hi\r\n\r\nhello\r\n"
SETTINGS = """
[feedback]
queue_url = "{queue}"
path = "{folder}/feedback.db"
minimum = 10
complaint_rate = {{ warn = 0.05, slow = 0.15, suspend = 0.3 }}
bounce_rate = {{ warn = 0.9 }}
slow_rate = "50/s"
suspend_for = "1h"
"""


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "sqs", "us-east-1", endpoint_url=f"http://{host}:{port}", aws_access_key_id="moto", aws_secret_access_key="moto"
    )
    server.stop()


def send(relay: RunningRelay, mailbox: str, number: int = 1) -> list[str]:
    """Send so many messages to a mailbox of the simulator; return the replies that are no 250."""
    with relay.client("billing", "demo-billing-secret") as client:
        recipient = f"{mailbox}@simulator.amazonses.com"
        replies = [client.hand_over("billing@example.com", [recipient], RAW) for _ in range(number)]
    return [reply for reply in replies if not reply.startswith("250")]


def refusal_of(relay: RunningRelay) -> str:
    """What mail of who has just been suspended hears."""
    time.sleep(0.5)  # workers know of it a tenth of a second later
    (refusal,) = send(relay, "success")
    return refusal


def stands(relay: RunningRelay, standing: int) -> None:
    relay.wait_until(
        lambda: relay.count("ses_relay_delegate_standing", delegate="billing") == standing, f"standing {standing}"
    )
    time.sleep(0.3)  # workers hear of it a moment after it is counted


def hears(relay: RunningRelay, kind: str, number: int) -> None:
    relay.wait_until(
        lambda: relay.count("ses_relay_feedback_total", delegate="billing", kind=kind) == number, f"{number} {kind}"
    )


def test_complaints_warn_slow_and_suspend_until_an_operator_resumes(
    tmp_path: Path, certificate: tuple[Path, Path], sqs: Any
) -> None:
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    with started_ses(tmp_path, "--events", queue) as ses:
        house = House(tmp_path / "house", certificate, ses=ses.url)
        house.settings.write_text(house.settings.read_text() + SETTINGS.format(queue=queue, folder=tmp_path))
        with house.serve() as relay:
            assert send(relay, "success", 20) + send(relay, "bounce") == []
            hears(relay, "delivery", 20)
            hears(relay, "bounce", 1)
            stands(relay, 0)
            assert send(relay, "complaint", 2) == []
            stands(relay, 1)
            assert send(relay, "complaint", 3) == []
            stands(relay, 2)
            assert send(relay, "complaint", 6) == []
            stands(relay, 3)

            refusal = refusal_of(relay)
            assert refusal.startswith("454 4.7.1 Delegate billing is suspended until 20")
            assert "complaint rate" in refusal
            assert "suspended from 30 %" in refusal
            relay.counts(1, "ses_relay_messages_total", delegate="billing", outcome="deferred", reason="rate")
            assert "suspended" in relay.readiness()
            assert relay.is_ready()
            record = relay.lines("message")[-1]
            assert (record["outcome"], record["reason"]) == ("deferred", "rate")
            assert [line["standing"] for line in relay.lines("delegate.standing")] == ["warned", "slowed", "suspended"]

        with house.serve(log="again.log") as relay:
            stands(relay, 3)
            assert refusal_of(relay).startswith("454 4.7.1")
            report = command("delegate", "report", "-c", str(house.settings), "--json")
            told = {each["delegate"]: each for each in json.loads(report.stdout)["delegates"]}
            assert told["billing"]["standing"] == "suspended"
            assert (told["billing"]["sent"], told["billing"]["bounced"], told["billing"]["complained"]) == (32, 1, 11)
            assert told["newsletter"]["sent"] == 0
            command("delegate", "resume", "billing", "-c", str(house.settings), "--yes")
            stands(relay, 0)
            relay.wait_until(lambda: send(relay, "success") == [], "a delegate that may send")


def test_the_spool_of_a_suspended_delegate_waits_and_an_operator_hears_of_hashes_only(
    tmp_path: Path, certificate: tuple[Path, Path], sqs: Any
) -> None:
    """With a spool the mail of who is suspended is refused all the same: it would wait for nothing."""
    queue = sqs.create_queue(QueueName="events-of-hashes")["QueueUrl"]
    with started_ses(tmp_path, "--events", queue) as ses:
        house = House(tmp_path / "house", certificate, ses=ses.url).keep("spool")
        settings = SETTINGS.format(queue=queue, folder=tmp_path) + '\n[log]\naddresses = "hash"\n'
        house.settings.write_text(house.settings.read_text() + settings)
        with house.serve() as relay:
            assert send(relay, "complaint", 12) == []
            stands(relay, 3)
            assert refusal_of(relay).startswith("454 4.7.1")
            lines = relay.wait_until(lambda: relay.lines("feedback"), "feedback")
            assert lines[0]["kind"] == "complaint"
            assert lines[0]["recipients"][0].startswith("hash:")
            assert "complaint@simulator" not in relay.text


def test_an_event_of_cloudtrail_has_a_policy_read_again(
    tmp_path: Path, certificate: tuple[Path, Path], sqs: Any
) -> None:
    """Long before the interval would."""
    queue = sqs.create_queue(QueueName="policies")["QueueUrl"]
    with started_ses(tmp_path) as ses:
        house = prepared(House(tmp_path / "house", certificate, ses=ses.url), queue)
        v2 = owner(ses.url, "sesv2")
        v2.create_email_identity(EmailIdentity="example.com")
        v2.create_email_identity_policy(
            EmailIdentity="example.com", PolicyName="billing", Policy=policy("arn:aws:iam::111111111111:user/billing")
        )
        with house.serve() as relay:
            assert send(relay, "success") == []
            v2.delete_email_identity_policy(EmailIdentity="example.com", PolicyName="billing")
            time.sleep(1)
            assert send(relay, "success") == []
            sqs.send_message(
                QueueUrl=queue, MessageBody=recorded("DeleteEmailIdentityPolicy", emailIdentity="example.com")
            )
            relay.wait_until(lambda: send(relay, "success"), "a refusal")

            assert relay.count("ses_relay_queue_messages_total", queue="policies", result="taken") == 1
            assert relay.lines("policies.changed-at-ses")[0]["call"] == "DeleteEmailIdentityPolicy"


def prepared(house: House, queue: str) -> House:
    """Read policies from SES, rarely."""
    house.edit('source = "directory"\n', f'source = "ses"\napi_rate = "20/s"\nevents_queue = "{queue}"\n')
    house.edit('directory = "policies"\n', "")
    house.edit('refresh_interval = "100ms"', 'refresh_interval = "10m"')
    return house


def test_a_queue_that_is_away_harms_no_mail(tmp_path: Path, certificate: tuple[Path, Path], ses: EmbeddedSes) -> None:
    house = House(tmp_path / "house", certificate, ses=ses.url)
    queue = "http://127.0.0.1:9/123456789012/nowhere"
    house.settings.write_text(house.settings.read_text() + SETTINGS.format(queue=queue, folder=tmp_path))
    with house.serve() as relay:
        relay.wait_until(lambda: "nowhere" in relay.readiness(), "a line about the queue")
        assert relay.is_ready()
        assert send(relay, "success") == []
        started = time.monotonic()
    assert time.monotonic() - started < 10
