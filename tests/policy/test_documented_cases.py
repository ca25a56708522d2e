"""The worked examples and match tables of the IAM and SES guides, each through ``explain --batch``."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from relay.policy.batch import answer
from tests.policy.asking import ALICE, IDENTITY, load, statement

CASES = load("policy-docs.jsonl")
SES_EXAMPLES = load("policy-ses-examples.jsonl")


def as_question(case: dict[str, Any]) -> dict[str, Any]:
    """The line of ``explain --batch`` that *case* stands for."""
    if case["kind"] == "policy":
        return case
    version = case.get("version", "2012-10-17")
    values = case["context_values"]
    context = dict(case.get("context", {}))
    if values is not None:
        context[case["key"]] = values if case.get("context_is_list") or len(values) != 1 else values[0]
    condition = {case["operator"]: {case["key"]: case["policy_values"]}}
    return {
        "policy": {**({"Version": version} if version else {}), "Statement": [statement(Condition=condition)]},
        "principal": ALICE,
        "action": "ses:SendRawEmail",
        "resource": IDENTITY,
        "context": context,
    }


def expected(case: dict[str, Any]) -> set[str]:
    """The decisions that are right."""
    if case["kind"] == "operator":
        return {"Allow" if case["expected"] else "ImplicitDeny"}
    return {case["expected"], *(["Undecided"] if case.get("lenient") else [])}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_guides_hold(case):
    """
    What the guides say of a policy is what we answer, a grant through the account named as such.
    """
    told = answer(json.dumps(as_question(case)))

    assert told["decision"] in expected(case), told
    if told["decision"] == "Allow" and "grant" in case:
        assert case["grant"] == told["grant"]


@pytest.mark.parametrize("case", SES_EXAMPLES, ids=[case["name"] for case in SES_EXAMPLES])
def test_the_examples_of_the_ses_guide_hold(case):
    """
    The examples of "Sending authorization policy examples", and what follows from them.
    """
    told = answer(json.dumps(case))

    assert (case["decision"], case.get("grant")) == (told["decision"], told["grant"] if "grant" in case else None)


def test_the_documentation_names_tests_that_exist():
    """
    Each row of docs/policies.md leads to the test that holds us to it.
    """
    here = Path(__file__).parent
    tests = "".join(path.read_text("utf-8") for path in here.parent.rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (here.parent.parent / "docs" / "policies.md").read_text("utf-8"))

    assert len(named) > 40
    assert [name for name in named if f"def {name}(" not in tests] == []
