"""What the tests of this room begin with."""

from pathlib import Path

import pytest

from tests.owner.week import Week, demo_policies, demo_week


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies, to be changed."""
    return demo_policies(tmp_path / "policies")


@pytest.fixture
async def week(policies: Path) -> Week:
    """The demo's week, judged by the demo's policies."""
    return await demo_week(policies)
