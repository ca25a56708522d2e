"""Every text that was in force is kept by its digest, and what it decided can be judged again."""

import json
import sqlite3
import stat
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from relay.identities.folder import FolderDirectory
from relay.journal.schema import JournalProblem
from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.observe.events import PoliciesRefreshed
from relay.owner.policy_texts import TOUCH, PolicyTexts
from relay.policy.document import parse_policy
from relay.words.arns import IdentityArn
from relay.words.unavailable import Unavailable
from tests.owner.week import DOMAIN, OWNER, REGION, Week, edit


class Refreshing:
    """A folder that a relay reads now and then, its clock in our hand."""

    def __init__(self, root: Path, file: Path) -> None:
        self.now = 1_000_000.0
        self.events: list[PoliciesRefreshed] = []
        self.file = file
        self._root = root
        self.restart()

    def restart(self) -> None:
        keeper = PolicyTexts(self.file)
        self._directory = FolderDirectory(self._root, (), self._observe, self._time, keeper=keeper, settle=0.0)

    def after(self, seconds: float) -> PoliciesRefreshed:
        self.now += seconds
        self._directory.refresh()
        return self.events[-1]

    def periods(self, name: str, identity: str = "example.com") -> list[tuple[float, float]]:
        kept = PolicyTexts(self.file).history(identity)
        return [((each.first_seen or 0) - 1e6, (each.last_seen or 0) - 1e6) for each in kept if each.name == name]

    def _observe(self, event: Any) -> None:
        self.events.append(event)

    def _time(self) -> float:
        return self.now


@pytest.fixture
def relay(policies: Path, tmp_path: Path) -> Refreshing:
    return Refreshing(policies, tmp_path / "journal.db")


def policy(root: Path, name: str) -> Path:
    return root / OWNER / REGION / "example.com" / f"{name}.json"


def test_what_was_not_read_yet_is_not_gone(tmp_path):
    """At SES one identity is read after the other; a restart is no end of a period, and nothing is said meanwhile."""
    arn, known = IdentityArn("aws", REGION, OWNER, "example.com"), parse_policy("p", '{"Statement": []}')
    read, unread = Identity(arn, verified=True, policies=(known,)), Identity(arn, verified=True, problem="not read yet")
    unlisted = Catalog({(OWNER, REGION): OwnedIdentities(problem="not listed yet")})

    def catalog(identity: Identity) -> Catalog:
        return Catalog({(OWNER, REGION): OwnedIdentities.of([identity], 0.0)})

    PolicyTexts(tmp_path / "journal.db").keep({known.digest: "text"}, catalog(read), 100.0)
    texts = PolicyTexts(tmp_path / "journal.db")
    for at, seen in (
        (200.0, unlisted),
        (300.0, catalog(unread)),
        (400.0, catalog(read)),
        (400.0 + TOUCH, catalog(read)),
    ):
        texts.keep({}, seen, at)
    (kept,) = texts.history("example.com")
    assert (kept.first_seen, kept.last_seen) == (100.0, 400.0 + TOUCH)


def test_what_is_read_is_kept(relay, policies):
    assert relay.after(0).result == "ok"

    kept = PolicyTexts(relay.file).history(DOMAIN)

    assert [each.name for each in kept] == ["billing", "intern", "newsletter"]
    for each in kept:
        assert each.text == policy(policies, each.name).read_text()
        assert each.digest == sha256(each.text.encode()).hexdigest()
    assert stat.S_IMODE(relay.file.stat().st_mode) == 0o600


def test_a_text_is_in_force_from_first_to_last_sight(relay, policies):
    """Changed at 60, gone at 120: two periods, none of them longer than it was seen."""
    relay.after(0)
    relay.after(30)
    edit(policies, "billing", Sid="Other")
    relay.after(30)
    relay.after(30)
    policy(policies, "billing").unlink()
    relay.after(30)

    assert relay.periods("billing") == [(0, 30), (60, 90)]
    assert relay.periods("intern") == [(0, 120)]


def test_a_text_that_comes_back_has_a_second_period(relay, policies):
    text = policy(policies, "billing").read_text()
    relay.after(0)
    edit(policies, "billing", Sid="Other")
    relay.after(60)
    policy(policies, "billing").write_text(text)
    relay.after(60)

    assert relay.periods("billing") == [(0, 0), (60, 60), (120, 120)]
    first, _, third = [each for each in PolicyTexts(relay.file).history("example.com") if each.name == "billing"]
    assert first.text == third.text == text


def test_nothing_is_written_while_nothing_happens(relay):
    relay.after(0)
    before = relay.file.stat().st_mtime_ns
    for _ in range(9):
        relay.after(TOUCH / 10)
    assert relay.file.stat().st_mtime_ns == before

    relay.after(TOUCH / 10)
    assert relay.periods("billing") == [(0, TOUCH)]


def test_a_restart_goes_on_where_the_last_run_ended(relay):
    relay.after(0)
    relay.restart()
    relay.after(3600)

    assert relay.periods("billing") == [(0, 3600)]


