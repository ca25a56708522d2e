"""What a torture needs."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.torture.field import Field, MakeField, Ses, far_ses, kill
from tests.torture.figures import Figures
from tests.torture.network import Network, network


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    return Figures(record_property)


@pytest.fixture
def ses(request: pytest.FixtureRequest) -> Iterator[Ses]:
    """An SES of the test's own."""
    with far_ses(request.node.name) as ses:
        yield ses


@pytest.fixture
def ground(tool: Callable[[str], str]) -> Iterator[Network]:
    """A network of the test's own. Skipped where this process may not build one."""
    tool("ip")
    tool("iptables")
    with ExitStack() as stack:
        try:
            made = stack.enter_context(network())
        except PermissionError as problem:
            pytest.skip(f"no network of our own here: {problem}")
        yield made


@pytest.fixture
def make_field(tmp_path: Path, ses: Ses) -> Iterator[MakeField]:
    """A relay's folder before it: mode and further keys as wanted. No relay outlives the test."""
    made: list[Field] = []

    def make(mode: str = "spool", **options: str) -> Field:
        made.append(Field(tmp_path / f"field{len(made)}", ses, mode, **options))
        return made[-1]

    yield make
    for relay in (relay for field in made for relay in field.relays):
        kill(relay)


@pytest.fixture
def tracer(tool: Callable[[str], str]) -> str:
    """The tracer. Skipped where the kernel forbids tracing, as in some containers."""
    path = tool("strace")
    tried = subprocess.run([path, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"tracing processes is forbidden here: {tried.stderr.strip()}")
    return path


@pytest.fixture
def faked(tool: Callable[[str], str], tmp_path: Path) -> Callable[..., dict[str, str]]:
    """What a process needs in its environment to believe another time; it may jump, by ``tmp_path/clock``."""
    tool("faketime")
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

    def environ(now: str, *, monotonic: bool = False, jumps: bool = True) -> dict[str, str]:
        (tmp_path / "clock").write_text(f"{now}\n")
        how = {"FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"), "FAKETIME_NO_CACHE": "1"}
        told = how if jumps else {"FAKETIME": now}
        return {"LD_PRELOAD": str(library), **told, **({} if monotonic else {"FAKETIME_DONT_FAKE_MONOTONIC": "1"})}

    return environ
