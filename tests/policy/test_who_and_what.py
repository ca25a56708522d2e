"""Who asks and about what, to the last distinction: callers as they are read, NotPrincipal, NotResource, odd ARNs."""

from typing import Any

import pytest

from relay.policy.answers import Decision, Mismatch, Truth
from relay.policy.evaluation import could_allow
from relay.policy.principals import parse_caller
from relay.policy.request import Caller
from tests.policy.asking import (
    ALICE,
    FAILS_CLOSED,
    IDENTITY,
    NO,
    YES,
    ask,
    both_ways,
    decision,
    readable,
    request,
    statement,
)

ROLE = "arn:aws:iam::123456789012:role/path/R"
SESSION = "arn:aws:sts::123456789012:assumed-role/R/s"


@pytest.mark.parametrize(
    ("text", "caller"),
    [
        ("anonymous", Caller("anonymous", anonymous=True)),
        ("123456789012", Caller("123456789012", account="123456789012")),
        ("ecs.amazonaws.com", Caller("ecs.amazonaws.com", service="ecs.amazonaws.com")),
        ("Anonymous", Caller("Anonymous", literal="Anonymous")),
        ("1234", Caller("1234", literal="1234")),
        ("arn:aws:iam::1:group/g", Caller("arn:aws:iam::1:group/g", literal="arn:aws:iam::1:group/g")),
        (ALICE, Caller(ALICE, "aws", "123456789012", ALICE)),
        (ROLE, Caller(ROLE, "aws", "123456789012", ROLE, role_name="R")),
        (SESSION, Caller(SESSION, "aws", "123456789012", SESSION, role_name="R", is_session=True)),
        (
            "arn:aws-cn:iam::1:root",
            Caller("arn:aws-cn:iam::1:root", "aws-cn", "1", "arn:aws-cn:iam::1:root"),
        ),
    ],
)
def test_a_caller_is_read(text, caller):
    """
    Everything that can be told of it, and nothing else.
    """
    assert parse_caller(text) == caller


@pytest.mark.parametrize("kind", ["CanonicalUser", "Federated", "Service"])
def test_nobody_in_particular_has_no_name(kind):
    """
    A principal that happens to be called so is another.
    """
    assert both_ways(request(caller="anonymous"), Principal={kind: "anonymous"}) == NO
    assert both_ways(request(caller="anonymous"), Principal={kind: "*"}) == NO
    assert both_ways(request(caller="Anonymous"), Principal={kind: "Anonymous"}) == YES


@pytest.mark.parametrize(
    ("listed", "caller", "fate"),
    [
        ("*", ALICE, Truth.NO),
        ({"AWS": "*"}, ALICE, Truth.NO),
        ({"AWS": "arn:aws:iam::999999999999:user/other"}, ALICE, Truth.YES),
        ({"AWS": ALICE}, ALICE, Truth.UNKNOWN),
        ({"AWS": [ALICE, "123456789012"]}, ALICE, Truth.NO),
        ({"AWS": "123456789012"}, ALICE, Truth.UNKNOWN),
        ({"AWS": "123456789012"}, "arn:aws:iam::123456789012:root", Truth.NO),
        ({"AWS": [ROLE, "123456789012"]}, SESSION, Truth.UNKNOWN),
        ({"AWS": [ROLE, SESSION, "123456789012"]}, SESSION, Truth.NO),
        ({"AWS": [SESSION, "123456789012"]}, SESSION, Truth.UNKNOWN),
        ({"AWS": ALICE}, "anonymous", Truth.YES),
    ],
)
def test_who_is_spared(listed, caller, fate):
    """
    Only those of whom every identity is listed surely are; a Deny that may hit denies, but closes no door early.
    """
    policies = [readable(statement(), statement("Deny", NotPrincipal=listed))]
    asked = request(caller=caller)

    assert ask(asked, statement("Deny", NotPrincipal=listed)).traces[0].applies is fate
    assert could_allow(asked, policies) is (fate is not Truth.YES)


@pytest.mark.parametrize(
    ("resources", "named"),
    [
        (IDENTITY, YES),
        ("*", YES),
        ("arn:aws:ses:*:888888888888:identity/*", YES),
        (["arn:aws:s3:::b", "arn:aws:ses:us-east-?:888888888888:identity/example.com"], YES),
        (["*", "arn:aws:s3:::b"], YES),
        ("arn:aws:ses:us-east-1:888888888888:identity/other.*", NO),
        ("arn:aws:ses:us-east-1:888888888888:i*/example.com", FAILS_CLOSED),
        ("arn:aws:*:us-east-1:888888888888:identity/example.com", FAILS_CLOSED),
        ("arn:aws:ses:*n/example.com", NO),
        ("arn:aws:ses:*y/example.com", FAILS_CLOSED),
        ("arn:aws:ses", FAILS_CLOSED),
        ("arn:aws:s3", NO),
    ],
)
def test_what_is_named_and_what_is_not(resources, named):
    """
    NotResource is the other way round; what may be named may not be.
    """
    asked = request()
    turned = {YES: NO, NO: YES, FAILS_CLOSED: FAILS_CLOSED}[named]

    assert both_ways(asked, Resource=resources) == named
    assert both_ways(asked, NotResource=resources) == turned