def test_a_text_that_is_no_policy_is_kept_too(relay, policies):
    """What could not be judged is asked about most."""
    policy(policies, "billing").write_text("{")
    relay.after(0)

    assert [each.text for each in PolicyTexts(relay.file).history(DOMAIN) if each.name == "billing"] == ["{"]


def test_a_file_that_cannot_be_written_is_told_and_judging_goes_on(relay, tmp_path):
    relay.file.mkdir()

    event = relay.after(0)

    assert event.result == "problems"
    assert "policy texts are not kept" in event.why
    assert len(event.read_at) == 2
    relay.file.rmdir()
    assert relay.after(1).result == "ok"
    assert relay.periods("billing") == [(1, 1)]  # the texts came again


def test_a_file_that_is_none(tmp_path):
    broken = tmp_path / "broken.db"
    broken.write_text("no database" * 1000)

    for texts in (PolicyTexts(broken), PolicyTexts(tmp_path / "gone.db")):
        with pytest.raises(JournalProblem):
            texts.history("example.com")
    assert isinstance(PolicyTexts(broken).keep({"digest": "text"}, Catalog(), 0.0), Unavailable)


def test_a_file_of_the_first_releases_keeps_its_texts(tmp_path, policies):
    """It had two tables and no version: the others are added beside them."""
    old = tmp_path / "journal.db"
    with closing(sqlite3.connect(old)) as file:
        file.execute("CREATE TABLE policy_text (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID")
        file.execute(
            "CREATE TABLE policy_period (id INTEGER PRIMARY KEY, identity TEXT NOT NULL, name TEXT NOT NULL,"
            " digest TEXT NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL)"
        )
        file.execute("INSERT INTO policy_text VALUES ('d', 'text')")
        file.execute("INSERT INTO policy_period VALUES (1, ?, 'old', 'd', 1.0, 2.0)", (DOMAIN,))
        file.commit()
    relay = Refreshing(policies, old)
    relay.after(0)

    assert relay.periods("old") == [(1 - 1e6, 2 - 1e6)]
    assert relay.periods("billing") == [(0, 0)]
    with closing(sqlite3.connect(old)) as file:
        assert file.execute("SELECT count(*) FROM decision").fetchone() == (0,)


def test_the_file_of_another_program_is_left_as_it_is(relay):
    with closing(sqlite3.connect(relay.file)) as file:
        file.execute("CREATE TABLE mine (id TEXT)")
        file.commit()
    before = relay.file.read_bytes()

    event = relay.after(0)

    assert event.result == "problems"
    assert "database of another program" in event.why
    assert relay.file.read_bytes() == before


def in_force(relay: Refreshing, at: float) -> dict[str, str] | None:
    """The policies of the identity at a time, by name, each with the Sid of its statement; None: not known."""
    found = PolicyTexts(relay.file).in_force(1e6 + at).get((OWNER, REGION))
    if found is None:
        return None
    own = [each for each in found.texts if each.identity == DOMAIN]
    return {each.name: json.loads(each.text)["Statement"][0]["Sid"] for each in own}


def test_what_was_in_force_at_a_time(relay, policies):
    """Changed between 0 and 60, one gone after 60, nobody looked from 120 on, and again from 9000 on."""
    relay.after(0)
    edit(policies, "billing", Sid="Other")
    relay.after(60)
    policy(policies, "intern").unlink()
    relay.after(60)
    relay.restart()
    edit(policies, "billing", Sid="Third")
    relay.after(8880)

    sids = ["BillingSendsInvoices", "NotTheIntern", "NewsToOurPartners"]
    before = dict(zip(("billing", "intern", "newsletter"), sids, strict=True))
    assert in_force(relay, -1) is None
    assert in_force(relay, 0) == before
    assert in_force(relay, 59) == before  # what was judged by until the round that saw the change
    assert in_force(relay, 60) == before | {"billing": "Other"}
    after = {"billing": "Other", "newsletter": before["newsletter"]}
    assert in_force(relay, 120) == after
    assert in_force(relay, 120 + TOUCH) == {"newsletter": before["newsletter"]}  # nothing is made up of the other
    assert len(PolicyTexts(relay.file).in_force(1e6 + 120 + TOUCH)[OWNER, REGION].gone) == 1
    assert in_force(relay, 9000) == after | {"billing": "Third"}
    assert in_force(relay, 9000 + TOUCH) == after | {"billing": "Third"}
    assert in_force(relay, 99_000) is None


def test_a_text_that_is_gone_is_named_where_it_was_in_force(relay):
    relay.after(0)
    with closing(sqlite3.connect(relay.file)) as file:
        digest = file.execute("SELECT digest FROM policy_period WHERE name = 'intern'").fetchone()[0]
        file.execute("DELETE FROM policy_text WHERE digest = ?", (digest,))
        file.commit()

    found = PolicyTexts(relay.file).in_force(1e6)[OWNER, REGION]
    assert found.gone == ((DOMAIN, digest),)
    assert "intern" not in {each.name for each in found.texts}


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(relay: Refreshing, config: Path, tmp_path: Path) -> Refreshing:
    """A relay whose settings name the file."""
    config.write_text(config.read_text() + f'\n[journal]\npath = "{relay.file}"\n')
    return relay


