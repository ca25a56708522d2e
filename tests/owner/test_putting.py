"""One policy at SES changed in steps that lose nothing and hide nothing."""

import json
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.identities.accounts import Away, Refused
from relay.identities.ses_api import SesApi
from relay.owner.backups import Backup, BackupProblem
from relay.owner.comparing import differences, is_same
from relay.owner.putting import (
    Change,
    ChangedMeanwhile,
    Did,
    NoRoom,
    Put,
    ReadBackOtherwise,
    Unclear,
    arn_at,
    put_policy,
)
from relay.words.arns import IdentityArn
from tests.owner.at_ses import AtSes, at_ses, policy

OLD, NEW = policy("ses:SendEmail"), policy("ses:SendRawEmail")
NOON = datetime(2026, 11, 21, 12, 0, 0, 5, UTC)


@pytest.fixture(scope="module")
def running() -> Iterator[AtSes]:
    with at_ses() as ses:
        yield ses


@pytest.fixture
def ses(running: AtSes) -> AtSes:
    """The embedded SES with one identity and no policies."""
    running.holds("example.com")
    for name in running.api().policies("example.com"):
        running.api().delete_policy("example.com", name)
    running.door.local("PUT", "faults", {})
    return running


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return Backup(tmp_path / "backup", lambda: NOON)


def change(expected: str | None, new: str | None, name: str = "billing") -> Change:
    return Change("example.com", name, expected, new)


def test_a_policy_comes_changes_and_goes(ses, backup, tmp_path):
    created = put_policy(ses.api(), change(None, OLD), backup)
    replaced = put_policy(ses.api(), change(OLD, NEW), backup)

    kept = tmp_path / "backup/888888888888/us-east-1/example.com/billing.20261121T120000.000005Z.json"
    assert (created, replaced) == (Put(Did.CREATED), Put(Did.REPLACED, kept))
    assert kept.read_text() == OLD
    kept.unlink()
    assert put_policy(ses.api(), change(NEW, None), backup) == Put(Did.DELETED, kept)
    assert kept.read_text() == NEW
    assert ses.api().policies("example.com") == {}


def test_what_is_there_already_is_not_put_again(ses, backup, tmp_path):
    ses.holds("example.com", billing=OLD)
    same = json.dumps(json.loads(OLD), indent=4)

    assert put_policy(ses.api(), change(OLD, same), backup) == Put(Did.NOTHING)
    assert put_policy(ses.api(), change(None, None, "none"), backup) == Put(Did.NOTHING)
    assert ses.api().policies("example.com") == {"billing": OLD}
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(
    ("expected", "there", "words"),
    [(OLD, NEW, "was changed"), (None, NEW, "was put"), (OLD, None, "was deleted")],
)
def test_what_somebody_else_changed_meanwhile_stays(ses, backup, expected, there, words):
    ses.holds("example.com", **({} if there is None else {"billing": there}))

    with pytest.raises(ChangedMeanwhile, match=f"policy billing of example.com {words} by somebody else") as raised:
        put_policy(ses.api(), change(expected, policy("ses:*")), backup)

    assert raised.value.found == there
    assert ses.api().policies("example.com").get("billing") == there


def test_the_twenty_first_policy_is_not_asked_for(ses, backup):
    ses.holds("example.com", **{f"p{number}": OLD for number in range(19)})
    assert put_policy(ses.api(), change(None, NEW, "p19"), backup).did is Did.CREATED

    with pytest.raises(NoRoom, match=r"example\.com has 20 policies; SES takes 20"):
        put_policy(ses.api(), change(None, NEW, "p20"), backup)
    assert put_policy(ses.api(), change(OLD, NEW, "p0"), backup).did is Did.REPLACED


def test_nothing_is_changed_that_could_not_be_put_aside(ses, tmp_path):
    ses.holds("example.com", billing=OLD)
    (tmp_path / "file").write_text("")

    with pytest.raises(BackupProblem, match="/file cannot be written: File exists"):
        put_policy(ses.api(), change(OLD, None), Backup(tmp_path / "file"))

    assert ses.api().policies("example.com") == {"billing": OLD}


@pytest.mark.parametrize(("old", "new"), [(None, NEW), (OLD, NEW), (OLD, None)])
def test_an_answer_that_is_lost_is_looked_up(ses, backup, old, new):
    """The call is made again when its answer is lost: a creation is then refused, for what it made itself."""
    ses.holds("example.com", **({} if old is None else {"billing": old}))
    operation = "Create" if old is None else "Delete" if new is None else "Update"
    ses.fails(f"{operation}EmailIdentityPolicy", drop="after")

    put_policy(ses.api(), change(old, new), backup)

    assert ses.api().policies("example.com").get("billing") == new


