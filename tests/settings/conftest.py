"""A folder with everything good settings name, and good settings to spoil."""

import subprocess
from pathlib import Path

import pytest
import trustme

from relay.settings import Reading, Settings

GOOD = {
    "[[listener]]": 'address = "127.0.0.1:2525"\nallow_plaintext_auth = true\n',
    "[[delegate]]": (
        'name = "billing"\nprincipal = "arn:aws:iam::111111111111:user/billing"\npassword_file = "files/password"\n'
    ),
    "[policies]": 'source = "directory"\ndirectory = "files/policies"\n',
    "[delivery]": 'mode = "direct"\n',
}


def completed(text: str) -> str:
    """Add the tables that *text* lacks to be whole; its lines stay where they are."""
    added = [f"\n{header}\n{body}" for header, body in GOOD.items() if header not in text]
    return text.rstrip("\n") + "\n" + "".join(added)


def good(reading: Reading) -> Settings:
    """The settings of a reading that has them."""
    assert reading.settings is not None, list(map(str, reading.problems))
    return reading.settings


def told(reading: Reading) -> list[str]:
    """Everything a reading tells the operator, problems first."""
    return [str(problem) for problem in (*reading.problems, *reading.warnings)]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates and their keys, made once: two good ones, and one that no listener can show."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    for name in ("", "other-"):
        issued = authority.issue_cert("relay.example.com")
        issued.private_key_pem.write_to_path(folder / f"{name}key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}certificate.pem")
        (folder / f"{name}key.pem").chmod(0o600)
    weak = ["-newkey", "rsa:1024", "-noenc", "-keyout", "weak-key.pem", "-out", "weak-certificate.pem"]
    subprocess.run(["openssl", "req", "-x509", "-subj", "/CN=weak", *weak], cwd=folder, check=True, capture_output=True)
    (folder / "weak-key.pem").chmod(0o600)
    return folder


@pytest.fixture
def folder(tmp_path: Path, certificates: Path) -> Path:
    """What the settings name: ``files/`` with secrets, certificates and policies."""
    files = tmp_path / "files"
    (files / "policies" / "888888888888" / "us-east-1" / "example.com").mkdir(parents=True)
    (files / "nothing").mkdir()
    (files / "empty").touch(mode=0o600)
    (files / "open").write_text("a password for all")
    (files / "open").chmod(0o644)
    (files / "broken-hash").write_text("$argon2id$v=19$m=19456,t=2,p=1$short")
    (files / "broken-hash").chmod(0o600)
    (files / "octets").write_bytes(b"\xe9\xff")
    (files / "octets").chmod(0o600)
    for name, text in {
        "password": "a canary in a cage",
        "token": "a-bearer-token-of-the-admin\n",
        "short": "x",
    }.items():
        (files / name).write_text(text)
        (files / name).chmod(0o600)
    for pem in certificates.iterdir():
        (files / pem.name).symlink_to(pem)
    return tmp_path
