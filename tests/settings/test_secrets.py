"""A secret goes in and never comes out: not in a problem, not in a repr, not in a message of pydantic's."""

import traceback

import pytest
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError

from relay.cli import main as ses_relay
from relay.settings import Settings, read_settings
from tests.settings.conftest import completed, good

CANARY = "canary-in-the-mine"
PHC = "$argon2id$v=19$m=8,t=1,p=1$Y2FuYXJ5Y2FuYXJ5$Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"
DELEGATE = '[[delegate]]\nname = "billing"\nprincipal = "arn:aws:iam::111111111111:user/billing"\n'

PLACES = {
    "hash": f'{DELEGATE}password_hash = "{CANARY}"\n',
    "hash in a list": f'{DELEGATE}password_hash = ["{CANARY}"]\n',
    "hash in a table": f'{DELEGATE}password_hash = {{ x = "{CANARY}" }}\n',
    "misspelt": f'{DELEGATE}pasword_hash = "{CANARY}"\n',
    "an unknown key": f'{DELEGATE}password = "{CANARY}"\n',
    "in place of a file": f'{DELEGATE}password_file = "{CANARY}"\n',
    "with a slash, in place of a file": f'{DELEGATE}password_file = "{CANARY}/x"\n',
    "in place of a token file": f'[admin]\ntoken_file = "{CANARY}"\n',
    "a key in place of its file": f'[tls]\ncertificate = "files/certificate.pem"\nkey = """-----BEGIN\n{CANARY}"""\n',
    "a URL": f'[spool]\nurl = "redis://:{CANARY}@h?durability={CANARY}"\n',
    "a URL of the wrong type": f'[shared]\nurl = ["redis://:{CANARY}@h"]\n',
    "an endpoint": f'[ses]\nendpoint_url = "http://u:{CANARY}@h"\n',
    "after a syntax error": f'{DELEGATE}password_hash = "{CANARY}\n',
    "without quotes": f"{DELEGATE}password_hash = {CANARY}\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_no_problem_quotes_a_secret(place, folder):
    """Wherever an operator puts a secret by mistake, what is told is the key and the line."""
    path = folder / "relay.toml"
    path.write_text(completed(PLACES[place]))

    reading = read_settings(path, {})
    shown = CliRunner().invoke(ses_relay, ["check", "-c", str(path)]).output
    shown += CliRunner().invoke(ses_relay, ["check", "-c", str(path), "--json"]).output

    assert reading.problems
    assert CANARY not in repr(reading) + "".join(map(str, reading.problems)) + shown


@pytest.mark.parametrize(
    "variable",
    [
        "DELEGATE__PASSWORD_HASH",
        "DELEGATE__PASSWORD",
        "SPOOL__URL",
        "ADMIN__TOKEN",
        "ADMIN__TOKEN_FILE_FILE",
        "TLS__KEY",
    ],
)
def test_nor_one_of_the_environment(variable, folder):
    """The same for variables: their names are told."""
    path = folder / "relay.toml"
    path.write_text(completed(DELEGATE))

    reading = read_settings(path, {f"SES_RELAY__{variable}": CANARY})

    assert reading.problems
    assert CANARY not in repr(reading) + "".join(map(str, reading.problems))


def test_good_settings_hide_their_secrets(folder):
    """Neither repr nor JSON of good settings holds a hash, nor what a secret file holds."""
    (folder / "files" / "password").write_text(CANARY)
    path = folder / "relay.toml"
    second = '[[delegate]]\nname = "file"\nprincipal = "222222222222"\npassword_file = "files/password"\n'
    path.write_text(completed(f'{DELEGATE}password_hash = "{PHC}"\n{second}'))

    settings = good(read_settings(path, {}))

    shown = repr(settings) + str(settings) + settings.model_dump_json(exclude={"listener", "admin", "delegate"})
    shown += repr(settings.delegate[0].model_dump())
    shown += CliRunner().invoke(ses_relay, ["check", "-c", str(path), "--json"]).output
    assert CANARY not in shown
    assert PHC not in shown
    assert settings.delegate[0].password_hash == SecretStr(PHC)


def test_a_traceback_has_no_input(folder):
    """Even an exception of pydantic's own does not quote what was written."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"delegate": [{"name": "x", "password_hash": CANARY, "password": CANARY}]})
    assert CANARY not in "".join(traceback.format_exception(caught.value))
