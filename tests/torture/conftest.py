"""What a torture needs."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.torture.field import Field, MakeField, Ses, far_ses, kill
from tests.torture.figures import Figures


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    return Figures(record_property)


@pytest.fixture
def ses(request: pytest.FixtureRequest) -> Iterator[Ses]:
    """An SES of the test's own."""
    with far_ses(request.node.name) as ses:
        yield ses


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
