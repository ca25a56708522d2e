"""Decisions of a real relay, asked for afterwards: over HTTP, by commands, and after it was killed."""

import json
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from relay.cli import main
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, command

pytestmark = pytest.mark.system

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BODY = "the body has a canary-4711"


def letter(author: str, *fields: str) -> bytes:
    head = [f"From: {author}", "To: ann@example.net", "Subject: secret-subject", *fields]
    return "\r\n".join([*head, "", BODY, ""]).encode()


def journal_of(house: House) -> Path:
    return house.folder / "state" / "journal.db"


@pytest.fixture
def house(house: House) -> House:
    """A house whose journal is a file."""
    house.settings.write_text(f'{house.settings.read_text()}\n[journal]\nentries = 100\npath = "{journal_of(house)}"\n')
    return house


def send(relay: RunningRelay, author: str = "billing@example.com", *fields: str) -> str:
    """Let billing send; return the reply."""
    with relay.client("billing", "demo-billing-secret") as client:
        return client.hand_over(author, ["ann@example.net"], letter(author, *fields))


def id_in(reply: str) -> str:
    return reply.rpartition("decision ")[2].rstrip(")")


def asked(house: House, *words: str) -> tuple[int, str]:
    """Type a command; return its exit code and what it said."""
    done = CliRunner().invoke(main, [*words, "-c", str(house.settings)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done.exit_code, done.output


def told(house: House, name: str, *words: str) -> dict[str, Any]:
    code, text = asked(house, "explain", "--decision", name, "--json", *words)
    assert code in (0, 1), text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_refusal_is_found_by_the_id_in_its_reply(house: House, ses: EmbeddedSes) -> None:
    """The record over HTTP is the one in the log; nothing of the message's text is in either, nor in the file."""
    with house.serve() as relay:
        reply = send(relay, "reminders@example.com", f"traceparent: {TRACE}")
        name = id_in(reply)
        found = json.loads(relay.get(f"/api/decisions/{name}"))
        listed = json.loads(relay.get("/api/decisions?delegate=billing&verdict=not-allowed"))["decisions"]
        (line,) = relay.wait_for_messages(1)

    assert (found["outcome"], found["traceparent"]) == ("rejected", TRACE)
    assert {**found, "level": line["level"], "event": "message"} == line
    assert listed == [found]
    with closing(sqlite3.connect(journal_of(house))) as file:
        kept = "".join(file.iterdump())
    assert "secret-subject" not in kept + json.dumps(found)
    assert "canary-4711" not in kept + json.dumps(found)
    assert "demo-billing-secret" not in kept
    code, text = asked(house, "explain", "--decision", name)
    assert code == 1
    assert "judged again by the policy texts of then" in text


def test_the_trace_goes_on_with_the_mail(house: House, ses: EmbeddedSes) -> None:
    with house.serve() as relay:
        assert send(relay, "billing@example.com", f"traceparent: {TRACE}").startswith("250 ")
        assert send(relay, "billing@example.com", "traceparent: of my own making").startswith("250 ")
        assert [line["traceparent"] for line in relay.wait_for_messages(2)] == [TRACE, None]
    first, second = ses.messages()
    assert f"\r\ntraceparent: {TRACE}\r\n".encode() in first["raw"]
    assert b"\r\ntraceparent: of my own making\r\n" in second["raw"]


def test_a_refusal_of_last_week_is_explained(house: House, ses: EmbeddedSes) -> None:
    """The policy has changed since, the relay was killed, the log is gone. By today's policies it would pass."""
    with house.serve() as relay:
        name = id_in(send(relay, "reminders@example.com"))
        assert json.loads(relay.get(f"/api/decisions/{name}"))["id"] == name
        relay.process.send_signal(signal.SIGKILL)
        relay.process.wait()
    before = datetime.now(UTC).isoformat()
    policy = house.policy("example.com/billing")
    policy.write_text(policy.read_text().replace("billing@example.com", "reminders@example.com"))
    with house.serve(log="second.log") as relay:
        relay.wait_until(lambda: send(relay, "reminders@example.com").startswith("250 "))

        then = told(house, name)
        assert (then["explanation"]["verdict"], then["same_answer"]) == ("not-allowed", True)
        assert (then["policies_gone"], then["policies_of"]) == ([], None)
        now = told(house, name, "--at", "now")
        assert (now["explanation"]["verdict"], now["same_answer"]) == ("allowed", False)
        assert told(house, name, "--at", before)["explanation"]["verdict"] == "not-allowed"
        code, text = asked(house, "explain", "--decision", name, "--at", "now")
        assert code == 0
        assert "in force at " in text
        assert "the answer would have been another one" in text

    code, text = asked(house, "explain", "--decision", name, "--at", "2001-01-01")
    assert code == 1
    assert "what policies of 888888888888 in us-east-1 were in force at 2001-01-01 00:00:00 UTC is not known" in text
    assert asked(house, "explain", "--decision", name, "--at", "noon")[0] == 2
    assert "no decision ffff among" in asked(house, "explain", "--decision", "ffff")[1]


def test_replay_and_suggest_read_the_journal(house: House, ses: EmbeddedSes) -> None:
    """Of a running relay, too; what is in a log as well is counted once."""
    with house.serve() as relay:
        for author in ("billing@example.com", "invoices+7@example.com", "reminders@example.com"):
            send(relay, author)
        relay.wait_for_messages(3)
        relay.get("/api/decisions")
        stricter = house.folder / "stricter"
        (stricter / "888888888888" / "us-east-1" / "example.com").mkdir(parents=True)

        replay = ["policy", "replay", "--policies", str(stricter), "--json"]
        alone = json.loads(asked(house, *replay)[1])
        both = json.loads(asked(house, *replay, "--journal", str(journal_of(house)), str(relay.log))[1])
        assert (alone.pop("lines"), both.pop("lines") > 3) == (0, True)
        assert both == alone
        assert alone["judged"] == 3

        code, text = asked(house, "policy", "suggest", "--delegate", "billing")
        assert code == 0
        assert "invoices+7@example.com" in text
        assert "reminders@example.com" not in text


def test_hashed_addresses_are_hashed_in_the_journal(house: House, ses: EmbeddedSes) -> None:
    """Searches by delegate and outcome work as ever; what needs addresses says why it cannot."""
    house.settings.write_text(f'{house.settings.read_text()}\n[log]\naddresses = "hash"\n')
    with house.serve() as relay:
        name = id_in(send(relay, "reminders@example.com"))
        (found,) = json.loads(relay.get("/api/decisions?delegate=billing&outcome=rejected"))["decisions"]
    assert found["id"] == name
    assert "@" not in json.dumps(found)
    for words in (
        ["explain", "--decision", name],
        ["policy", "replay"],
        ["policy", "suggest", "--delegate", "billing"],
    ):
        code, text = asked(house, *words)
        assert code == 2
        assert 'addresses in these records are hashed ([log] addresses = "hash", which the journal follows)' in text


def test_a_file_of_another_program_keeps_no_mail_from_flowing(house: House, ses: EmbeddedSes) -> None:
    journal_of(house).parent.mkdir()
    with closing(sqlite3.connect(journal_of(house))) as file:
        file.execute("CREATE TABLE customers (id TEXT)")
        file.commit()
    before = journal_of(house).read_bytes()
    with house.serve() as relay:
        assert send(relay).startswith("250 ")
        assert len(json.loads(relay.get("/api/decisions"))["decisions"]) == 1
        assert "database of another program" in relay.readiness()
        assert relay.is_ready()
        (line,) = relay.lines("journal.unusable")
        assert line["level"] == "error"
        assert relay.count("ses_relay_journal_dropped_total") == 0
    assert journal_of(house).read_bytes() == before


def test_without_a_file_decisions_are_in_memory(house: House, ses: EmbeddedSes) -> None:
    house.edit(f'path = "{journal_of(house)}"', "")
    with house.serve() as relay:
        name = id_in(send(relay, "reminders@example.com"))
        assert json.loads(relay.get(f"/api/decisions/{name}"))["id"] == name
        code, text = asked(house, "explain", "--decision", name)
        assert code == 2
        assert "the journal is in the relay's memory alone" in text
        piped = command(
            *("explain", "--decision", name, "-c", str(house.settings), "-"),
            stdin=relay.get(f"/api/decisions/{name}").encode(),
            cwd=house.folder,
        )
        assert b"judged again" in piped.stdout
