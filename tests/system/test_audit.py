"""For whoever audits the relay: what changed, who gained and lost, what was decided, in a file that shows bending."""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.audit.chain import Verified, verify
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, command, started_demo, started_ses
from tests.system.test_owner_and_delegate import ARN, BILLING, hand_over, owner, policy
from tests.system.test_policies_from_ses import refreshed

pytestmark = pytest.mark.system

OTHER = "arn:aws:iam::999999999999:user/other"


@pytest.fixture
def house(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[House]:
    """A relay's folder that keeps a journal, and reads policies from a folder."""
    with started_ses(tmp_path, "--no-verify-signatures") as ses:
        ses_owner(ses)
        one = House(tmp_path / "house", certificate, ses=ses.url)
        with one.settings.open("a") as settings:
            settings.write(f'\n[journal]\npath = "{one.folder}/journal.db"\n')
        yield one


def ses_owner(ses: EmbeddedSes) -> Any:
    v2 = owner(ses.url, "sesv2")
    v2.create_email_identity(EmailIdentity="example.com")
    v2.update_email_identity_policy(EmailIdentity="example.com", PolicyName="billing", Policy=policy(BILLING))
    return v2


def changes(relay: RunningRelay, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = relay.wait_until(
        lambda: lines if len(lines := relay.lines("policy.changed")) >= number else None, f"{number} changes"
    )
    return found


def export(house: House, *more: str, expected: int = 0) -> list[dict[str, Any]]:
    ended = command("audit", "export", "-c", str(house.settings), "--from", "1h", *more)
    assert ended.returncode == expected, ended.stderr.decode()
    lines = ended.stdout.splitlines(keepends=True)
    assert isinstance(verify(lines), Verified)
    return [json.loads(line) for line in lines]


def of_kind(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["kind"] == kind]


def test_a_change_in_the_folder_is_told_counted_and_kept(house: House) -> None:
    """Told with who gains and who loses; so is one of the time while the relay was down."""
    text = house.policy("example.com/billing").read_text()
    with house.serve() as relay:
        assert hand_over(relay).startswith("250")
        house.policy("example.com/billing").write_text(text.replace("invoices*@", "bills*@"))
        (change,) = changes(relay, 1)
        assert change["identity"] == ARN
        assert [(each["name"], each["kind"]) for each in change["policies"]] == [("billing", "changed")]
        (effect,) = change["effects"]
        assert (effect["delegate"], change["unaffected"], change["level"]) == ("billing", 2, "warning")
        assert any("bills*@example.com" in gained for gained in effect["gained"])
        assert any("invoices*@example.com" in lost for lost in effect["lost"])
        assert relay.count("ses_relay_policy_changes_total", kind="changed") == 1
        house.policy("example.com/second").write_text(policy(OTHER))
        changes(relay, 2)
        assert relay.count("ses_relay_policy_changes_total", kind="added") == 1
        relay.reload()

    house.policy("example.com/billing").unlink()
    with house.serve(log="again.log") as relay:
        (change,) = changes(relay, 1)
        assert (change["at_start"], change["kinds"]) == (True, ["removed"])
        assert change["effects"][0]["loses_everything"]
        assert any("bills*@example.com" in lost for lost in change["effects"][0]["lost"])

    lines = export(house)
    told = of_kind(lines, "policy-change")
    assert [line["kinds"] for line in told] == [["changed"], ["added"], ["removed"]]
    texts = {line["digest"]: line for line in of_kind(lines, "policy-text")}
    named = {digest for line in told for each in line["policies"] for digest in (each["old"], each["new"]) if digest}
    assert named <= texts.keys()
    assert {"invoices*@" in texts[told[0]["policies"][0][side]]["text"] for side in ("old", "new")} == {True, False}
    assert all(line["text"] for line in texts.values())
    (decision,) = of_kind(lines, "decision")
    assert decision["record"]["delegate"] == "billing"
    assert {digest for row in decision["record"]["roles"] for digest in row["digests"]} <= texts.keys()
    actions = [line["action"] for line in of_kind(lines, "action")]
    assert [name for name in actions if name.startswith("relay")] == [
        *("relay.ready", "relay.reloaded", "relay.stopped"),
        *("relay.ready", "relay.stopped"),
    ]


def test_a_change_at_ses_is_told(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """As soon as it is read, every step of a policy that comes, changes and goes; and what happened meanwhile."""
    with started_ses(tmp_path) as ses:
        v2 = ses_owner(ses)
        house = House(tmp_path / "house", certificate, ses=ses.url)
        house.edit('source = "directory"\n', 'source = "ses"\napi_rate = "20/s"\n')
        house.edit('directory = "policies"\n', "")
        house.edit('refresh_interval = "100ms"', 'refresh_interval = "500ms"')
        with house.settings.open("a") as settings:
            settings.write(f'\n[journal]\npath = "{house.folder}/journal.db"\n')
        with house.serve() as relay:
            assert hand_over(relay).startswith("250")
            v2.update_email_identity_policy(EmailIdentity="example.com", PolicyName="billing", Policy=policy(OTHER))
            changes(relay, 1)
            v2.delete_email_identity_policy(EmailIdentity="example.com", PolicyName="billing")
            changed, removed = changes(relay, 2)
            assert changed["effects"][0]["lost"] == ["From billing@example.com"]
            assert (removed["kinds"], removed["effects"]) == (["removed"], [])
        v2.create_email_identity_policy(EmailIdentity="example.com", PolicyName="news", Policy=policy(BILLING))
        with house.serve(log="again.log") as relay:
            relay.wait_until(lambda: hand_over(relay).startswith("250"), "a message that goes")
            (added,) = changes(relay, 1)
            assert (added["kinds"], added["at_start"]) == (["added"], True)
            assert added["effects"][0]["gained"] == ["From billing@example.com"]
        texts = {line["digest"] for line in of_kind(export(house), "policy-text") if line["text"]}
        assert {changed["policies"][0]["new"], added["policies"][0]["new"]} <= texts


def test_what_operators_do_is_kept(house: House) -> None:
    """Beside the running relay and through it."""
    house.keep("spool")
    with house.serve() as relay:
        relay_ses = EmbeddedSes(house.ses)
        relay_ses.suffer({"code": "InternalFailure", "status": 500, "message": "broken", "times": 100_000})
        assert hand_over(relay).startswith("250")
        (entry,) = json.loads(relay.get("/api/spool"))["entries"]
        refreshed(relay, {})
        held = command("spool", "hold", entry["id"], "-c", str(house.settings))
        assert held.returncode == 0, held.stderr
        relay_ses.forget_faults()

    actions = {line["action"]: line for line in of_kind(export(house), "action")}
    assert actions["policies.refresh-wanted"]["details"] == {"identity": None}
    assert actions["spool.changed"]["details"]["ids"] == [entry["id"]]
    assert actions["spool.changed"]["details"]["action"] == "hold"
    assert actions["spool.changed"]["details"]["by"]


def test_an_export_that_was_bent_and_a_journal_that_was(house: House) -> None:
    with house.serve() as relay:
        for _ in range(4):
            assert hand_over(relay).startswith("250")
    file, key = house.folder / "audit.jsonl", house.folder / "audit.key"
    key.write_text("a secret that nobody guesses\n")
    written = command(
        *("audit", "export", "-c", str(house.settings), "--from", "1h", "--out", str(file), "--json"),
        *("--key-file", str(key), "--delegate", "billing"),
    )
    told = json.loads(written.stdout)
    assert told["kinds"]["decision"] == 4
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    check = ("audit", "verify", str(file), "--key-file", str(key))
    assert command(*check, "--last", told["last"]).returncode == 0
    again = command("audit", "export", "-c", str(house.settings), "--from", "1h", "--out", str(file))
    assert (again.returncode, b"not overwritten" in again.stderr) == (2, True)

    lines = file.read_bytes().splitlines(keepends=True)
    place = next(place for place, line in enumerate(lines) if b'"kind":"decision"' in line)
    file.write_bytes(b"".join(lines).replace(lines[place], lines[place].replace(b"billing", b"bilking")))
    bent = command(*check)
    assert bent.returncode == 1
    assert f"line {place + 1}: it was changed" in bent.stdout.decode()

    with closing(sqlite3.connect(house.folder / "journal.db")) as journal:
        journal.execute("DELETE FROM decision WHERE number = 3")
        journal.execute("UPDATE policy_text SET text = replace(text, 'billing@', 'mallory@')")
        journal.commit()
    bent = command("audit", "export", "-c", str(house.settings), "--from", "1h")
    assert bent.returncode == 1
    assert b"1 decisions were taken out of the middle of the journal" in bent.stderr
    assert b"policy texts are not those of their digests" in bent.stderr


def test_nothing_that_is_written_is_for_others(house: House, tmp_path: Path) -> None:
    """Whatever umask: what relay, demo and commands write is its owner's alone; others may read policies at most."""
    before = set(tmp_path.rglob("*"))
    old = os.umask(0)
    try:
        house.keep("spool")
        with house.serve() as relay:
            assert hand_over(relay).startswith("250")
        command("audit", "export", "-c", str(house.settings), "--from", "1h", "--out", str(tmp_path / "audit.jsonl"))
        with started_demo(tmp_path):
            pass
        command(
            "policy", "plan", str(house.folder / "policies"), "-c", str(house.settings), "--out", str(tmp_path / "p")
        )
    finally:
        os.umask(old)
    ours = {path for path in tmp_path.rglob("*") if path not in before and path.suffix != ".log"}
    assert {path.name for path in ours} >= {"journal.db", "spool.db", "audit.jsonl", "addresses.json"}
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in ours}
    loose = {path: oct(mode) for path, mode in modes.items() if mode & (0o022 if "policies" in path.parts else 0o077)}
    assert loose == {}