def test_the_history_of_an_identity(run, config, kept, policies):
    kept.after(0)
    edit(policies, "billing", Sid="Other")
    kept.after(60)

    table = run("policy", "history", "example.com", "-c", config).stdout.splitlines()
    assert table[0].split()[:2] == ["POLICY", "FIRST"]
    assert [line.split()[0] for line in table[1:]] == ["billing", "billing", "intern", "newsletter"]
    assert "1970-01-12 13:46:40  1970-01-12 13:46:40" in table[1]

    diff = run("policy", "history", DOMAIN, "--diff", "--file", kept.file).stdout
    assert '-      "Sid": "BillingSendsInvoices",' in diff
    assert "Other" in diff

    told = json.loads(run("policy", "history", "example.com", "--json", "-c", config).stdout)
    shown = run("policy", "history", "example.com", "--show", told[0]["digest"][:8], "-c", config).stdout
    assert shown == told[0]["text"]
    assert "BillingSendsInvoices" in shown


def test_a_history_that_is_not_there(run, config, kept):
    assert run("policy", "history", "example.com", "-c", config).exit_code == 2
    kept.after(0)
    assert run("policy", "history", "x.example", "-c", config).exit_code == 1
    config.write_text(config.read_text().partition("[journal]")[0])
    missing = run("policy", "history", "example.com", "-c", config)
    assert missing.exit_code == 2
    assert "[journal] path" in missing.stderr


async def test_a_decision_is_judged_again_by_the_texts_of_then(run, config, kept, week: Week, policies, tmp_path):
    """The policies have changed since, and one is gone: what was decided then is explained by what was said then."""
    log = week.write(tmp_path / "week.log")
    kept.after(0)
    edit(policies, "newsletter", Condition={})
    policy(policies, "intern").unlink()

    result = run("explain", "--decision", "id00245", "-c", config, log)
    assert result.exit_code == 1
    assert "rejected, policy-not-allowed" in result.stdout
    assert "judged again by the policy texts of then" in result.stdout
    assert "newsletter/NewsToOurPartners (Allow) wants each of ses:Recipients like *@example.net" in result.stdout

    early = json.loads(run("explain", "--decision", "id00265", "-c", config, log, "--json").stdout)
    assert early["explanation"]["questions"][0]["asked"][0]["because"] == [
        {"policy": "intern", "sid": "NotTheIntern", "index": 0}
    ]
    assert (early["same_answer"], early["policies_gone"]) == (True, [])

    sent = run("explain", "--decision", "id00000", "-c", config, log)
    assert sent.exit_code == 0
    assert "ALLOWED" in sent.stdout


async def test_a_text_that_is_gone_is_said_to_be_gone(run, config, week: Week, policies, tmp_path):
    """From a folder alone, in which one policy has changed: its digest is named, and nothing is made up for it."""
    log = week.write(tmp_path / "week.log")
    digest = sha256(policy(policies, "newsletter").read_bytes()).hexdigest()
    edit(policies, "newsletter", Condition={})

    told = json.loads(run("explain", "--decision", "id00245", "--policies", policies, log, "--json").stdout)
    assert told["policies_gone"] == [digest]
    assert told["explanation"]["verdict"] == "undecided"
    assert told["same_answer"] is False

    text = run("explain", "--decision", "id00245", "-c", config, log).stdout
    assert f"gone, by SHA-256: {digest[:12]}" in text


async def test_what_no_policy_decided_is_told_as_recorded(run, config, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")

    form = run("explain", "--decision", "id00285", "-c", config, log)
    assert form.exit_code == 1
    assert "550 5.6.0 The field 'From' occurs twice" in form.stdout
    assert "not judged again: refused for the form of the message" in form.stdout


async def test_an_address_nobody_verified_is_told_as_recorded(run, config, policies, tmp_path):
    week = Week(policies)
    await week.send("billing", "a@elsewhere.example", mail_from="b@elsewhere.example")
    log = week.write(tmp_path / "week.log")

    result = run("explain", "--decision", "id00000", "-c", config, log)

    assert result.exit_code == 1
    assert "not judged again: no identity governed its addresses" in result.stdout
    assert "no verified identity covers b@elsewhere.example" in result.stdout


def test_a_decision_that_is_nowhere(run, config, tmp_path):
    (tmp_path / "log").write_text("")

    assert run("explain", "--decision", "x", "-c", config).exit_code == 2
    assert run("explain", "--decision", "x", "-c", config, "gone").exit_code == 2
    nowhere = run("explain", "--decision", "x", "-c", config, "log")
    assert nowhere.exit_code == 1
    assert "no decision x among 0 records" in nowhere.stderr