@pytest.mark.parametrize(("old", "new"), [(None, NEW), (OLD, NEW), (OLD, None)])
def test_an_answer_that_never_comes_is_looked_up(ses, backup, old, new):
    ses.holds("example.com", **({} if old is None else {"billing": old}))
    operation = "Create" if old is None else "Delete" if new is None else "Update"
    ses.fails(f"{operation}EmailIdentityPolicy", drop="after")

    put_policy(ses.api(tries=1), change(old, new), backup)

    assert ses.api().policies("example.com").get("billing") == new


def test_a_call_that_never_arrives_is_away(ses, backup):
    ses.fails("CreateEmailIdentityPolicy", drop="before", times=6)

    with pytest.raises(Away, match="sesv2 create_email_identity_policy"):
        put_policy(ses.api(), change(None, NEW), backup)
    assert ses.api().policies("example.com") == {}


def test_what_ses_refuses_is_its_word(ses, backup):
    """Refused is refused: nobody asks again, and what was there is there."""
    ses.holds("example.com", billing=OLD)

    with pytest.raises(Refused, match=r"InvalidPolicy|BadRequest"):
        put_policy(ses.api(), change(OLD, policy("s3:GetObject")), backup)
    assert ses.api().policies("example.com") == {"billing": OLD}


def test_throttled_calls_are_made_again(ses, backup):
    for operation in ("GetEmailIdentityPolicies", "CreateEmailIdentityPolicy"):
        ses.fails(operation, code="TooManyRequestsException", times=3)
        put_policy(ses.api(), change(None, NEW, operation), backup)
    assert len(ses.api().policies("example.com")) == 2


class Rival(SesApi):
    """Somebody else puts a policy of the same name between our reading and our call."""

    def create_policy(self, identity: str, name: str, text: str) -> None:
        super().create_policy(identity, name, OLD)
        super().create_policy(identity, name, text)


class Deaf(SesApi):
    """An SES that takes a call and does something else."""

    def update_policy(self, identity: str, name: str, text: str) -> None:
        super().update_policy(identity, name, text.replace("111111111111", "999999999999"))

    def delete_policy(self, identity: str, name: str) -> None:
        super().delete_policy(identity, name + "-")

    def create_policy(self, identity: str, name: str, text: str) -> None:
        super().create_policy(identity, name + "-", text)


class Lagging(SesApi):
    """An SES whose readings do not see the last writing at once."""

    behind = 0
    last: dict[str, str] | None = None

    def policies(self, name: str) -> dict[str, str]:
        found = super().policies(name)
        if self.last is not None and self.behind > 0:
            self.behind -= 1
            return self.last
        self.last = found
        return found


class Lost(SesApi):
    """An SES that is away once it was given something."""

    def update_policy(self, identity: str, name: str, text: str) -> None:
        super().update_policy(identity, name, text)
        self.policies = self._away  # type: ignore[method-assign]  # the second reading is another one than the first

    def _away(self, name: str) -> dict[str, str]:
        raise Away(f"get_email_identity_policies {name}", "EndpointConnectionError", "nobody there")


def test_a_rival_who_was_first_is_not_overwritten(ses, backup):
    with pytest.raises(ChangedMeanwhile, match="was put by somebody else meanwhile") as raised:
        put_policy(ses.api(Rival), change(None, NEW), backup)
    assert raised.value.found == OLD


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [(OLD, NEW, "has another text"), (OLD, None, "still has it"), (None, NEW, "has none")],
)
def test_what_ses_did_otherwise_is_said(ses, backup, old, new, words):
    ses.holds("example.com", **({} if old is None else {"billing": old}))

    with pytest.raises(
        ReadBackOtherwise, match=f"SES took the call for policy billing of example.com, and {words}"
    ) as e:
        put_policy(ses.api(Deaf), change(old, new), backup)

    assert e.value.found == ses.api().policies("example.com").get("billing")
    assert (e.value.backup is None) == (old is None)


def test_a_reading_may_be_behind(ses, backup):
    ses.holds("example.com", billing=OLD)
    api: Any = ses.api(Lagging)
    api.behind = 2

    assert put_policy(api, change(OLD, NEW), backup).did is Did.REPLACED


