"""A certificate authority for the street door's tests."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from relay.smtp.tls import server_context


@dataclass(frozen=True)
class Authority:
    """The contexts of both sides, and the files of the server's."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    certificate: Path
    key: Path
    certificate_of_ca: str


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = ca.issue_cert("relay.test", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    client = ssl.create_default_context()
    ca.configure_trust(client)
    return Authority(server_context(certificate, key), client, certificate, key, ca.cert_pem.bytes().decode())
