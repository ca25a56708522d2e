"""Every sentence about policies that cannot be read, and what is kept of them."""

import hashlib
import json

import pytest

from relay.policy.document import LONGEST_TEXT, Policy, UnreadablePolicy, parse_document, parse_policy
from relay.policy.variables import read_template
from tests.policy.problems import documents, told, written


@pytest.mark.parametrize("name", documents())
def test_a_problem_is_told_as_written(name):
    """
    With its path and its reason, all of them: in tests/cases/policy-problems.txt.
    """
    assert told(documents()[name]) == written()[name]


def test_every_policy_is_written_of():
    """
    And none that is not there.
    """
    assert list(written()) == list(documents())


GOOD = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}


@pytest.mark.parametrize("text", [json.dumps(GOOD), json.dumps({"Statement": []}), "{", '"\ud800"'])
def test_a_policy_keeps_its_name_and_its_digest(text):
    """
    Read or not: of its very text.
    """
    made = parse_policy("mine", text)

    assert made.name == "mine"
    assert made.digest == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    if isinstance(made, UnreadablePolicy):
        assert {problem.policy for problem in made.problems} == {"mine"}
    else:
        assert {statement.ref.policy for statement in made.statements} == {"mine"}


@pytest.mark.parametrize("value", [GOOD, {"Statement": []}])
def test_what_was_never_text_has_no_digest(value):
    """
    Unless it is told which.
    """
    assert (parse_document("mine", value).name, parse_document("mine", value).digest) == ("mine", "")
    assert parse_document("mine", value, digest="d").digest == "d"


def test_a_policy_may_be_so_long_and_no_longer():
    """
    In characters; and is then not even looked at.
    """
    text = json.dumps(GOOD)
    longest = text + " " * (LONGEST_TEXT - len(text))

    assert isinstance(parse_policy("p", longest), Policy)
    made = parse_policy("p", longest + " ")
    assert isinstance(made, UnreadablePolicy)
    assert (made.name, made.digest) == ("p", hashlib.sha256(f"{longest} ".encode()).hexdigest())
    assert [(p.path, p.why) for p in made.problems] == [("$", "longer than 1048576 characters")]


def test_a_statement_without_resource_is_a_problem():
    """
    Of a resource's policy, read as text or as a value.
    """
    value = {"Statement": [{k: v for k, v in GOOD["Statement"].items() if k != "Resource"}]}

    for made in (parse_policy("p", json.dumps(value)), parse_document("p", value)):
        assert isinstance(made, UnreadablePolicy)
        assert [(p.path, p.why) for p in made.problems] == [("$.Statement[0]", "no Resource")]


def test_what_is_literal_stays_in_one_piece():
    """
    Escapes are no variables, and a text without variables is one part.
    """
    assert read_template("a${*}b${$}{x}", live=True, wildcards=False) == ("a*b${x}",)
    assert read_template("", live=True, wildcards=True) == ("",)
    assert read_template("${a}", live=False, wildcards=False) == ("${a}",)
    assert len(read_template("a${*}${b}${?}c", live=True, wildcards=False)) == 3


def test_a_doubt_names_its_policy():
    """
    As a problem does.
    """
    value = {"Statement": {**GOOD["Statement"], "Condition": {"Bool": {"a": "no"}, "ArnLike": {"b": "*"}}}}
    made = parse_document("mine", value)

    assert isinstance(made, Policy)
    assert [(doubt.policy, doubt.why) for doubt in made.doubts] == [
        ("mine", "'no' is neither true nor false"),
        ("mine", "'*' has not the six fields of an ARN"),
    ]
