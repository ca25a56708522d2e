"""The folder of policies: what it holds, what is wrong with it, and what becomes of both when it changes."""

import asyncio
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from relay.identities import files as files_module
from relay.identities.folder import FolderDirectory
from relay.identities.ports import Directory, Owner
from relay.judgement.verdicts import Verdict
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from tests.judgement.building import allow, arn, deny, facts, identity, judge

OWNER, REGION = "888888888888", "us-east-1"


class Folder:
    """A folder of policies, its directory, a clock to turn, and what the observer was told."""

    def __init__(self, root: Path, owners: tuple[Owner, ...] = ()) -> None:
        self.root = root
        self.now = 1_000_000.0
        self.events: list[Any] = []
        self.directory = FolderDirectory(root, owners, self.events.append, lambda: self.now, settle=0.0)

    def put(
        self,
        name: str,
        *statements: Any,
        policy: str = "p",
        text: str | None = None,
        account: str = OWNER,
        region: str = REGION,
    ) -> Path:
        folder = self.root / account / region / name
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "Version": "2012-10-17",
            "Statement": [{**s, "Resource": arn(name, account, region)} for s in statements],
        }
        if statements or text is not None:
            (folder / f"{policy}.json").write_text(json.dumps(document) if text is None else text)
        return folder

    def refresh(self) -> Any:
        self.directory.refresh()
        return self.events[-1]

    def identity(self, name: str, account: str = OWNER, region: str = REGION) -> Any:
        owned = self.directory.catalog.owners[account, region]
        return next(i for group in owned.by_folded_name.values() for i in group if i.arn.name == name)

    def judge(self, message: Any = None, **options: Any) -> Any:
        return judge(self.directory.catalog, message, now=self.now, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    root = tmp_path / "policies"
    root.mkdir()
    return Folder(root)


def test_the_layout_mirrors_the_arn(folder):
    folder.put("example.com", allow(), policy="one")
    folder.put("example.com", deny("arn:aws:iam::1:user/x"), policy="two")
    folder.put("ceo@example.com")
    folder.put("elsewhere.example", allow(), account="opaque_owner", region="us-gov-west-1")
    event = folder.refresh()

    assert (event.result, event.problems, event.why) == ("ok", {}, "")
    assert event.read_at == dict.fromkeys(
        (
            arn("ceo@example.com"),
            arn("example.com"),
            "arn:aws-us-gov:ses:us-gov-west-1:opaque_owner:identity/elsewhere.example",
        ),
        folder.now,
    )
    assert [p.name for p in folder.identity("example.com").policies] == ["one", "two"]
    assert folder.identity("ceo@example.com").verified
    assert folder.judge().permit is not None


def test_a_folder_without_policies_is_a_verified_identity_with_none(folder):
    folder.put("example.com")
    folder.refresh()

    assert folder.judge().decisions[0].verdict is Verdict.NOT_ALLOWED
    assert str(folder.judge().decisions[0].identity) == arn("example.com")


def test_before_the_first_reading_everything_is_undecided(tmp_path):
    for owners in ((), (Owner(OWNER),), (Owner(OWNER, (REGION,)),)):
        assert Folder(tmp_path, owners).judge().decisions[0].verdict is Verdict.UNDECIDED


def test_only_configured_owners_and_regions_count(tmp_path):
    folder = Folder(tmp_path, (Owner(OWNER, (REGION,)), Owner("1")))
    for account, region in ((OWNER, REGION), (OWNER, "eu-west-1"), ("1", "eu-west-1"), ("2", REGION)):
        folder.put("example.com", allow(), account=account, region=region)
    folder.refresh()

    assert set(folder.directory.catalog.owners) == {(OWNER, REGION), ("1", "eu-west-1")}


def test_it_is_a_directory_as_the_house_asks_for_it(folder):
    directory: Directory = folder.directory

    assert directory.catalog.owners == {}


# --- what is wrong with files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ""),
        (b"{", ""),
        (b'{"Version": "2012-10-17"}', ""),
        (b"\xff\xfe{}", "UTF-8"),
        (b" " * (64 * 1024 + 1), "larger than 64 KiB"),
    ],
)
def test_a_policy_that_cannot_be_read_makes_its_identity_undecided_and_is_counted(folder, content, says):
    path = folder.put("example.com", allow()) / "broken.json"
    path.write_bytes(content)
    folder.put("other.example", allow())
    event = folder.refresh()

    assert (event.result, event.problems) == ("problems", {arn("example.com"): 1})
    broken = next(p for p in folder.identity("example.com").policies if p.name == "broken")
    assert isinstance(broken, UnreadablePolicy)
    assert says in broken.problems[0].why
    assert folder.judge().reply.code == 451
    assert folder.judge(facts("app@other.example")).decisions[0].verdict is Verdict.ALLOWED


