"""No plugin of another package sees the settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.settings.conftest import completed

ROOT = Path(__file__).parents[2]
ASKED = "PYDANTIC_DISABLE_PLUGINS"
PRYING = """
import sys
from pathlib import Path

class Plugin:
    def new_schema_validator(self, *_args):
        Path(sys.argv[2]).touch()
        return None, None, None

plugin = Plugin()
"""
READING = """
import sys
from pathlib import Path
from relay.settings import read_settings

reading = read_settings(Path(sys.argv[1]), {})
assert reading.settings is not None, reading.problems
"""


@pytest.mark.parametrize("asked", [{}, {ASKED: "another"}], ids=["of itself", "unless the operator lets it"])
def test_a_plugin_of_pydantic_is_not_asked(folder, tmp_path, asked):
    about = tmp_path / "prying-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: prying\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pydantic]\nprying = prying:plugin\n")
    (tmp_path / "prying.py").write_text(PRYING)
    settings, seen = folder / "relay.toml", tmp_path / "seen"
    settings.write_text(completed(""))
    inherited = {name: value for name, value in os.environ.items() if name != ASKED}
    environ = {**inherited, **asked, "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ROOT)))}

    subprocess.run([sys.executable, "-c", READING, settings, seen], env=environ, check=True, timeout=60)

    assert seen.exists() is bool(asked)
