"""Expectations are read strictly, judged by the real judge, and reported where CI looks."""

import builtins
import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from relay.judgement.rules import Rules
from relay.owner.case_files import NO_YAML, CaseFileProblem, load
from relay.owner.cases import KEYS, SOMEBODY, Case, read_cases
from relay.owner.expectations import Bench, Result, bench, check, problem_of
from relay.owner.folder import PolicyFolderProblem, read_policy_folder
from relay.owner.junit import to_junit
from relay.owner.parallel import check_all
from relay.policy.strict_json import Number
from relay.words.addresses import NullPath
from tests.owner.week import DELEGATES, DOMAIN, OWNER, REGION, demo_policies, edit

BILLING = DELEGATES["billing"].principal
NOON = 1_795_262_400.0
GOOD = {"name": "it may", "principal": BILLING, "from": "billing@example.com", "expect": "allow"}


@pytest.fixture
def asked(policies: Path) -> Bench:
    return bench(read_policy_folder(policies, lambda: NOON).catalog, Rules(), DELEGATES, NOON)


def case(**keys: Any) -> Case:
    cases, problems = read_cases([{**GOOD, **keys}], "f")
    assert problems == []
    return cases[0]


def problems_of(*rows: Any) -> list[str]:
    cases, problems = read_cases(list(rows), "f")
    assert cases == []
    return [str(problem) for problem in problems]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_case_of_four_keys_is_whole():
    assert case() == Case("f", "it may", case().author, "allow", principal=BILLING, recipients=(SOMEBODY,))


def test_every_key_is_read():
    read = case(
        return_path="<>",
        recipients=["a@X.example", "b@y.example"],
        identity="example.com",
        time="2027-01-31T12:00:00+02:00",
        display_name="Ann",
        account_grant=True,
        because=["billing/X", "Y"],
        expect="deny",
    )

    assert read.return_path is NullPath.NULL
    assert [str(path) for path in read.recipients] == ["a@x.example", "b@y.example"]
    assert read.time == datetime(2027, 1, 31, 10, tzinfo=UTC).timestamp()
    assert (read.identity, read.display_name, read.account_grant) == ("example.com", "Ann", True)
    assert (read.because, read.expect) == (("billing/X", "Y"), "deny")


@pytest.mark.parametrize(
    "time",
    ["2027-01-31", date(2027, 1, 31), datetime(2027, 1, 31), datetime(2027, 1, 31, tzinfo=UTC)],  # noqa: DTZ001  as YAML and TOML read it
)
def test_a_time_is_utc_unless_it_says_otherwise(time):
    assert case(time=time).time == datetime(2027, 1, 31, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"name": Number("5")},
            "f: case 1 (5): name: text is expected, not '5'; in YAML, quotes make text of anything",
        ),
        ({"name": 5}, "f: case 1: name: text is expected, not 5; in YAML, quotes make text of anything"),
        ({"from": "billing"}, "f: case 1 (it may): from: 'billing' is no address: an address is local@domain"),
        ({"principal": "billing"}, "f: case 1 (it may): principal: 'billing' is nobody: write an ARN of IAM or STS"),
        ({"principal": "11111111111"}, "f: case 1 (it may): principal: '11111111111' is nobody: "),
        (
            {"principal": "arn:aws:iam::11111111111:user/billing"},
            "f: case 1 (it may): principal: 'arn:aws:iam::11111111111:user/billing' is nobody: ",
        ),
        ({"expect": True}, "f: case 1 (it may): expect: allow or deny is expected, not True"),
        ({"expects": "allow"}, "f: case 1 (it may): expects: unknown; did you mean expect?"),
        ({"recipients": []}, "f: case 1 (it may): recipients: an empty list: leave the key out"),
        ({"recipients": ["a"]}, "f: case 1 (it may): recipients: 'a' is no address: an address is local@domain"),
        ({"time": "noon"}, "f: case 1 (it may): time: 'noon' is no time: write 2027-01-31 or 2027-01-31T12:00:00Z"),
        ({"time": 5}, "f: case 1 (it may): time: a time is expected, not 5: write 2027-01-31 or 2027-01-31T12:00:00Z"),
        ({"account_grant": "yes"}, "f: case 1 (it may): account_grant: true or false is expected, not 'yes'"),
        ({"delegate": "billing"}, "f: case 1 (it may): delegate: a case has either a delegate or a principal"),
    ],
)
def test_a_problem_names_case_and_key(change, told):
    (problem,) = problems_of({**GOOD, **change})
    assert problem.startswith(told)


def test_every_problem_is_told_at_once():
    told = problems_of({"name": "one", "from": "x", "colour": 1}, 5)

    assert [line.partition(" is no")[0] for line in told] == [
        f"f: case 1 (one): colour: unknown; there are: {', '.join(KEYS)}",
        "f: case 1 (one): from: 'x'",
        "f: case 1 (one): expect: missing",
        "f: case 1 (one): delegate: a case has either a delegate or a principal",
        "f: case 2: a case is a table of keys",
    ]


