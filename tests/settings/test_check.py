"""``ses-relay check`` and ``ses-relay delegate`` as a person types them."""

import json
import os

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.delegates.passwords import verify_argon2
from relay.settings.example import example
from relay.words.hashes import is_argon2
from tests.settings.conftest import completed


@pytest.fixture
def run(folder, monkeypatch):
    """Run a command line in the folder, without a configuration in the environment."""
    monkeypatch.chdir(folder)
    for name in os.environ:
        if name.startswith("SES_RELAY__"):
            monkeypatch.delenv(name)
    return lambda *words, **given: CliRunner().invoke(main, words, **given)


def test_good_settings(run, folder):
    """Exit 0, and a summary: where it listens, who may send, where policies come from."""
    (folder / "relay.toml").write_text(completed(""))
    result = run("check")

    assert result.exit_code == 0
    assert "good: relay.toml" in result.output
    for word in ("127.0.0.1:2525", "billing as arn:aws:iam::111111111111:user/billing", "directory"):
        assert word in result.output


def test_what_is_one_relay_and_what_is_one_fleet_is_stated_without_the_password(run, folder):
    text = '[server]\nworkers = 3\n[shared]\nurl = "rediss://relay:sesame@redis.example.com:6380/1"\n'
    (folder / "relay.toml").write_text(completed(text))
    summary = json.loads(run("check", "--json").output)["summary"]

    assert (summary["workers"], summary["shared"]) == (["3"], ["rediss://redis.example.com:6380/1"])
    assert "sesame" not in run("check").output


def test_the_attainable_revocation_time_is_stated(run, folder):
    """For owners that SES is asked about; where policies come from is said of each owner that differs."""
    owners = '[[policies.owner]]\naccount = "{}"\nregions = ["us-east-1"]\n'
    text = '[policies]\ndirectory = "files/policies"\n' + owners.format("777777777777")
    (folder / "relay.toml").write_text(completed(text + owners.format("888888888888") + 'source = "directory"\n'))
    output = run("check").output

    assert "a withdrawn permission ends within 1m, with up to 24 identities in use in each region" in output
    assert "owner 777777777777 us-east-1\n" in output
    assert "owner 888888888888 us-east-1 (directory)\n" in output


def test_problems(run, folder):
    """Exit 1, one line a problem, warnings marked."""
    (folder / "relay.toml").write_text(
        completed('[server]\nhostnam = "x"\n[log]\nlevel = 3\n[limits]\nmessage_bytes = "40MiB"\n')
    )
    warning = (
        "warning: limits.message_bytes (line 6): above 31455232 octets, which are 40MiB in base64 with what the relay "
        "adds: SES takes no more"
    )
    result = run("check", "-c", "relay.toml")

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "server.hostnam (line 2): unknown; did you mean hostname?",
        "log.level (line 4): 3 is none of debug, info, warning, error",
        warning,
        "relay.toml: 2 problems",
    ]


def test_json(run, folder):
    """``--json`` says the same to machines."""
    (folder / "relay.toml").write_text(completed('[server]\nhostnam = "x"\n'))
    result = run("check", "--json")
    answer = json.loads(result.output)

    assert result.exit_code == 1
    assert answer["ok"] is False
    assert answer["problems"] == [
        {"path": "server.hostnam", "line": 2, "why": "unknown; did you mean hostname?", "source": None}
    ]
    assert answer["summary"] is None


def test_json_of_good_settings(run, folder):
    (folder / "relay.toml").write_text(completed(""))
    answer = json.loads(run("check", "--json").output)
    assert answer["ok"] is True
    assert answer["summary"]["delegates"] == ["billing as arn:aws:iam::111111111111:user/billing"]


@pytest.mark.parametrize("words", [("-c", "nowhere.toml"), ("--nonsense",), ("surplus",)])
def test_wrong_usage(run, words):
    """Exit 2."""
    assert run("check", *words).exit_code == 2


def test_the_environment_alone(run, monkeypatch):
    """Without a file the environment is checked."""
    monkeypatch.setenv("SES_RELAY__LOG__LEVEL", "loud")
    result = run("check")
    assert result.exit_code == 1
    assert "log.level (SES_RELAY__LOG__LEVEL)" in result.output
    assert "the environment: " in result.output


def test_print_example(run):
    result = run("check", "--print-example")
    assert (result.exit_code, result.output) == (0, example())


def test_delegate_hash(run):
    """From a pipe: the hash on standard output, the line for relay.toml beside it; the password nowhere."""
    result = run("delegate", "hash", input="a canary in a cage\n")
    hashed = result.stdout.strip()

    assert result.exit_code == 0
    assert "$m=19456,t=2,p=1$" in hashed
    assert is_argon2(hashed)
    assert verify_argon2(hashed, "a canary in a cage")
    assert result.stderr.strip() == f'password_hash = "{hashed}"'
    assert "canary" not in result.output


@pytest.mark.parametrize("password", [b"", b"\n", b"a\0b\n", b"\xff\n", b"x" * 1025])
def test_what_cannot_be_a_password(run, password):
    """Exit 2, before anything is hashed."""
    result = run("delegate", "hash", input=password)
    assert (result.exit_code, result.stdout) == (2, "")


def test_delegate_list(run, folder):
    """Name, principal, ways to prove itself, networks, account grant; no secret."""
    more = (
        '[[listener]]\nrequire_auth = false\nallow_plaintext_auth = true\n[[delegate]]\nname = "news"\n'
        'principal = "222222222222"\ntrusted_networks = ["10.0.0.0/8"]\naccount_grant = true\n'
    )
    (folder / "relay.toml").write_text(completed(more))

    table = run("delegate", "list").stdout.splitlines()
    rows = json.loads(run("delegate", "list", "--json").stdout)

    assert table[1].split() == ["news", "222222222222", "network", "everywhere", "10.0.0.0/8", "yes"]
    assert rows == [
        {
            "name": "news",
            "principal": "222222222222",
            "role_arn": None,
            "authenticates_by": ["network"],
            "allowed_networks": [],
            "trusted_networks": ["10.0.0.0/8"],
            "account_grant": True,
        }
    ]


def test_delegate_list_of_bad_settings(run, folder):
    """Exit 2: there is nothing to list."""
    (folder / "relay.toml").write_text("x = 1\n")
    assert run("delegate", "list").exit_code == 2


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_wants_no_colour_gets_none(run, folder, environ):
    (folder / "relay.toml").write_text(completed(""))

    assert "\x1b[" in run("check", color=True, env={"NO_COLOR": None, "TERM": "xterm"}).output
    assert "\x1b[" not in run("check", color=True, env={"NO_COLOR": None, **environ}).output
