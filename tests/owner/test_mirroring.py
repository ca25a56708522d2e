"""A folder brought to what SES has while relays read it, through crashes, and beside other people's files."""

import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay.identities.files import PolicyFiles
from relay.identities.scan import read_folder
from relay.owner import mirroring
from relay.owner.mirroring import MARK, Brought, Mirror, MirrorProblem, NoPlace
from relay.policy.document import Policy
from relay.words.arns import IdentityArn
from tests.owner.at_ses import policy

ARN = IdentityArn("aws", "us-east-1", "888888888888", "example.com")
ALLOW, DENY, OTHER = policy(), policy(effect="Deny"), policy("ses:*")
OLD = {"a": ALLOW, "b": DENY, "c": ALLOW}
NEW = {"a": OTHER, "c": ALLOW, "d": DENY}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "policies"


@pytest.fixture
def mirror(root: Path) -> Mirror:
    return Mirror(root)


def folder(root: Path, name: str = "example.com") -> Path:
    return root / "888888888888" / "us-east-1" / name


def files(root: Path, name: str = "example.com") -> dict[str, str]:
    return {path.name: path.read_text() for path in folder(root, name).iterdir()}


def as_read(root: Path) -> dict[str, str] | str | None:
    """What a relay reads of the identity: digests by name; why it is undecided; None if it is not there."""
    reader = PolicyFiles(collect=True)
    scan = read_folder(root, (), reader, 0.0)
    if scan.is_torn():
        return "torn"
    owned = scan.catalog().owners.get(("888888888888", "us-east-1"))
    groups = [] if owned is None else list(owned.by_folded_name.values())
    if not groups:
        return None
    policies = groups[0][0].policies
    if not all(isinstance(each, Policy) for each in policies):
        return "undecided"
    return {each.name: reader.texts[each.digest] for each in policies}


def test_policies_come_change_and_go(root, mirror):
    assert mirror.bring(ARN, OLD) == Brought(ARN, ("a", "b", "c"), is_new=True)
    untouched = (folder(root) / "c.json").stat()

    assert mirror.bring(ARN, NEW) == Brought(ARN, ("a", "d"), ("b",))

    assert files(root) == {f"{name}.json": text for name, text in NEW.items()}
    assert (folder(root) / "c.json").stat() == untouched
    assert mirror.bring(ARN, NEW) == Brought(ARN)
    assert as_read(root) == NEW


def test_texts_are_those_of_ses_to_the_octet(root, mirror):
    text = '{"Sid":\r\n "ä" }\n\n'
    mirror.bring(ARN, {"a": text})

    assert (folder(root) / "a.json").read_bytes() == text.encode()
    mode = stat.S_IMODE((folder(root) / "a.json").stat().st_mode)
    assert mode == 0o644, "the relay is somebody else"


def test_an_identity_without_policies_is_an_empty_folder(root, mirror):
    assert mirror.bring(ARN, {}) == Brought(ARN, is_new=True)
    assert as_read(root) == {}
    mirror.bring(ARN, OLD)
    assert mirror.bring(ARN, {}).removed == ("a", "b", "c")
    assert as_read(root) == {}


def test_keep_keeps(root, mirror):
    mirror.bring(ARN, OLD)
    keeping = Mirror(root, keep=True)

    assert keeping.bring(ARN, NEW) == Brought(ARN, ("a", "d"), kept=("b",))
    assert keeping.take_away(ARN) == Brought(ARN, kept=("a", "b", "c", "d"))
    assert as_read(root) == {**OLD, **NEW}
    assert mirror.add(ARN, {"a": ALLOW}) == Brought(ARN, ("a",))
    assert as_read(root) == {**OLD, **NEW, "a": ALLOW}


def test_what_is_gone_leaves_nothing(root, mirror):
    mirror.bring(ARN, OLD)

    assert mirror.take_away(ARN) == Brought(ARN, removed=("a", "b", "c"), is_gone=True)
    assert not folder(root).exists()
    assert mirror.take_away(ARN) == Brought(ARN)


def test_files_of_others_are_left_and_said(root, mirror):
    mirror.bring(ARN, OLD)
    (folder(root) / "README.md").write_text("ours")
    (folder(root) / "notes").write_text("what is this?")

    assert mirror.bring(ARN, NEW).strangers == ("notes",)
    assert mirror.take_away(ARN) == Brought(ARN, removed=("a", "c", "d"), strangers=("README.md", "notes"))
    assert files(root) == {"README.md": "ours", "notes": "what is this?"}


