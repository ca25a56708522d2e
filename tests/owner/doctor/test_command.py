"""The command: what it prints, in each form, and its exit codes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest
import trustme
from click.testing import CliRunner, Result

from relay.cli import main as ses_relay
from relay.cli.doctor_text import render
from relay.owner.doctor.catalog import CHECKS, GROUPS
from relay.owner.doctor.findings import failing, not_checked, ok, warning
from relay.owner.doctor.reference import reference_markdown
from tests.owner.doctor.scene import RELAY, Scene
from tests.ports import free_port

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings like the demo's, before the embedded SES, with the relay's credentials in the environment."""
    assert scene.setup.policies is not None
    certificate = trustme.CA().issue_cert("relay.demo.example")
    certificate.cert_chain_pems[0].write_to_path(scene.home / "certificate.pem")
    certificate.private_key_pem.write_to_path(scene.home / "key.pem")
    (scene.home / "key.pem").chmod(0o600)
    text = (ROOT / "config" / "demo" / "relay.toml").read_text()
    for port in (2525, 8025):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    path = scene.home / "relay.toml"
    spool = f'[spool]\nurl = "sqlite://{scene.home}/spool.db"\n'
    path.write_text(f"{text.replace('http://127.0.0.1:8579', scene.door.url)}\n{spool}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", RELAY.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", RELAY.secret)
    return path


def doctor(*words: object) -> Result:
    return CliRunner().invoke(ses_relay, ["doctor", *map(str, words)])


def told(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_healthy_set_up(config):
    """Everything is looked at, nothing fails, and the warnings are those of a certificate of our own making."""
    result = doctor("-c", config, "--json")
    findings = told(result)["findings"]

    assert (result.exit_code, told(result)["ok"]) == (0, True), result.output
    assert {each["id"] for each in findings if each["status"] == "warning"} == {"tls.chain"}
    assert told(result)["counts"] == {
        status: sum(each["status"] == status for each in findings)
        for status in ("ok", "warning", "failing", "not-checked")
    }
    unseen = {
        "delegate.role",
        "owner.role",
        "configuration-set",
        "identity.mail-from",
        "shared",
        "spool.server",
    }  # none here
    assert {each["id"] for each in findings} == CHECKS.keys() - unseen
    assert Counter(map(len, findings)) == {6: len(findings)}


def test_something_that_fails_is_exit_code_1(config, scene):
    scene.owner().delete_email_identity(EmailIdentity="ceo@example.com")
    result = doctor("-c", config)

    assert result.exit_code == 1
    assert (
        "failing: identity arn:aws:ses:us-east-1:888888888888:identity/ceo@example.com: it is not there\n"
        "    fix: ses-relay identity create ceo@example.com; or correct who names it.\n" in result.stdout
    )
    assert ", 1 failing, " in result.stdout.splitlines()[-1]


def test_settings_with_problems_are_all_told_and_nothing_else_is_looked_at(config):
    config.write_text(f"{config.read_text()}\n[nonsense]\n")
    result = doctor("-c", config, "--json")
    findings = told(result)["findings"]

    assert result.exit_code == 1
    assert [each["id"] for each in findings if each["status"] == "failing"] == ["settings"]
    assert {each["id"] for each in findings} == CHECKS.keys()


def test_modes_of_files_are_told_once(config, scene):
    """``check`` warns of them too."""
    (scene.home / "key.pem").chmod(0o644)
    findings = told(doctor("-c", config, "--json", "--offline"))["findings"]

    assert [each["id"] for each in findings if "0644" in each["what"]] == ["files.secrets"]
    assert next(each for each in findings if each["id"] == "settings")["status"] == "ok"


def test_offline_asks_nobody(config, scene, told):
    result = doctor("-c", config, "--offline", "--json")
    findings = json.loads(result.stdout)["findings"]

    assert result.exit_code == 0
    assert [each.operation for each in told if each.operation == "GetCallerIdentity"] == []
    assert {each["status"] for each in findings if each["id"] == "credentials"} == {"not-checked"}
    assert {each["status"] for each in findings if each["id"] == "policies.lint"} == {"ok"}


def test_only_some_checks(config):
    findings = told(doctor("-c", config, "--only", "clock", "--only", "quota", "--json"))["findings"]

    assert [each["id"] for each in findings] == ["clock", "quota"]


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_can_be_had_alone(config, check):
    """And says the same as among all others, or nothing where there is nothing to look at."""
    result = doctor("-c", config, "--only", check, "--offline", "--json")

    assert {each["id"] for each in told(result)["findings"]} <= {check}, result.output
    assert result.exit_code == 0


def test_wrong_usage(config, tmp_path):
    result = doctor("-c", config, "--only", "weather")
    assert result.exit_code == 2
    assert "there is no check weather; there are: settings, " in result.output
    assert doctor("-c", tmp_path / "nowhere.toml").exit_code == 2


def test_no_secret_is_told(config, scene):
    """The canaries: the secret access key, a password's hash, the private key."""
    (scene.home / "policies" / "888888888888" / "us-east-1" / "example.com" / "x.json").write_text("{")
    result = doctor("-c", config, "--json")

    for secret in (RELAY.secret, "$argon2id$", (scene.home / "key.pem").read_text().splitlines()[1]):
        assert secret not in result.output


def test_a_terminal_gets_groups_and_a_pipe_gets_lines(monkeypatch):
    many = [ok("identity", "verified", f"i{number}") for number in range(5)]
    findings = [
        ok("settings", "good"),
        warning("tls.chain", "not trusted \x1b[31m", "trust it\n  by hand"),
        *many,
        *(not_checked("identity.dns", "no network", f"i{number}") for number in range(2)),
    ]
    plain = click.unstyle(render(findings)).splitlines()
    assert plain[1:4] == ["warning: tls.chain: not trusted ?[31m", "    fix: trust it", "           by hand"]
    assert plain[-1] == "6 ok, 1 warning, 2 not checked"

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    table = click.unstyle(render(findings)).splitlines()
    assert [line for line in table if line in GROUPS] == ["Settings", "This machine", "Delegates and owners"]
    assert "  ok           identity              5: i0, i1, i2 and 2 more" in table
    assert "  not checked  identity.dns          i0, i1: no network" in table


def test_warnings_are_counted_in_words():
    findings = [warning("tls.chain", "a", "b"), warning("tls.name", "a", "b"), failing("names", "a", "b")]

    assert render(findings).splitlines()[-1] == "2 warnings, 1 failing"


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.id)
def test_every_check_is_documented_with_its_fix(check):
    page = (ROOT / "docs" / "reference" / "doctor.md").read_text()
    (row,) = (line for line in page.splitlines() if line.startswith(f"| `{check.id}` |"))

    assert check.looks_at in row
    assert check.fix.replace("|", "\\|") in row
    assert check.warns in row
    assert check.fails in row


def test_the_page_is_what_the_catalog_says():
    assert (ROOT / "docs" / "reference" / "doctor.md").read_text() == reference_markdown()


def test_the_sick_set_up_of_the_how_to_is_told_as_shown(config, scene):
    """Every line that the page shows, and none that it leaves out."""
    for old, new in (
        ('name = "billing"\n', 'name = "billing"\nconfiguration_set = "feedback"\n'),
        ('principal = "arn:aws:iam::222222222222:role/newsletter"\n', ""),
        ("account_grant = true", 'role_arn = "arn:aws:iam::222222222222:role/newsletter"\nexternal_id = "tea"'),
    ):
        assert old in config.read_text()
        config.write_text(config.read_text().replace(old, new, 1))
    place = scene.home / "policies" / "888888888888" / "us-east-1"
    (place / "example.org").mkdir()
    newsletter = place / "example.com" / "newsletter.json"
    newsletter.write_text(newsletter.read_text().replace('"Effect": "Allow"', '"Effect": "Alow"'))
    page = (ROOT / "docs" / "how-to" / "doctor.md").read_text()
    shown = page[page.index("\nfailing: ") :].partition("```")[0].strip()

    lines = doctor("-c", config).stdout.splitlines()
    starts = [number for number, line in enumerate(lines) if not line.startswith(" ")]
    pieces = [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    assert [line for piece in pieces if piece[0].startswith("failing") for line in piece] == shown.splitlines()


def test_the_role_of_notices_is_looked_at(config):
    sender = 'from = "postmaster@example.com"'
    role = 'role = "arn:aws:iam::888888888888:role/notices"'
    config.write_text(config.read_text().replace(sender, f"{sender}\n{role} #"))
    (found,) = told(doctor("-c", config, "--only", "delegate.role", "--json"))["findings"]

    assert (found["about"], found["status"]) == ("ses-relay-notifications", "failing")


def test_the_healthy_set_up_of_the_how_to_names_checks_that_there_are():
    page = (ROOT / "docs" / "how-to" / "doctor.md").read_text()
    lines = [
        line.split(": ", 2) for line in page.splitlines() if line.startswith(("ok: ", "warning: ", "not checked: "))
    ]

    assert {check.split()[0] for _, check, _ in lines} <= CHECKS.keys()
    assert len(lines) > 30
