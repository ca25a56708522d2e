"""Where engines disagree over conditions: each decided on purpose, as docs/policies.md says."""

import pytest

from relay.policy.answers import Decision, Truth
from relay.policy.document import UnreadablePolicy
from tests.policy.asking import FAILS_CLOSED, NO, YES, ask, condition, decision, policy, request, statement


@pytest.mark.parametrize(
    ("operator", "found", "holds"),
    [
        ("ForAllValues:StringNotLike", None, YES),
        ("ForAnyValue:StringNotLike", None, NO),
        ("ForAllValues:StringNotLike", ["key2:a", "key3:b"], YES),
        ("ForAllValues:StringNotLike", ["key1:a", "key2:b"], NO),
        ("ForAnyValue:StringNotLike", ["key1:a", "key2:b"], YES),
        ("ForAnyValue:StringNotLike", ["key1:a", "key1:b"], NO),
    ],
)
def test_negated_set_operators_ask_value_by_value(operator, found, holds):
    """
    Trap 1: every, or some, value of the request is like none of the policy's.
    """
    assert holds == condition(operator, ["key1*"], found)


@pytest.mark.parametrize("operator", ["StringEquals", "StringNotEquals", "NumericLessThan", "Bool"])
def test_for_any_value_ignores_if_exists(operator):
    """
    Trap 2: without the key no value is as wanted, IfExists or not; of ForAllValues all are.
    """
    assert condition(f"ForAnyValue:{operator}IfExists", ["1" if operator != "Bool" else "true"], None) == NO
    assert condition(f"ForAllValues:{operator}IfExists", ["1" if operator != "Bool" else "true"], None) == YES


def test_a_variable_without_value_equals_nothing():
    """
    Trap 3: positive operators fail, negated ones hold; the other values of the list count as ever.
    """
    for positive, negated in (("StringEquals", "StringNotEquals"), ("StringLike", "StringNotLike")):
        assert condition(positive, "${aws:none}", "x") == NO
        assert condition(negated, "${aws:none}", "x") == YES
        assert condition(positive, ["${aws:none}", "x"], "x") == YES
        assert condition(negated, ["${aws:none}", "x"], "x") == NO
    assert condition("ArnLike", "arn:aws:sns:::${aws:none}", "arn:aws:sns:::x") == NO
    assert condition("ArnNotLike", "arn:aws:sns:::${aws:none}", "arn:aws:sns:::x") == YES
    assert condition("StringEqualsIgnoreCase", "${aws:none}", "x") == NO


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_variables_are_text_before_2012(version):
    """
    Trap 5: the gate also governs ``${*}``, and turns negated operators around.
    """
    assert condition("StringEquals", "${aws:username}", "bob", version, aws_username="bob") == NO
    assert condition("StringNotEquals", "${aws:username}", "bob", version, aws_username="bob") == YES
    assert condition("StringEquals", "a${*}", "a${*}", version) == YES
    assert condition("StringLike", "a${*}", "a${anything}", version) == YES
    assert condition("StringEquals", "${}", "${}", version) == YES


@pytest.mark.parametrize("character", "*?$")
def test_escaped_characters_are_themselves(character):
    """
    Trap 6: ``${*}``, ``${?}`` and ``${$}`` in every operator that takes variables.
    """
    for operator in ("StringEquals", "StringLike", "StringEqualsIgnoreCase"):
        assert condition(operator, f"a${{{character}}}b", f"a{character}b") == YES
        assert condition(operator, f"a${{{character}}}b", "axb") == NO
    assert condition("ArnLike", f"arn:aws:s3:::${{{character}}}", f"arn:aws:s3:::{character}") == YES
    assert condition("ArnLike", f"arn:aws:s3:::${{{character}}}", "arn:aws:s3:::x") == NO


