"""Commands whose standard streams are closed or full, and whose files lie where they may not look."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relay.cli.streams import in_words

pytestmark = pytest.mark.system

SAMPLES = Path(__file__).parents[2] / "config" / "demo"


def typed(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *line* in a shell, where ``$R`` is the command."""
    given = {**os.environ, "R": f"{sys.executable} -m relay", "SAMPLES": str(SAMPLES), **environment}
    return subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, env=given, check=False)


@pytest.mark.parametrize("words", ["--help", "check --print-example", "policy lint $SAMPLES/policies"])
def test_where_nothing_more_can_be_written_it_is_said_in_one_line(words):
    done = typed(f"$R {words} > /dev/full")

    assert (done.returncode, done.stderr) == (1, "Error: standard output, or a file: No space left on device\n")


@pytest.mark.parametrize(
    "words",
    [
        "doctor --offline -c $SAMPLES/relay.toml >&-",
        "explain - --delegate billing -c $SAMPLES/relay.toml <&- >&-",
        "explain --batch - <&-",
        "policy lint - <&-",
        "delegate hash <&-",
    ],
)
def test_a_closed_stream_is_one_that_leads_nowhere(words):
    done = typed(f"$R {words}")

    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1, 2}


def test_a_file_that_cannot_be_reached_is_named():
    assert in_words(PermissionError(13, "Permission denied", "nox/relay.toml")) == "nox/relay.toml: Permission denied"
