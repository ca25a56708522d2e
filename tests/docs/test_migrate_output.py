"""What the page about migrating shows is what the command prints of the files that it shows."""

from click.testing import CliRunner

from relay.cli import main as ses_relay
from tests.docs.pages import blocks_of

PAGE = "docs/how-to/migrate.md"


def test_the_output_and_the_policy_are_those_of_the_files_that_are_shown(tmp_path, monkeypatch):
    """Line ends aside."""
    ini, users, output = (block.text for block in blocks_of(PAGE) if not block.words)
    policy = next(block.text for block in blocks_of(PAGE) if block.words == ("json",))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smtprelay.ini").write_text(ini)
    (tmp_path / "users.txt").write_text(users)

    words = "migrate decke smtprelay.ini --to new --account 888888888888"
    result = CliRunner().invoke(ses_relay, words.split())

    assert result.exit_code == 0, result.output
    assert result.output.split() == output.split()
    identity = tmp_path / "new" / "policies" / "888888888888" / "us-east-1" / "example.com"
    assert (identity / "billing.json").read_text() == policy