def test_a_deny_still_decides_beside_an_unreadable_file(folder):
    folder.put("example.com", deny())
    folder.put("example.com", policy="broken", text="{")
    folder.refresh()

    assert folder.judge().decisions[0].verdict is Verdict.DENIED


@pytest.mark.parametrize(
    "name",
    ["deny.JSON", "deny.jsn", "deny", "deny.yaml", "d e n y.json", "x" * 65 + ".json", "deny.json.txt", "d\u00e9.json"],
)
def test_what_might_have_been_meant_as_a_policy_is_a_problem_not_nothing(folder, name):
    (folder.put("example.com", allow()) / name).write_text("{}")
    event = folder.refresh()

    assert event.problems == {arn("example.com"): 1}
    assert folder.judge().reply.code == 451


@pytest.mark.parametrize(
    "name",
    [
        ".hidden", ".p.json.swp", "..2025_10_09", ".#p.json", "#p.json#", "p.json~", "4913", "p.json.swp", "p.json.bak",
        "p.json.tmp", "p.json.orig", "p.json.dpkg-old", "p.json.12345", ".DS_Store", "README.md", "README", "notes.md",
    ],
)  # fmt: skip
def test_what_editors_volumes_and_people_leave_is_ignored(folder, name):
    (folder.put("example.com", allow()) / name).write_text("{")

    assert folder.refresh().result == "ok"
    assert folder.judge().permit is not None


@pytest.mark.parametrize("name", ["owners", "license", "readme", "changelog", "CODEOWNERS"])
def test_a_policy_is_a_policy_whatever_its_name(folder, name):
    """
    A Deny in ``owners.json`` that nobody read would be an allow.
    """
    folder.put("example.com", allow())
    folder.put("example.com", deny("*"), policy=name)
    folder.refresh()

    assert folder.judge().decisions[0].verdict is Verdict.DENIED


@pytest.mark.parametrize("name", ["example.md", "readme.io", "license.example.com", "ceo@example.md"])
def test_an_identity_is_an_identity_whatever_its_name(folder, name):
    """
    Moldova's domains end as notes do, and a domain may be called license.
    """
    folder.put(name, allow())
    (folder.root / OWNER / REGION / "NOTES.md").write_text("about us")

    assert folder.refresh().result == "ok"
    assert folder.identity(name).verified


def test_a_folder_where_a_policy_is_expected_is_a_problem(folder):
    (folder.put("example.com", allow()) / "p2.json").mkdir()
    (folder.root / OWNER / REGION / "example.com" / "older").mkdir()

    assert folder.refresh().problems == {arn("example.com"): 2}


def test_a_pipe_is_a_problem_and_does_not_hang(folder):
    os.mkfifo(folder.put("example.com", allow()) / "pipe.json")

    assert folder.refresh().problems == {arn("example.com"): 1}


def test_links_that_lead_nowhere_or_round_in_circles_are_problems(folder):
    path = folder.put("example.com", allow())
    (path / "loop.json").symlink_to("loop.json")
    (path / "gone.json").symlink_to("nowhere.json")
    region = folder.root / OWNER / REGION
    (region / "loop.example").symlink_to("loop.example")
    (region / "up.example").symlink_to("..")
    event = folder.refresh()

    assert event.problems == {arn("example.com"): 2, arn("loop.example"): 1, arn("up.example"): 1}
    assert folder.judge(facts("a@loop.example")).decisions[0].verdict is Verdict.UNDECIDED


