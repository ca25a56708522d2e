"""A certificate for loopback, made once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.attacks.field import Field
from tests.attacks.figures import Figures
from tests.system.attack_field import write_settings
from tests.system.recording_ses import RecordingSes
from tests.system.relays import started


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert(
        "relay.test", "127.0.0.1", key_type=trustme.KeyType.ECDSA
    )
    chain, key = folder / "certificate.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o600)
    return chain, key


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Where a test puts what it measured."""
    return Figures(record_property)


@pytest.fixture(scope="session")
def attacked(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """The field with its relay in a process of its own."""
    folder = tmp_path_factory.mktemp("attacked")
    with RecordingSes() as ses:
        settings = write_settings(folder, certificate=certificate[0], key=certificate[1], ses=ses.url)
        with started(["serve", "-c", str(settings)], folder) as relay:
            starttls, implicit = relay.addresses["listeners"][:2]
            yield Field(relay, ses, starttls, implicit, clear="")
