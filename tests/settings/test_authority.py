"""Who judges: observing, sealed owners, the owner's own account."""

import math

import pytest
from click.testing import CliRunner

from relay.cli import main
from relay.cli.own_account import account_of
from relay.judgement.observing import ALWAYS, NEVER
from relay.settings import read_settings
from relay.translation import directory_of, observed_of, rules_of
from tests.settings.conftest import GOOD, completed, good, told

WAY_IN = 'password_file = "files/password"\n'
BILLING = f'[[delegate]]\nname = "billing"\nprincipal = "arn:aws:iam::111111111111:user/billing"\n{WAY_IN}'
ITSELF = f'[[delegate]]\nname = "self"\nprincipal = "caller"\n{WAY_IN}'
SEALED = '[[policies.owner]]\naccount = "777777777777"\nsource = "sealed"\n'
FEBRUARY = 4_957_113_600.0  # 2127-02-01T00:00:00Z


@pytest.fixture
def read(folder):
    def reading(text, *, complete=True):
        path = folder / "relay.toml"
        path.write_text(completed(text) if complete else text)
        return read_settings(path, {})

    return reading


@pytest.mark.parametrize(
    "written",
    [
        '"2127-02-01T00:00:00Z"',
        '"2127-02-01T02:00:00+02:00"',
        '"2127-01-31t19:00:00.000-05:00"',
        "2127-02-01T00:00:00Z",
        "2127-02-01 00:00:00z",
    ],
)
def test_an_end_of_observing_is_a_point_in_time_however_it_is_written(read, written):
    settings = good(read(f'[authorization]\nmode = "observe"\nobserve_until = {written}\n'))

    assert settings.authorization.observe_until == rules_of(settings).observe_until == FEBRUARY


@pytest.mark.parametrize(
    ("everybody", "billing", "until"),
    [
        ("", "", NEVER),
        ('mode = "observe"', "", ALWAYS),
        ('mode = "observe"\nobserve_until = "2127-02-01T00:00:00Z"', "", FEBRUARY),
        ('mode = "observe"', 'mode = "enforce"', NEVER),
        ("", 'mode = "observe"', ALWAYS),
        ("", 'mode = "observe"\nobserve_until = "2127-02-01T00:00:00Z"', FEBRUARY),
        ('mode = "observe"', 'observe_until = "2127-02-01T00:00:00Z"', FEBRUARY),
        ('observe_until = "2127-02-01T00:00:00Z"', 'mode = "observe"', FEBRUARY),
        (
            'mode = "observe"\nobserve_until = "2128-01-01T00:00:00Z"',
            'mode = "observe"\nobserve_until = "2127-02-01T00:00:00Z"',
            FEBRUARY,
        ),
    ],
)
def test_a_delegates_own_mode_and_end_go_before_those_of_all(read, everybody, billing, until):
    settings = good(read(f"[authorization]\n{everybody}\n\n{BILLING}{billing}\n"))

    assert observed_of(settings) == ({} if until == NEVER else {"billing": until})


def test_an_end_for_all_that_is_past_is_told_where_only_a_delegate_is_observed(read):
    past = '[authorization]\nobserve_until = "2020-01-01T00:00:00Z"\n'

    assert told(read(f'{past}\n{BILLING}mode = "observe"\n')) == [
        "authorization.observe_until (line 2): is past: what the policies do not allow is refused"
    ]


def test_a_relay_whose_owners_are_all_sealed_needs_no_source_of_policies(read):
    reading = read(
        f'[[listener]]\n{GOOD["[[listener]]"]}\n{ITSELF}\n{SEALED}regions = ["us-east-1", "eu-west-1"]\n'
        '[delivery]\nmode = "direct"\n',
        complete=False,
    )
    settings = good(reading)

    assert told(reading) == []
    assert rules_of(settings).sealed == {("777777777777", "us-east-1"), ("777777777777", "eu-west-1")}
    directory = directory_of(settings, lambda _: None)
    directory.refresh()
    assert (directory.catalog.owners, directory.catalog.problem) == ({}, None)


def test_the_regions_of_a_sealed_owner_are_the_relays_own_where_it_names_none(read):
    settings = good(read(f'{SEALED}\n{ITSELF}\n[ses]\nregion = "eu-west-1"\n'))

    assert rules_of(settings).sealed == {("777777777777", "eu-west-1")}


def test_the_folder_of_a_sealed_owner_is_not_read(read, folder):
    """Its files may be old, or anybody's: it is sealed because the relay is not to know."""
    (folder / "files" / "policies" / "777777777777" / "us-east-1" / "example.org").mkdir(parents=True)
    other = '[[policies.owner]]\naccount = "888888888888"\n'
    text = f'[policies]\nsource = "directory"\ndirectory = "files/policies"\n\n{SEALED}regions = ["us-east-1"]\n'
    for owners, seen in ((other, {("888888888888", "us-east-1")}), ("", set())):
        settings = good(read(f"{text}\n{owners}\n{ITSELF}"))
        directory = directory_of(settings, lambda _: None)
        directory.refresh()

        assert set(directory.catalog.owners) == seen


def test_what_the_judge_is_told_of_a_delegate(read):
    settings = good(
        read(f'{BILLING}same_account = "allow-unless-denied"\nallow_identities = ["example.com"]\nmode = "observe"\n')
    )
    delegate = settings.delegate[0].to_delegate()

    assert (delegate.same_account, delegate.allow_identities) == ("allow-unless-denied", ("example.com",))
    assert (delegate.mode, delegate.observe_until, delegate.is_its_own_sender) == ("observe", None, False)
    assert good(read(ITSELF)).delegate[0].to_delegate("arn:aws:iam::1:user/relay").is_its_own_sender
    assert math.isinf(ALWAYS)


# --- policies that grant the relay's own account ----------------------------------------------------------------------

GRANT = (
    '{"Statement": {"Sid": "All", "Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "ses:*", '
    '"Resource": "arn:aws:ses:us-east-1:888888888888:identity/example.com"}}'
)


@pytest.mark.parametrize(
    ("environ", "account"),
    [
        ({}, None),
        ({"AWS_ROLE_ARN": "arn:aws:iam::111111111111:role/relay"}, "111111111111"),
        ({"AWS_ACCOUNT_ID": "111111111111"}, "111111111111"),
        ({"AWS_ROLE_ARN": "arn:aws:iam::222222222222:role/relay", "AWS_ACCOUNT_ID": "111111111111"}, "222222222222"),
        ({"AWS_ROLE_ARN": "relay"}, None),
        ({"AWS_ACCOUNT_ID": "me"}, None),
    ],
)
def test_the_relays_own_account_is_known_where_the_environment_tells_it(environ, account):
    assert account_of(environ) == account


@pytest.mark.parametrize(("own", "count"), [("111111111111", 1), ("222222222222", 0), ("", 0)])
def test_check_warns_of_a_grant_to_the_relays_own_account_where_delegates_live(folder, monkeypatch, own, count):
    identity = folder / "files" / "policies" / "888888888888" / "us-east-1" / "example.com"
    (identity / "grants.json").write_text(GRANT)
    (folder / "relay.toml").write_text(completed(""))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("AWS_ROLE_ARN", raising=False)
    monkeypatch.setenv("AWS_ACCOUNT_ID", own)
    result = CliRunner().invoke(main, ["check"])

    assert result.exit_code == 0
    assert result.output.count(
        "grants/All of arn:aws:ses:us-east-1:888888888888:identity/example.com grants account"
    ) == (count)
