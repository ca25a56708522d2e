"""What the pages on policies at SES show is what the commands print, typed one after the other."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

from relay.cli import main as ses_relay
from relay.identities import accounts
from relay.localses.keys import DEMO_KEYS
from tests.docs.pages import ROOT, blocks_of, text_of
from tests.owner.at_ses import AtSes, at_ses

AT_SES, FLEET = "docs/how-to/policies-at-ses.md", "docs/how-to/policies-for-a-fleet.md"
HOME = "/home/ann"
#: The moment in the name of a backup.
TIME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
SHOWN_TIME = "20261121T094512.804301Z"
#: What reading the demo's settings elsewhere than in the demo warns of.
OF_SETTINGS = re.compile(r"warning: (?!line )")
#: What a page tells to do in an editor between two commands.
EDITS = {"policy put example.com billing.json": ('"*@example.com"', '"bounces*@example.com"')}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The demo's folder, with its owner at the keyboard."""
    shutil.copytree(ROOT / "config" / "demo", tmp_path, dirs_exist_ok=True)
    certificate = trustme.CA().issue_cert("relay.demo.example")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    with at_ses(DEMO_KEYS[0]) as ses:
        for folder in (tmp_path / "policies").glob("*/*/*"):
            ses.holds(folder.name, **{path.stem: path.read_text() for path in folder.glob("*.json")})
        settings = (tmp_path / "relay.toml").read_text()
        (tmp_path / "relay.toml").write_text(settings.replace("http://127.0.0.1:8579", ses.door.url))
        monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
        environment(ses, tmp_path, monkeypatch)
        yield tmp_path


def environment(ses: AtSes, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("AWS_ENDPOINT_URL", ses.door.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ses.key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ses.key.secret)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local" / "state"))


def typed(page: str) -> Iterator[tuple[str, str | None]]:
    """Every command line of ours, and what the page shows below it, if it does."""
    blocks = list(blocks_of(page))
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.words[:1] == ("sh",) and block.text.startswith("ses-relay "):
            below = following is not None and following.words == ()
            yield block.text.replace("\\\n", " "), following.text if below and following is not None else None


def printed(line: str, home: Path) -> str:
    """Type it in a shell of our own: patterns, and the file that the output goes to."""
    command, _, file = line.strip().partition(" > ")
    words = shlex.split(command)[1:]
    expanded = [found for word in words for found in matching(word.replace("~", str(home)))]
    result = CliRunner().invoke(ses_relay, expanded, input="y\n", terminal_width=120)
    assert result.exit_code == 0, result.output
    if file:
        (home / file).write_text(result.stdout)
    told = "".join(one for one in result.output.splitlines(keepends=True) if not OF_SETTINGS.match(one))
    return TIME.sub(SHOWN_TIME, told).replace(str(home), HOME)


def matching(word: str) -> list[str]:
    """The newest, as the page's pattern has but one."""
    if "*" not in word:
        return [word]
    path = Path(word)
    return [str(max(path.parent.glob(path.name)))]


@pytest.mark.parametrize("page", [AT_SES, FLEET])
def test_the_commands_print_what_is_shown(page, house):
    shown = 0
    for line, expected in typed(page):
        for beginning, (old, new) in EDITS.items():
            if line.startswith(f"ses-relay {beginning}"):
                path = house / "billing.json"
                text = path.read_text()
                assert old in text, text
                path.write_text(text.replace(old, new))
        told = printed(line, house)
        if expected is not None:
            assert told == expected, line
            shown += 1
    assert shown == {AT_SES: 3, FLEET: 1}[page]


def test_the_actions_that_iam_must_allow_are_those_of_the_calls():
    named = set(re.findall(r"`ses:(\w+)`", text_of(AT_SES)))
    source = "".join((ROOT / "relay" / "identities" / "ses_api.py").read_text().split("_")).lower()

    assert named
    assert [action for action in named if f'"{action.lower()}"' not in source] == []