@pytest.mark.parametrize("value", [{"case": [GOOD]}, {"cases": [GOOD]}, [GOOD]])
def test_a_list_may_stand_in_a_table(value):
    assert len(read_cases(value, "f")[0]) == 1


@pytest.mark.parametrize("value", [None, "text", 5, {}, {"case": GOOD}, {"x": [GOOD]}, []])
def test_what_is_no_list_of_cases_is_a_problem(value):
    cases, problems = read_cases(value, "f")

    assert cases == []
    assert len(problems) == 1


# --- files ------------------------------------------------------------------------------------------------------------

FILES = {
    "c.json": json.dumps([GOOD]),
    "c.toml": f'[[case]]\nname = "it may"\nprincipal = "{BILLING}"\nfrom = "billing@example.com"\nexpect = "allow"\n',
    "c.yaml": f"- name: it may\n  principal: {BILLING}\n  from: billing@example.com\n  expect: allow\n",
    "c.YML": f"cases:\n- {{name: it may, principal: '{BILLING}', from: billing@example.com, expect: allow}}\n",
}


@pytest.mark.parametrize("name", FILES)
def test_every_language_says_the_same(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name])

    assert read_cases(load(path), "f") == ([case()], [])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.json", '[{"name": 1, "name": 2}]', "the key 'name' stands here more than once"),
        (
            "c.yaml",
            "- a: 1\n- a: &x {b: 1}\n  c: {d: *x, e: 1,\n e: 2}",
            "the key 'e' stands more than once in .* line 3",
        ),
        ("c.json", "[", "c.json: "),
        ("c.toml", "x", "c.toml: "),
        ("c.yaml", "a: [", "line 1, column 5"),
        ("c.txt", "", ".txt ending"),
        ("c", "", "no ending"),
        ("c.json", b"\xff", "not UTF-8 at byte 0"),
        ("c.yaml", "!!python/object:os.system []", "could not determine a constructor"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text, told):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(CaseFileProblem, match=told):
        load(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(CaseFileProblem, match="No such file"):
        load(tmp_path / "c.json")


def test_yaml_needs_its_extra_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "c.yaml"
    path.write_text("[]")
    real = builtins.__import__

    def without_yaml(name: str, *args: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.delitem(sys.modules, "yaml", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_yaml)

    with pytest.raises(CaseFileProblem) as caught:
        load(path)
    assert str(caught.value) == NO_YAML
    assert "ses-relay[yaml]" in NO_YAML


# --- judging ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"principal": BILLING, "from": "invoices+1@example.com", "because": "BillingSendsInvoices"},
        {"because": ["billing/BillingSendsInvoices"]},
        {"from": "other@example.com", "expect": "deny"},
        {"from": "someone@elsewhere.example", "expect": "deny"},
        {"return_path": "bounce@example.com"},
        {"return_path": "bounce@elsewhere.example", "expect": "deny"},
        {"from": "ceo@example.com", "return_path": "billing@example.com", "expect": "deny"},
        {"identity": "example.com"},
        {"identity": DOMAIN},
        {"identity": DOMAIN.replace("888", "999"), "expect": "deny"},
        {"principal": "arn:aws:iam::333333333333:user/intern", "expect": "deny", "because": "intern/NotTheIntern"},
        {"principal": "222222222222", "from": "news@example.com", "recipients": "a@example.net", "expect": "deny"},
        {
            "principal": "222222222222",
            "from": "news@example.com",
            "recipients": "a@example.net",
            "account_grant": True,
        },
        {"return_path": "<>", "expect": "deny"},
    ],
)
def test_the_real_judge_answers(asked, keys):
    result = check(case(**keys), asked)

    assert (result.why, result.explanation) == ("", None)
    assert result.passed


def test_a_delegate_is_who_the_settings_say(asked):
    named = {key: value for key, value in GOOD.items() if key != "principal"}
    (one,), _ = read_cases([{**named, "delegate": "billing"}], "f")
    (newsletter,), _ = read_cases(
        [{**named, "delegate": "newsletter", "from": "news@example.com", "recipients": "a@example.net"}], "f"
    )

    assert check(one, asked).passed
    assert check(newsletter, asked).passed  # its account_grant comes with it


