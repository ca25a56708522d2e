"""``ses-relay identity ...`` as it is typed, against an embedded SES that checks signatures."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from relay.identities import accounts
from tests.localses.running import validated
from tests.owner.at_ses import BILLING, KEY, OWNER, REGION, AtSes, at_ses, policy

ARN = f"arn:aws:ses:{REGION}:{OWNER}:identity/example.com"
SESSION = boto3.Session(KEY.id, KEY.secret)
TOPIC = f"arn:aws:sns:{REGION}:{OWNER}:mail-feedback"


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[AtSes]:
    """An embedded SES that the environment leads to; nobody waits a second for it, and AWS's models are read once."""
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    monkeypatch.setattr(boto3, "Session", lambda *_keys: SESSION)
    with at_ses() as ses:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ses.door.url)
        monkeypatch.setenv("AWS_REGION", REGION)
        yield ses


def held(ses: AtSes, name: str = "example.com") -> Any:
    return validated(ses.client()).get_email_identity(EmailIdentity=name)


# --- create -----------------------------------------------------------------------------------------------------------


def test_a_domain_is_made_as_asked_and_its_records_are_printed(run, ses):
    ses.client().create_configuration_set(ConfigurationSetName="feedback")

    words = ("--mail-from", "Bounce", "--on-mx-failure", "reject", "--configuration-set", "feedback")
    result = run("identity", "create", "Example.com", *words, "--tag", "team=mail", "--dkim-length", "1024")

    assert result.exit_code == 0, result.stderr
    told = held(ses)
    token = told["DkimAttributes"]["Tokens"][0]
    assert told["DkimAttributes"]["NextSigningKeyLength"] == "RSA_1024_BIT"
    assert told["MailFromAttributes"]["BehaviorOnMxFailure"] == "REJECT_MESSAGE"
    assert (told["Tags"], told["ConfigurationSetName"]) == ([{"Key": "team", "Value": "mail"}], "feedback")
    assert f"{ARN}: made" in result.stdout
    assert f"{token}._domainkey.example.com  CNAME  {token}.dkim.amazonses.com" in result.stdout
    assert "bounce.example.com. " in result.stdout
    assert f"policy grant --identity {ARN}" in result.stdout