@pytest.mark.parametrize("name", ["/etc/x@example.com", "a/b@example.com", ".hidden", "#x#", "example.bak"])
def test_identities_that_relays_would_not_find_are_refused(root, mirror, name):
    arn = IdentityArn("aws", "us-east-1", "888888888888", name)
    words = "an identity of this name cannot lie in a folder where relays find it"
    with pytest.raises(NoPlace, match=words):
        mirror.bring(arn, {})
    with pytest.raises(NoPlace, match=words):
        mirror.take_away(arn)
    assert not root.exists()


@pytest.mark.parametrize("name", ["../../evil", "", "a.b", "x" * 65])
def test_names_of_policies_are_not_trusted_to_be_names(root, mirror, name):
    with pytest.raises(NoPlace, match=r"a policy named '.*' cannot lie in a folder"):
        mirror.bring(ARN, {"a": ALLOW, name: ALLOW})
    assert not root.exists()


def test_what_cannot_be_written_is_said(root, mirror):
    root.mkdir()
    (root / "888888888888").write_text("")

    with pytest.raises(MirrorProblem, match=r"888888888888/us-east-1/example\.com: Not a directory"):
        mirror.bring(ARN, OLD)
    with pytest.raises(MirrorProblem, match="Not a directory"), Mirror(root / "888888888888" / "x").alone():
        pytest.fail("there can be no such folder")


def test_two_runs_do_not_write_at_once(root, mirror):
    with mirror.alone(), pytest.raises(MirrorProblem, match="is being written by another run"), Mirror(root).alone():
        pytest.fail("both are in")
    with Mirror(root).alone():
        assert list(root.iterdir()) == []


# --- crashes ----------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def crash_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """End at the n-th thing that is done to the file system, before it is done."""
    left = [-1]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Crash
            return real(*given, **more)

        return act

    for name in ("mkdir", "replace", "unlink", "touch", "rmdir"):
        monkeypatch.setattr(Path, name, dying(getattr(Path, name)))
    for name in ("sync_folder", "_stage"):
        monkeypatch.setattr(mirroring, name, dying(getattr(mirroring, name)))

    def at(number: int) -> None:
        left[0] = number

    return at


def after_crashes(
    root: Path, crash_at: Callable[[int], None], work: Callable[[], object], start: Callable[[], object]
) -> list[Any]:
    """What a relay reads after a crash at each place of *work*, and that the next run mends it."""
    crash_at(-1)
    start()
    work()
    mended, seen = as_read(root), []
    for number in range(1, 100):
        crash_at(-1)
        start()
        crash_at(number)
        try:
            work()
        except Crash:
            seen.append(as_read(root))
            crash_at(-1)
            work()
            assert as_read(root) == mended
            assert not folder(root).exists() or all(name.endswith(".json") for name in files(root))
        else:
            return seen
    raise AssertionError("the work has no end")


def test_no_crash_leaves_half_an_identity(root, mirror, crash_at):
    """Old, new, or undecided: never some of the old policies with some of the new."""
    seen = after_crashes(root, crash_at, lambda: mirror.bring(ARN, NEW), lambda: mirror.bring(ARN, OLD))

    assert len(seen) >= 8
    assert all(each in (OLD, NEW, "undecided") for each in seen), seen
    assert "undecided" in seen


def test_no_crash_leaves_half_a_new_identity(root, mirror, crash_at):
    seen = after_crashes(root, crash_at, lambda: mirror.bring(ARN, OLD), lambda: mirror.take_away(ARN))

    assert all(each in (None, {}, OLD, "undecided") for each in seen), seen


def test_no_crash_leaves_half_of_what_is_gone(root, mirror, crash_at):
    def start() -> None:
        mirror.bring(ARN, OLD)

    seen = after_crashes(root, crash_at, lambda: mirror.take_away(ARN), start)

    assert all(each in (None, {}, OLD, "undecided") for each in seen), seen


def test_one_change_is_never_undecided(root, mirror, crash_at):
    """It is whole by itself; a relay has nothing to wait for."""
    one = {**OLD, "a": OTHER}
    seen = after_crashes(root, crash_at, lambda: mirror.bring(ARN, one), lambda: mirror.bring(ARN, OLD))

    assert all(each in (OLD, one) for each in seen), seen


def test_a_mark_that_was_left_is_taken_away(root, mirror):
    mirror.bring(ARN, OLD)
    (folder(root) / MARK).touch()
    (folder(root) / ".ses-relay-old.tmp").touch()
    assert as_read(root) == "undecided"

    mirror.bring(ARN, OLD)

    assert as_read(root) == OLD
    assert set(files(root)) == {"a.json", "b.json", "c.json"}


def test_a_relay_that_reads_meanwhile_reads_old_or_new(root, mirror):
    mirror.bring(ARN, OLD)
    over, seen = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            seen.append(as_read(root))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        mirror.bring(ARN, OLD if number % 2 else NEW)
    over.set()
    reader.join()

    assert seen
    assert all(each in (OLD, NEW, "undecided", "torn") for each in seen), seen
