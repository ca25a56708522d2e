"""Real processes, one set for each test worker."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.system.attack_field import write_settings
from tests.system.recording_ses import RecordingSes
from tests.system.relays import RunningRelay, started


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and key for loopback."""
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    chain, key = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return chain, key


@pytest.fixture(scope="session")
def attacked(certificate: tuple[Path, Path]) -> Iterator[tuple[RunningRelay, RecordingSes]]:
    """The relay of the attack field, and the recording SES behind it."""
    with tempfile.TemporaryDirectory() as folder, RecordingSes() as ses:
        settings = write_settings(Path(folder), certificate=certificate[0], key=certificate[1], ses=ses.url)
        with started(["serve", "-c", str(settings)], Path(folder)) as relay:
            yield relay, ses
