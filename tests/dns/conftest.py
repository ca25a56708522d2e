"""The lab, once for all tests of a process."""

from collections.abc import Callable, Iterator

import pytest

from tests.dns.lab import Lab, laboratory
from tests.dns.sites import SITES


@pytest.fixture(scope="session")
def lab(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A resolver, and two authoritative servers with the zones of :mod:`tests.dns.sites`."""
    tools = {name: tool(name) for name in ("knotd", "unbound")}
    with laboratory(tmp_path_factory.mktemp("dns"), SITES, tools) as running:
        yield running
