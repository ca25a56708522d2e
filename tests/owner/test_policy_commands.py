"""``ses-relay policy list | get | put | delete`` as they are typed, against an embedded SES that checks signatures."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from relay.cli.policy.at_ses import soon
from relay.identities import accounts
from relay.identities.ses_api import Held, SesApi
from relay.localses.app import Served
from relay.localses.keys import Key
from relay.owner.fetching import fetch, names_for
from relay.owner.mirroring import MARK, Mirror
from relay.owner.visiting import Place
from relay.settings.model import Settings
from tests.owner.at_ses import OWNER, REGION, AtSes, at_ses, of_size, policy
from tests.owner.conftest import SETTINGS

ARN = f"arn:aws:ses:{REGION}:{OWNER}:identity/example.com"
INVOICES = policy(StringLike={"ses:FromAddress": "invoices*@example.com"})
ANY = policy(StringLike={"ses:FromAddress": "*@example.com"})
EVERYONE = policy(principal="*")
STRANGERS_OUT = policy("ses:*", effect="Deny", principal="*", StringNotEquals={"aws:PrincipalOrgID": "o-abcdef1234"})
#: boto3's example of put_identity_policy, its account as opaque as it is there.
BOTO3_EXAMPLE = (
    '{"Version":"2008-10-17","Statement":[{"Sid":"stmt1469123904194","Effect":"Allow",'
    '"Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["ses:SendEmail","ses:SendRawEmail"],'
    '"Resource":"arn:aws:ses:us-east-1:EXAMPLE65304:identity/example.com"}]}'
)


@pytest.fixture(scope="module")
def running() -> Iterator[AtSes]:
    with at_ses() as ses:
        yield ses


@pytest.fixture
def ses(running: AtSes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AtSes:
    """An empty embedded SES that the environment leads to; nobody waits a second for it."""
    for listed in running.api().identities():
        running.api().call("delete_email_identity", EmailIdentity=listed.name)
    running.door.local("PUT", "faults", {})
    led_to(running, tmp_path, monkeypatch)
    return running


def led_to(ses: AtSes, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    monkeypatch.setattr(accounts, "WAIT", 0.0)
    for name, value in environment(ses, home).items():
        monkeypatch.setenv(name, value)


def environment(ses: AtSes, home: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": ses.door.url,
        "AWS_ACCESS_KEY_ID": ses.key.id,
        "AWS_SECRET_ACCESS_KEY": ses.key.secret,
        "AWS_REGION": REGION,
        "XDG_STATE_HOME": str(home / "state"),
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def to_file(text: str | bytes, name: str = "billing.json") -> str:
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return name

    return to_file


def at(ses: AtSes, identity: str = "example.com") -> dict[str, str]:
    return ses.api().policies(identity)


def kept(home: Path, account: str = OWNER) -> list[str]:
    """The texts that were put aside."""
    folder = home / "state" / "ses-relay" / "policies" / account / REGION / "example.com"
    return [path.read_text() for path in sorted(folder.glob("*.json"))]


# --- list -------------------------------------------------------------------------------------------------------------


def test_identities_are_listed_with_their_policies(run, ses):
    ses.holds("example.com", billing=INVOICES, everyone=EVERYONE)
    ses.holds("ceo@example.com")

    result = run("policy", "list")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "IDENTITY         POLICY    BYTES  EFFECT   LINT     ACCOUNT       REGION",
        "ceo@example.com  -         -      -        -        888888888888  us-east-1",
        f"example.com      billing   {len(INVOICES)}    1 Allow  1 note   888888888888  us-east-1",
        f"example.com      everyone  {len(EVERYONE)}    1 Allow  1 error  888888888888  us-east-1",
    ]
    one = run("policy", "list", ARN).stdout.splitlines()
    assert one == [line for line in result.stdout.splitlines() if "ceo@" not in line] or len(one) == 3


def test_the_list_for_machines(run, ses):
    both = json.dumps({"Version": "2012-10-17", "Statement": [json.loads(p)["Statement"][0] for p in (ANY, INVOICES)]})
    ses.holds("example.com", both=both.replace('"Allow"', '"Deny"', 1))

    (told,) = json.loads(run("policy", "list", "--json").stdout)

    assert (told["identity"], told["verified"], told["status"]) == (ARN, True, "SUCCESS")
    (first,) = told["policies"]
    assert (first["name"], first["bytes"], first["allow"], first["deny"]) == ("both", len(both) - 1, 1, 1)
    assert first["findings"] == {"errors": 0, "warnings": 1, "notes": 0}
    assert len(first["sha256"]) == 64


def test_an_empty_account_has_no_identities(run, ses):
    result = run("policy", "list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no identities\n")
    assert ses.api().identities() == []


def test_what_is_unreadable_or_not_verified_is_listed_as_such(run, ses, monkeypatch):
    ses.holds("example.com", billing=INVOICES)
    ses.holds("example.org")
    real = SesApi.call

    def told(self: SesApi, operation: str, **given: Any) -> dict[str, Any]:
        answer = real(self, operation, **given)
        if given.get("EmailIdentity") == "example.org":
            answer |= {"VerifiedForSendingStatus": False, "VerificationStatus": "PENDING"}
        elif "Policies" in answer:
            answer["Policies"] = {"billing": "{"}
        return answer

    monkeypatch.setattr(SesApi, "call", told)
    lines = run("policy", "list").stdout.splitlines()

    assert lines[1].split()[:5] == ["example.com", "billing", "1", "unreadable", "1"]
    assert lines[2].split()[:5] == ["example.org", "-", "-", "not", "verified"]


def test_one_owner_that_cannot_be_asked_does_not_hide_the_others(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES)
    owners = "".join(f'[[policies.owner]]\naccount = "{each}"\nregions = ["{REGION}"]\n' for each in (OWNER, "7" * 12))
    (tmp_path / "house.toml").write_text(f"{SETTINGS}\n{owners}")
    (tmp_path / "policies").mkdir()

    result = run("policy", "list", "-c", "house.toml")

    assert result.exit_code == 1
    assert "example.com  billing" in result.stdout
    assert "error: ses (777777777777 us-east-1): WrongAccount: the credentials are those of" in result.stderr


def test_a_reader_who_may_not_read_is_told_once(run, ses):
    for name in ("example.com", "example.net", "example.org"):
        ses.holds(name)
    ses.fails("GetEmailIdentity", code="AccessDeniedException", status=403, times=3, message="not authorized")

    result = run("policy", "list")

    assert result.exit_code == 1
    assert result.stderr.count("AccessDeniedException") == 1
    assert "no identities" not in result.stderr


def test_one_identity_that_may_not_be_read_is_passed_over(run, ses, monkeypatch):
    for name in ("example.com", "example.net", "example.org"):
        ses.holds(name)
    real = SesApi.identity

    def refusing(self: SesApi, name: str) -> Any:
        if name == "example.net":
            raise accounts.Refused("get_email_identity", "AccessDeniedException", "not this one")
        return real(self, name)

    monkeypatch.setattr(SesApi, "identity", refusing)
    result = run("policy", "list")

    assert [line.split()[0] for line in result.stdout.splitlines()[1:]] == ["example.com", "example.org"]
    assert (result.exit_code, "not this one" in result.stderr) == (1, True)


# --- get --------------------------------------------------------------------------------------------------------------


def test_a_policy_is_printed_to_the_octet(run, ses):
    text = json.dumps(json.loads(ANY), indent=1) + "\n\n"
    ses.holds("example.com", billing=text)

    assert run("policy", "get", "example.com", "billing").stdout == text
    assert run("policy", "get", ARN).stdout == text
    ses.holds("example.com", news=INVOICES)
    both = run("policy", "get", "example.com")
    assert (both.stdout, both.stderr) == (f"{text}{INVOICES}\n", "billing:\nnews:\n")
    assert json.loads(run("policy", "get", "example.com", "--json").stdout) == {"billing": text, "news": INVOICES}


def test_what_is_not_there_is_not_printed(run, ses):
    ses.holds("example.com", billing=ANY)

    unknown = run("policy", "get", "example.com", "newsletter")
    nowhere = run("policy", "get", "example.org")

    assert (unknown.exit_code, nowhere.exit_code) == (1, 1)
    assert unknown.stderr == "example.com has no policy newsletter; there are: billing\n"
    assert nowhere.stderr == f"there is no identity example.org in {OWNER} {REGION}\n"
    ses.holds("example.org")
    assert run("policy", "get", "example.org").stderr == "no policies\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("get",), "give one IDENTITY, or --all"),
        (("get", "example.com", "--all", "--to", "x"), "give one IDENTITY, or --all"),
        (("get", "--all"), "--all wants a folder: --to DIR"),
        (("get", "example.com", "--keep"), "--keep is about what would be removed"),
        (("get", "example.com", "billing", "--to", "x", "--keep"), "--keep is about what would be removed"),
        (("get", "exam ple"), "'exam ple' is neither an ARN, nor a domain, nor an address"),
        (("list", "arn:aws:iam::1:user/x"), "not the ARN of an SES identity"),
        (("list", "arn:aws:ses:*:888888888888:identity/example.com"), "which region? '*' is none"),
        (("delete", "example.com"), "Missing argument 'NAME...'"),
        (("put", "example.com", "-"), "--name: standard input has no name"),
        (("put", "example.com", "-", "--name", "x"), "nobody can be asked while FILE is standard input"),
        (("put", "example.com", "x.json", "--name", "a.b"), "--name: 'a.b': a policy's name has 1 to 64 letters"),
        (("put", "example.com", f"{'x' * 65}.json"), "give --name: the file's"),
        (("put", "example.com", "nothere.json"), "nothere.json cannot be read: No such file or directory"),
        (("put", "example.com", "."), "give --name: the file's ''"),
        (("put", "example.com", ".", "--name", "x"), ". cannot be read: Is a directory"),
    ],
)
def test_wrong_usage_is_told_precisely(run, ses, words, why):
    result = run("policy", *words)

    assert result.exit_code == 2, result.output
    assert why in " ".join(result.stderr.split())
    assert ses.api().identities() == []


def test_no_region_is_wrong_usage_unless_an_arn_tells_it(run, ses, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    ses.holds("example.com", billing=ANY)

    assert run("policy", "get", ARN).stdout == ANY
    nowhere = run("policy", "get", "example.com")
    assert (nowhere.exit_code, "which region? Give --region" in nowhere.stderr) == (2, True)


def test_a_folder_is_written_and_kept_fresh(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES, newsletter=ANY)
    ses.holds("ceo@example.com")
    folder = tmp_path / "policies" / OWNER / REGION

    first = run("policy", "get", "--all", "--to", "policies")
    assert first.exit_code == 0, first.stderr
    assert first.stdout.splitlines() == [
        f"arn:aws:ses:{REGION}:{OWNER}:identity/ceo@example.com: new, without policies",
        f"{ARN}: wrote billing, newsletter",
        "2 identities; policies: 2 written, 0 removed",
    ]
    assert (folder / "example.com" / "billing.json").read_text() == INVOICES
    assert list((folder / "ceo@example.com").iterdir()) == []

    untouched = (folder / "example.com" / "billing.json").stat().st_mtime_ns
    ses.api().delete_policy("example.com", "newsletter")
    ses.api().call("delete_email_identity", EmailIdentity="ceo@example.com")
    second = run("policy", "get", "--all", "--to", "policies")

    assert second.stdout.splitlines() == [
        f"arn:aws:ses:{REGION}:{OWNER}:identity/ceo@example.com: its folder is removed",
        f"{ARN}: removed newsletter",
        "1 identity; policies: 0 written, 1 removed",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["example.com"]
    assert (folder / "example.com" / "billing.json").stat().st_mtime_ns == untouched
    assert run("policy", "get", "--all", "--to", "policies").stdout == "1 identity; policies: 0 written, 0 removed\n"


def test_keep_leaves_what_is_gone(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES)
    ses.holds("example.org", news=policy(identity="example.org"))
    run("policy", "get", "--all", "--to", "policies")
    ses.api().delete_policy("example.com", "billing")
    ses.api().call("delete_email_identity", EmailIdentity="example.org")

    result = run("policy", "get", "--all", "--to", "policies", "--keep", "--json")

    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["identities"] == 1
    assert [(each["identity"].rpartition("/")[2], each["kept"]) for each in told["changes"]] == [
        ("example.com", ["billing"]),
        ("example.org", ["news"]),
    ]
    assert len(list((tmp_path / "policies").glob("*/*/*/*.json"))) == 2
    assert "kept billing (gone at SES)" in run("policy", "get", "--all", "--to", "policies", "--keep").stdout


def test_a_folder_means_verified(run, ses, tmp_path, monkeypatch):
    ses.holds("example.com", billing=INVOICES)
    ses.holds("example.org")
    run("policy", "get", "--all", "--to", "policies")
    real = SesApi.identity

    def pending(self: SesApi, name: str) -> Any:
        held: Any = real(self, name)
        return type(held)(name, False, "PENDING", held.policies, held.whole) if name == "example.org" else held

    monkeypatch.setattr(SesApi, "identity", pending)
    result = run("policy", "get", "--all", "--to", "policies")

    assert result.exit_code == 0, result.stderr
    assert "identity/example.org: left out, not verified: PENDING" in result.stdout
    assert "identity/example.org: its folder is removed" in result.stdout
    assert [path.name for path in (tmp_path / "policies" / OWNER / REGION).iterdir()] == ["example.com"]
    one = run("policy", "get", "example.org", "--to", "policies")
    assert (one.exit_code, "is not verified (PENDING): a folder would say it is" in one.stderr) == (1, True)


def test_one_identity_into_a_folder(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES, news=ANY)
    folder = tmp_path / "policies" / OWNER / REGION / "example.com"

    one = run("policy", "get", "example.com", "news", "--to", "policies")
    assert one.stdout == f"{ARN}: wrote news\n1 identity; policies: 1 written, 0 removed\n"
    assert [path.name for path in folder.iterdir()] == ["news.json"]
    ses.api().delete_policy("example.com", "news")
    result = run("policy", "get", "example.com", "--to", "policies")
    assert result.stdout == f"{ARN}: wrote billing; removed news\n1 identity; policies: 1 written, 1 removed\n"
    again = run("policy", "get", "example.com", "--to", "policies")
    assert again.stdout == f"{ARN}: unchanged\n1 identity; policies: 0 written, 0 removed\n"


def test_files_that_are_no_policies_are_told_of(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES)
    folder = tmp_path / "policies" / OWNER / REGION / "example.com"
    folder.mkdir(parents=True)
    (folder / "notes").touch()
    (folder / MARK).touch()

    result = run("policy", "get", "--all", "--to", "policies")

    assert "wrote billing; no policies, and not ours: notes" in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["billing.json", "notes"]


def test_what_ses_does_not_tell_stays_as_it_is_and_the_next_run_goes_on_there(run, ses, tmp_path, monkeypatch):
    names = ("example.com", "example.net", "example.org")
    for name in names:
        ses.holds(name, billing=policy(identity=name))
    asked: list[str] = []
    real = SesApi.identity

    def asking(self: SesApi, name: str) -> Any:
        asked.append(name)
        if name == "example.net" and len(asked) == 2:
            raise accounts.Away("get_email_identity", "ReadTimeoutError", "no answer")
        return real(self, name)

    monkeypatch.setattr(SesApi, "identity", asking)
    broken = run("policy", "get", "--all", "--to", "policies")
    assert (broken.exit_code, "ReadTimeoutError" in broken.stderr) == (1, True)
    region = tmp_path / "policies" / OWNER / REGION
    assert [path.name for path in region.iterdir() if path.is_dir()] == ["example.com"]

    asked.clear()
    assert run("policy", "get", "--all", "--to", "policies").exit_code == 0
    assert asked == ["example.net", "example.org", "example.com"]
    assert sorted(path.name for path in region.iterdir()) == list(names)


def test_interrupted_it_ends_between_two_identities(run, ses, tmp_path, monkeypatch):
    for name in ("example.com", "example.net"):
        ses.holds(name, billing=policy(identity=name))
    real = SesApi.identity

    def interrupted(self: SesApi, name: str) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return real(self, name)

    monkeypatch.setattr(SesApi, "identity", interrupted)
    result = run("policy", "get", "--all", "--to", "policies")

    assert result.exit_code == 1
    assert result.stdout.endswith("1 identity; policies: 1 written, 0 removed\n")
    assert f"error: {OWNER} {REGION}: ended early; the next run goes on there" in result.stderr
    monkeypatch.setattr(SesApi, "identity", real)
    assert run("policy", "get", "--all", "--to", "policies").stdout.endswith(
        "2 identities; policies: 1 written, 0 removed\n"
    )
    assert list((tmp_path / "policies").rglob(".*")) == []


def test_a_list_that_is_not_whole_removes_nothing(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES)
    run("policy", "get", "--all", "--to", "policies")
    ses.fails("ListEmailIdentities", code="AccessDeniedException", status=403)

    result = run("policy", "get", "--all", "--to", "policies")

    assert (result.exit_code, "AccessDeniedException" in result.stderr) == (1, True)
    assert len(list((tmp_path / "policies").glob("*/*/*/*.json"))) == 1


def test_an_identity_that_the_list_forgot_is_asked_for_before_it_goes(run, ses, tmp_path, monkeypatch):
    ses.holds("example.com", billing=INVOICES)
    run("policy", "get", "--all", "--to", "policies")
    monkeypatch.setattr(SesApi, "pages", lambda _self: iter([()]))

    assert run("policy", "get", "--all", "--to", "policies").stdout == "1 identity; policies: 0 written, 0 removed\n"
    assert len(list((tmp_path / "policies").glob("*/*/*/*.json"))) == 1


def test_names_that_cannot_be_folders_are_a_problem(run, ses, tmp_path, monkeypatch):
    """Without its folder an address would be judged by its domain: that must not pass unseen."""
    ses.holds("example.com")
    slashed = "a/b@example.com"
    pages, real = ses.api().identities(), SesApi.identity
    listed = [*pages, type(pages[0])(slashed, "EMAIL_ADDRESS", "SUCCESS", True)]
    monkeypatch.setattr(SesApi, "pages", lambda _self: iter([listed]))
    monkeypatch.setattr(
        SesApi, "identity", lambda self, name: Held(name, True, "SUCCESS", {}, {}) if "/" in name else real(self, name)
    )

    result = run("policy", "get", "--all", "--to", "policies")

    assert result.exit_code == 1
    assert f"{slashed}: an identity of this name cannot lie in a folder where relays find it" in result.stderr
    assert (tmp_path / "policies" / OWNER / REGION / "example.com").is_dir()


def test_a_folder_that_cannot_be_written_is_told(run, ses, tmp_path):
    ses.holds("example.com")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / OWNER).touch()

    result = run("policy", "get", "--all", "--to", "policies")

    assert (result.exit_code, f"{OWNER}/{REGION}: Not a directory" in result.stderr) == (1, True)


def test_all_places_are_read_at_once_and_each_has_its_folder(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES)
    west = SesApi(ses.known, OWNER, "eu-west-1")
    west.call("create_email_identity", EmailIdentity="example.com")
    owners = f'[[policies.owner]]\naccount = "{OWNER}"\nregions = ["{REGION}", "eu-west-1"]\n'
    (tmp_path / "house.toml").write_text(f"{SETTINGS}\n{owners}")
    (tmp_path / "policies").mkdir()

    result = run("policy", "get", "--all", "--to", "policies", "-c", "house.toml")

    assert result.stdout.endswith("2 identities; policies: 1 written, 0 removed\n"), result.stderr
    assert [path.name for path in sorted((tmp_path / "policies" / OWNER).iterdir())] == ["eu-west-1", REGION]
    which = run("policy", "get", "example.com", "-c", "house.toml")
    assert f"which one? Give --account and --region: {OWNER} {REGION}, {OWNER} eu-west-1" in which.stderr
    west.call("delete_email_identity", EmailIdentity="example.com")


def test_an_empty_account_is_an_empty_folder(run, ses, tmp_path):
    """A relay that is told of the owner finds a folder that says: nothing, instead of finding none."""
    assert run("policy", "get", "--all", "--to", "policies").stdout == "0 identities; policies: 0 written, 0 removed\n"
    assert list((tmp_path / "policies" / OWNER / REGION).iterdir()) == []
    assert ses.api().identities() == []


def test_what_mail_cannot_be_sent_under_is_left_out(ses, tmp_path):
    place = Place(ses.api(), ("no_domain_of_mail!",))
    mirror = Mirror(tmp_path)
    fetched = fetch(place, names_for(place, mirror), mirror, advance=lambda _by: None, is_over=lambda: False)
    assert fetched.left_out == [("no_domain_of_mail!", "mail cannot be sent under an identity of this name")]


# --- put --------------------------------------------------------------------------------------------------------------


def test_a_policy_is_attached_once_it_was_agreed_to(run, ses, tmp_path, write):
    ses.holds("example.com")

    no = run("policy", "put", "example.com", write(ANY), input="n\n")
    assert (no.exit_code, at(ses)) == (1, {})
    yes = run("policy", "put", "example.com", "billing.json", input="y\n")

    assert (yes.exit_code, at(ses)) == (0, {"billing": ANY})
    assert "+++ billing.json" in yes.stdout
    assert '+          "ses:FromAddress": "*@example.com"' in yes.stdout
    assert f"Attach policy billing of example.com ({OWNER} {REGION})? [y/N]" in yes.stderr
    assert yes.stdout.endswith(
        f"created policy billing of example.com, {len(ANY)} bytes; relays that ask SES decide by it within their "
        "policies.refresh_interval\n"
    )
    assert kept(tmp_path) == []


def test_a_policy_is_replaced_and_its_old_text_is_kept(run, ses, tmp_path, write):
    ses.holds("example.com", billing=INVOICES)

    result = run("policy", "put", ARN, write(ANY, "other.json"), "--name", "billing", "--yes", "--backup", "aside")

    assert (result.exit_code, at(ses)) == (0, {"billing": ANY})
    assert [line for line in result.stdout.splitlines() if line[:1] in "+-"][2:] == [
        '-          "ses:FromAddress": "invoices*@example.com"',
        '+          "ses:FromAddress": "*@example.com"',
    ]
    (path,) = (tmp_path / "aside" / OWNER / REGION / "example.com").iterdir()
    assert path.read_text() == INVOICES
    assert path.name.startswith("billing.20")
    assert f"the old text is kept in aside/{OWNER}/{REGION}/example.com/{path.name}" in result.stdout
    back = run("policy", "put", "example.com", path, "--name", "billing", "--yes")
    assert (back.exit_code, at(ses)) == (0, {"billing": INVOICES})
    assert kept(tmp_path) == [ANY]
    assert stat.S_IMODE((tmp_path / "state" / "ses-relay" / "policies").stat().st_mode) == 0o700


def test_what_ses_has_already_is_not_put(run, ses, tmp_path, write):
    ses.holds("example.com", billing=ANY)

    same = run("policy", "put", "example.com", write(ANY))
    blanks = run("policy", "put", "example.com", write(json.dumps(json.loads(ANY), indent=4)))

    assert (same.exit_code, blanks.exit_code) == (0, 0)
    assert same.stdout == "nothing to do, SES has policy billing of example.com\n"
    assert blanks.stdout == (
        "nothing to do, SES has policy billing of example.com: only blanks, or the order of keys, differ\n"
    )
    assert at(ses) == {"billing": ANY}
    assert kept(tmp_path) == []


def test_standard_input_and_answers_for_machines(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES)

    result = run("policy", "put", "example.com", "-", "--name", "billing", "--yes", "--json", input=ANY)

    told = json.loads(result.stdout)
    assert (told["identity"], told["policy"], told["did"], told["effects"]) == (ARN, "billing", "replaced", [])
    assert Path(told["backup"]).is_relative_to(tmp_path / "state")
    assert Path(told["backup"]).read_text() == INVOICES
    assert "--- example.com billing at SES" in result.stderr
    again = run("policy", "put", "example.com", "-", "--name", "billing", "--yes", "--json", input=ANY)
    assert json.loads(again.stdout) == {**told, "did": "unchanged", "backup": None}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "[not-json]"),
        ("{", "[not-json]"),
        (b"\xff", "billing.json is not UTF-8 at byte 0"),
        (b" " * 65537, "billing.json is larger than 64 KiB; SES takes 4,096 bytes"),
        (of_size(4097), "[too-large]"),
        (ANY.replace("identity/example.com", "identity/example.org"), "[resource-not-identity]"),
        (ANY.replace(OWNER, "777777777777"), "[resource-not-identity]"),
        (policy("s3:GetObject"), "[unknown-action]"),
        (policy(principal="nobody"), "[bad-principal]"),
        (policy(principal="arn:aws:iam::111111111111:user/*"), "[principal-wildcard]"),
        (policy(StringLike={"ses:From": "x"}), "[unknown-key]"),
        (policy().replace('"Effect"', '"Effect":"Deny","Effect"'), "[duplicate-key]"),
        (policy().replace("Allow", "allow"), "[bad-effect]"),
        (EVERYONE, "[everyone-without-condition]"),
    ],
)
def test_what_ses_would_refuse_is_not_asked_for(run, ses, write, text, why):
    ses.holds("example.com", other=INVOICES)
    ses.fails("CreateEmailIdentityPolicy", code="InternalFailure", status=500, times=100)

    result = run("policy", "put", "example.com", write(text), "--yes")

    assert result.exit_code == 1
    assert why in result.stderr
    assert at(ses) == {"other": INVOICES}


def test_4096_bytes_are_taken(run, ses, write):
    ses.holds("example.com")
    result = run("policy", "put", "example.com", write(of_size(4096)), "--yes")
    assert (result.exit_code, len(at(ses)["billing"])) == (0, 4096)


def test_20_policies_are_taken_and_no_more(run, ses, write):
    ses.holds("example.com", **{f"p{number:02}": INVOICES for number in range(19)})
    write(ANY)

    assert run("policy", "put", "example.com", "billing.json", "--name", "z", "--yes").exit_code == 0
    for name in ("a", "zz"):
        full = run("policy", "put", "example.com", "billing.json", "--name", name, "--yes")
        assert (full.exit_code, full.stderr) == (
            1,
            "error: example.com has 20 policies, and SES takes no more: put the statements into one of them\n",
        )
    assert run("policy", "put", "example.com", "billing.json", "--name", "p00", "--yes").exit_code == 0
    assert len(at(ses)) == 20


@pytest.mark.parametrize("name", ["a", "x" * 64, "A-b_9"])
def test_names_that_ses_takes_are_taken(run, ses, write, name):
    ses.holds("example.com")
    assert run("policy", "put", "example.com", write(ANY, f"{name}.json"), "--yes").exit_code == 0
    assert list(at(ses)) == [name]


def test_policies_are_linted_among_their_neighbours(run, ses, write):
    """What a Deny of another policy keeps strangers from may be said to everyone."""
    ses.holds("example.com", strangers=STRANGERS_OUT)

    result = run("policy", "put", "example.com", write(EVERYONE, "everyone.json"), "--yes")

    assert result.exit_code == 0, result.stderr
    assert at(ses)["everyone"] == EVERYONE
    gone = run("policy", "delete", "example.com", "strangers", input="n\n")
    assert "error: everyone: Every AWS account in the world may do this" in gone.stdout
    harmless = write(policy(effect="Deny", principal="111111111111"), "strangers.json")
    replaced = run("policy", "put", "example.com", harmless, input="n\n")
    assert "error: " in replaced.stdout
    assert "Every AWS account in the world may do this" in replaced.stdout


def test_an_identity_that_is_not_there_takes_no_policy(run, ses, write, monkeypatch):
    gone = run("policy", "put", "example.com", write(ANY), "--yes")
    assert (gone.exit_code, gone.stderr) == (1, f"there is no identity example.com in {OWNER} {REGION}\n")
    ses.holds("example.com")
    real = SesApi.identity

    def pending(self: SesApi, name: str) -> Any:
        held: Any = real(self, name)
        return type(held)(name, False, "PENDING", held.policies, held.whole)

    monkeypatch.setattr(SesApi, "identity", pending)
    result = run("policy", "put", "example.com", "billing.json", "--yes")
    assert (result.exit_code, result.stderr) == (
        1,
        "error: example.com is not verified (PENDING): SES takes policies of verified identities only\n",
    )


def test_what_somebody_changes_while_we_think_is_not_overwritten(run, ses, write, tmp_path, monkeypatch):
    ses.holds("example.com", billing=INVOICES)

    def think(*_words: object, **_more: object) -> bool:
        ses.client("ses").put_identity_policy(Identity="example.com", PolicyName="billing", Policy=policy("ses:*"))
        return True

    monkeypatch.setattr(click, "confirm", think)
    put = run("policy", "put", "example.com", write(ANY))
    ses.holds("example.com", billing=INVOICES)
    delete = run("policy", "delete", "example.com", "billing")

    for result in (put, delete):
        assert result.exit_code == 1
        assert result.stderr == (
            "error: policy billing of example.com was changed by somebody else meanwhile: look again. "
            "Nothing was changed\n"
        )
    assert at(ses) == {"billing": policy("ses:*")}
    assert kept(tmp_path) == []


def test_an_ses_that_has_something_else_is_told_of_loudly(run, ses, write, tmp_path, monkeypatch):
    ses.holds("example.com", billing=INVOICES)
    real = SesApi.update_policy

    def update(self: SesApi, identity: str, name: str, text: str) -> None:
        real(self, identity, name, text.replace("111111111111", "999999999999"))

    monkeypatch.setattr(SesApi, "update_policy", update)

    result = run("policy", "put", "example.com", write(ANY), "--yes")

    assert result.exit_code == 1
    assert "error: SES took the call for policy billing of example.com, and has another text\n" in result.stderr
    assert '-        "AWS": "arn:aws:iam::111111111111:user/billing"' in result.stderr
    assert '+        "AWS": "arn:aws:iam::999999999999:user/billing"' in result.stderr
    assert "the old text is kept in" in result.stderr
    assert kept(tmp_path) == [INVOICES]


def test_an_ses_that_is_lost_in_the_middle_is_told_of(run, ses, write, monkeypatch):
    ses.holds("example.com", billing=INVOICES)
    real = SesApi.update_policy

    def lose(self: SesApi, *given: str) -> None:
        real(self, *given)
        ses.fails("GetEmailIdentityPolicies", code="InternalFailure", status=500, times=100)

    monkeypatch.setattr(SesApi, "update_policy", lose)
    result = run("policy", "put", "example.com", write(ANY), "--yes")

    assert result.exit_code == 1
    assert "whether SES has changed policy billing of example.com is not known: sesv2 get_email" in result.stderr


def test_nothing_is_put_when_the_old_text_cannot_be_kept(run, ses, write):
    ses.holds("example.com", billing=INVOICES)

    result = run("policy", "put", "example.com", write(ANY), "--yes", "--backup", "billing.json/x")

    assert (result.exit_code, at(ses)) == (1, {"billing": INVOICES})
    assert "cannot be written: Not a directory: nothing was changed" in result.stderr


def test_throttled_calls_are_made_again(run, ses, write):
    ses.holds("example.com")
    for operation in ("GetEmailIdentity", "GetEmailIdentityPolicies", "CreateEmailIdentityPolicy"):
        fault = {"code": "TooManyRequestsException", "times": 2}
        ses.door.local("PUT", "faults", {**ses.door.local("GET", "faults")[1], operation: [fault]})
    assert run("policy", "put", "example.com", write(ANY), "--yes").exit_code == 0
    assert at(ses) == {"billing": ANY}


def test_an_ses_that_is_away_is_told_of(run, ses, write):
    ses.holds("example.com")
    ses.fails("GetEmailIdentity", code="TooManyRequestsException", times=100)

    result = run("policy", "put", "example.com", write(ANY), "--yes")

    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: sesv2 get_email_identity ({OWNER} {REGION}): TooManyRequestsException")


def test_delegates_hear_what_they_gain_and_lose(run, ses, write, tmp_path):
    ses.holds("example.com", billing=INVOICES)
    (tmp_path / "house.toml").write_text(SETTINGS)
    (tmp_path / "policies").mkdir()
    news = policy(StringLike={"ses:FromAddress": "news@example.com"})

    put = run("policy", "put", "example.com", write(news), "-c", "house.toml", "--yes", "--json")

    told = json.loads(put.stdout)["effects"]
    assert [each["delegate"] for each in told] == ["billing"]
    assert told[0]["gained"][0].startswith("From news@example.com")
    assert told[0]["lost"][0].startswith("From invoices*@example.com")
    assert "  billing gains From news@example.com" in put.stderr
    directory = f"the relay of these settings reads {tmp_path}/policies, not SES: it decides as before until that"
    assert directory in put.stderr
    gone = run("policy", "delete", "example.com", "billing", "-c", "house.toml", "--yes")
    assert "  billing loses everything: From news@example.com" in gone.stdout


def test_a_relay_that_asks_ses_is_said_to_know_soon():
    owner = {"account": OWNER, "source": "ses"}
    policies = {"source": "directory", "directory": "policies", "refresh_interval": "90s", "owner": [owner]}
    settings = Settings.model_validate({"policies": policies})

    assert soon(settings, OWNER) == (
        "the relay of these settings decides by it within 90 s, its refresh_interval; "
        "later where it reads many identities"
    )
    assert soon(settings, "7" * 12).startswith("the relay of these settings reads policies, not SES")


# --- delete -----------------------------------------------------------------------------------------------------------


def test_policies_are_deleted_once_it_was_agreed_to(run, ses, tmp_path):
    ses.holds("example.com", billing=INVOICES, news=ANY, other=policy("ses:*"))

    no = run("policy", "delete", "example.com", "billing", "news", input="n\n")
    assert (no.exit_code, len(at(ses))) == (1, 3)
    yes = run("policy", "delete", "example.com", "billing", "news", "billing", input="y\n")

    assert (yes.exit_code, list(at(ses))) == (0, ["other"])
    assert f"Delete 2 policies of example.com ({OWNER} {REGION})?" in yes.stderr
    assert '-          "ses:FromAddress": "invoices*@example.com"' in yes.stdout
    assert "what only that allowed, SES refuses now; relays that ask SES decide by it within" in yes.stdout
    assert sorted(kept(tmp_path)) == sorted([INVOICES, ANY])


def test_what_allows_goes_before_what_denies(run, ses):
    """So that at no moment more is allowed than before, or afterwards."""
    deny = policy(effect="Deny", StringLike={"ses:FromAddress": "ceo@example.com"})
    ses.holds("example.com", a=deny, b=ANY)

    result = run("policy", "delete", "example.com", "a", "b", "--yes", "--json")

    done = [line for line in result.stderr.splitlines() if line.startswith("deleted")]
    assert [line.split()[2] for line in done] == ["b", "a"]
    told = json.loads(result.stdout)
    assert (told["identity"], [each["policy"] for each in told["deleted"]]) == (ARN, ["a", "b"])
    assert [Path(each["backup"]).read_text() for each in told["deleted"]] == [deny, ANY]
    assert at(ses) == {}


def test_nothing_is_deleted_when_a_name_is_unknown(run, ses):
    ses.holds("example.com", billing=INVOICES)

    result = run("policy", "delete", "example.com", "billing", "nobody", "--yes")

    assert (result.exit_code, result.stderr) == (1, "error: example.com has no policy nobody; there are: billing\n")
    assert at(ses) == {"billing": INVOICES}


def test_what_is_still_there_is_told_of(run, ses, monkeypatch):
    ses.holds("example.com", billing=INVOICES)
    monkeypatch.setattr(SesApi, "delete_policy", lambda *_given: None)

    result = run("policy", "delete", "example.com", "billing", "--yes")

    assert result.exit_code == 1
    assert "SES took the call for policy billing of example.com, and still has it" in result.stderr


def test_an_interruption_waits_for_the_policy_under_way(run, ses, monkeypatch):
    ses.holds("example.com", a=INVOICES, b=ANY)
    real = SesApi.delete_policy

    def interrupted(self: SesApi, *where: str) -> None:
        signal.raise_signal(signal.SIGINT)
        real(self, *where)

    monkeypatch.setattr(SesApi, "delete_policy", interrupted)
    result = run("policy", "delete", "example.com", "a", "b", "--yes")

    assert result.exit_code == 1
    assert "deleted policy a of example.com; its text is kept in" in result.stdout
    assert "error: interrupted: the others are still there" in result.stderr
    assert at(ses) == {"b": ANY}


# --- beside other programs --------------------------------------------------------------------------------------------


def test_accounts_are_opaque_and_what_boto3_documents_is_put(run, write, tmp_path, monkeypatch):
    key = Key("AKIAEXAMPLE", "example-secret", "arn:aws:iam::EXAMPLE65304:root")
    with at_ses(key) as ses:
        led_to(ses, tmp_path, monkeypatch)
        ses.holds("example.com")

        result = run("policy", "put", "example.com", write(BOTO3_EXAMPLE, "MyPolicy.json"), "--yes")

        assert result.exit_code == 0, result.stderr
        client = ses.client("ses")
        assert client.get_identity_policies(Identity="example.com", PolicyNames=["MyPolicy"])["Policies"] == {
            "MyPolicy": BOTO3_EXAMPLE
        }
        client.put_identity_policy(
            Identity="example.com", PolicyName="MyPolicy", Policy=BOTO3_EXAMPLE.replace("1469123904194", "2")
        )
        assert run("policy", "put", "example.com", "MyPolicy.json", "--yes").exit_code == 0
        assert kept(tmp_path, "EXAMPLE65304") == [BOTO3_EXAMPLE.replace("1469123904194", "2")]
        got = run("policy", "get", "--all", "--to", "policies")
        assert got.exit_code == 0, got.stderr
        file = tmp_path / "policies" / "EXAMPLE65304" / REGION / "example.com" / "MyPolicy.json"
        assert file.read_text() == BOTO3_EXAMPLE


def test_an_ses_that_counts_is_asked_at_its_pace(tmp_path):
    """The program itself before an SES that takes one call a second: its calls, and those it was too early for."""
    served: list[Served] = []
    with at_ses(realistic=True, tell=served.append) as ses:
        ses.client().create_email_identity(EmailIdentity="example.com")
        time.sleep(1)
        served.clear()
        (tmp_path / "billing.json").write_text(ANY)
        done = subprocess.run(
            [sys.executable, "-m", "relay", "policy", "put", ARN, "billing.json", "--yes", "--json"],
            cwd=tmp_path,
            env={**os.environ, **environment(ses, tmp_path), "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["did"] == "created"
    assert [each.operation for each in served if not each.code] == [
        "GetCallerIdentity",
        "GetEmailIdentity",
        "GetEmailIdentityPolicies",
        "CreateEmailIdentityPolicy",
        "GetEmailIdentityPolicies",
    ]
    assert {each.code for each in served} <= {"", "Throttling"}
