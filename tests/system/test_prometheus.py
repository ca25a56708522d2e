"""A real Prometheus before a real relay on a bad day: every panel shows something, the right alerts are coming."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.docs.pages import ROOT
from tests.system.houses import House
from tests.system.prometheus import Prometheus, started_prometheus
from tests.system.relays import EmbeddedSes, RunningRelay, plain_response
from tests.system.roled import NOTICES, roled, started_ses_of_owner
from tests.system.rows import FORBIDDEN, PERMITTED, Row, secret_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

DASHBOARD = json.loads((ROOT / "config" / "grafana" / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
GOOD, NEWS = PERMITTED[0], next(row for row in PERMITTED if row.delegate == "newsletter")
SALES = next(row for row in FORBIDDEN if row.delegate == "billing")
THROTTLED = {"code": "Throttling", "message": "Maximum sending rate exceeded.", "status": 400}
DENIED = {"code": "AccessDenied", "message": "User is not authorized to perform ses:SendRawEmail", "status": 403}
#: Seconds of mail: two scrapes for each rate, and the courier's second attempts.
LONG_ENOUGH = 8.0


@dataclass(frozen=True)
class Day:
    """A relay whose mail is over, and what Prometheus saw of it."""

    relay: RunningRelay
    prometheus: Prometheus


@pytest.fixture(scope="module")
def queue() -> Iterator[str]:
    """Where SES puts its events: a queue of moto's."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    sqs = boto3.client("sqs", endpoint_url=f"http://{host}:{port}", region_name="us-east-1", **keys)
    yield sqs.create_queue(QueueName="events")["QueueUrl"]
    server.stop()


@pytest.fixture(scope="module")
def day(
    tool: Callable[[str], str], certificate: tuple[Path, Path], queue: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Day]:
    program = tool("prometheus")
    owner = tmp_path_factory.mktemp("owner")
    with started_ses_of_owner(owner, "--daily-quota", "50000", "--send-rate", "500", "--events", queue) as ses:
        house = roled(House(tmp_path_factory.mktemp("watched"), certificate, ses=ses.url), owner / "state")
        house.edit('source = "directory"\n', 'source = "ses"\napi_rate = "20/s"\n')
        house.edit(f'directory = "{owner / "state"}"\n', "")
        house.edit('regions = ["us-east-1"]\n', f'regions = ["us-east-1"]\nrole_arn = "{NOTICES}"\n')
        house.edit('name = "billing"\n', 'name = "billing"\nrepair = ["missing-headers"]\n')
        house.keep("fallback")
        house.settings.write_text(f'{house.settings.read_text()}\n[feedback]\nqueue_url = "{queue}"\n')
        with house.serve() as relay:
            folder = tmp_path_factory.mktemp("prometheus")
            with started_prometheus(program, folder, relay.addresses["admin"]) as prometheus:
                a_bad_day(relay, ses)
                seen = relay.count("ses_relay_messages_total")
                relay.wait_until(lambda: relay.count("ses_relay_feedback_total", kind="send") > 1, "events of SES")
                relay.wait_until(lambda: prometheus.value("sum(ses_relay_messages_total)") == seen, "the last scrape")
                later = datetime.now(UTC) + timedelta(seconds=1)  # what is made of other rules is worked out after them
                relay.wait_until(partial(prometheus.has_worked_out, later), "what rules make of it")
                yield Day(relay, prometheus)


def a_bad_day(relay: RunningRelay, ses: EmbeddedSes) -> None:
    """Mail of three delegates, refused, repaired, throttled, denied, kept and tried again; passwords are guessed."""
    until = time.monotonic() + LONG_ENOUGH
    for fault in ([THROTTLED], [DENIED], [{"code": "ServiceUnavailable", "message": "away", "status": 503}], []):
        ses.suffer(*({**each, "times": 2} for each in fault))
        for row in (GOOD, NEWS, SALES, FORBIDDEN[-1]):
            send(relay, row)
        send(relay, GOOD, b"From: a@example.com\r\nFrom: b@example.com\r\n\r\n")
    with relay.client("billing", secret_of("billing")) as stays:
        stays.command(f"MAIL FROM:<{GOOD.mail_from}>")
        guess(relay)
        while time.monotonic() < until:
            send(relay, NEWS)
            time.sleep(0.3)


def send(relay: RunningRelay, row: Row, raw: bytes | None = None) -> str:
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return client.hand_over(row.mail_from, row.recipients, row.raw if raw is None else raw)


def guess(relay: RunningRelay) -> None:
    with relay.client("newsletter", secret_of("newsletter")) as client:
        client.command("QUIT")
    with relay.client("intern", secret_of("intern")) as client:
        client.command(f"AUTH PLAIN {plain_response('intern', 'guessed')}")


def here(expression: str) -> str:
    """A panel's expression as Grafana asks it: for all, over a short time."""
    for variable, value in {
        "$instance": ".*",
        "$delegate": ".*",
        "$__rate_interval": "30s",
        "$__range": "1m",
    }.items():
        expression = expression.replace(variable, value)
    return expression


@pytest.mark.parametrize(("title", "expression"), QUERIES, ids=lambda text: text[:40])
def test_every_panel_shows_something(title: str, expression: str, day: Day) -> None:
    assert "$" not in here(expression)
    assert day.prometheus.ask(here(expression)), title


def test_every_recording_rule_is_worked_out(day: Day) -> None:
    assert day.prometheus.troubles() == []


def test_the_books_balance_in_prometheus_too(day: Day) -> None:
    received = day.prometheus.value("sum(ses_relay_messages_received_total)")

    assert received == day.prometheus.value("sum(ses_relay_messages_total)") > 20


def test_the_alerts_of_such_a_day_are_on_their_way_and_no_others(day: Day) -> None:
    """A disagreement fires at once; what has to last is pending; nobody is told of a relay that is well."""
    alerts = day.prometheus.alerts()

    assert "SesRelaySesDisagreement" in alerts
    assert alerts <= {"SesRelaySesDisagreement", "SesRelaySesFailing", "SesRelayThrottled", "SesRelayTrouble"}


def test_a_point_of_a_graph_leads_to_its_log_line(day: Day) -> None:
    """Every exemplar names a decision whose record is in the log: of slow messages, and of refused ones."""
    decisions = {line["id"] for line in day.relay.lines("message")}
    times = day.prometheus.exemplars("ses_relay_transaction_seconds_bucket")
    refused = day.prometheus.exemplars('ses_relay_messages_total{outcome="rejected"}')

    assert times
    assert refused
    assert times | refused | day.prometheus.exemplars("ses_relay_decision_seconds_bucket") <= decisions
    assert {line["outcome"] for line in day.relay.lines("message") if line["id"] in refused} == {"rejected"}
