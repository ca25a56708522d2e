"""The map of the code shows every room, and what is said of libraries is held for every room."""

import configparser
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

ROOMS = {
    path.name
    for path in (ROOT / "relay").iterdir()
    if not path.name.startswith("_") and (path / "__init__.py").is_file()
}
MODULES = {path.name for path in (ROOT / "relay").glob("[!_]*.py")}
LIBRARIES = {
    "aiosmtpd": {"smtp"},
    "boto": {"delegates", "identities", "sending"},
    "dnspython": {"dns"},
    "observe": {"observe"},
    "redis": {"shared"},
}


def contract(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    return parser[f"importlinter:contract:{name}"]


@pytest.mark.parametrize("name", sorted({f"{room}/" for room in ROOMS} | MODULES))
def test_the_map_has_every_room(name: str) -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert any(f"`{name}`" in row for row in rows)


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_a_library_is_kept_out_of_every_room_but_its_own(name: str) -> None:
    everywhere = {f"relay.{each}" for each in ROOMS | {Path(module).stem for module in MODULES}}
    homes = {f"relay.{each}" for each in LIBRARIES[name]}
    assert set(contract(name)["source_modules"].split()) == everywhere - homes


def test_every_room_has_a_floor() -> None:
    floors = set(contract("arrows")["layers"].replace("|", " ").split())
    assert floors >= {f"relay.{each}" for each in ROOMS | {Path(module).stem for module in MODULES}}