@pytest.mark.parametrize(
    ("keys", "verdict", "told"),
    [
        (
            {"from": "x@example.com"},
            "not-allowed",
            "expected allow, but it is not-allowed: example.com: ses:FromAddress",
        ),
        ({"expect": "deny"}, "allowed", "expected deny, but it is allowed: allowed by billing/BillingSendsInvoices"),
        (
            {"because": "billing/Other"},
            "allowed",
            "allowed as expected, but decided by billing/BillingSendsInvoices, not by billing/Other",
        ),
        (
            {"from": "x@example.com", "expect": "deny", "because": "NotTheIntern"},
            "not-allowed",
            "not-allowed as expected, but decided by no statement, not by NotTheIntern",
        ),
        ({"return_path": "<>"}, "refused", "expected allow, but it is refused: 550 5.7.1"),
    ],
)
def test_a_failure_says_what_and_why(asked, keys, verdict, told):
    result = check(case(**keys), asked)

    assert not result.passed
    assert result.verdict == verdict
    assert result.why.startswith(told)
    assert result.explanation is not None
    assert result.to_json()["explanation"]["verdict"] == ("allowed" if verdict == "allowed" else verdict)


def test_a_policy_that_cannot_be_read_is_neither_allow_nor_deny(policies):
    (policies / OWNER / REGION / "example.com" / "billing.json").write_text("{")
    folder = read_policy_folder(policies, lambda: NOON)
    asked = bench(folder.catalog, Rules(), {}, NOON)

    assert any("billing" in warning for warning in folder.warnings)
    for expect in ("allow", "deny"):
        result = check(case(expect=expect), asked)
        assert (result.verdict, result.passed) == ("undecided", False)


def test_a_case_is_judged_at_its_time(policies):
    edit(policies, "billing", Condition={"DateLessThan": {"aws:CurrentTime": "2027-02-01T00:00:00Z"}})
    asked = bench(read_policy_folder(policies, lambda: NOON).catalog, Rules(), {}, NOON)

    assert check(case(), asked).passed
    assert check(case(time="2027-01-31T23:59:59Z"), asked).passed
    assert check(case(time="2027-02-01", expect="deny"), asked).passed


def test_policies_are_tested_not_the_relay(policies):
    """That identities must be named, or are only observed, or are old, says nothing about policies."""
    rules = Rules(source_arn="required", mode="observe", max_stale=1.0)
    asked = bench(read_policy_folder(policies, lambda: 0.0).catalog, rules, DELEGATES, NOON)

    assert check(case(), asked).passed
    assert check(case(**{"from": "x@example.com"}, expect="deny"), asked).passed


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"delegate": "nobody"}, "f: case (it may): delegate: no delegate is named nobody; there are: billing, intern"),
        (
            {"principal": BILLING, "identity": "other.example"},
            "f: case (it may): identity: other.example: no such identity",
        ),
    ],
)
def test_what_is_not_there_is_a_problem_of_the_case(asked, keys, told):
    row = {key: value for key, value in GOOD.items() if key != "principal"}
    (one,), _ = read_cases([{**row, **keys}], "f")

    assert str(problem_of(one, asked)).startswith(told)


def test_an_identity_in_two_places_must_be_named_by_arn(policies):
    (policies / OWNER / "eu-west-1" / "example.com").mkdir(parents=True)
    asked = bench(read_policy_folder(policies, lambda: NOON).catalog, Rules(), {}, NOON)

    assert "it is in several places" in str(problem_of(case(identity="example.com"), asked))
    assert problem_of(case(identity=DOMAIN), asked) is None


def test_many_cases_on_many_processes_are_the_same_cases(asked):
    """In order, and with the same answers."""
    cases = [case(name=str(n), **{"from": f"invoices{n % 3}@example.com"}) for n in range(1200)]
    cases[77] = case(name="77", expect="deny")

    results = list(check_all(cases, asked, workers=2, worth=1000))

    assert [result.case.name for result in results] == [one.name for one in cases]
    assert [result.case.name for result in results if not result.passed] == ["77"]


# --- folder and report ------------------------------------------------------------------------------------------------


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(PolicyFolderProblem, match="No such file"):
        read_policy_folder(tmp_path / "gone", lambda: 0.0)
    with pytest.raises(PolicyFolderProblem, match="ACCOUNT/REGION/IDENTITY"):
        read_policy_folder(tmp_path, lambda: 0.0)


def test_the_demo_is_read_without_a_word(tmp_path):
    assert read_policy_folder(demo_policies(tmp_path / "p"), lambda: 0.0).warnings == ()


def test_junit_is_well_formed_whatever_a_case_is_called():
    good = Result(case(name='a "quoted" <name> & \x00\x1b[31m\ud800'), "allowed", ())
    bad = Result(case(name="bad"), "denied", (), "expected allow, but it is denied: \x07", {})

    root = ET.fromstring(to_junit([good, bad], ["", "why & how\x00"], 0.25))

    assert root.attrib == {
        "name": "ses-relay policy test",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "time": "0.250",
    }
    (suite,) = root
    first, second = suite
    assert first.attrib["name"] == 'a "quoted" <name> & ??[31m?'
    assert len(first) == 0
    (failure,) = second
    assert (failure.text, failure.attrib["type"]) == ("why & how?", "denied")
    assert failure.attrib["message"] == "expected allow, but it is denied: ?"
