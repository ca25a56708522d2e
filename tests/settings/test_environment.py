"""The environment goes over the file, and can do without one."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from relay.settings import read_settings
from relay.settings.environment import overlay
from relay.settings.example import sample_of
from relay.settings.keys import form_of
from relay.settings.problems import Written
from tests.settings.conftest import completed, good, told
from tests.settings.test_example import KEYS

HASH = "$argon2id$v=19$m=19456,t=2,p=1$iW+5yYp4aBXXGiD9GZYBUw$1m0MRTIPS5NbMqRLAVmyV3xAOAvtDc1Hk1R1C8RCxMY"
#: Keys of which the example shows a value.
SHOWN = [path for path, field in KEYS.items() if sample_of(".".join(path), field) is not None]


@pytest.fixture
def sidecar(folder):
    """One delegate, by the environment alone."""
    return {
        "SES_RELAY__DELEGATE__NAME": "app",
        "SES_RELAY__DELEGATE__PRINCIPAL": "arn:aws:iam::111111111111:role/app",
        "SES_RELAY__DELEGATE__PASSWORD_HASH": HASH,
        "SES_RELAY__LISTENER__ALLOW_PLAINTEXT_AUTH": "true",
        "SES_RELAY__POLICIES__SOURCE": "directory",
        "SES_RELAY__POLICIES__DIRECTORY": str(folder / "files" / "policies"),
        "SES_RELAY__DELIVERY__MODE": "direct",
        "PATH": "/usr/bin",
    }


def test_a_sidecar_needs_no_file(sidecar):
    """One delegate, one listener, no file."""
    reading = read_settings(None, sidecar)

    assert told(reading) == []
    settings = good(reading)
    assert settings.delegate[0].name == "app"
    assert settings.delegate[0].password_hash == SecretStr(HASH)
    assert str(settings.listener[0].address) == "127.0.0.1:2525"


def test_a_value_from_a_file(sidecar, folder):
    """``..._FILE`` reads any key from a file, without its last newline; a key that ends so itself is meant as it is."""
    (folder / "hash").write_text(HASH + "\n")
    del sidecar["SES_RELAY__DELEGATE__PASSWORD_HASH"]
    by_value = read_settings(None, sidecar | {"SES_RELAY__DELEGATE__PASSWORD_HASH_FILE": str(folder / "hash")})
    by_key = read_settings(None, sidecar | {"SES_RELAY__DELEGATE__PASSWORD_FILE": str(folder / "files" / "password")})

    assert good(by_value).delegate[0].password_hash == SecretStr(HASH)
    assert good(by_key).delegate[0].password_hash is None
    assert good(by_key).delegate[0].password_file == folder / "files" / "password"


@pytest.mark.parametrize(
    ("variable", "text", "of", "value"),
    [
        ("LIMITS__RECIPIENTS", "20", lambda s: s.limits.recipients, 20),
        ("LIMITS__MESSAGE_BYTES", "64KiB", lambda s: s.limits.message_bytes, 65536),
        ("LIMITS__MESSAGE_BYTES", "65536", lambda s: s.limits.message_bytes, 65536),
        ("SERVER__DRAIN_TIMEOUT", "5s", lambda s: s.server.drain_timeout, 5.0),
        ("ADMIN__CONSOLE", "False", lambda s: s.admin.console, False),
        ("SES__MAX_SEND_RATE", "14.5", lambda s: s.ses.max_send_rate, 14.5),
        ("SES__EGRESS", "203.0.113.7, vpce-0123456789abcdef0", lambda s: len(s.ses.egress), 2),
        ("SES__EGRESS", '["203.0.113.7"]', lambda s: s.ses.egress, ("203.0.113.7",)),
        ("DELEGATE__PRINCIPAL_TAGS", "team=billing,stage=live", lambda s: len(s.delegate[0].principal_tags), 2),
        ("AUTHORIZATION__CONTEXT", '{"aws:k": ["a", "b"]}', lambda s: s.authorization.context, {"aws:k": ("a", "b")}),
        ("DELEGATE__BOUNCE_RATE", "warn=0.05, slow=0.1", lambda s: s.delegate[0].bounce_rate["slow"], 0.1),
        (
            "DELEGATE__PASSWORD_HASH",
            f'["{HASH}", "{HASH}"]',
            lambda s: len(s.delegate[0].password_hash),
            2 * len(HASH) + 1,
        ),
        ("POLICIES__OWNER__ACCOUNT", "888888888888", lambda s: s.policies.owner[0].account, "888888888888"),
        ("SERVER__HOSTNAME", "", lambda s: s.server.hostname, None),
    ],
)
def test_texts_become_values(variable, text, of, value, sidecar):
    """A variable is read as its key wants it: numbers, flags, lists, tables; an empty one is not set."""
    assert value == of(good(read_settings(None, sidecar | {f"SES_RELAY__{variable}": text})))


@pytest.mark.parametrize("path", SHOWN, ids=".".join)
def test_every_key_is_a_variable(path):
    """What the example shows of a key means the same as a variable: texts as they are, all else as JSON."""
    field = KEYS[path]
    value = sample_of(".".join(path), field)
    written = Written()
    overlay(written, {f"SES_RELAY__{'__'.join(path).upper()}": value if isinstance(value, str) else json.dumps(value)})

    said = written.values
    for name in path:
        said = said[0] if isinstance(said, list) else said
        said = said[name]
    assert written.findings == []
    assert said == (str(Path(value).absolute()) if form_of(field).kind == "path" else value)


def test_the_environment_wins(folder):
    """What the file says of the same key is forgotten; a problem then names the variable, not the line."""
    path = folder / "relay.toml"
    path.write_text(completed('[log]\nlevel = "debug"\n'))

    assert good(read_settings(path, {"SES_RELAY__LOG__LEVEL": "error"})).log.level == "error"
    assert told(read_settings(path, {"SES_RELAY__LOG__LEVEL": "loud"})) == [
        "log.level (SES_RELAY__LOG__LEVEL): 'loud' is none of debug, info, warning, error"
    ]


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("SES_RELAY__LISTNER__ADDRESS", "x", "unknown; did you mean SES_RELAY__LISTENER__ADDRESS?"),
        ("SES_RELAY__XYZZY", "x", "unknown"),
        ("SES_RELAY__DELEGATE", "[]", "unknown: it names a table; write SES_RELAY__DELEGATE__KEY"),
        ("SES_RELAY__SERVER__HOSTNAME__X", "x", "unknown; did you mean SES_RELAY__SERVER__HOSTNAME?"),
        ("SES_RELAY__SES__EGRESS", "[1", "no JSON, though it begins like it"),
        (
            "SES_RELAY__AUTHORIZATION__CONTEXT",
            "aws:PrincipalOrgID:o-exampleorg1",
            "no table: write name=value, with commas between, or JSON",
        ),
        ("SES_RELAY__LOG__LEVEL_FILE", "/nowhere/level", "the file it names cannot be read: No such file or directory"),
        ("SES_RELAY__LIMITS__RECIPIENTS", "many", "'many' is no whole number: write one, without quotes"),
        ("SES_RELAY__DELEGATE__PASSWORD_HASH", "canary", "no argon2 hash: make one with `ses-relay delegate hash`"),
    ],
)
def test_what_cannot_be_understood(variable, text, sentence, sidecar):
    """A misspelt variable is a problem, not silence."""
    reading = read_settings(None, sidecar | {variable: text})
    assert [sentence] == [problem.why for problem in reading.problems]
    assert reading.settings is None
    assert "canary" not in "".join(told(reading))


def test_one_key_said_twice(sidecar, folder):
    """A variable and its ``_FILE`` twin contradict each other."""
    (folder / "hash").write_text(HASH)
    reading = read_settings(None, sidecar | {"SES_RELAY__DELEGATE__PASSWORD_HASH_FILE": str(folder / "hash")})
    assert told(reading) == [
        (
            "delegate[0].password_hash (SES_RELAY__DELEGATE__PASSWORD_HASH_FILE): "
            "SES_RELAY__DELEGATE__PASSWORD_HASH says the same key: keep one of them"
        )
    ]


def test_several_delegates_are_not_for_the_environment(folder):
    """With two delegates in the file nobody can know which one a variable means."""
    second = '[[delegate]]\nname = "news"\nprincipal = "222222222222"\npassword_file = "files/password"\n'
    path = folder / "relay.toml"
    path.write_text(completed("") + second)
    reading = read_settings(path, {"SES_RELAY__DELEGATE__REVEAL": "full"})
    assert told(reading) == ["SES_RELAY__DELEGATE__REVEAL: the file has 2 [[delegate]]: correct it there"]
