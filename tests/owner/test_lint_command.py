"""``ses-relay policy lint`` as it is typed: what it reads, prints, and how it leaves."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from relay.policy.lint import RULES
from tests.policy.asking import CASES, IDENTITY, load
from tests.policy.lint.asking import statement, text_of

FILE_CASES = load("lint-files.jsonl")
SARIF = Draft202012Validator(json.loads((CASES / "sarif.schema.json").read_text("utf-8")))
GOOD = text_of(statement())
WARNED = text_of(statement(Action="ses:SendEmail"))
NOTED = text_of(statement(Principal={"AWS": "111111111111"}))
WRONG = text_of(statement(Principal={"AWS": ["arn:aws:iam::111111111111:user/*"]}))


def lay_out(root: Path, files: Mapping[str, Any]) -> None:
    """Make the files of a case."""
    for name, held in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match held:
            case str():
                path.write_text(held, "utf-8")
            case {"hex": octets}:
                path.write_bytes(bytes.fromhex(octets))
            case {"blanks": number}:
                path.write_bytes(b" " * number)
            case {"pipe": True}:
                os.mkfifo(path)


@pytest.mark.parametrize("case", FILE_CASES, ids=[case["name"] for case in FILE_CASES])
def test_files_folders_and_standard_input(run, tmp_path, case):
    """
    What is read as which identity's policy, what is judged together, what is passed over.
    """
    lay_out(tmp_path, case["files"])

    result = run("policy", "lint", "--json", *case["arguments"], input=case.get("stdin"))

    told = json.loads(result.stdout)
    found = [[f["file"], f["severity"], f["code"], f["path"], f["line"]] for f in told["findings"]]
    assert (found, result.exit_code) == (case["findings"], case["exit"])


# --- how it leaves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "leaves", "strictly"), [(GOOD, 0, 0), (NOTED, 0, 0), (WARNED, 0, 1), (WRONG, 1, 1), ("{", 1, 1)]
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--sarif"]])
def test_errors_are_a_no_and_warnings_if_they_shall_be(run, text, leaves, strictly, form):
    assert run("policy", "lint", "-", *form, input=text).exit_code == leaves
    assert run("policy", "lint", "-", *form, "--strict", input=text).exit_code == strictly


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "Missing argument 'FILE...'"),
        (["missing.json"], "'missing.json' does not exist"),
        (["-", "--json", "--sarif"], "--json and --sarif exclude each other"),
        (["-", "--identity", "example.com"], "an ARN is arn:partition:service"),
        (["empty"], "no policies in empty"),
    ],
)
def test_wrong_usage(run, tmp_path, words, told):
    (tmp_path / "empty").mkdir()

    result = run("policy", "lint", *words, input="")

    assert (result.exit_code, result.stdout) == (2, "")
    assert told in " ".join(result.stderr.split())


def test_a_file_that_may_not_be_read(run, tmp_path, monkeypatch):
    """It might hold a Deny: that is no good end."""
    path = tmp_path / "a.json"
    path.write_text(GOOD)
    monkeypatch.setattr(Path, "open", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))

    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(Path, "iterdir", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))

    result = run("policy", "lint", "a.json", "folder")

    assert result.exit_code == 1
    for name in ("a.json", "folder"):
        assert f"{name}:1:1: error: It cannot be read: Permission denied. [unreadable-file]" in result.stdout


# --- for people -------------------------------------------------------------------------------------------------------


def test_a_finding_is_told_as_a_compiler_tells_it(run, tmp_path):
    (tmp_path / "a.json").write_text(WRONG)

    result = run("policy", "lint", "a.json")

    assert result.stdout == (
        "a.json:8:11: error: No wildcard works inside a principal:"
        ' "arn:aws:iam::111111111111:user/*" names nobody. [principal-wildcard]\n'
        '    8 |           "arn:aws:iam::111111111111:user/*"\n'
        "      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "    at: $.Statement[0].Principal.AWS[0]\n"
        "    fix: Name each user or role; or name the account and narrow it by a condition with ArnLike on"
        " aws:PrincipalArn.\n"
        "\n"
        "1 policy: 1 error\n"
    )


def test_all_is_counted(run, tmp_path):
    for name, text in {"a": GOOD, "b": WARNED, "c": NOTED, "d": WRONG}.items():
        (tmp_path / f"{name}").mkdir()
        (tmp_path / name / "p.json").write_text(text)

    assert run("policy", "lint", ".").stdout.endswith("\n4 policies: 1 error, 1 warning, 1 note\n")
    assert run("policy", "lint", "a").stdout == "1 policy: clean\n"


def test_a_long_line_is_cut_around_its_mark(run):
    """Policies for machines are one line; the mark stands where the fault is, tabs or not."""
    text = "\t" + json.dumps(json.loads(WRONG)) + " " * 200

    lines = run("policy", "lint", "-", input=text).stdout.splitlines()

    assert max(map(len, lines[1:3])) < 120
    mark, shown = lines[2], lines[1]
    assert shown[mark.index("^") : mark.rindex("^") + 1] == '"arn:aws:iam::111111111111:user/*"'
    assert shown.endswith("...")


def test_a_policy_steers_no_terminal(run):
    """Neither by what it says, nor by the line that is shown of it."""
    text = text_of(statement() | {"\x1b]0;a\x07": "\u202e", "Principal": {"\x1b[2J": "\u0085"}})

    for shown in (run("policy", "lint", "-", input=text).stdout, run("policy", "lint", "-", input="\x1b[2J").stdout):
        assert all(character.isprintable() or character == "\n" for character in shown)


def test_colours_are_for_terminals(run):
    assert "\x1b" not in run("policy", "lint", "-", input=WRONG).stdout
    assert "\x1b[31m\x1b[1merror" in run("policy", "lint", "-", input=WRONG, color=True).stdout


# --- for machines -----------------------------------------------------------------------------------------------------


def test_json(run):
    told = json.loads(run("policy", "lint", "-", "--json", input=WARNED).stdout)

    assert told == {
        "ok": True,
        "policies": 1,
        "errors": 0,
        "warnings": 1,
        "notes": 0,
        "findings": [
            {
                "file": "<stdin>",
                "line": 9,
                "column": 17,
                "end_line": 9,
                "end_column": 32,
                "severity": "warning",
                "code": "no-raw-sending",
                "policy": "stdin",
                "identity": IDENTITY,
                "path": "$.Statement[0].Action",
                "message": "Mail by SMTP is sent with ses:SendRawEmail; only ses:SendEmail is allowed here.",
                "fix": "Add ses:SendRawEmail.",
            }
        ],
    }
    assert json.loads(run("policy", "lint", "-", "--json", "--strict", input=WARNED).stdout)["ok"] is False


@pytest.mark.parametrize("case", FILE_CASES, ids=[case["name"] for case in FILE_CASES])
def test_sarif_is_sarif(run, tmp_path, case):
    """
    By the essentials of its schema, for every kind of file; results are those of --json, at the same places.
    """
    lay_out(tmp_path, case["files"])

    log = json.loads(run("policy", "lint", "--sarif", *case["arguments"], input=case.get("stdin")).stdout)

    assert [error.message for error in SARIF.iter_errors(log)] == []
    (told,) = log["runs"]
    rules = told["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    found = []
    for result in told["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (place,) = result["locations"]
        path, region = place["logicalLocations"][0]["fullyQualifiedName"], place["physicalLocation"]["region"]
        found.append([result["level"], result["ruleId"], path, region["startLine"]])
    assert found == [finding[1:] for finding in case["findings"]]


def test_a_result_keeps_its_fingerprint_when_its_line_moves(run, tmp_path):
    """Code hosts know an alert again by it; another fault has another."""
    prints = []
    for text in (WRONG, "\n\n\n" + WRONG, WRONG.replace("111111111111", "222222222222")):
        (tmp_path / "a b.json").write_text(text)
        log = json.loads(run("policy", "lint", "--sarif", tmp_path / "a b.json").stdout)
        wild = next(result for result in log["runs"][0]["results"] if result["ruleId"] == "principal-wildcard")
        prints.append(wild["partialFingerprints"]["finding/v1"])
        assert wild["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("/a%20b.json")

    assert prints[0] == prints[1] != prints[2]


def test_sarif_tells_a_name_that_is_no_text_by_its_octets(run, tmp_path):
    (tmp_path / "b\udcff.json").write_text(WRONG)

    told = json.loads(run("policy", "lint", "--sarif", "b\udcff.json").stdout)

    place = told["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == "b%FF.json"
