"""What the page on lint shows is what lint prints."""

from click.testing import CliRunner

from relay.cli import main as ses_relay
from relay.policy.lint import RULES
from tests.docs.pages import blocks_of, text_of

PAGE = "docs/how-to/lint-policies.md"


def test_the_output_that_is_shown_is_the_output(tmp_path, monkeypatch):
    """Of the policy that is shown, under the name that it has there."""
    sample, _, shown = list(blocks_of(PAGE))[:3]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "marketing.json").write_text(sample.text)

    result = CliRunner().invoke(ses_relay, ["policy", "lint", "marketing.json"])

    assert (result.stdout, result.exit_code) == (shown.text, 1)


def test_every_code_is_in_the_reference():
    page = text_of("docs/reference/lint.md")

    assert [code for code in RULES if f"| `{code}` | {RULES[code].severity} |" not in page] == []
