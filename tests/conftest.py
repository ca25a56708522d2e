"""What every test may ask for."""

import os
import shutil
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tests.attacks.figures import NAME, table

# Shared machines are slow at times: how long an example takes says nothing about us.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Every mutant meets the same few examples (make mutate).
settings.register_profile("mutation", deadline=None, derandomize=True, database=None, max_examples=25)
settings.load_profile("house")


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Find a real program. Missing: the test is skipped, and with CI=true it fails (tests/debian-packages.txt)."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            why = f"{name} is not installed; tests/provide brings it"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
        return str(path)

    return find


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the attacks cost, if they ran."""
    reports = terminalreporter.getreports("passed")
    rows = [value for report in reports for name, value in report.user_properties if name == NAME]
    if rows:
        terminalreporter.section("attacks")
        for line in table(rows):
            terminalreporter.write_line(line)
