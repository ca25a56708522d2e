"""The commands, wrongly used and rightly."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.audit.chain import Verified, verify
from relay.cli import main
from tests.audit.test_export import keep, keep_text, record

KEY = "a secret that nobody guesses"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    keep_text(path)
    keep(path, record(1, minute=1), record(2, minute=2))
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "audit.key"
    path.write_text(f"{KEY}\n")
    return path


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)], input=stdin)


def export(journal: Path, *more: object, since: str = "2026-01-01", until: str = "2027-01-01") -> Result:
    return run("export", "--journal", journal, "--from", since, "--to", until, *more)


def test_into_a_pipe(journal):
    """Lines to standard output, the summary to standard error; verify reads them from standard input."""
    written = export(journal)

    assert written.exit_code == 0
    assert isinstance(verify(written.stdout_bytes.splitlines(keepends=True)), Verified)
    assert "5 lines (2 decision, 1 policy-text), last hash " in written.stderr
    verified = run("verify", "-", stdin=written.stdout_bytes)
    assert verified.exit_code == 0
    assert "5 lines, unbroken: 2026-01-01T00:00:00.000000Z to 2027-01-01T00:00:00.000000Z, sha256" in verified.stdout


def test_everything_there_is(journal):
    written = export(journal, since="9999999d", until="now")
    assert written.exit_code == 0
    assert json.loads(written.stdout.splitlines()[0])["from"] == "1970-01-01T00:00:00.000000Z"


def test_nothing_happened(journal):
    written = export(journal, since="2025-01-01", until="2025-02-01")
    assert written.exit_code == 0
    assert "2 lines (nothing happened)" in written.stderr


def test_a_header_says_what_was_wanted_and_how_far_back_the_journal_goes(journal):
    head: dict[str, Any] = json.loads(export(journal, "--delegate", "billing").stdout.splitlines()[0])
    assert (head["delegate"], head["identity"]) == ("billing", None)
    assert head["oldest_decision"] == "2026-11-21T08:01:00.000000Z"
    assert (head["journal"], head["settings"]) == (str(journal), None)


def test_the_last_hash_as_it_was_noted(journal, tmp_path):
    out = tmp_path / "out.jsonl"
    told = json.loads(export(journal, "--out", out, "--json").stdout)

    assert run("verify", out, "--last", told["last"].upper()).exit_code == 0
    other = run("verify", out, "--last", "0" * 64, "--json")
    assert other.exit_code == 1
    assert json.loads(other.stdout) == {
        "unbroken": False,
        "line": 5,
        "why": "its hash is not the one that was noted: the file is another one",
    }


def test_with_a_key(journal, key, tmp_path):
    out = tmp_path / "out.jsonl"
    assert export(journal, "--out", out, "--key-file", key).exit_code == 0

    assert json.loads(run("verify", out, "--key-file", key, "--json").stdout)["unbroken"]
    without = run("verify", out)
    assert without.exit_code == 2
    assert "was hashed with a key: give --key-file" in without.stderr
    key.write_text(KEY[::-1])
    assert run("verify", out, "--key-file", key).exit_code == 1
    assert KEY not in out.read_text()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--to", "2025-01-01"), "--from is not before --to"),
        (("--to", "yesterday"), "is no time"),
        (("--to", "9999-12-31T23:59-14:00"), "is no time"),
        (("--json",), "--json tells about the file of --out"),
        (("--key-file", "none"), "No such file"),
        (("--key-file", "short"), "a key has at least 16 octets"),
        (("--journal", "nowhere.db"), "is not there"),
        (("--journal", "short"), "short"),
    ],
)
def test_wrong_usage(journal, tmp_path, monkeypatch, more, why):
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("short")
    told = export(journal, *more)
    assert (told.exit_code, why in told.stderr) == (2, True), told.output


def test_without_a_journal_and_where_nothing_can_be_written(journal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "else it is in memory alone" in run("export", "--from", "1h").stderr
    assert export(journal, "--out", tmp_path / "no" / "folder").exit_code == 1
    assert run("verify", tmp_path / "nothing").exit_code == 2


def test_an_export_that_fails_leaves_nothing_behind(journal, tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    told = export(journal, "--out", tmp_path / "out.jsonl")
    assert (told.exit_code, "No space left" in told.stderr) == (1, True)
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == []


def test_a_journal_that_cannot_be_looked_at_is_named(tmp_path):
    journal = tmp_path / ("j" * 300)

    told = export(journal)

    assert told.exit_code == 2
    assert f"{journal}: File name too long" in told.stderr