def test_substituted_values_are_literal():
    """
    Trap 6: a tag that holds a star, or a variable, brings neither with it.
    """
    assert condition("StringLike", "${aws:tag}", "anything", aws_tag="*") == NO
    assert condition("StringLike", "${aws:tag}", "*", aws_tag="*") == YES
    assert condition("StringLike", "${aws:tag}", "x", aws_tag="?") == NO
    assert condition("StringEquals", "${aws:tag}", "bob", aws_tag="${aws:username}", aws_username="bob") == NO
    assert condition("StringLike", "${aws:tag}*", "a*b", aws_tag="a*") == YES
    assert condition("StringLike", "${aws:tag}*", "axb", aws_tag="a*") == NO


def test_a_surrogate_in_a_value_is_no_wildcard():
    """
    What spells our wildcards cannot be brought in by a request: an Allow stays shut.
    """
    assert condition("StringEquals", "${aws:tag}", "anything", aws_tag="\ud800") == FAILS_CLOSED
    assert condition("StringLike", "${aws:tag}", "x", aws_tag="\ud801") == FAILS_CLOSED


def test_a_default_stands_in_for_an_absent_key_only():
    """
    Trap 6: an *empty* value and the default is nowhere described; neither is a default with wildcards.
    """
    assert condition("StringEquals", "${aws:t, 'none'}", "none") == YES
    assert condition("StringEquals", "${aws:t,'none'}", "none") == YES
    assert condition("StringEquals", "${aws:t, 'none'}", "none", aws_t="red") == NO
    assert condition("StringEquals", "${aws:t, 'none'}", "red", aws_t="red") == YES
    assert condition("StringEquals", "a${aws:t, ''}b", "ab") == YES
    assert condition("StringEquals", "${aws:t, 'none'}", "none", aws_t="") == FAILS_CLOSED
    assert condition("StringEquals", "${aws:t, 'none'}", "", aws_t="") == FAILS_CLOSED
    assert condition("StringLike", "${aws:t, '*'}", "anything") == FAILS_CLOSED
    assert condition("StringEquals", "${aws:t, '*'}", "*") == YES


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("NumericEquals", "${aws:n}", "1"),
        ("DateEquals", "${aws:n}", "2020-01-01T00:00:00Z"),
        ("Bool", "${aws:n}", "true"),
        ("BinaryEquals", "${aws:n}", "YQ=="),
        ("IpAddress", "${aws:n}", "203.0.113.7"),
        ("Null", "${aws:n}", "x"),
    ],
)
def test_variables_belong_to_text_and_arns(operator, value, found):
    """
    Trap 7: elsewhere a variable is a value that cannot be read. An Allow never applies; a Deny is unreadable, not
    skipped.
    """
    entry = {operator: {"aws:k": value}}
    asked = request({"aws:k": found, "aws:n": found})

    assert Decision.IMPLICIT_DENY is decision(asked, statement(Condition=entry))
    assert Decision.UNDECIDED is decision(asked, statement(), statement("Deny", Condition=entry))


def test_a_key_with_several_values_is_no_variable():
    """
    Trap 7: nobody says what becomes of it; what no value could match does not match.
    """
    asked = request({"aws:k": "a@example.com", "aws:tags": ["a", "b"]})
    for value, applies in (("${aws:tags}@example.com", Truth.UNKNOWN), ("${aws:tags}@example.net", Truth.NO)):
        told = ask(asked, statement(Condition={"StringEquals": {"aws:k": value}}))
        assert Decision.IMPLICIT_DENY is told.decision
        assert applies is told.traces[0].applies