def test_what_is_closed_is_a_problem_as_far_up_as_it_reaches(tmp_path):
    """A region that cannot be listed makes its owner there undecided, and nothing else."""
    folder = Folder(tmp_path, (Owner(OWNER, (REGION, "eu-west-1")),))
    folder.put("example.com", allow())
    (folder.root / OWNER / "eu-west-1").symlink_to("eu-west-1")
    event = folder.refresh()

    assert (event.result, event.problems) == ("problems", {})
    assert "eu-west-1 cannot be read" in event.why
    assert folder.judge().reply.code == 451
    assert folder.judge(facts(source_arn=arn("example.com"))).permit is not None


def test_a_file_where_a_folder_is_expected_is_passed_over_and_told(folder):
    folder.put("example.com", allow())
    (folder.root / OWNER / REGION / "typo.example").write_text("{}")
    (folder.root / OWNER / "notes").write_text("")
    event = folder.refresh()

    assert event.result == "problems"
    assert "typo.example is passed over" in event.why
    assert folder.judge().permit is not None


def test_names_that_no_mail_could_be_sent_under_are_passed_over_and_told(folder):
    folder.put("example.com", allow())
    for name in ("localhost", '"ceo"@example.com', "-x.example", "a b.example"):
        folder.put(name, allow())
    (folder.root / OWNER / "us-east1").mkdir()
    event = folder.refresh()

    assert list(event.read_at) == [arn("example.com")]
    assert event.why.count("is passed over") == 5


# --- what is wrong with folders ---------------------------------------------------------------------------------------


def test_a_configured_region_that_is_missing_is_undecided(tmp_path):
    folder = Folder(tmp_path, (Owner(OWNER, (REGION,)),))
    event = folder.refresh()

    assert event.result == "problems"
    assert folder.judge().reply.code == 451


def test_an_owner_whose_regions_cannot_be_learnt_leaves_nothing_inferred(tmp_path):
    folder = Folder(tmp_path, (Owner(OWNER, (REGION,)), Owner("1")))
    folder.put("example.com", allow())
    folder.refresh()

    assert folder.judge().reply.code == 451
    assert folder.judge(facts(source_arn=arn("example.com"))).permit is not None


def test_a_root_that_cannot_be_read_keeps_the_old_reading_which_grows_old(folder):
    folder.put("example.com", allow())
    folder.refresh()
    shutil.move(folder.root, folder.root.with_name("away"))
    folder.now += 100
    event = folder.refresh()

    assert event.result == "failed"
    assert "No such file" in event.why
    assert folder.judge().permit is not None
    folder.now += 3600
    folder.refresh()
    assert folder.judge().reply.code == 451
    shutil.move(folder.root.with_name("away"), folder.root)
    assert folder.refresh().result == "ok"
    assert folder.judge().permit is not None


def test_a_root_that_lost_everything_refuses_nobody_for_good(folder):
    """A volume that was unmounted looks like an empty folder."""
    folder.put("example.com", allow())
    folder.refresh()
    shutil.rmtree(folder.root / OWNER)
    folder.refresh()

    assert folder.judge().reply.code == 451


def test_a_fault_of_ours_ends_one_round_and_changes_nothing(folder, monkeypatch):
    folder.put("example.com", allow())
    folder.refresh()
    before = folder.directory.catalog
    monkeypatch.setattr("relay.identities.folder.read_folder", lambda *_: dict[str, Any]()["nothing"])

    event = folder.refresh()
    assert (event.result, "KeyError" in event.why) == ("failed", True)
    assert folder.directory.catalog is before


# --- change -----------------------------------------------------------------------------------------------------------


def test_a_change_counts_from_the_next_reading(folder):
    folder.put("example.com", allow())
    folder.refresh()
    folder.put("example.com", deny())
    assert folder.judge().permit is not None
    folder.refresh()

    assert folder.judge().decisions[0].verdict is Verdict.DENIED


