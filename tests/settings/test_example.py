"""What is generated from the declarations: complete, equal to the files in the repository, and true."""

import tomllib
from pathlib import Path

import pytest

from relay.settings import read_settings
from relay.settings.example import example, sample_of, toml
from relay.settings.keys import fields_of, table_of, tables
from relay.settings.model import Settings
from relay.settings.reference import reference_markdown
from relay.settings.validation import validate

ROOT = Path(__file__).parent.parent.parent
KEYS = {
    (*path, name): field
    for path, model in tables(Settings)
    for name, field in fields_of(model).items()
    if table_of(field) is None
}

#: The keys that the project promises (contract of relay.toml), by table.
PROMISED = {
    "server": "hostname workers drain_timeout",
    "listener": "address tls require_auth proxy_protocol_from allow_plaintext_auth i_know",
    "tls": "certificate key client_ca require_client_certificate",
    "delegate": "name principal password_hash password_file password_secret client_certificates allowed_networks "
    "trusted_networks role_arn external_id account_grant mode observe_until same_account allow_identities "
    "default_source_arn default_from_arn default_return_path_arn allow_source_arns return_path configuration_set "
    "allow_configuration_sets allow_message_tags tenant allow_tenants organization_id principal_tags repair rate "
    "daily_recipients bounce_rate complaint_rate reveal",
    "delegates": "file htpasswd secrets_refresh_interval oauth",
    "delegates.oauth": "issuer audience jwks_url ca algorithms claim names",
    "policies": "source directory refresh_interval max_stale snapshot events_queue owner queue",
    "policies.owner": "account regions role_arn external_id source",
    "policies.queue": "url role_arn external_id",
    "authorization": "mode observe_until source_arn x_ses_headers same_account reveal context",
    "ses": "endpoint_url region max_send_rate egress connect_timeout read_timeout max_connections",
    "delivery": "mode budget",
    "spool": "url max_age max_bytes keep_failed retry_first retry_longest retry_unsure",
    "notifications": "from role",
    "limits": "message_bytes recipients over_recipients null_reverse_path connections connections_per_client "
    "auth_failures_per_minute auth_failures_per_day line_endings",
    "dns": "nameservers check_recipient_domains",
    "feedback": "queue_url queue path bounce_rate complaint_rate window minimum slow_rate suspend_for",
    "feedback.queue": "url role_arn external_id",
    "shared": "url",
    "admin": "address token_file console token",
    "admin.token": "name file role delegates",
    "journal": "path entries",
    "metrics": "max_identities",
    "log": "format level addresses",
}


def test_every_promised_key_is_there():
    declared = {".".join(path): set(fields_of(model)) for path, model in tables(Settings) if path}
    assert declared.keys() == PROMISED.keys()
    assert {table: missing for table in PROMISED if (missing := set(PROMISED[table].split()) - declared[table])} == {}


def test_the_example_in_the_repository_is_this_one():
    """`make docs` writes it."""
    assert example() == (ROOT / "relay.toml.example").read_text("utf-8")


def test_the_reference_in_the_repository_is_this_one():
    """`make docs` writes it."""
    assert reference_markdown() == (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")


def test_the_example_is_good():
    """It can be started from as it is: no problem, no warning."""
    reading = read_settings(ROOT / "relay.toml.example", {})
    assert (*reading.problems, *reading.warnings) == ()


@pytest.mark.parametrize("path", KEYS, ids=".".join)
def test_every_key_is_shown_with_a_value_that_it_accepts(path):
    """Uncommented, each line of the example is TOML that its key takes: a default, or a sample where there is none."""
    if f"\n{path[-1]} = " in section(path[:-1]):
        return  # alive: the whole example is read by another test
    line = f"{path[-1]} = {toml(sample_of('.'.join(path), KEYS[path]))}"
    assert f"\n#{line}\n" in section(path[:-1])

    values = tomllib.loads(line)
    for name in reversed(path[:-1]):
        values = {name: [values] if name in ("listener", "delegate", "owner", "token", "oauth", "queue") else values}

    assert [finding for finding in validate(values)[1] if finding.why != "missing"] == []


def section(path: tuple[str, ...]) -> str:
    """The part of the example about one table."""
    name = ".".join(path)
    header = next(text for text in (f"[[{name}]]\n", f"[{name}]\n") if text in example())
    return example().partition(header)[2].partition("\n\n\n")[0] + "\n"
