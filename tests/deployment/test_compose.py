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


def test_it_is_confined(service: dict[str, Any]) -> None:
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


@pytest.fixture
def fleet() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONFIG / "compose-fleet.yaml").read_text())
    return found


def test_a_fleet_is_three_of_the_same_that_share_one_redis(fleet, tmp_path):
    """Their settings are good, their doors on this machine differ, and Redis keeps what it acknowledges."""
    services = fleet["services"]
    relays = [services[f"relay-{number}"] for number in (1, 2, 3)]
    environ = {key: value.replace("$$", "$") for key, value in relays[0]["environment"].items()}
    (tmp_path / "admin-token").write_text("a secret of its own\n")
    (tmp_path / "admin-token").chmod(0o400)
    environ["SES_RELAY__ADMIN__TOKEN_FILE"] = str(tmp_path / "admin-token")
    environ["SES_RELAY__POLICIES__DIRECTORY"] = str(CONFIG / "demo" / "policies")
    reading = read_settings(None, environ)

    assert [str(each) for each in (*reading.problems, *reading.warnings)] == []
    assert len({port for each in relays for port in each["ports"]}) == 6
    assert all({**each, "ports": []} == {**relays[0], "ports": []} for each in relays)
    assert {environ["SES_RELAY__SHARED__URL"], environ["SES_RELAY__SPOOL__URL"]} == {"redis://redis:6379"}
    redis = " ".join(services["redis"]["command"])
    assert "--appendonly yes --appendfsync always" in redis
    assert "--maxmemory-policy noeviction" in redis


def test_a_fleet_is_confined_and_of_this_release(fleet):
    """Only this machine reaches it; Prometheus scrapes every relay; what is named is there."""
    services = fleet["services"]
    for name, each in services.items():
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", ())), name
        if "build" in each or each["image"].startswith("ses-relay"):
            assert each["image"] == f"ses-relay:{relay.__version__}"
        assert set(each.get("depends_on", ())) <= set(services)
    for name in ("relay-1", "ses"):
        test_it_is_confined(services[name])
    scrape = yaml.safe_load((CONFIG / "prometheus" / "fleet.yaml").read_text())
    [job] = scrape["scrape_configs"]
    assert job["job_name"] == "ses-relay"
    assert job["static_configs"][0]["targets"] == [f"relay-{number}:8025" for number in (1, 2, 3)]
    assert all((CONFIG / "prometheus" / name).is_file() for name in scrape["rule_files"])
