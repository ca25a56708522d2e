"""The unit: systemd understands it, its sandbox is tight, and its drop-ins name what there is."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from relay.settings.model import Settings
from relay.settings.reading import read_settings
from tests.deployment.units import DROP_INS, UNIT, analyzed, values_of
from tests.docs.pages import text_of


def installed(folder: Path, drop_ins: list[Path]) -> Path:
    """The unit in a folder, with a program that is on this machine."""
    unit = folder / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/ses-relay/bin/ses-relay", sys.executable))
    (folder / f"{UNIT.name}.d").mkdir()
    for each in drop_ins:
        shutil.copy(each, folder / f"{UNIT.name}.d")
    return unit


@pytest.mark.parametrize("drop_ins", [[], *([each] for each in DROP_INS), DROP_INS], ids=len)
def test_systemd_understands_every_line(drop_ins, tmp_path):
    told = analyzed("verify", "--man=no", str(installed(tmp_path, drop_ins)))

    assert (told.stderr, told.returncode) == ("", 0)


def test_its_exposure_is_what_the_docs_say():
    """Releases of systemd look at more or less, and differ a little: the bound is the promise."""
    promised = re.search(r"at most \*\*(\d)\.(\d)\*\*", text_of("docs/how-to/deploy-systemd.md"))
    assert promised
    told = analyzed("security", "--offline=yes", f"--threshold={promised[1]}{promised[2]}", "--no-pager", str(UNIT))

    assert told.returncode == 0, told.stdout
    assert "exposure level" in told.stdout


def test_messages_in_hand_are_finished_before_systemd_kills():
    assert float(values_of("TimeoutStopSec")[0].removesuffix("s")) > Settings().server.drain_timeout


def test_connections_leave_files_for_the_relay_itself():
    assert int(values_of("LimitNOFILE")[0]) >= 2 * Settings().limits.connections


def test_drop_ins_name_keys_that_there_are(tmp_path):
    """Each variable that a drop-in sets is a key of the settings, and leads to a credential that it loads."""
    credentials = values_of("LoadCredential", *DROP_INS)
    for each in credentials:
        (tmp_path / each.split(":")[0]).write_text("a secret of its own\n")
        (tmp_path / each.split(":")[0]).chmod(0o400)
    environ = dict(line.replace("%d", str(tmp_path)).split("=", 1) for line in values_of("Environment", *DROP_INS))
    assert len(environ) == len(credentials) == 2

    reading = read_settings(None, environ | {"SES_RELAY__DELEGATE__NAME": "billing"})

    assert [str(each) for each in (*reading.problems, *reading.warnings) if "FILE" in str(each)] == []


SOCKET = UNIT.with_name("ses-relay.socket")


def test_systemd_understands_the_socket(tmp_path):
    """With the service that it is for."""
    installed(tmp_path, [])
    shutil.copy(SOCKET, tmp_path)
    told = analyzed("verify", "--man=no", str(tmp_path / SOCKET.name))

    assert (told.stderr, told.returncode) == ("", 0)


def test_its_addresses_are_those_of_the_listeners_that_the_docs_show():
    page = text_of("docs/how-to/deploy-systemd.md")

    assert set(values_of("ListenStream", SOCKET)) == set(re.findall(r'^address = "(.+)"$', page, re.MULTILINE))
