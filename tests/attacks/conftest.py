"""A certificate for loopback, made once."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trustme

from tests.attacks.field import Field, open_relay
from tests.attacks.figures import Figures


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
def the_field(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """The field with its relay in a process of its own."""
    with open_relay(tmp_path_factory.mktemp("attacked"), certificate) as field:
        yield field


@pytest.fixture
async def attacked(the_field: Field) -> AsyncIterator[Field]:
    """The same; who is still connected when a test ends leaves."""
    yield the_field
    await the_field.leave()
