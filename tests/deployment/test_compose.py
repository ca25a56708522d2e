"""The file for compose: as confined as the image allows, with settings that are good."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import relay
from relay.settings.model import Settings
from relay.settings.reading import read_settings
from tests.docs.pages import ROOT

CONFIG = ROOT / "config"


@pytest.fixture
def project() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONFIG / "compose.yaml").read_text())
    return found


@pytest.fixture
def service(project: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = project["services"]["relay"]
    return found


def test_it_is_confined(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_it_is_this_release_and_ends_in_its_time(service):
    assert service["image"] == f"ses-relay:{relay.__version__}"
    assert float(service["stop_grace_period"].removesuffix("s")) > Settings().server.drain_timeout


def test_volumes_and_secrets_are_declared_and_bound_files_are_there(project, service):
    for each in project["services"].values():
        for volume in each["volumes"]:
            source = volume.rsplit(":/", 1)[0].removeprefix("${POLICIES:-").removesuffix("}")
            assert source in project["volumes"] or (CONFIG / source).is_dir(), volume
    assert set(service["secrets"]) == set(project["secrets"])
    assert (CONFIG / service["build"] / "Dockerfile").is_file()


def test_settings_are_good(service, tmp_path):
    """Also that everything which is kept is kept in the volume: the rest of the container cannot be written."""
    environ = {key: value for key, value in service["environment"].items() if value is not None}
    kept = [value for key, value in environ.items() if key.endswith(("__PATH", "__URL"))]
    assert [value for value in kept if "/var/lib/ses-relay/" not in value] == []
    for name in service["secrets"]:
        (tmp_path / name).write_text("a secret of its own\n")
        (tmp_path / name).chmod(0o400)
    places = {
        "/run/secrets": str(tmp_path),
        "/etc/ses-relay/policies": str(CONFIG / "demo" / "policies"),
        "/var/lib/ses-relay": str(tmp_path / "state"),
    }
    Path(places["/var/lib/ses-relay"]).mkdir(mode=0o700)
    for there, here in places.items():
        environ = {key: value.replace(there, here) for key, value in environ.items()}
    reading = read_settings(None, environ)

    assert [str(each) for each in (*reading.problems, *reading.warnings)] == []