def test_a_catalog_once_handed_out_never_changes(folder):
    folder.put("example.com", allow())
    folder.refresh()
    held = folder.directory.catalog
    folder.put("example.com", deny())
    folder.refresh()

    assert judge(held, now=folder.now).permit is not None


def test_removed_policies_and_identities_are_gone(folder):
    folder.put("example.com", allow(), policy="one")
    two = folder.put("example.com", deny(), policy="two")
    folder.put("app@example.com", deny())
    folder.refresh()
    assert folder.judge().permit is None
    (two / "two.json").unlink()
    shutil.rmtree(folder.root / OWNER / REGION / "app@example.com")
    folder.refresh()

    assert folder.judge().permit is not None


def test_every_reading_makes_everything_as_young_as_its_beginning(folder):
    folder.put("example.com", allow())
    folder.refresh()
    folder.now += 60
    folder.refresh()

    assert folder.identity("example.com").read_at == folder.now
    assert folder.directory.catalog.owners[OWNER, REGION].listed_at == folder.now


def test_only_changed_files_are_read_and_parsed_again(folder, monkeypatch):
    for name in ("a.example", "b.example"):
        path = folder.put(name, allow()) / "p.json"
        os.utime(path, (folder.now - 60, folder.now - 60))
    folder.refresh()
    opened: list[str] = []
    parsed: list[str] = []
    contents = files_module._contents

    def opening(path):
        opened.append(path.parent.name)
        return contents(path)

    def parsing(name, text):
        parsed.append(name)
        return parse_policy(name, text)

    monkeypatch.setattr(files_module, "_contents", opening)
    monkeypatch.setattr(files_module, "parse_policy", parsing)
    folder.put("b.example", deny())
    before = folder.identity("a.example").policies[0]
    folder.refresh()

    assert (opened, parsed) == (["b.example"], ["p"])
    assert folder.identity("a.example").policies[0] is before


def test_a_file_too_young_to_trust_its_times_is_read_again_though_not_parsed(folder, monkeypatch):
    """Two writes within one tick of the file system's clock leave the same times."""
    path = folder.put("example.com", allow(), policy="p") / "p.json"
    os.utime(path, (folder.now - 1, folder.now - 1))
    folder.refresh()
    before = folder.identity("example.com").policies[0]
    parsed: list[str] = []
    monkeypatch.setattr(files_module, "parse_policy", lambda name, text: parsed.append(name))
    folder.refresh()

    assert parsed == []
    assert folder.identity("example.com").policies[0] is before


def test_a_policy_that_is_gone_is_looked_for_twice(folder):
    """Editors move the old file away before they write the new one."""
    path = folder.put("example.com", allow(), policy="allow")
    folder.put("example.com", deny(), policy="deny")
    folder.refresh()
    document = (path / "deny.json").read_text()
    (path / "deny.json").rename(path / "deny.json~")
    folder.directory._settle = 0.3
    writer = threading.Timer(0.05, lambda: (path / "deny.json").write_text(document))
    writer.start()
    folder.refresh()
    writer.join()

    assert folder.judge().decisions[0].verdict is Verdict.DENIED


def test_a_policy_that_goes_while_the_folder_is_read_is_looked_for_twice_too(folder, monkeypatch):
    """It is missed only when the folder, which changed, is read again."""
    path = folder.put("example.com", allow(), policy="allow")
    folder.put("example.com", deny(), policy="deny")
    folder.refresh()
    os.utime(path, ns=(0, 0))
    real = files_module.PolicyFiles.end_round

    def move_away(self):
        monkeypatch.setattr(files_module.PolicyFiles, "end_round", real)
        (path / "deny.json").rename(path / "deny.json~")
        return real(self)

    monkeypatch.setattr(files_module.PolicyFiles, "end_round", move_away)
    monkeypatch.setattr("time.sleep", lambda _: (path / "deny.json~").rename(path / "deny.json"))
    folder.refresh()

    assert folder.judge().decisions[0].verdict is Verdict.DENIED


