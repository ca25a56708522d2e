"""``ses-relay delegate report`` and ``resume``, as they are typed."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.feedback.happenings import read_happening
from relay.feedback.ledger import Heard, Ledger
from relay.feedback.standing import Record
from relay.words.standings import Standing
from tests.feedback.telling import event

SETTINGS = """
[[listener]]
address = "127.0.0.1:0"
allow_plaintext_auth = true

[[delegate]]
name = "billing"
principal = "arn:aws:iam::111111111111:user/billing"
password_hash = "{hash}"

[[delegate]]
name = "newsletter"
principal = "arn:aws:iam::222222222222:role/newsletter"
password_hash = "{hash}"

[policies]
source = "directory"
directory = "policies"

[delivery]
mode = "direct"

[feedback]
queue_url = "https://sqs.us-east-1.amazonaws.com/888888888888/events"
path = "feedback.db"
"""
HASH = "$argon2id$v=19$m=19456,t=2,p=1$5rwcaAn1NOzkc0zpjPx5aQ$hmIHVu97QmXj/E53gu568mYAg7Pl9hDbBatdyv1gPj4"
WHY = "complaint rate 10 % of 10 recipients in 24 h, suspended from 0.5 %"

Run = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "policies" / "888888888888" / "us-east-1").mkdir(parents=True)
    path = tmp_path / "relay.toml"
    path.write_text(SETTINGS.format(hash=HASH))
    return path


@pytest.fixture
def run(config: Path) -> Run:
    return lambda *words, **more: CliRunner().invoke(main, ["delegate", *words, "-c", str(config)], **more)


@pytest.fixture
def ledger(config: Path) -> Path:
    """A file in which billing sent ten messages an hour ago, one of them two days ago, and was suspended."""
    path, now = config.parent / "feedback.db", time.time()
    bodies = [event("Send", number, at=now - 3600) for number in range(10)]
    bodies += [
        event("Send", 90, at=now - 2 * 86400),
        event("Bounce", 1, at=now - 60),
        event("Complaint", 2, at=now - 60),
    ]
    happenings = [happening for body in bodies if (happening := read_happening(body))]
    with closing(Ledger(path)) as file:
        file.count([Heard("billing", each) for each in happenings], now)
        file.keep({"billing": Record(Standing.SUSPENDED, now - 60, now + 3600, 0.0, WHY)})
    return path


@pytest.mark.usefixtures("ledger")
def test_the_report_has_every_delegate_with_rates_and_standing(run):
    done = run("report")

    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[1].split() == [
        "DELEGATE",
        "STANDING",
        "SENT",
        "DELIVERED",
        "BOUNCED",
        "RATE",
        "COMPLAINED",
        "RATE",
        "REJECTED",
    ]
    assert lines[2].split()[:3] == ["billing", "suspended", "until"]
    assert lines[2].split()[4:] == ["10", "0", "1", "10", "%", "1", "10", "%", "0"]
    assert lines[3].split() == ["newsletter", "good", "0", "0", "0", "-", "0", "-", "0"]
    assert lines[4].endswith(WHY)


@pytest.mark.usefixtures("ledger")
def test_the_report_of_longer_than_any_calendar(run):
    assert json.loads(run("report", "--since", "9999999d", "--json").output)["from"] == "1970-01-01T00:00:00Z"


@pytest.mark.usefixtures("ledger")
def test_the_report_as_json_of_another_time(run):
    told = json.loads(run("report", "--since", "7d", "--json").output)
    billing, newsletter = told["delegates"]

    assert (billing["delegate"], billing["standing"], billing["sent"], billing["bounced"]) == (
        "billing",
        "suspended",
        11,
        1,
    )
    assert billing["bounce_rate"] == pytest.approx(1 / 11, abs=1e-6)
    assert newsletter["bounce_rate"] is None


def test_resume_leaves_word_for_the_relay(run, ledger):
    assert run("resume", "billing", input="n\n").exit_code == 1
    done = run("resume", "billing", "--yes")

    assert done.exit_code == 0
    assert WHY in done.output
    with closing(Ledger(ledger)) as file:
        assert file.take_resumed() == ["billing"]


@pytest.mark.usefixtures("ledger")
def test_who_stands_well_needs_no_pardon(run):
    done = run("resume", "newsletter", "--yes")

    assert (done.exit_code, done.output) == (0, "newsletter stands well: there is nothing to do\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("report",), 1, "a relay with feedback.path and a queue makes it"),
        (("report", "--since", "yesterday"), 2, "no duration"),
        (("resume", "nobody"), 2, "no delegate is named nobody; there are: billing, newsletter"),
        (("resume", "billing"), 1, "is not there"),
    ],
)
def test_what_is_wrong_is_told(run, words, code, said):
    done = run(*words)

    assert done.exit_code == code
    assert said in done.output


def test_without_a_file_the_way_to_the_counts_is_told(run, config):
    config.write_text(config.read_text().replace('path = "feedback.db"\n', ""))
    done = run("report")

    assert done.exit_code == 1
    assert "feedback.path is not set" in done.output
