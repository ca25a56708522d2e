"""config/compose-fleet.yaml without containers: its commands and settings, in namespaces named like its services."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.relays import Client, Running, RunningRelay, clean_environ, http
from tests.torture.field import ROOT, kill
from tests.torture.network import Network, Place

pytestmark = pytest.mark.system

CONFIG = ROOT / "config"
PERMITTED = b"From: billing@example.com\r\nTo: ann@example.net\r\nSubject: %s\r\n\r\nHello.\r\n"


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONFIG / "compose-fleet.yaml").read_text())["services"]
    return found


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Runs a command at a place; killed after the test."""
    with ExitStack() as stack:

        def run(place: Place, *command: str, environ: dict[str, str] | None = None) -> Running:
            log = tmp_path / f"{place.name}.log"
            with log.open("wb") as sink:
                process = subprocess.Popen(
                    [*place.wrapper, *command],
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    env=clean_environ({"PYTHONPATH": str(ROOT), **(environ or {})}),
                    cwd=tmp_path,
                )
            running = RunningRelay(process, log)
            stack.callback(kill, running)
            return running

        yield run


def test_what_compose_starts_is_one_fleet(
    ground: Network,
    services: dict[str, Any],
    run: Callable[..., RunningRelay],
    tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    """Each of the three relays takes mail, shares what it must with the others, and keeps its spool at their Redis."""
    (tmp_path / "admin-token").write_text("a secret of its own\n")
    (tmp_path / "admin-token").chmod(0o400)
    relay = (sys.executable, "-m", "relay")
    places = {name: ground.place(2 + number) for number, name in enumerate(("redis", "ses", *relays_of(services)))}
    for place in places.values():
        place.knows(**{name: each.address for name, each in places.items() if name in ("redis", "ses")})
    program, *options = services["redis"]["command"]
    run(places["redis"], tool(program), *options, "--dir", str(tmp_path), "--protected-mode", "no")
    ses = run(places["ses"], *relay, *services["ses"]["command"])
    ses.wait_until(lambda: "embedded SES on" in ses.text, "SES")
    relays = []
    for name in relays_of(services):
        environ = {key: value.replace("$$", "$") for key, value in services[name]["environment"].items()}
        environ["SES_RELAY__ADMIN__TOKEN_FILE"] = str(tmp_path / "admin-token")
        environ["SES_RELAY__POLICIES__DIRECTORY"] = str(CONFIG / "demo" / "policies")
        relays.append(run(places[name], *relay, *services[name]["command"], environ=environ))
    for name, running in zip(relays_of(services), relays, strict=True):
        running.addresses = {**running.wait_for("relay.ready"), "admin": f"{places[name].address}:8025"}
        with Client((places[name].address, 2525)) as client:
            client.command("EHLO client.test")
            client.log_in("billing", "demo-billing-secret")
            reply = client.hand_over("billing@example.com", ["ann@example.net"], PERMITTED % name.encode())
        assert reply.startswith("250 2.0.0 Ok"), reply
        running.counts(1, "ses_relay_shared_up", use="shared")
        assert "ok spool (its server writes each message to the disk" in running.readiness()

    arrived = json.loads(http("GET", f"http://{places['ses'].address}:8579/_local/messages"))
    assert len(arrived) == len(relays) == 3
    assert [line for line in relays[0].readiness().splitlines() if " shared" in line] == ["ok shared"]


def relays_of(services: dict[str, Any]) -> list[str]:
    return [name for name in services if name.startswith("relay-") and "ports" in services[name]]
