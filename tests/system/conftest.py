"""Real processes, one set for each test worker."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from tests.system.houses import House
from tests.system.recording_ses import RecordingSes
from tests.system.relays import EmbeddedSes, RunningRelay, started_demo, started_ses


@dataclass(frozen=True)
class Demo:
    """The running demo, the SES inside it, and its state folder."""

    relay: RunningRelay
    ses: EmbeddedSes
    state: Path


MakeCertificate = Callable[[], tuple[Path, Path]]


@pytest.fixture(scope="session")
def the_authority() -> trustme.CA:
    """Who signs the certificates here."""
    return trustme.CA()


@pytest.fixture(scope="session")
def authority(the_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its own certificate, for clients that look."""
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    the_authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="session")
def make_certificate(the_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> MakeCertificate:
    """Make another certificate and key for loopback."""

    def make() -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("tls")
        issued = the_authority.issue_cert("localhost", "127.0.0.1")
        chain, key = folder / "certificate.pem", folder / "key.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        key.chmod(0o600)
        return chain, key

    return make


@pytest.fixture(scope="session")
def certificate(make_certificate: MakeCertificate) -> tuple[Path, Path]:
    """A certificate and key for loopback."""
    return make_certificate()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo as a newcomer starts it, on free ports."""
    folder = tmp_path_factory.mktemp("demo")
    with started_demo(folder) as relay:
        yield Demo(relay, EmbeddedSes(f"http://{relay.addresses['ses']}"), folder / "state")


@pytest.fixture(scope="session")
def the_ses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSes]:
    """An embedded SES in a process of its own, for all tests of a worker."""
    with started_ses(tmp_path_factory.mktemp("ses")) as ses:
        yield ses


@pytest.fixture
def ses(the_ses: EmbeddedSes) -> EmbeddedSes:
    """The embedded SES, empty and without faults."""
    the_ses.forget()
    return the_ses


@pytest.fixture
def house(tmp_path: Path, certificate: tuple[Path, Path], ses: EmbeddedSes) -> House:
    """A relay's folder of the test's own, before the embedded SES."""
    return House(tmp_path, certificate, ses=ses.url)


@pytest.fixture(scope="session")
def recorded(
    certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningRelay, RecordingSes]]:
    """The demo's settings before an SES that is not ours: it records."""
    folder = tmp_path_factory.mktemp("recorded")
    with RecordingSes() as ses, House(folder, certificate, ses=ses.url).serve() as relay:
        yield relay, ses