def test_an_empty_string_may_be_the_null_data_set():
    """
    Trap 8: where it matters, an Allow is not helped and a Deny fires; an empty *list* is as an absent key.
    """
    assert condition("ForAllValues:StringEquals", [""], [""]) == YES
    assert condition("ForAllValues:StringEquals", ["x"], [""]) == FAILS_CLOSED
    assert condition("ForAnyValue:StringLike", ["*"], [""]) == FAILS_CLOSED
    assert condition("ForAnyValue:StringEquals", ["x"], [""]) == NO
    assert condition("Null", "true", "") == FAILS_CLOSED
    assert condition("Null", "false", "") == FAILS_CLOSED
    assert condition("StringEquals", "", "") == YES
    for operator, holds in (("Null", YES), ("ForAllValues:Bool", YES), ("ForAnyValue:Bool", NO), ("Bool", NO)):
        assert holds == condition(operator, "true", [])
        assert holds == condition(operator, "true", None)


@pytest.mark.parametrize(
    ("operator", "reading", "holds"),
    [
        ("StringLike", "any", YES),
        ("StringLike", "all", NO),
        ("StringLike", "either", FAILS_CLOSED),
        ("StringNotLike", "any", YES),
        ("StringNotLike", "all", NO),
        ("StringNotLike", "either", FAILS_CLOSED),
    ],
)
def test_a_bare_operator_on_several_values(operator, reading, holds):
    """
    Trap 21: read as any, as all, or as far as both readings agree.
    """
    asked = request({"ses:Recipients": ["a@example.com", "b@elsewhere.net"]}, bare_on_many=reading)
    entry = {operator: {"ses:Recipients": "*@example.com"}}

    allows = decision(asked, statement(Condition=entry)) is Decision.ALLOW
    denies = decision(asked, statement("Deny", Condition=entry)) is Decision.EXPLICIT_DENY
    assert holds == (allows, denies)
    assert condition("StringLike", "*@example.com", ["a@example.com", "b@example.com"]) == YES
    assert condition("StringLike", "*@example.org", ["a@example.com", "b@example.com"]) == NO


def test_a_missing_key():
    """
    Trap 24: positive operators fail, negated ones and IfExists hold, in a Deny as in an Allow.
    """
    assert condition("StringLike", "*", None) == NO
    assert condition("StringNotLike", "*", None) == YES
    assert condition("StringNotEqualsIfExists", "x", None) == YES
    assert condition("StringEqualsIfExists", "x", None) == YES
    assert condition("StringEqualsIfExists", "x", "y") == NO


def test_keys_have_no_case_and_values_do():
    """
    Trap 24.
    """
    asked = request({"ses:FromAddress": "bob@example.com"})
    for value, wanted in (("bob@example.com", Decision.ALLOW), ("Bob@example.com", Decision.IMPLICIT_DENY)):
        entry = {"StringEquals": {"SES:fromADDRESS": value}}
        assert wanted is decision(asked, statement(Condition=entry))


@pytest.mark.parametrize(
    "address", ["admin@example.com", '"admin"@example.com', "admin+1@example.com", "sender@admin.example.com"]
)
def test_an_excluded_name_is_excluded_in_every_spelling(address):
    """
    Trap 25: the example of the SES guide; only case makes a difference.
    """
    entry = {"StringNotLike": {"ses:FromAddress": "*admin*example.com"}}

    assert Decision.IMPLICIT_DENY is decision(request({"ses:FromAddress": address}), statement(Condition=entry))
    assert Decision.ALLOW is decision(request({"ses:FromAddress": "Admin@example.com"}), statement(Condition=entry))


@pytest.mark.parametrize("values", [[], "${}", ["a", "${}"], "${aws:username", "${ aws:username}", "${aws:a${aws:b}}"])
def test_empty_lists_and_broken_variables_are_refused(values):
    """
    Trap 26: AWS does not take such policies.
    """
    for operator in ("StringEquals", "StringLike", "ArnLike"):
        for effect in ("Allow", "Deny"):
            assert isinstance(policy(statement(effect, Condition={operator: {"aws:k": values}})), UnreadablePolicy)


def test_operators_have_no_case():
    """
    No two operators differ in case, so nothing is guessed.
    """
    assert condition("forallvalues:stringlike", "a*", ["ab"]) == YES
    assert condition("STRINGEQUALSIFEXISTS", "a", None) == YES
