"""What is known of SES over a restart: all of it or nothing, and never younger than it is."""

import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from relay.identities.known import KnownIdentity, KnownPlace
from relay.identities.snapshot import UNFINISHED, Snapshot, SnapshotProblem
from relay.observe.events import Noted
from relay.words.freshness import Terms
from relay.words.unavailable import Unavailable
from tests.identities.account import World, away, text
from tests.judgement.building import OWNER, REGION, allow

NOW = 1_760_000_000.0
PLACES = (
    KnownPlace(
        OWNER,
        REGION,
        NOW - 40,
        2,
        (
            KnownIdentity("example.com", True, NOW - 30, True, {"p": text(allow()), "q": "{ é"}),
            KnownIdentity("pending.example", False),
            KnownIdentity("unread.example", True),
        ),
        {"example.com": NOW - 5},
    ),
    KnownPlace("opaque_account", "eu-west-1", NOW - 10),
)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return Snapshot(tmp_path / "policies.json")


def written(snapshot: Snapshot, now: float = NOW) -> Snapshot:
    assert snapshot.write(PLACES, now) is None
    return snapshot


def test_what_is_written_is_read(snapshot):
    assert written(snapshot).read(NOW + 1, 3600) == PLACES
    assert stat.S_IMODE(snapshot.path.stat().st_mode) == 0o600
    assert list(snapshot.path.parent.iterdir()) == [snapshot.path]


def test_no_file_is_no_problem(snapshot):
    assert snapshot.read(NOW, 3600) == ()


def test_every_octet_counts(snapshot):
    """Wherever the file is changed by one octet, it is not used."""
    good = written(snapshot).path.read_bytes()
    chance = random.Random(7)
    for place in [*range(0, len(good), 3), len(good) - 2, len(good) - 1]:
        bad = bytearray(good)
        bad[place] ^= 1 << chance.randrange(8)
        snapshot.path.write_bytes(bad)
        with pytest.raises(SnapshotProblem):
            snapshot.read(NOW + 1, 3600)


def test_it_is_whole_or_not_used(snapshot):
    """Wherever it was cut short, or something was put behind it."""
    good = written(snapshot).path.read_bytes()
    for length in [*range(0, len(good), 3), len(good) - 2, len(good) - 1]:
        snapshot.path.write_bytes(good[:length])
        with pytest.raises(SnapshotProblem):
            snapshot.read(NOW + 1, 3600)
    snapshot.path.write_bytes(good + good)
    with pytest.raises(SnapshotProblem):
        snapshot.read(NOW + 1, 3600)


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[1]", b"null\n", b"\xff\xfe", b"x" * 100_000, b"[" * 100_000, b'{"format": "ses-relay policies"}\n{}\n'],
)
def test_what_is_no_snapshot_is_not_used(snapshot, content):
    snapshot.path.write_bytes(content)
    with pytest.raises(SnapshotProblem):
        snapshot.read(NOW, 3600)


def test_another_version_and_another_ses_are_not_used(snapshot, monkeypatch):
    written(snapshot)
    with pytest.raises(SnapshotProblem, match="another SES"):
        Snapshot(snapshot.path, "http://127.0.0.1:8579").read(NOW, 3600)
    monkeypatch.setattr("relay.identities.snapshot.VERSION", 2)
    with pytest.raises(SnapshotProblem, match="version 1, and this is 2"):
        snapshot.read(NOW, 3600)


def test_one_from_the_future_is_as_an_old_one(snapshot):
    """The clock was set back: nobody knows how old it is."""
    with pytest.raises(SnapshotProblem, match="its age is not known"):
        written(snapshot).read(NOW - 0.5, 3600)


def test_an_old_one_is_not_used(snapshot):
    with pytest.raises(SnapshotProblem, match="too old, written 7200 s ago"):
        written(snapshot).read(NOW + 7200, 3600)


def test_lists_that_are_too_old_are_left_out(snapshot):
    assert written(snapshot).read(NOW + 3570, 3600) == (PLACES[1],)


def test_readings_from_the_future_are_left_out(snapshot):
    """The clock was set back while the relay ran, and the snapshot was written after that."""
    late = KnownPlace(OWNER, REGION, NOW - 1, 1, (KnownIdentity("example.com", True, NOW + 60, True, {}),))
    assert snapshot.write((late,), NOW) is None

    (found,) = snapshot.read(NOW + 1, 3600)
    assert found.identities == (KnownIdentity("example.com", True),)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_one_that_others_can_write_is_not_used(snapshot, mode):
    """Whoever can write it can allow mail by it."""
    written(snapshot).path.chmod(mode)
    with pytest.raises(SnapshotProblem, match="chmod 600"):
        snapshot.read(NOW, 3600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_one_of_another_user_is_not_used(snapshot):
    written(snapshot)
    os.chown(snapshot.path, 65534, 65534)
    with pytest.raises(SnapshotProblem, match="another user"):
        snapshot.read(NOW, 3600)


def test_a_link_a_pipe_and_a_folder_are_not_used(snapshot, tmp_path):
    written(snapshot).path.rename(tmp_path / "elsewhere")
    snapshot.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SnapshotProblem):
        snapshot.read(NOW, 3600)
    snapshot.path.unlink()
    os.mkfifo(snapshot.path)
    with pytest.raises(SnapshotProblem, match="regular"):
        snapshot.read(NOW, 3600)
    snapshot.path.unlink()
    snapshot.path.mkdir()
    with pytest.raises(SnapshotProblem):
        snapshot.read(NOW, 3600)