def test_typed_again_it_prints_the_same_and_changes_nothing(run, ses):
    words = ("identity", "create", "example.com", "--mail-from", "bounce.example.com")
    run(*words)
    before = held(ses)

    again, zone = run(*words), run(*words, "--zone")

    assert (again.exit_code, again.stdout.splitlines()[0]) == (0, f"{ARN}: there already")
    assert zone.stdout.startswith("; Easy DKIM; ")
    assert ' 300 IN TXT   "v=spf1 include:amazonses.com ~all"\n' in zone.stdout
    assert {**held(ses), "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}


def test_what_differs_is_named_and_changed_only_when_asked(run, ses):
    run("identity", "create", "example.com", "--tag", "team=mail", "--mail-from", "old")
    ses.client().create_configuration_set(ConfigurationSetName="feedback")
    other = ("--tag", "team=ops", "--tag", "cost=1", "--mail-from", "new", "--configuration-set", "feedback")
    words = ("identity", "create", "example.com", *other, "--dkim-length", "1024")

    named, asked, changed = run(*words), run(*words, "--change", input="n\n"), run(*words, "--change", "--yes")

    assert (named.exit_code, asked.exit_code, changed.exit_code) == (1, 1, 0)
    assert named.stderr.splitlines() == [
        "differs: DKIM key: is RSA_2048_BIT, wanted RSA_1024_BIT",
        "differs: MAIL FROM: is old.example.com USE_DEFAULT_VALUE, wanted new.example.com USE_DEFAULT_VALUE",
        "differs: configuration set: is none, wanted feedback",
        "differs: tags: is team=mail, wanted team=ops, cost=1",
        "it was left as it is; --change changes it",
    ]
    assert "new.example.com" in changed.stdout
    told = held(ses)
    assert told["MailFromAttributes"]["MailFromDomain"] == "new.example.com"
    assert told["Tags"] == [{"Key": "team", "Value": "ops"}, {"Key": "cost", "Value": "1"}]
    assert run(*words).exit_code == 0


def test_an_own_key_goes_to_ses_and_nowhere_else(run, ses, tmp_path):
    key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    (tmp_path / "dkim.pem").write_bytes(key)
    words = ("identity", "create", "example.com", "--dkim-key", "dkim.pem", "--dkim-selector", "sel")

    made, zone, told = run(*words), run(*words, "--zone"), json.loads(run(*words, "--json").stdout)

    assert (made.exit_code, zone.exit_code) == (0, 0)
    attributes = held(ses)["DkimAttributes"]
    assert (attributes["SigningAttributesOrigin"], attributes["Tokens"]) == ("EXTERNAL", ["sel"])
    record = told["records"][0]
    assert (record["name"], record["kind"]) == ("sel._domainkey.example.com", "dkim-key")
    assert len([part for part in zone.stdout.splitlines()[1].split('"') if len(part) > 100]) == 2
    secret = "".join(key.decode().splitlines()[1:-1])
    shown = "".join((made.output, zone.output, json.dumps(told))).replace("\n", "")
    assert not any(secret[at : at + 24] in shown for at in range(400, len(secret) - 24, 24))


def test_an_own_key_in_place_of_easy_dkim_is_a_difference(run, ses, tmp_path):
    run("identity", "create", "example.com")
    key = subprocess.run(["openssl", "genrsa", "1024"], capture_output=True, check=True).stdout
    (tmp_path / "dkim.pem").write_bytes(key)
    words = ("identity", "create", "example.com", "--dkim-key", "dkim.pem", "--dkim-selector", "sel")

    assert "differs: DKIM: is Easy DKIM, wanted your own key sel\n" in run(*words).stderr
    assert run(*words, "--change", "--yes").exit_code == 0
    assert held(ses)["DkimAttributes"]["Tokens"] == ["sel"]


def test_an_address_wants_no_records(run, ses):
    result = run("identity", "create", "Ceo@example.com")

    assert result.exit_code == 0
    assert "Publish" not in result.stdout
    assert held(ses, "Ceo@example.com")["IdentityType"] == "EMAIL_ADDRESS"


def test_of_two_who_make_it_one_finds_it_made(run, ses):
    """Made between our look and our call, it is left as it is."""
    ses.holds("example.com")
    ses.fails("GetEmailIdentity", code="NotFoundException", message="not yet", times=1, status=404)

    result = run("identity", "create", "example.com", "--mail-from", "bounce")

    assert (result.exit_code, "MailFromAttributes" in held(ses)) == (1, False)
    assert "differs: MAIL FROM: is none, wanted bounce.example.com USE_DEFAULT_VALUE" in result.stderr


def test_what_ses_says_no_to_is_told(run, ses):
    result = run("identity", "create", "example.com", "--configuration-set", "absent")

    assert result.exit_code == 1
    assert "NotFoundException: Configuration set <absent> does not exist." in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["not a name"], "'not a name' is neither a domain nor an address"),
        (["example.com", "--tag", "team"], "--tag: 'team': write KEY=VALUE"),
        (["example.com", "--mail-from", "bounce.example.net"], "bounce.example.net is not below example.com"),
        (["example.com", "--on-mx-failure", "reject"], "--on-mx-failure goes with --mail-from"),
        (["example.com", "--dkim-key", "k.pem"], "--dkim-key and --dkim-selector go together"),
        (["example.com", "--dkim-key", "absent.pem", "--dkim-selector", "s"], "absent.pem: No such file"),
        (["example.com", "--dkim-key", "none.pem", "--dkim-selector", "s"], "none.pem: no RSA private key in PEM"),
        (["ceo@example.com", "--dkim-length", "2048"], "an address is signed as its domain is"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_asked(run, tmp_path, words, said):
    (tmp_path / "none.pem").write_text("hello")
    result = run("identity", "create", *words)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


# --- list and status --------------------------------------------------------------------------------------------------


def test_the_list_tells_every_identity_by_place(run, ses):
    ses.holds("example.com")
    ses.holds("ceo@example.com")

    text, told = run("identity", "list").stdout, json.loads(run("identity", "list", "--json").stdout)

    assert text.splitlines() == [
        "IDENTITY         KIND     VERIFIED  MAY SEND  ACCOUNT       REGION",
        f"ceo@example.com  address  success   yes       {OWNER}  {REGION}",
        f"example.com      domain   success   yes       {OWNER}  {REGION}",
    ]
    assert [(each["name"], each["may_send"], each["region"]) for each in told] == [
        ("ceo@example.com", True, REGION),
        ("example.com", True, REGION),
    ]


def test_an_empty_list_says_where_it_looked(run, ses):
    result = run("identity", "list", "--region", "eu-west-1")

    assert (result.exit_code, result.stdout) == (0, "")
    assert f"no identities in {OWNER} eu-west-1" in result.stderr


def test_status_tells_what_hangs_on_an_identity(run, ses):
    ses.holds("example.com", billing=policy(), news=policy())
    ses.client("ses").set_identity_mail_from_domain(Identity="example.com", MailFromDomain="bounce.example.com")

    text, told = run("identity", "status", ARN).stdout, json.loads(run("identity", "status", ARN, "--json").stdout)

    assert text.splitlines() == [
        f"example.com  domain in {OWNER} {REGION}",
        "  verified          success",
        "  DKIM              Easy DKIM, success",
        "  MAIL FROM         bounce.example.com, success; without MX amazonses.com is used",
        "  feedback          bounces and complaints are mailed to the sender",
        "  configuration set none",
        "  tags              none",
        "  policies          billing, news",
    ]
    assert (told["is_verified"], told["policies"], told["missing"]) == (True, ["billing", "news"], [])


def test_status_of_what_is_not_there(run, ses):
    result = run("identity", "status", "absent.example")

    assert (result.exit_code, result.stderr) == (1, f"there is no identity absent.example in {OWNER} {REGION}\n")


# --- delete -----------------------------------------------------------------------------------------------------------


def test_what_hangs_on_an_identity_is_shown_kept_and_deleted(run, ses, config: Path, tmp_path):
    ses.holds("example.com", billing=policy())
    named = f'[[delegate]]\nname = "billing"\ndefault_source_arn = "{ARN}"'
    text = config.read_text().replace('[[delegate]]\nname = "billing"', named)
    config.write_text(text.replace("[ses]", f'[ses]\nendpoint_url = "{ses.door.url}"'))

    refused = run("identity", "delete", "example.com", "-c", config, input="n\n")
    assert held(ses)["Policies"].keys() == {"billing"}
    deleted = run("identity", "delete", ARN, "-c", config, "--backup", "kept", input="y\n")

    assert (refused.exit_code, deleted.exit_code) == (1, 0)
    assert "  policies: billing\n  named in the settings of billing\n  billing loses everything: " in refused.stderr
    assert ses.api().identity("example.com") is None
    [kept] = (tmp_path / "kept" / OWNER / REGION / "example.com").iterdir()
    assert (kept.read_text(), kept.name.partition(".")[0]) == (policy(), "billing")
    assert f"deleted {ARN}" in deleted.stdout


def test_without_a_backup_nothing_is_deleted(run, ses, tmp_path):
    ses.holds("example.com", billing=policy(principal=BILLING))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / OWNER).write_text("in the way")

    result = run("identity", "delete", "example.com", "--backup", "kept", "--yes")

    assert (result.exit_code, "nothing was deleted: " in result.stderr) == (1, True)
    assert held(ses)["Policies"].keys() == {"billing"}