def test_a_folder_that_changes_under_the_reader_is_read_again(folder, monkeypatch):
    """Otherwise half of the old and half of the new would be one catalog that never was."""
    folder.put("a.example", allow())
    folder.put("b.example", allow())
    folder.refresh()
    rounds: list[int] = []
    real = files_module.PolicyFiles.read

    def swap(self, path, name, now):
        if not rounds:
            rounds.append(1)
            folder.put("a.example", deny(), policy="late")
        return real(self, path, name, now)

    monkeypatch.setattr(files_module.PolicyFiles, "read", swap)
    folder.refresh()

    assert [p.name for p in folder.identity("a.example").policies] == ["late", "p"]


def test_a_folder_that_never_holds_still_keeps_the_old_reading(folder, monkeypatch):
    folder.put("example.com", allow())
    folder.refresh()
    before = folder.directory.catalog
    monkeypatch.setattr("relay.identities.scan.Scan.is_torn", lambda _: True)
    event = folder.refresh()

    assert (event.result, folder.directory.catalog is before) == ("failed", True)
    assert "kept changing" in event.why


def test_a_mounted_config_map_is_read_through_its_links_and_swapped_whole(tmp_path):
    """Kubernetes: ROOT/..data -> ..2025_1; ROOT/ACCOUNT -> ..data/ACCOUNT; an update moves ``..data``."""
    root = tmp_path / "policies"
    first, second = Folder(root / "..2025_1"), Folder(root / "..2025_2")
    first.put("example.com", allow())
    second.put("example.com", deny())
    (root / "..data").symlink_to("..2025_1")
    (root / OWNER).symlink_to(f"..data/{OWNER}")
    folder = Folder(root)

    assert folder.refresh().result == "ok"
    assert list(folder.directory.catalog.owners) == [(OWNER, REGION)]
    assert folder.judge().permit is not None
    (root / "..tmp").symlink_to("..2025_2")
    (root / "..tmp").rename(root / "..data")
    assert folder.refresh().result == "ok"
    assert folder.judge().decisions[0].verdict is Verdict.DENIED


# --- rounds -----------------------------------------------------------------------------------------------------------


async def test_rounds_run_at_once_then_on_demand_off_the_loop(folder):
    folder.put("example.com", allow())
    threads: list[int] = []

    def clock() -> float:
        threads.append(threading.get_ident())
        return 1_000_000.0

    folder.directory._clock = clock
    told: asyncio.Queue[Any] = asyncio.Queue()
    folder.directory._observe = lambda event: told.put_nowait((event.result, threading.get_ident()))
    folder.directory._interval = 3600
    rounds = asyncio.create_task(folder.directory.run())
    here = threading.get_ident()

    assert await asyncio.wait_for(told.get(), 10) == ("ok", here)
    folder.put("example.com", deny())
    folder.directory.refresh_soon()
    assert await asyncio.wait_for(told.get(), 10) == ("ok", here)
    assert folder.judge().decisions[0].verdict is Verdict.DENIED
    assert here not in threads
    rounds.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rounds


async def test_rounds_run_on_their_interval(folder):
    folder.put("example.com", allow())
    told: asyncio.Queue[Any] = asyncio.Queue()
    folder.directory._observe = told.put_nowait
    folder.directory._interval = 0.01
    rounds = asyncio.create_task(folder.directory.run())

    for _ in range(3):
        assert (await asyncio.wait_for(told.get(), 10)).result == "ok"
    rounds.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rounds


def test_what_the_folder_says_is_what_the_judge_was_promised(folder):
    """A policy of the folder is the same value as one parsed by hand."""
    folder.put("example.com", allow())
    folder.refresh()
    (read,) = folder.identity("example.com").policies
    (made,) = identity("example.com", allow()).policies

    assert isinstance(read, Policy)
    assert isinstance(made, Policy)
    assert (read.name, read.keys) == (made.name, made.keys)


def test_what_cannot_be_read_is_told_with_its_place(folder):
    """The log line of a refresh names the identity, the policy and the place, so that nobody has to look for it."""
    folder.put("example.com", text='{"Statement": [{"Effect": "Perhaps"}]}')
    told = folder.refresh()
    assert told.result == "problems"
    assert told.why.startswith("example.com/p at $.Statement[0]")
