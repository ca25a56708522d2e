"""Every message is counted once, logged once, and told as it ended, whatever clients and SES do."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its types are in a package of their own
import pytest

from tests.system.houses import House
from tests.system.relays import started_ses
from tests.system.script import EPISODES, MESSAGE_BYTES, RECIPIENTS, UNHEARD, Day, Told

pytestmark = pytest.mark.system

SCHEMA = json.loads((files("relay") / "observe" / "decision-record.schema.json").read_text())


@dataclass(frozen=True)
class Evening:
    """A day that is over: what must have happened, and what the relay and SES say."""

    day: Day
    told: list[Told]

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.day.relay.lines("message")


@pytest.fixture(scope="session")
def evening(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """All episodes, one after the other, on one relay."""
    with started_ses(tmp_path_factory.mktemp("books-ses")) as ses:
        house = House(tmp_path_factory.mktemp("books"), certificate, ses=ses.url)
        limits = f"\n[limits]\nmessage_bytes = {MESSAGE_BYTES}\nrecipients = {RECIPIENTS}\n"
        house.settings.write_text(house.settings.read_text() + limits)
        with house.serve() as relay:
            day = Day(relay, ses)
            told: list[Told] = []
            for episode in EPISODES:
                told += episode(day)
                relay.wait_for_messages(len(told))  # in order, also those whose client did not wait
            relay.wait_until(lambda: relay.count("ses_relay_sessions") == 0, "end of every session")
            yield Evening(day, told)


def test_every_message_has_one_line_and_ends_as_it_must(evening: Evening) -> None:
    assert [(line["outcome"], line["reason"], line["delegate"]) for line in evening.lines] == [
        (told.outcome, told.reason, told.delegate) for told in evening.told
    ]
    assert len({line["id"] for line in evening.lines}) == len(evening.told)


def test_outcomes_sum_to_messages_received(evening: Evening) -> None:
    relay = evening.day.relay
    received = relay.count("ses_relay_messages_received_total")
    assert received == relay.count("ses_relay_messages_total") == len(evening.told)
    for (delegate, outcome, reason), number in Counter(
        (told.delegate, told.outcome, told.reason) for told in evening.told
    ).items():
        labels = {"delegate": delegate, "outcome": outcome, "reason": reason}
        assert relay.count("ses_relay_messages_total", **labels) == number, labels
    recipients = sum(len(line["recipients"]) for line in evening.lines)
    assert relay.count("ses_relay_recipients_total") == recipients
    assert relay.count("ses_relay_transaction_seconds_count") == received


def test_every_line_is_a_record_of_the_schema(evening: Evening) -> None:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    records = [
        {name: value for name, value in line.items() if name not in ("level", "event")} for line in evening.lines
    ]
    assert [error.message for record in records for error in validator.iter_errors(record)] == []


def test_every_reply_is_in_its_record_and_every_decision_names_it(evening: Evening) -> None:
    for told, line in zip(evening.told, evening.lines, strict=True):
        reply = line["reply"]
        if told.reply != UNHEARD:
            assert told.reply == f"{reply['code']} {reply['status']} {reply['text']}"
        if line["roles"] and told.outcome != "accepted":
            assert f"decision {line['id']})" in reply["text"]


def test_a_250_has_an_id_that_ses_gave_and_every_message_at_ses_has_a_line(evening: Evening) -> None:
    """But the one that SES took in silence: its client was told that it may have been sent."""
    at_ses = {message["id"]: message for message in evening.day.ses.messages()}
    sent = {line["ses_id"]: line for line in evening.lines if line["outcome"] == "accepted"}
    for told in evening.told:
        if told.outcome == "accepted" and told.reply != UNHEARD:
            assert told.reply.removeprefix("250 2.0.0 Ok ") in sent
    assert all(line["ses_id"] is None for line in evening.lines if line["outcome"] != "accepted")
    assert set(sent) < set(at_ses)
    (silent,) = set(at_ses) - set(sent)
    ids = {line["id"] for line in evening.lines if line["reason"] == "ses-unavailable"}
    assert any(each.encode() in at_ses[silent]["raw"] for each in ids)


def test_possible_duplicates_are_counted_and_told(evening: Evening) -> None:
    relay = evening.day.relay
    assert relay.count("ses_relay_possible_duplicates_total") == 2
    assert [told.reply[:10] for told in evening.told[-2:]] == ["451 4.4.2 ", "451 4.4.2 "]


def test_calls_are_counted_by_what_came_of_them(evening: Evening) -> None:
    """And what SES denied is no disagreement: it judged the relay, the relay its delegate."""
    relay = evening.day.relay
    accepted = sum(told.outcome == "accepted" for told in evening.told)
    wanted = {"sent": accepted, "throttled": 1, "unavailable": 1, "credentials": 1, "refused": 3, "ambiguous": 2}
    for result, number in wanted.items():
        found = relay.count("ses_relay_ses_requests_total", operation="SendRawEmail", result=result)
        assert found == number, result
    assert relay.count("ses_relay_ses_disagreements_total") == 0


def test_what_goes_wrong_by_plan_is_no_incident(evening: Evening) -> None:
    relay = evening.day.relay
    assert relay.lines("incident") == []
    assert relay.lines("library") == []
    assert "Traceback" not in relay.text


def test_the_page_is_good_prometheus(evening: Evening, tool: Callable[[str], str]) -> None:
    page = evening.day.relay.get("/metrics").encode()
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
