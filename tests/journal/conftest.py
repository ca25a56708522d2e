"""Fixtures of this room."""

from collections.abc import Iterator

import pytest

from tests.journal.building import OPENED


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """What a test opened is closed: from Python 3.13 on a file that is not is a warning, whenever it is let go."""
    before = len(OPENED)
    yield
    while len(OPENED) > before:
        OPENED.pop().close()
