"""What the tests of this room begin with."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from tests.owner.week import Week, demo_policies, demo_week


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The demo's policies, to be changed."""
    return demo_policies(tmp_path / "policies")


@pytest.fixture
async def week(policies: Path) -> Week:
    """The demo's week, judged by the demo's policies."""
    return await demo_week(policies)


SETTINGS = """
[[listener]]
address = "127.0.0.1:2525"
allow_plaintext_auth = true
tls = "off"
require_auth = false

[[delegate]]
name = "billing"
principal = "arn:aws:iam::111111111111:user/billing"
trusted_networks = ["127.0.0.0/8"]

[[delegate]]
name = "newsletter"
principal = "arn:aws:iam::222222222222:role/newsletter"
account_grant = true
trusted_networks = ["10.0.0.0/8"]

[[delegate]]
name = "intern"
principal = "arn:aws:iam::333333333333:user/intern"
trusted_networks = ["10.1.0.0/16"]

[[delegate]]
name = "self"
principal = "caller"
trusted_networks = ["10.2.0.0/16"]

[policies]
source = "directory"
directory = "policies"

[ses]
region = "us-east-1"

[delivery]
mode = "direct"
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SES_RELAY__")]:
        monkeypatch.delenv(name)

    def invoke(*words: object, **options: Any) -> Result:
        result = CliRunner().invoke(main, [str(word) for word in words], **options)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return invoke


@pytest.fixture
def config(tmp_path: Path, policies: Path) -> Path:
    """Settings beside the demo's policies."""
    assert policies.parent == tmp_path
    path = tmp_path / "house.toml"
    path.write_text(SETTINGS)
    return path
