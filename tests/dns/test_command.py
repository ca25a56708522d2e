"""``ses-relay identity dns`` as it is typed: a real DNS, and an embedded SES that says what it wants."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from relay.cli import main as ses_relay
from relay.cli.identity import dns
from relay.identities import accounts
from relay.owner.dns_check import Report
from tests.dns.lab import Lab, everywhere
from tests.dns.sites import FEEDBACK, SPF
from tests.owner.at_ses import KEY, OWNER, REGION, AtSes, at_ses

pytestmark = pytest.mark.system

DKIM = "{0}._domainkey CNAME {0}.dkim.amazonses.com.\n"
MAIL_FROM = f'bounce MX 10 {FEEDBACK}\nbounce TXT "{SPF}"\n'
DMARC = '_dmarc TXT "v=DMARC1; p=quarantine"\n'


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[AtSes]:
    session = boto3.Session(KEY.id, KEY.secret)
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    monkeypatch.setattr(boto3, "Session", lambda *_keys: session)
    with at_ses() as ses:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ses.door.url)
        monkeypatch.setenv("AWS_REGION", REGION)
        yield ses


@pytest.fixture
def asked(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command against the lab, in a folder without settings."""
    monkeypatch.chdir(tmp_path)

    def ask(*words: str, resolver: str = "") -> Result:
        where = ("--resolver", resolver or lab.resolver, "--port", str(lab.port))
        return CliRunner().invoke(ses_relay, ["identity", "dns", *words, *where])

    return ask


def identity(ses: AtSes, domain: str) -> list[str]:
    """Make an identity with a MAIL FROM domain; return its DKIM tokens."""
    client = ses.client()
    made = client.create_email_identity(EmailIdentity=domain)
    client.put_email_identity_mail_from_attributes(EmailIdentity=domain, MailFromDomain=f"bounce.{domain}")
    tokens: list[str] = made["DkimAttributes"]["Tokens"]
    return tokens


def records(tokens: list[str]) -> str:
    return "".join(map(DKIM.format, tokens)) + MAIL_FROM + DMARC


def states(result: Result) -> dict[str, Any]:
    return {each["record"]["kind"]: each["state"] for each in json.loads(result.stdout)["records"]}


def test_what_is_missing_wrong_and_found_is_told(asked, ses, lab):
    first, second, third = identity(ses, "fresh.test")
    lab.publish(
        "fresh.test", everywhere(DKIM.format(first) + f"{second}._domainkey CNAME {second}.dkim.amazonses.com\n")
    )
    result = asked("fresh.test")

    assert result.exit_code == 1, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"fresh.test  in {OWNER} {REGION}"
    assert f"found       CNAME  {first}._domainkey.fresh.test" in lines
    assert f"wrong       CNAME  {second}._domainkey.fresh.test" in lines
    assert f"    wanted  {second}.dkim.amazonses.com" in lines
    assert f"    found   {second}.dkim.amazonses.com.fresh.test" in lines
    assert f"missing     CNAME  {third}._domainkey.fresh.test" in lines
    assert "missing     TXT    _dmarc.fresh.test  (recommended)" in lines
    assert "    it satisfies DMARC by DKIM and SPF, once these are found" in lines
    assert "SES    verification success, DKIM success, MAIL FROM success" in lines


def test_all_found_is_exit_code_0(asked, ses, lab):
    lab.publish("whole.test", everywhere(records(identity(ses, "whole.test"))))
    result = asked("arn:aws:ses:us-east-1:888888888888:identity/whole.test", "--json")

    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["complete"], told["account"], told["region"]) == (True, OWNER, REGION)
    assert set(states(result).values()) == {"found"}
    assert told["dmarc"]["verdict"] == "quarantine"
    assert told["ses"]["is_verified"]
    assert len(told["records"][0]["views"]) == 4


