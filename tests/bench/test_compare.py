"""A tree beside a revision of it: both are run, each in its own words, and nothing of it is left behind."""

import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench import compare
from bench.contenders import Ours
from bench.messages import Load
from bench.trees import checked_out, prove
from bench.turns import Row

ROWS = [Row("ses-relay, once", Ours(), Load(1_000, clients=2)), Row("naive", "naive", Load(1_000))]
STUB = Path(__file__).with_name("stub_relay.py").read_text()


@pytest.fixture
def tree(tmp_path):
    """A repository with two revisions of a relay that is none."""
    folder = tmp_path / "repository"
    (folder / "relay").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for name in ("before", "now"):
        (folder / "relay" / "__init__.py").write_text("")
        (folder / "relay" / "__main__.py").write_text(f"{STUB}\n# {name}\n")
        git(folder, "add", ".")
        git(folder, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "--quiet", "-m", name)
    return folder


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.system
def test_each_tree_runs_its_own_relay_and_the_revision_is_gone_afterwards(tree, tmp_path, tool, monkeypatch, capsys):
    for name in ("nginx", "smtp-source"):
        tool(name)
    monkeypatch.setenv("STUB_NOTES", str(tmp_path / "notes"))

    code = compare.compare(tree, "HEAD~1", ROWS, rounds=2, seconds=0.05)

    told = capsys.readouterr().out
    assert code == ("SLOWER" in told)  # whether it is, is the machine's to say
    assert "1 KB, ses-relay, once" in told
    assert "naive" not in told
    assert sorted((tmp_path / "notes").read_text().split()) == ["before", "now"]
    assert git(tree, "worktree", "list").count("\n") == 1


def test_a_slower_tree_ends_with_1(monkeypatch, tmp_path):
    """Turn by turn, so that a machine that slows down meanwhile slows both."""
    monkeypatch.setattr(compare, "prove", lambda _tree: None)
    monkeypatch.setattr(compare, "checked_out", lambda tree, _name: nullcontext(tree))
    for now, code in (([1.1, 2.2, 3.3], 1), ([1.0, 2.0, 3.0], 0), ([0.5, 1.0, 9.0], 0)):
        monkeypatch.setattr(compare, "_measured", lambda *_, now=now: ({ROWS[0]: now}, {ROWS[0]: [1.0, 2.0, 3.0]}))

        assert compare.compare(tmp_path, "any", ROWS[:1], 3, 1) == code


def test_a_revision_that_is_none_is_said(tree):
    with pytest.raises(SystemExit, match=r"bench: .*nowhere"), checked_out(tree, "nowhere"):
        pass


def test_a_tree_whose_relay_would_not_be_the_one_that_runs_is_not_measured(tmp_path):
    with pytest.raises(SystemExit, match="was to be measured"):
        prove(tmp_path)


def test_a_tree_is_measured_wherever_the_bench_is_started(tree, monkeypatch, tmp_path):
    """Also where another relay lies."""
    other = tmp_path / "other" / "relay"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    monkeypatch.chdir(other.parent)

    assert prove(tree) == tree / "relay" / "__init__.py"