def test_an_ses_that_is_lost_in_the_middle_is_unclear(ses, backup):
    ses.holds("example.com", billing=OLD)

    with pytest.raises(Unclear, match=r"whether SES has changed policy billing of example\.com is not known: get_em"):
        put_policy(ses.api(Lost), change(OLD, NEW), backup)


def test_arns_are_those_of_the_region(ses):
    assert str(arn_at(ses.api(), "example.com")) == "arn:aws:ses:us-east-1:888888888888:identity/example.com"


# --- put aside --------------------------------------------------------------------------------------------------------


def test_what_is_put_aside_is_for_nobody_else(tmp_path):
    identity = IdentityArn("aws", "us-east-1", "EXAMPLE65304", "example.com")

    path = Backup(tmp_path / "a" / "b").keep(identity, "billing", OLD)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in list(path.parents)[:4]} == {0o700}
    assert "/EXAMPLE65304/us-east-1/example.com/billing.2" in str(path)


def test_no_text_takes_the_place_of_another(tmp_path, backup):
    identity = IdentityArn("aws", "us-east-1", "888888888888", "example.com")
    path = backup.keep(identity, "billing", OLD)

    with pytest.raises(BackupProblem, match="File exists"):
        backup.keep(identity, "billing", NEW)
    assert path.read_text() == OLD


@pytest.mark.parametrize("name", ["/etc/cron.d@example.com", "../../x", "..", "a/b@example.com", "/"])
def test_no_name_leads_out_of_the_folder(tmp_path, backup, name):
    path = backup.keep(IdentityArn("aws", "us-east-1", "888888888888", name), "billing", OLD)

    assert path.resolve().relative_to(tmp_path / "backup").parts[:2] == ("888888888888", "us-east-1")
    assert len(path.relative_to(tmp_path / "backup").parts) == 4


# --- compared ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": [1, "b"]}', ' {"a":[1,"b"]}\n', True),
        ('{"a": 1, "b": {"c": 1, "d": 2}}', '{"b": {"d": 2, "c": 1}, "a": 1}', True),
        ('{"a": "\\u00e4"}', '{"a": "ä"}', True),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": true}', '{"a": 1}', False),
        ('{"a": 1.1}', '{"a": 1.10}', False),
        ('{"a": null}', "{}", False),
        ('{"a": [1]}', '{"a": [1, 2]}', False),
        ('{"a": 1, "a": 2}', '{"a": 2}', False),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}', True),
        ('{"a": 1, "a": 2}', '{"a": 1,  "a": 2}', False),
        ("{", "{", True),
        ("{", "{ ", False),
        ("[" * 100_000, "{}", False),
        (None, "{}", False),
        (None, None, True),
    ],
)
def test_texts_are_the_same_policy_or_not(one, other, same):
    assert is_same(one, other) is same
    assert is_same(other, one) is same


def shown(old: str | None, new: str | None) -> list[str]:
    return differences(old, new, old_name="SES", new_name="file")[2:]


def test_what_differs_is_shown_however_it_is_laid_out():
    old = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Condition":{"NumericLess":{"a":1.10}}}]}'
    new = '{"Version": "2012-10-17",\n "Statement": [{"Effect": "Deny", "Condition": {"NumericLess": {"a": 1.10}}}]}\n'

    changed = [line for line in shown(old, new) if line[0] in "+-"]
    assert changed == ['-      "Effect": "Allow",', '+      "Effect": "Deny",']
    assert '          "a": 1.10' in "\n".join(shown(old, new)) or "Condition" in "\n".join(shown(old, new))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ('{"a":[],"b":{}}', '{"a": [],\n"b": {}}', ['-{"a":[],"b":{}}', '+{"a": [],', '+"b": {}}']),
        ('{"a":1.1}', '{"a":1.10}', ['-  "a": 1.1', '+  "a": 1.10']),
        ('{"a":1,"a":2}', '{"a":2}', ['-{"a":1,"a":2}', "+{", '+  "a": 2', "+}"]),
        ("{", "[", ["-{", "+["]),
        (None, '{"a": "ä"}', ["+{", '+  "a": "ä"', "+}"]),
        ("[true, null, false]", None, ["-[", "-  true,", "-  null,", "-  false", "-]"]),
    ],
)
def test_what_differs_is_shown_exactly(old, new, lines):
    assert [line for line in shown(old, new) if line[0] in "+-"] == lines
