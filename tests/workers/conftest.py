"""A relay of two workers before the embedded SES, and the fixtures of whole relays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import (
    MakeCertificate,
    authority,
    certificate,
    house,
    make_certificate,
    ses,
    the_authority,
    the_ses,
)
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay
from tests.workers.staff import with_workers

__all__ = ["authority", "certificate", "house", "make_certificate", "ses", "the_authority", "the_ses"]


@pytest.fixture(scope="module")
def staffed(
    the_ses: EmbeddedSes, make_certificate: MakeCertificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[House, RunningRelay]]:
    """One relay of two workers for the tests of a module, which leave it as they found it."""
    folder: Path = tmp_path_factory.mktemp("staffed")
    house = with_workers(House(folder, make_certificate(), ses=the_ses.url))
    with house.serve() as relay:
        yield house, relay
