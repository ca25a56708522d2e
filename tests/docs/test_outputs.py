"""What the pages show of ``explain`` is what it prints."""

import shutil
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from relay.cli import main as ses_relay
from tests.docs.pages import ROOT, Block, blocks

SHOWN = [block for block in blocks() if block.text.startswith("delegate  ")]
HELLO = "From: reminders@example.com\nTo: bob@example.net\n\nHello Bob.\n"
MESSAGES = {
    "README.md": "From: The CEO <ceo@example.com>\nTo: bob@example.net\nSubject: Urgent\n\nPay this.\n",
    "docs/quickstart.md": HELLO,
}
COMMAND = ["explain", "-", "--delegate", "billing", "--mail-from", "billing@example.com"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's relay.toml with all that stands beside it."""
    home = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "config" / "demo", home, dirs_exist_ok=True)
    certificate = trustme.CA().issue_cert("relay.demo.example")
    certificate.cert_chain_pems[0].write_to_path(home / "certificate.pem")
    certificate.private_key_pem.write_to_path(home / "key.pem")
    return home / "relay.toml"


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.page)
def test_explain_prints_what_is_shown(block, settings):
    """A page may show the beginning only, as long as it shows whole lines of it."""
    result = CliRunner().invoke(ses_relay, [*COMMAND, "-c", str(settings)], input=MESSAGES[block.page])

    assert result.exit_code == 1, result.output
    assert result.stdout.startswith(block.text)


@pytest.mark.parametrize("page", MESSAGES)
def test_the_reply_that_is_shown_is_the_reply(page, settings):
    """Line ends and the decision's id aside."""
    shown = next(" ".join(block.text.split()) for block in blocks() if is_refusal(block, page))
    result = CliRunner().invoke(ses_relay, [*COMMAND, "--json", "-c", str(settings)], input=MESSAGES[page])

    assert f'"reply": "{shown.partition("; decision")[0]})"' in result.stdout


def is_refusal(block: Block, page: str) -> bool:
    return block.page == page and block.text.startswith("554 5.7.1")


def test_what_is_shown_is_found():
    assert {block.page for block in SHOWN} == set(MESSAGES)