def test_waiting_ends_when_all_is_found_and_tells_of_each_change(asked, ses, lab, monkeypatch):
    tokens = identity(ses, "waited.test")
    lab.publish("waited.test", everywhere(DKIM.format(tokens[0])))
    look, looks = dns._Watch._look, []

    def look_and_publish(watch: dns._Watch) -> Report:
        """The owner publishes after the first look, however slow this machine is."""
        looks.append(look(watch))
        if len(looks) == 1:
            lab.publish("waited.test", everywhere(records(tokens)))
        return looks[-1]

    monkeypatch.setattr(dns._Watch, "_look", look_and_publish)
    result = asked("waited.test", "--wait", "--every", "100ms", "--timeout", "30s")

    assert result.exit_code == 0, result.stderr
    told = [line.split()[1:] for line in result.stderr.splitlines()]
    name = f"{tokens[2]}._domainkey.waited.test"
    states = [state for state, _, whose in told if whose == name]
    assert (states[0], states[-1]) == ("missing", "found")


def test_waiting_ends_when_time_is_up(asked, ses, lab):
    identity(ses, "late.test")
    lab.publish("late.test", everywhere(""))
    since = time.monotonic()
    result = asked("late.test", "--wait", "--every", "50ms", "--timeout", "200ms")

    assert result.exit_code == 1
    assert time.monotonic() - since < 20
    assert "missing" in result.stdout


def test_somebody_without_credentials_checks_by_a_file(asked, ses, lab, tmp_path):
    """The owner prints it with --json, and the delegate looks with it."""
    lab.publish("asked.test", everywhere(records(identity(ses, "asked.test"))))
    told, file = asked("asked.test", "--json"), tmp_path / "records.json"
    file.write_text(told.stdout)
    ses.client().delete_email_identity(EmailIdentity="asked.test")
    result = asked("asked.test", "--records", str(file), "--json")

    assert result.exit_code == 0, result.stderr
    assert (states(result), json.loads(result.stdout)["ses"]) == (states(told), None)


def test_servers_that_disagree_are_listed(asked, tmp_path, lab):
    file = tmp_path / "records.json"
    wanted = {
        "kind": "verification",
        "name": "x.split.test",
        "type": "TXT",
        "value": "pmBGN/7MjnfhTKUZ06Enqq1PeGUaOkw8lGhcfwefcHU=",
    }
    file.write_text(json.dumps([wanted]))
    result = asked("split.test", "--records", str(file))

    assert result.exit_code == 1
    assert f"    ns-a.lab.test (127.0.0.1:{lab.port})  found" in result.stdout
    assert f"    ns-b.lab.test (127.0.0.2:{lab.port})  wrong       old (60m)" in result.stdout
    assert "    caches keep the old for up to 60m more" in result.stdout


def test_names_in_other_scripts_are_asked_in_a_labels(asked, tmp_path):
    file = tmp_path / "records.json"
    wanted = {
        "kind": "dkim",
        "name": "t1._domainkey.xn--bcher-kva.test",
        "type": "CNAME",
        "value": "t1.dkim.amazonses.com",
    }
    file.write_text(json.dumps({"records": [wanted]}))
    result = asked("bücher.test", "--records", str(file))

    assert result.exit_code == 0, result.output
    assert "DMARC  no policy for xn--bcher-kva.test" in result.stdout


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '["x"]',
        '[{"kind": "dkim"}]',
        '{"records": [{"kind": "x", "name": "a", "type": "TXT", "value": ""}]}',
    ],
)
def test_a_file_without_records_is_wrong_usage(asked, tmp_path, text):
    file = tmp_path / "records.json"
    file.write_text(text)

    result = asked("good.test", "--records", str(file))

    assert result.exit_code == 2
    assert "records.json" in result.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("a..b",), "is no domain name"),
        (("good.test", "--every", "soon"), "is no duration"),
        (("good.test", "--resolver", "dns.example.com"), "is no name server"),
    ],
)
def test_wrong_usage_is_told(asked, ses, words, why):
    result = asked(*words)

    assert result.exit_code == 2
    assert why in result.stderr


def test_an_identity_that_is_not_there_is_exit_code_1(asked, ses):
    result = asked("good.test")

    assert result.exit_code == 1
    assert "there is no identity good.test" in result.stderr
