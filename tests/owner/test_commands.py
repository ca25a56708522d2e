"""The owner's commands as they are typed: what they print, how they leave."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from relay.owner.folder import read_policy_folder
from tests.owner.week import DELEGATES, DOMAIN, OWNER, REGION, Week, edit

BILLING = "arn:aws:iam::111111111111:user/billing"
CASES = [
    {"name": "invoices", "principal": BILLING, "from": "invoices@example.com", "expect": "allow"},
    {"name": "not the ceo", "principal": BILLING, "from": "ceo@example.com", "expect": "deny"},
]

MANY = [word for n in range(90) for word in ("--from", f"{n:02}{'x' * 50}@example.com")]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(CASES))
    return path


# --- policy test ------------------------------------------------------------------------------------------------------


def test_cases_that_hold(run, policies, cases):
    result = run("policy", "test", cases, "--policies", policies, "--verbose")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"ok     {cases}: invoices\nok     {cases}: not the ceo\n2 cases: 2 as expected (")


def test_a_case_that_fails_is_explained(run, policies, tmp_path):
    path = tmp_path / "cases.yaml"
    path.write_text(f"- {{name: anybody, principal: '{BILLING}', from: x@example.com, expect: allow}}\n")

    result = run("policy", "test", path, "--policies", policies, "--junit", "out.xml")

    assert result.exit_code == 1
    shown = " ".join(result.stdout.split())
    assert f"FAILED {path}: anybody expected allow, but it is not-allowed: example.com: ses:FromAddress" in shown
    assert "wants ses:FromAddress like billing@example.com or invoices*@example.com;" in shown
    assert "1 case: 0 as expected, 1 not" in result.stdout
    failure = ET.parse(tmp_path / "out.xml").getroot()[0][0][0]
    assert "invoices*@example.com" in str(failure.text)


def test_a_report_that_cannot_be_written(run, policies, cases):
    result = run("policy", "test", cases, "--policies", policies, "--junit", "nowhere/out.xml")

    assert result.exit_code == 2
    assert "Error: --junit: nowhere/out.xml: No such file or directory" in result.stderr


def test_delegates_of_the_settings(run, config, tmp_path):
    path = tmp_path / "cases.json"
    case = {"name": "news", "delegate": "newsletter", "from": "news@example.com", "recipients": "a@example.net"}
    path.write_text(json.dumps([{**case, "expect": "allow", "because": "newsletter/NewsToOurPartners"}]))

    for option in ("-c", "--delegates"):
        assert run("policy", "test", path, option, config).exit_code == 0
    assert "no delegate is named newsletter" in run("policy", "test", path, "--policies", "policies").stderr


def test_results_for_machines(run, policies, cases):
    told = json.loads(run("policy", "test", cases, "--policies", policies, "--json").stdout)

    assert (told["passed"], told["failed"]) == (2, 0)
    assert told["cases"][0] == {
        "file": str(cases),
        "name": "invoices",
        "passed": True,
        "expected": "allow",
        "verdict": "allowed",
        "because": ["billing/BillingSendsInvoices"],
        "why": None,
        "explanation": None,
    }


def test_every_bad_case_of_every_file_is_told(run, policies, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{**CASES[0], "expect": "maybe", "nmae": "x"}]))
    (tmp_path / "b.toml").write_text("[")

    result = run("policy", "test", "a.json", "b.toml", "gone.yaml", "--policies", policies)

    assert result.exit_code == 2
    told = result.stderr.splitlines()
    assert told[0] == "a.json: case 1 (invoices): nmae: unknown; did you mean name?"
    assert told[1] == "a.json: case 1 (invoices): expect: allow or deny is expected, not 'maybe'"
    assert [line.partition(":")[0] for line in told[2:]] == ["b.toml", "gone.yaml"]


@pytest.mark.parametrize("words", [["--policies", "gone"], ["--policies", "cases.json"], []])
def test_without_policies_nothing_is_tested(run, cases, words):
    result = run("policy", "test", cases, *words)

    assert result.exit_code == 2
    assert result.stdout == ""


# --- policy replay ----------------------------------------------------------------------------------------------------


def test_nothing_would_change(run, config, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")

    result = run("policy", "replay", log, "-c", config)

    assert result.exit_code == 0
    assert result.stdout == (
        "285 messages judged again: nothing would change\n"
        "  10 not judged again: refused for the form of the message or of an address\n"
        "  5 not judged again: ended before a policy was asked\n"
    )


def test_what_would_change_is_a_table(run, config, policies, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")
    edit(policies, "intern", Effect="Allow")
    (policies / OWNER / REGION / "example.com" / "newsletter.json").unlink()

    result = run("policy", "replay", log, "--policies", policies, "-c", config)

    assert result.exit_code == 1
    assert result.stdout == (
        "285 messages judged again: 120 would change\n"
        "  105 lose, 15 may gain\n"
        "  10 not judged again: refused for the form of the message or of an address\n"
        "  5 not judged again: ended before a policy was asked\n"
        "\n"
        "LOSES  105 messages of 1 delegate: allowed then, not any more\n"
        "  DELEGATE    ADDRESS           MESSAGES  BEFORE   AFTER               SUCH AS\n"
        "  newsletter  news@example.com  105       allowed  policy-not-allowed  id00140, id00141, id00142, ...\n"
        "      example.com: no policy names this principal; Principal in billing/BillingSendsInvoices is "
        "arn:aws:iam::111111111111:user/billing\n"
        "\n"
        "MAY GAIN  15 messages of 1 delegate: refused then, perhaps allowed now\n"
        "  DELEGATE  ADDRESS             MESSAGES  BEFORE         AFTER  SUCH AS\n"
        "  intern    intern@example.com  15        policy-denied  heard  id00265, id00266, id00267, ...\n"
        "      it would not be refused at MAIL; what the message says is not recorded\n"
    )


async def test_what_only_observing_spared_is_counted(run, policies, tmp_path):
    """The question before enforcing: would anything be lost?"""
    observed = replace(DELEGATES["billing"], mode="observe")
    week = Week(policies, delegates={"billing": observed})
    await week.send("billing", "reminders@example.com", mail_from="billing@example.com", times=3)
    await week.send("billing", "dunning@example.com", mail_from="billing@example.com")
    await week.send("billing", "billing@example.com", times=2)
    log = week.write(tmp_path / "week.log")

    def told() -> str:
        return str(run("policy", "replay", log, "--policies", policies).stdout.splitlines())

    spared = "4 messages went out only because observed; to enforce these policies would refuse"
    assert f"{spared} all of them" in told()
    for author, left in (("reminders", "1 of them"), ("dunning", "none of them")):
        who = ["--identity", DOMAIN, "--principal", BILLING, "--from", f"{author}@example.com"]
        assert run("policy", "grant", *who, "--name", author, "--write", policies).exit_code == 0
        assert f"{spared} {left}" in told()


async def test_a_long_table_is_cut_and_says_so(run, policies, tmp_path):
    week = Week(policies)
    for number in range(5):
        await week.send("billing", f"invoices{number}@example.com", times=2)
    log = week.write(tmp_path / "week.log")
    (policies / OWNER / REGION / "example.com" / "billing.json").unlink()

    result = run("policy", "replay", log, "--policies", policies, "--top", 2)

    assert "invoices1@example.com" in result.stdout
    assert "invoices2@example.com" not in result.stdout
    assert "and 3 more rows with 6 messages" in result.stdout
    assert "note: without -c relay.toml" in result.stdout


def test_addresses_that_differ_in_their_label_share_a_row(run, policies, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")
    (policies / OWNER / REGION / "example.com" / "billing.json").unlink()

    result = run("policy", "replay", log, "--policies", policies)

    assert [line.split()[:3] for line in result.stdout.splitlines() if line.startswith("  billing")][:2] == [
        ["billing", "billing@example.com", "100"],
        ["billing", "invoices+...@example.com", "40"],
    ]


def test_logs_from_a_pipe_for_machines(run, policies, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")

    result = run("policy", "replay", "-", "--policies", policies, "--json", input=gzip.compress(log.read_bytes()))

    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (told["changes"], told["judged"], told["lines"], told["by_account_grant"]) == (False, 285, 301, 105)


def test_without_settings_what_hangs_on_them_is_noted(run, policies, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")

    result = run("policy", "replay", log, "--policies", policies)

    assert result.exit_code == 0
    assert "note: 105 messages stay allowed by a grant to the delegate's whole account" in result.stdout


def test_hashed_addresses_are_refused_with_a_sentence(run, policies, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log", addresses="hash")

    for words in (["replay", log, "--policies", policies], ["suggest", "--delegate", "billing", log]):
        result = run("policy", *words)
        assert result.exit_code == 2
        assert "the addresses in these records are hashed" in result.stderr


@pytest.mark.parametrize(
    ("name", "told"), [("gone.log", "No such file"), ("empty.log", "no decision record in 1 lines")]
)
def test_a_log_that_is_none(run, policies, tmp_path, name, told):
    (tmp_path / "empty.log").write_text("nothing\n")

    result = run("policy", "replay", name, "--policies", policies)

    assert result.exit_code == 2
    assert told in result.stderr


def test_nothing_in_a_log_steers_the_terminal(run, policies, tmp_path):
    record = {
        "event": "message",
        "id": "\x1b[2J",
        "time": "2026-11-16T00:00:00Z",
        "delegate": "\x1b[31mred",
        "principal": BILLING,
        "recipients": [],
        "roles": [
            {"role": role, "address": "x@example.com", "identity": DOMAIN, "verdict": "allowed"}
            for role in ("from", "feedback")
        ],
        "outcome": "accepted",
        "reason": "none",
    }
    (tmp_path / "log").write_text(json.dumps(record))

    result = run("policy", "replay", "log", "--policies", policies, color=False)

    assert result.exit_code == 1
    assert "?[31mred" in result.stdout
    assert "\x1b" not in result.stdout


# --- policy suggest and grant -----------------------------------------------------------------------------------------


def test_a_suggestion_is_a_policy_on_standard_output(run, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")

    result = run("policy", "suggest", "--delegate", "newsletter", log)

    assert result.exit_code == 0
    (statement,) = json.loads(result.stdout)["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"ses:FromAddress": "news@example.com", "ses:FeedbackAddress": "news@example.com"},
        "ForAllValues:StringLike": {"ses:Recipients": "*@example.net"},
        "Null": {"ses:Recipients": "false"},
    }
    assert "leaves open: any display name" in result.stderr


def test_a_suggestion_in_a_folder_lets_the_week_pass(run, config, week: Week, tmp_path):
    """Suggested, written, and replayed: what was sent is still sent."""
    log = week.write(tmp_path / "week.log")
    for delegate in ("billing", "newsletter"):
        assert run("policy", "suggest", "--delegate", delegate, log, "--write", "least").exit_code == 0

    told = json.loads(run("policy", "replay", log, "--policies", "least", "-c", config, "--json").stdout)

    assert told["totals"]["loses"] == told["totals"]["gains"] == told["totals"]["may-gain"] == 0
    assert told["totals"]["statement"] >= 245


def test_a_suggestion_for_machines(run, week: Week, tmp_path):
    log = week.write(tmp_path / "week.log")

    told = json.loads(run("policy", "suggest", "--delegate", "billing", "--group", log, "--json").stdout)

    (policy,) = told["policies"]
    assert (told["messages"], policy["identity"], policy["name"]) == (140, DOMAIN, "billing")
    assert policy["bytes"] <= 4096
    assert "invoices+*@example.com" in json.dumps(policy["policy"])
    assert policy["widened"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--delegate", "nobody"], "no mail of nobody was seen"),
        (["--delegate", "billing", "--identity", "x.example"], "its mail used example.com, not x.example"),
    ],
)
def test_nothing_to_suggest(run, week: Week, tmp_path, words, told):
    result = run("policy", "suggest", *words, week.write(tmp_path / "week.log"))

    assert result.exit_code == 1
    assert told in result.stderr


def test_a_grant_for_a_delegate_of_the_settings(run, config, policies):
    words = ["--identity", "example.com", "--delegate", "intern", "--from", "intern@example.com", "--name", "second"]

    result = run("policy", "grant", *words, "-c", config, "--write", policies)

    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"hand to the delegate: X-SES-SOURCE-ARN: {DOMAIN}" in result.stderr
    written = json.loads((policies / OWNER / REGION / "example.com" / "second.json").read_text())
    assert written["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::333333333333:user/intern"}
    assert read_policy_folder(policies, lambda: 0.0).warnings == ()
    assert "is there already" in run("policy", "grant", *words, "-c", config, "--write", policies).stderr


def test_a_grant_needs_no_settings(run):
    result = run("policy", "grant", "--identity", DOMAIN, "--principal", BILLING, "--from", "example.com")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["Statement"][0]["Resource"] == DOMAIN
    assert f"policy billing of {DOMAIN}" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "a@example.com"], "either --delegate or --principal"),
        (
            ["--principal", BILLING, "--delegate", "billing", "--from", "a@example.com"],
            "either --delegate or --principal",
        ),
        (["--delegate", "nobody", "--from", "a@example.com"], "no delegate is named nobody; there are: billing"),
        (["--delegate", "self", "--from", "a@example.com"], "is not in relay.toml"),
        (["--principal", BILLING, "--from", "a b@example.com"], "--from: 'a b@example.com' is no address"),
        (["--principal", BILLING, "--from", "a@example.com", "--until", "soon"], "--until: 'soon' is no date"),
        (["--principal", BILLING, "--from", "a@example.com", "--sid", "a b"], "--sid: 'a b': letters and digits only"),
        (["--principal", BILLING, "--from", "a@example.com", "--name", "a b"], "--name: 'a b'"),
    ],
)
def test_a_grant_that_cannot_be_made(run, config, words, told):
    result = run("policy", "grant", "--identity", DOMAIN, "-c", config, *words)

    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--principal", BILLING, *MANY], "SES takes 4,096. Say more with one wildcard"),
        (["--principal", "arn:aws:iam::111111111111:user/*", "--from", "a@example.com"], "[principal-wildcard]"),
        (["--principal", "1111", "--from", "a@example.com"], 'error: "1111" names nobody. An account has 12 digits'),
        (["--principal", "*", "--from", "*"], "[everyone-without-condition]"),
    ],
)
def test_a_grant_that_lint_finds_an_error_in_is_not_put_out(run, words, told, tmp_path):
    for place in ([], ["--write", "out"]):
        result = run("policy", "grant", "--identity", DOMAIN, "--name", "x", *words, *place)

        assert (result.exit_code, result.stdout) == (1, "")
        assert told in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "a@other.example"], "The identity example.com does not cover"),
        (["--from", "a@example.com", "--until", "2020-01-31"], "[date-past]"),
        (["--from", "*@EXAMPLE.com"], "[upper-case-domain]"),
    ],
)
def test_what_lint_takes_for_a_mistake_in_a_grant_is_told(run, words, told):
    """It is put out all the same: who types may know better."""
    result = run("policy", "grant", "--identity", DOMAIN, "--principal", BILLING, *words)

    assert result.exit_code == 0
    assert "warning: " in result.stderr
    assert told in result.stderr
    assert json.loads(result.stdout)["Statement"][0]["Sid"] == "Grant"


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ("arn:aws:s3:::bucket", "not the ARN of an SES identity"),
        ("no identity", "neither an ARN, nor a domain, nor an address"),
        ("other.example", "whose other.example is meant is not clear"),
    ],
)
def test_an_identity_that_is_not_certain(run, config, identity, told):
    result = run(
        "policy", "grant", "--identity", identity, "--principal", BILLING, "--from", "a@x.example", "-c", config
    )

    assert result.exit_code == 2
    assert told in result.stderr


def test_an_identity_in_two_places_is_asked_for(run, config, policies):
    (policies / OWNER / "eu-west-1" / "example.com").mkdir(parents=True)

    result = run(
        "policy", "grant", "--identity", "example.com", "--delegate", "billing", "--from", "example.com", "-c", config
    )

    assert result.exit_code == 2
    assert "is in several places" in result.stderr


# --- delegate request -------------------------------------------------------------------------------------------------


def test_a_request_tells_the_owner_all(run, config):
    result = run("delegate", "request", "billing", "-c", config)

    assert result.exit_code == 0
    for told in (
        BILLING,
        "111111111111",
        "ses:SendRawEmail",
        "X-SES-SOURCE-ARN",
        "X-SES-RETURN-PATH-ARN",
        "YOUR-DOMAIN",
    ):
        assert told in result.stdout


def test_a_request_for_an_identity_is_ready_to_put(run, config):
    words = ["--identity", "example.com", "--from", "billing@example.com", "--json"]

    told = json.loads(run("delegate", "request", "billing", "-c", config, *words).stdout)

    (statement,) = told["policy"]["Statement"]
    assert (statement["Sid"], statement["Resource"]) == ("Billing", DOMAIN)
    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": "billing@example.com"}}
    assert (told["principal"], told["account"], told["identity"]) == (BILLING, "111111111111", DOMAIN)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody"], "no delegate is named nobody"),
        (["self"], "is the relay itself"),
        (["billing", "--from", "a b"], "--from"),
    ],
)
def test_a_request_that_cannot_be_made(run, config, words, told):
    result = run("delegate", "request", "-c", config, *words)

    assert result.exit_code == 2
    assert told in result.stderr


# --- real processes ---------------------------------------------------------------------------------------------------


@pytest.mark.system
def test_every_command_as_a_process(week: Week, policies, config, cases, tmp_path):
    """Plain text in a pipe, policies on standard output alone, and the exit code of the answer."""
    log = str(week.write(tmp_path / "week.log"))

    def typed(*words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "relay", *words]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("SES_RELAY__")}
        return subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=tmp_path, env=environ)

    test = typed("policy", "test", str(cases), "--policies", "policies")
    replay = typed("policy", "replay", "-", "--policies", "policies", stdin=Path(log).read_bytes())
    suggest = typed("policy", "suggest", "--delegate", "billing", log)
    grant = typed("policy", "grant", "--identity", DOMAIN, "--principal", BILLING, "--from", "example.com")
    request = typed("delegate", "request", "billing", "-c", str(config))

    assert [each.returncode for each in (test, replay, suggest, grant, request)] == [0, 0, 0, 0, 0]
    assert b"2 cases: 2 as expected" in test.stdout
    assert b"nothing would change" in replay.stdout
    assert json.loads(suggest.stdout)["Version"] == json.loads(grant.stdout)["Version"] == "2012-10-17"
    assert all(b"\x1b" not in each.stdout + each.stderr for each in (test, replay, suggest, grant, request))
