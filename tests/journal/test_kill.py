"""Killed in the middle of a write, the journal has all that a reader was shown, and goes on."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from relay.journal.files import open_to_read
from relay.journal.queries import each
from tests.journal.building import Keeping


@pytest.mark.parametrize("lines", [1, 17, 90])
def test_killed_at_any_moment(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "journal.db"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.journal.child", str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        shown = [int(child.stdout.readline().split()[0]) for _ in range(lines)][-1]
        child.kill()

    with closing(open_to_read(path)) as file:
        numbers = [int(kept["id"], 16) for kept in each(file)]
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert numbers[-1] >= shown
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(numbers) == min(numbers[-1] + 1, 3000)
    with Keeping(path, 3000) as kept:
        kept.tell(numbers[-1] + 1)
        assert kept.numbers()[-2:] == [numbers[-1], numbers[-1] + 1]
    assert kept.noted() == []
