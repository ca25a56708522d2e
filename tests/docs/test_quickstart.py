"""The quickstart, done as it says: its script, its policy, its answers."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.pages import blocks_of
from tests.system.relays import started_demo

PAGE = "docs/quickstart.md"
PATIENCE = 20.0


def shown(beginning: str) -> str:
    """The first block that begins so, up to the id, which differs each time."""
    text = next(block.text for block in blocks_of(PAGE) if block.text.startswith(beginning))
    return text.partition("; decision")[0].rstrip()


def run(script: Path, author: str) -> str:
    done = subprocess.run([sys.executable, script, author], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return done.stdout.partition("; decision")[0].rstrip()


def run_until(answer: str, script: Path, author: str) -> None:
    """Run the script until a changed policy counts."""
    deadline = time.monotonic() + PATIENCE
    while (said := run(script, author)) != answer:
        assert time.monotonic() < deadline, said
        time.sleep(0.3)


@pytest.mark.system
def test_every_step_has_the_answer_that_is_shown(tmp_path):
    """Permitted, refused, permitted by another policy, undecided by a broken one."""
    sample = next(block.text for block in blocks_of(PAGE) if block.words == ("python",))
    policy = next(block.text for block in blocks_of(PAGE) if block.words == ("json",))
    with started_demo(tmp_path) as relay:
        host, _, port = relay.addresses["listeners"][0].rpartition(":")
        script = tmp_path / "mail.py"
        script.write_text(sample.replace('"127.0.0.1", 2525', f'"{host}", {port}'))
        file = Path(relay.addresses["policies"]) / "888888888888/us-east-1/example.com/billing.json"

        assert run(script, "billing@example.com") == shown("sent")
        assert run(script, "reminders@example.com") == shown("554 5.7.1")
        file.write_text(policy)
        run_until(shown("sent"), script, "reminders@example.com")
        file.write_text(policy.rstrip().removesuffix("}"))
        run_until(shown("451 4.7.1"), script, "reminders@example.com")
