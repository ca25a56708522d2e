"""What lint finds, and what it must not find, as data: tests/cases/lint.jsonl."""

import json
from pathlib import Path

import pytest

from relay.policy.lint import RULES, Severity, lint_identity
from relay.words.arns import parse_identity_arn
from tests.policy.asking import load
from tests.policy.lint.asking import CASES, GOOD, NOW, lint, texts_of

DEMO = Path(__file__).parents[3] / "config" / "demo" / "policies"


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_findings_are_these_and_no_others(case):
    """
    Severity, code, JSON path and line of every finding, in the order of the text.
    """
    identity = parse_identity_arn(case["identity"]) if "identity" in case else None
    found = lint_identity(texts_of(case), identity, NOW)

    names = [[finding.policy] if "policies" in case else [] for finding in found]
    told = [[str(finding.severity), finding.code, finding.path, finding.line] for finding in found]
    assert case["findings"] == [name + rest for name, rest in zip(names, told, strict=True)]


@pytest.mark.parametrize("case", GOOD, ids=[case["name"] for case in GOOD])
def test_nothing_is_wrong_with_a_good_policy(case):
    """
    The worst fault of a linter: neither error nor warning, only what is worth knowing.
    """
    assert {finding[-4] for finding in case["findings"]} <= {Severity.NOTE}


@pytest.mark.parametrize("path", sorted(DEMO.rglob("*.json")), ids=lambda path: path.stem)
def test_nothing_is_wrong_with_the_demo(path):
    found = lint(path.read_text("utf-8"))

    assert {finding.severity for finding in found} <= {Severity.NOTE}


#: What is wrong with worked examples: each is there to show just that.
FAULTS = {
    1: {"regex-habit"},
    11: {"date-past"},
    14: {"no-raw-sending"},
    15: {"like-without-wildcard"},
    17: {"forallvalues-without-null"},
    36: {"private-source-ip"},
    39: {"variable-before-2012"},
}


def test_nothing_but_what_they_show_is_wrong_with_the_examples_of_the_guide():
    """
    Sending authorization policy examples. Where they are about whoever asks, they are taken to be about one user.
    """
    seen = set()
    for case in load("policy-ses-examples.jsonl"):
        policies = case.get("policies") or {"p": case["policy"]}
        if json.dumps(policies) in seen:
            continue
        seen.add(json.dumps(policies))
        for policy in policies.values():
            for statement in policy["Statement"]:
                who = "arn:aws:iam::123456789012:user/u"
                if statement["Effect"] == "Allow" and "aws:PrincipalOrgID" not in json.dumps(statement):
                    statement["Principal"] = {"AWS": who} if statement["Principal"] == "*" else statement["Principal"]
        found = [f.code for f in lint(*map(json.dumps, policies.values())) if f.severity is not Severity.NOTE]
        assert set(found) == FAULTS.get(case["id"], set()), case["name"]


#: What is foreign to SES in the policies of other services that IAM's guide shows.
FOREIGN = {
    "unknown-action",
    "resource-not-identity",
    "several-resources",
    "unknown-key",
    "key-never-sent",
    "everyone-without-condition",
    "undocumented-element",
    "all-actions",
}
#: What its examples show, by the beginning of their names.
SHOWN = {
    "condition#key-case": "key-case",
    "variables#notresource-novalue": "notresource",
    "variables#version-": "variable-before-2012",
    "principal#p7": "principal-wildcard",
    "principal#p10": "service-without-source",
    "principal#p11": "service-without-source",
    "notprincipal#np7": "notprincipal-incomplete",
    "logic#e2": "shadowed-by-deny",
    "logic#e3": "shadowed-by-deny",
}


def test_only_what_is_foreign_to_ses_is_wrong_with_the_examples_of_iam():
    """
    The worked examples of the IAM User Guide: their S3 and SQS is no mail; all else of them is good.
    """
    worked = [case for case in load("policy-docs.jsonl") if case["kind"] == "policy"]
    wrong = set()
    for case in worked:
        for policy in (case.get("policies") or {"p": case["policy"]}).values():
            found = {finding.code for finding in lint(json.dumps(policy)) if finding.severity is not Severity.NOTE}
            wrong |= {(case["id"], code) for code in found - FOREIGN}

    assert len(worked) > 30
    assert {one for one in wrong if not any(name in one[0] and code == one[1] for name, code in SHOWN.items())} == set()


def test_every_rule_has_a_case():
    """
    Rules about files have theirs in lint-files.jsonl.
    """
    rows = [
        finding for name in ("lint.jsonl", "lint-files.jsonl") for case in load(name) for finding in case["findings"]
    ]

    assert {row[-3] for row in rows} == set(RULES)
    assert all(row[-4] == RULES[row[-3]].severity for row in rows)
