"""What every test may ask for."""

import os
import shutil
from collections.abc import Callable
from itertools import groupby

import pytest
from hypothesis import HealthCheck, settings

from tests.attacks.figures import NAME, table
from tests.torture.figures import NAME as TORTURE
from tests.torture.figures import report

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


#: Whose tests mostly wait: for whole relays, and for clocks.
WAITING = ("tests/system/", "tests/torture/", "tests/shared/", "tests/workers/")
#: Whose tests ask no clock, socket or process.
PURE = ("tests/judgement/", "tests/mail/", "tests/policy/", "tests/readings/", "tests/words/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """
    Of several workers, let half begin with the tests that wait, while the others compute.

    Each worker begins with a part of the list, and takes from the others' when it is through with its own. What may
    fail since a busy machine stalled is run once more, and listed at the end; a test that runs alone is not.
    """
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if not item.nodeid.startswith(PURE):
            item.add_marker(pytest.mark.flaky(reruns=1))
    waiting = [item for item in items if item.nodeid.startswith(WAITING)]
    computing = [item for item in items if not item.nodeid.startswith(WAITING)]
    modules = [list(group) for _, group in groupby(waiting, lambda item: item.nodeid.partition("::")[0])]
    one, other = ([item for module in modules[part::2] for item in module] for part in (0, 1))
    middle = len(items) // 2 - len(one)
    items[:] = [*one, *computing[:middle], *other, *computing[middle:]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was run once more, what the attacks cost and what the torture measured, if they ran."""
    for each in terminalreporter.getreports("rerun"):
        terminalreporter.write_line(f"FAILED AT FIRST {each.nodeid}")
        terminalreporter.write_line(str(each.longrepr))
    told = [each for reported in terminalreporter.getreports("passed") for each in reported.user_properties]
    for section, name, lines in (("attacks", NAME, table), ("torture", TORTURE, report)):
        if values := [value for known_as, value in told if known_as == name]:
            terminalreporter.section(section)
            for line in lines(values):
                terminalreporter.write_line(line)