# --- notifications ----------------------------------------------------------------------------------------------------


def test_topics_are_set_forwarding_goes_and_comes_back(run, ses):
    ses.holds("example.com")
    command = ("identity", "notifications", "example.com")
    both = ("--bounces", TOPIC, "--complaints", TOPIC)

    first = run(*command)
    off = run(*command, *both, "--forwarding", "off", "--headers", "on", "--yes")
    told = json.loads(run(*command, "--json").stdout)
    silent = run(*command, "--complaints", "none", "--yes")
    on = run(*command, "--none", "--forwarding", "on", "--headers", "off", "--yes")

    assert "  bounces     no topic\n" in first.stdout
    assert "  by topic   the topics above, the owner's" in first.stdout
    assert off.stderr.splitlines() == [
        f"topic for bounces: none -> {TOPIC}",
        f"topic for complaints: none -> {TOPIC}",
        "header fields in notifications of bounces: on",
        "header fields in notifications of complaints: on",
        "header fields in notifications of deliveries: on",
        "forwarding of bounces and complaints by mail: off",
    ]
    assert told == {
        "topics": {"bounce": TOPIC, "complaint": TOPIC, "delivery": None},
        "forwarding": False,
        "headers": ["bounce", "complaint", "delivery"],
    }
    assert silent.exit_code == 1
    assert "without forwarding nobody would hear of complaints: set a topic for them first" in silent.stderr
    assert on.stderr.splitlines()[0] == "forwarding of bounces and complaints by mail: on"
    assert "  forwarding  on" in on.stdout


def test_nothing_changes_without_a_yes(run, ses):
    ses.holds("example.com")

    result = run("identity", "notifications", "example.com", "--bounces", TOPIC, input="n\n")

    assert result.exit_code == 1
    assert "  bounces     no topic\n" in run("identity", "notifications", "example.com").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bounces", "mail-feedback"], "'mail-feedback' is not the ARN of an SNS topic"),
        (
            ["--bounces", TOPIC.replace(REGION, "eu-west-1")],
            "is in eu-west-1; SES publishes to topics in its own region",
        ),
        (["--bounces", TOPIC, "--none"], "--none is for no topics at all"),
    ],
)
def test_topics_that_are_none_are_wrong_usage(run, ses, words, said):
    result = run("identity", "notifications", "example.com", *words)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
