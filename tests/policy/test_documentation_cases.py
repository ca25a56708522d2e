"""
What the IAM documentation promises, operator by operator and element by element, and the resource policies of other
services that its guides print: each through ``explain --batch``.
"""

import json

import pytest

from relay.policy.batch import answer
from tests.policy.asking import load

CASES = load("policy-documentation.jsonl")


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_documentation_holds(case):
    """
    The decision is AWS's, and a grant through the account is named as such.
    """
    told = answer(json.dumps(case))

    assert told["decision"] == case["expected"], told
    assert told["grant"] == case.get("grant", told["grant"])


def test_a_resource_may_be_missing_where_the_service_wants_none():
    """
    A role's trust policy is about its role ("JSON policy document structure"); SES wants a Resource.
    """
    one = {"Effect": "Allow", "Principal": "*", "Action": "*"}
    asked = {"policies": {"a": {"Statement": one}, "b": json.dumps({"Statement": one})}, "principal": "anonymous"}
    trusted = answer(json.dumps({**asked, "action": "sts:AssumeRole", "resource": "arn:aws:iam::123456789012:role/R"}))
    ses = answer(json.dumps({**asked, "action": "ses:SendEmail", "resource": "arn:aws:ses:us-east-1:1:identity/a.b"}))

    assert trusted["decision"] == "Allow"
    assert ses["decision"] == "Undecided"
