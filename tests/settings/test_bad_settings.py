"""Each file of tests/bad_settings holds a mistake and says, in its first lines, what the operator is told."""

from pathlib import Path

import pytest

from relay.settings import read_settings
from tests.settings.conftest import completed

FILES = sorted((Path(__file__).parent.parent / "bad_settings").glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_bad_settings(path, folder):
    """What is told is exactly what the file's first lines say: no problem hides another, none is told twice."""
    text = path.read_text("utf-8")
    copy = folder / "relay.toml"
    copy.write_text(completed(text))

    reading = read_settings(copy, {})

    told = [f"# says: {problem}" for problem in reading.problems]
    told += [f"# warns: {warning}" for warning in reading.warnings]
    assert text.partition("\n\n")[0].replace("{folder}", str(folder)).split("\n") == told
    assert (reading.settings is None) == bool(reading.problems)