@pytest.mark.parametrize(
    ("resource", "pattern", "named"),
    [
        ("arn:aws:ses:us-east-1:1:configuration-set/a/x", "arn:aws:ses:us-east-1:1:configuration-set/*/x", YES),
        ("arn:aws:ses:us-east-1:1:x:identity/y", "arn:aws:ses:us-east-1:1:x:i*/y", FAILS_CLOSED),
        ("arn:aws:ses:us-east-1:1:identity", "arn:aws:ses:us-east-1:1:i*", YES),
        ("arn:aws:s3:::a/b", "arn:aws:s3:::*/b", YES),
        ("arn:aws:sqs:us-east-1:1:a:b:c", "arn:aws:sqs:us-east-1:1:*", YES),
        ("arn:aws:sqs:us-east-1:1:a:b:c", "arn:aws:sqs:*:c", YES),
        ("arn:aws:sqs:us-east-1:1:a:b:c", "arn:aws:sqs:us-east-1:1:a:b:c", YES),
        ("arn:aws:sqs:us-east-1:1:a:b:c", "arn:aws:sqs:us-east-1:1:a:b", NO),
    ],
)
def test_odd_resources(resource, pattern, named):
    """
    Where the type ends, and where a wildcard may run.
    """
    assert both_ways(request(resource=resource), Resource=pattern) == named


def test_octets_beside_what_is_none_are_never_sure():
    """
    Of an Allow; in a Deny they cannot be read.
    """

    def fate(values: Any, found: str) -> tuple[Decision, Truth]:
        told = ask(request({"aws:k": found}), statement(Condition={"BinaryEquals": {"aws:k": values}}))
        return told.decision, told.traces[0].applies

    assert fate(["YQ==", "?"], "YQ==") == (Decision.ALLOW, Truth.YES)
    assert fate(["YQ==", "?"], "Yg==") == (Decision.IMPLICIT_DENY, Truth.UNKNOWN)
    assert fate("YQ==", "Yg==") == (Decision.IMPLICIT_DENY, Truth.NO)
    assert fate("YQ==", "?") == (Decision.IMPLICIT_DENY, Truth.UNKNOWN)


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_star_beside_actions_is_all_of_them(effect):
    """
    Wherever it stands; and beside NotAction none is left.
    """
    for actions in (["*", "s3:Get*"], ["s3:Get*", "*"]):
        told = decision(request(), statement(effect, Action=actions))
        assert told is (Decision.ALLOW if effect == "Allow" else Decision.EXPLICIT_DENY)
        without = {k: v for k, v in statement(effect).items() if k != "Action"} | {"NotAction": actions}
        assert decision(request(), without) is Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("elements", "caller", "mismatch"),
    [
        ({"NotPrincipal": "*"}, ALICE, Mismatch("NotPrincipal", ("*",), (ALICE,))),
        ({"Principal": {"AWS": ROLE}}, ALICE, Mismatch("Principal", (ROLE,), (ALICE,))),
        ({"NotAction": ["ses:*"]}, ALICE, Mismatch("NotAction", ("ses:*",), ("ses:SendRawEmail",))),
        ({"Action": "s3:*"}, ALICE, Mismatch("Action", ("s3:*",), ("ses:SendRawEmail",))),
        ({"NotResource": IDENTITY}, ALICE, Mismatch("NotResource", (IDENTITY,), (IDENTITY,))),
        ({"Resource": "arn:aws:s3:::b"}, ALICE, Mismatch("Resource", ("arn:aws:s3:::b",), (IDENTITY,))),
        (
            {"Condition": {"Null": {"aws:K": "true"}}},
            ALICE,
            Mismatch("Condition", ("true",), ("a",), "Null", "aws:K"),
        ),
        (
            {"Condition": {"ForAnyValue:stringlike": {"aws:Other": ["b", "c*"]}}},
            ALICE,
            Mismatch("Condition", ("b", "c*"), None, "ForAnyValue:stringlike", "aws:Other"),
        ),
        (
            {"Principal": {"AWS": ROLE}, "Action": "s3:*", "Resource": "arn:aws:s3:::b"},
            ALICE,
            Mismatch("Principal", (ROLE,), (ALICE,)),
        ),
    ],
)
def test_the_first_thing_that_did_not_match(elements, caller, mismatch):
    """
    As the policy spells it, with what it wants and what the request has.
    """
    told = ask(request({"aws:k": "a"}, caller=caller), statement("Deny", **elements)).traces[0]

    assert (told.applies, told.mismatch, told.unknown, told.grant) == (Truth.NO, mismatch, (), None)


def test_an_unknown_key_matters_only_where_the_rest_applies():
    """
    A statement that surely does not apply hangs on nothing; what surely fails is told before what may.
    """
    unknown = request({"aws:k": "a"}, unknown=frozenset({"aws:x"}))
    both = {"StringEquals": {"aws:x": "1", "aws:k": "b"}}

    told = ask(unknown, statement(Condition=both)).traces[0]
    assert (told.applies, told.unknown) == (Truth.NO, ())
    assert told.mismatch == Mismatch("Condition", ("b",), ("a",), "StringEquals", "aws:k")
    told = ask(unknown, statement(Condition={"StringEquals": {"aws:x": "1", "aws:k": "a"}})).traces[0]
    assert (told.applies, told.unknown) == (Truth.UNKNOWN, ("aws:x",))
    assert told.mismatch == Mismatch("Condition", ("1",), None, "StringEquals", "aws:x")


@pytest.mark.parametrize("action", ["ses:SendRawEmail", "SES:sendemail"])
def test_an_answer_bears_the_action_that_was_asked_about(action):
    """
    As it was spelt, whatever the answer is.
    """
    asked = request(action=action)
    made = (statement(), statement("Deny"), statement(Action="ses:GetAccount"), statement("Maybe"))
    answers = [ask(asked, one) for one in made]

    assert [answer.decision for answer in answers] == [
        Decision.ALLOW,
        Decision.EXPLICIT_DENY,
        Decision.IMPLICIT_DENY,
        Decision.UNDECIDED,
    ]
    assert {answer.action for answer in answers} == {action}