def test_where_it_cannot_be_written_nothing_is_lost(snapshot, tmp_path):
    assert isinstance(Snapshot(tmp_path / "nowhere" / "policies.json").write(PLACES, NOW), Unavailable)
    written(snapshot)
    snapshot.path.with_name(f"{snapshot.path.name}{UNFINISHED}").mkdir()
    assert isinstance(snapshot.write((), NOW), Unavailable)

    assert snapshot.read(NOW, 3600) == PLACES


def test_whoever_is_killed_while_writing_leaves_the_old_one_or_the_new_one(snapshot):
    """kill -9 at whatever moment, again and again."""
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from relay.identities.known import KnownIdentity, KnownPlace
        from relay.identities.snapshot import Snapshot
        snapshot = Snapshot(Path(sys.argv[1]))
        many = tuple(KnownIdentity(f"{n}.example", True, 1.0, True, {"p": "x" * 500}) for n in range(200))
        while True:
            snapshot.write((KnownPlace("8", "us-east-1", time.time(), 1, many),), time.time())
            print("written", flush=True)
    """)
    for moment in range(6):
        process = subprocess.Popen([sys.executable, "-c", script, str(snapshot.path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        time.sleep(moment / 500)
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
        process.wait()
        (place,) = snapshot.read(time.time(), 3600)
        assert len(place.identities) == 200


# --- a restart --------------------------------------------------------------------------------------------------------


def stopped(snapshot: Snapshot) -> World:
    """A relay that ran for a while and wrote what it knew."""
    world = World(snapshot=snapshot)
    world.accounts.put("example.com", allow())
    world.accounts.put("other.example")
    world.run(120, each=world.judge)
    known = [known for place in world.directory._places.values() if (known := place.known()) is not None]
    assert snapshot.write(known, world.now) is None
    return world


def test_a_restart_decides_at_once_with_stated_ages_while_ses_is_away(snapshot):
    before = stopped(snapshot)
    after = World(before.accounts, snapshot=snapshot, now=before.now + 300)
    after.accounts.trouble = lambda _name: away()
    after.directory.refresh()

    assert after.verdict() == "allowed"
    assert after.now - after.identity("example.com").read_at >= 300
    assert after.told().read_at == before.told().read_at
    after.run(3600)
    assert after.judge().reply.code == 451


def test_a_restart_goes_on_with_what_was_in_use(snapshot):
    before = stopped(snapshot)
    after = World(before.accounts, snapshot=snapshot, now=before.now + 300)
    after.directory.refresh()
    after.accounts.asked.clear()
    after.run(10)

    assert set(after.directory.places()[0].in_use or ()) == {"example.com"}
    assert set(after.accounts.asked[:2]) == {"list", "example.com"}


def test_a_restart_trusts_nothing_beyond_max_stale(snapshot):
    before = stopped(snapshot)
    after = World(before.accounts, snapshot=snapshot, now=before.now + 100, terms=Terms(60, 90, 0.5))
    after.accounts.trouble = lambda _name: away()
    after.directory.refresh()

    assert after.judge().reply.code == 451
    (note,) = [event for event in after.events if isinstance(event, Noted)]
    assert (note.event, note.level) == ("policies.snapshot-not-used", "warning")


def test_owners_that_are_not_in_the_settings_any_more_are_dropped(snapshot):
    before = stopped(snapshot)
    after = World(before.accounts, snapshot=snapshot, now=before.now + 1, places=((OWNER, "eu-west-1"),))
    after.accounts.trouble = lambda _name: away()
    after.directory.refresh()

    assert set(after.directory.catalog.owners) == {(OWNER, "eu-west-1")}
    assert after.judge().reply.code == 451


def test_a_broken_one_is_told_and_passed_over(snapshot):
    before = stopped(snapshot)
    snapshot.path.write_bytes(snapshot.path.read_bytes()[:-9])
    after = World(before.accounts, snapshot=snapshot, now=before.now + 1)
    after.directory.refresh()
    after.run(20)

    assert "cut short or changed" in next(e for e in after.events if isinstance(e, Noted)).details["why"]
    assert after.verdict() == "allowed"
