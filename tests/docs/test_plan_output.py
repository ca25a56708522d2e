"""What docs/how-to/policies-in-git.md shows of ``policy plan`` is what it prints."""

import os
import shutil
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner

from relay.cli import main as ses_relay
from relay.identities import accounts
from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS
from tests.docs.pages import ROOT, blocks
from tests.localses.running import OWNER, House

PLACE = Path("policies", "888888888888", "us-east-1")
CHANGES = {
    "billing": ('"billing@example.com", ', ""),
    "newsletter": ('"news@example.com"', '["news@example.com", "weekly@example.com"]'),
}
TLS = '[tls]\ncertificate = "certificate.pem"\nkey = "key.pem"\n'


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's settings and policies, without the certificate that the demo makes."""
    shutil.copytree(ROOT / "config" / "demo", tmp_path, dirs_exist_ok=True)
    settings = tmp_path / "relay.toml"
    settings.write_text(settings.read_text().replace(TLS, "").replace('"starttls"', '"off"'))
    for name in [name for name in os.environ if name.startswith("SES_RELAY__")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    session = boto3.Session(OWNER.id, OWNER.secret)
    monkeypatch.setattr(boto3, "Session", lambda *_keys: session)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_plan_prints_what_is_shown(demo, monkeypatch):
    house = House()
    with house.running(LocalSes(DEMO_KEYS)) as door:
        monkeypatch.setenv("SES_RELAY__SES__ENDPOINT_URL", door.url)
        ses = door.client("sesv2")
        files = {path: path.read_text() for path in sorted((demo / PLACE).glob("*/*.json"))}
        for name in ("ceo@example.com", "example.com", "old.example.org"):
            ses.create_email_identity(EmailIdentity=name)
        for path, text in files.items():
            ses.create_email_identity_policy(EmailIdentity=path.parent.name, PolicyName=path.stem, Policy=text)
        elsewhere = files[demo / PLACE / "example.com" / "newsletter.json"].replace("/example.com", "/old.example.org")
        ses.create_email_identity_policy(EmailIdentity="old.example.org", PolicyName="agency", Policy=elsewhere)
        for name, (old, new) in CHANGES.items():
            path = demo / PLACE / "example.com" / f"{name}.json"
            path.write_text(files[path].replace(old, new))
        result = CliRunner().invoke(ses_relay, ["policy", "plan", "policies", "-c", "relay.toml"])
    house.close()

    page = "docs/how-to/policies-in-git.md"
    shown = next(block.text for block in blocks() if block.page == page and block.text.startswith("example.com (888"))
    assert (result.exit_code, result.stderr) == (2, "")
    assert result.stdout == shown
