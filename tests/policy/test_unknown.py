"""Known, absent, unknown: an Allow counts whatever the unknown holds, a Deny unless it fails whatever it holds."""

from dataclasses import replace
from typing import Any

import pytest

from relay.policy.answers import Decision, Truth
from relay.policy.document import parse_policy
from relay.policy.evaluation import could_allow, evaluate
from relay.policy.request import Request
from tests.policy.asking import ALICE, ask, decision, readable, request, statement

UNREADABLE = parse_policy("broken", "{")
KEY = "aws:PrincipalOrgID"
ROLE = "arn:aws:iam::123456789012:role/a/R"


def asked(**more: Any) -> Request:
    """A request of which the organization, the tags and the address are unknown."""
    return request(
        {"ses:FromAddress": "bob@example.com"},
        unknown=frozenset({"aws:principalorgid", "aws:sourceip"}),
        unknown_prefixes=("aws:principaltag/",),
        **more,
    )


@pytest.mark.parametrize(
    ("entry", "truth"),
    [
        ({"StringEquals": {KEY: "o-x"}}, Truth.UNKNOWN),
        ({"StringNotEquals": {KEY: "o-x"}}, Truth.UNKNOWN),
        ({"StringLike": {KEY: "*"}}, Truth.UNKNOWN),
        ({"StringNotLike": {KEY: "*"}}, Truth.UNKNOWN),
        ({"StringLikeIfExists": {KEY: "*"}}, Truth.YES),
        ({"StringLikeIfExists": {KEY: ["a", "**"]}}, Truth.YES),
        ({"StringLikeIfExists": {KEY: "o-*"}}, Truth.UNKNOWN),
        ({"ForAllValues:StringLike": {KEY: "*"}}, Truth.YES),
        ({"ForAnyValue:StringLike": {KEY: "*"}}, Truth.UNKNOWN),
        ({"ForAnyValue:StringNotLike": {KEY: "*"}}, Truth.NO),
        ({"ForAllValues:StringNotLike": {KEY: "*"}}, Truth.UNKNOWN),
        ({"Null": {KEY: "true"}}, Truth.UNKNOWN),
        ({"Null": {KEY: ["true", "false"]}}, Truth.YES),
        ({"StringEquals": {KEY: "${aws:nothing}"}}, Truth.NO),
        ({"StringNotEquals": {KEY: "${aws:nothing}"}}, Truth.YES),
        ({"StringLike": {KEY: "${aws:nothing}"}}, Truth.NO),
        ({"StringNotLike": {KEY: "${aws:nothing}"}}, Truth.YES),
        ({"StringEqualsIgnoreCase": {KEY: "${aws:nothing}"}}, Truth.NO),
        ({"StringNotEqualsIgnoreCase": {KEY: "${aws:nothing}"}}, Truth.YES),
        ({"StringNotEqualsIgnoreCase": {KEY: "o-x"}}, Truth.UNKNOWN),
        ({"StringNotEqualsIgnoreCase": {KEY: ["o-x", "${aws:nothing}"]}}, Truth.UNKNOWN),
        ({"StringNotEqualsIgnoreCase": {KEY: "${ses:FromAddress}"}}, Truth.UNKNOWN),
        ({"StringLikeIfExists": {KEY: "*${aws:nothing, ''}"}}, Truth.YES),
        ({"StringLikeIfExists": {KEY: "${aws:nothing}"}}, Truth.UNKNOWN),
        ({"ForAllValues:StringLike": {KEY: "${aws:PrincipalTag/a}"}}, Truth.UNKNOWN),
        ({"ForAllValues:StringLike": {KEY: "${aws:PrincipalTag/a}*"}}, Truth.UNKNOWN),
        ({"ForAllValues:StringLike": {KEY: "*${ses:FromAddress}"}}, Truth.UNKNOWN),
        ({"StringEquals": {"ses:FromAddress": "${aws:PrincipalTag/a}${aws:d, 'example.com'}"}}, Truth.UNKNOWN),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, Truth.UNKNOWN),
        ({"StringEquals": {"aws:PrincipalTag/Team": "red"}}, Truth.UNKNOWN),
        ({"StringEquals": {"aws:PrincipalAccount": "1"}}, Truth.NO),
        ({"StringEquals": {"ses:FromAddress": "${aws:PrincipalTag/name}@example.com"}}, Truth.UNKNOWN),
        ({"StringEquals": {"ses:FromAddress": "${aws:PrincipalTag/name}@example.net"}}, Truth.NO),
        ({"StringEquals": {"ses:FromAddress": ["${aws:PrincipalTag/name}", "bob@example.com"]}}, Truth.YES),
        ({"StringEqualsIgnoreCase": {"ses:FromAddress": "${aws:PrincipalTag/name}@EXAMPLE.com"}}, Truth.UNKNOWN),
        ({"StringNotEquals": {"ses:FromAddress": "${aws:PrincipalTag/name, 'x'}@example.net"}}, Truth.YES),
        ({"StringEquals": {KEY: "o-x", "ses:FromAddress": "eve@example.com"}}, Truth.NO),
    ],
)
def test_an_entry_on_an_unknown_key(entry, truth):
    """
    Certain only where nothing that the key may hold, nor its absence, makes a difference.
    """
    for effect in ("Allow", "Deny"):
        told = ask(asked(), statement(effect, Condition=entry))
        assert told.traces[0].applies is truth
    assert (told.decision is Decision.IMPLICIT_DENY) is (truth is Truth.NO)
    allowed = decision(asked(), statement(Condition=entry))
    assert (allowed is Decision.ALLOW) is (truth is Truth.YES)


def test_the_unknown_key_is_named():
    """
    Whoever reads the answer learns what would have to be known.
    """
    entry = {"StringEquals": {KEY: "o-x"}, "StringLike": {"ses:FromAddress": "${aws:PrincipalTag/n}*"}}

    for effect in ("Allow", "Deny"):
        told = ask(asked(), statement(effect, Condition=entry))
        assert told.unknown == ("aws:principalorgid", "aws:principaltag/n")
        assert told.traces[0].unknown == told.unknown
    assert ask(asked(), statement(Resource="arn:aws:ses:us-east-1:888888888888:${aws:principaltag/n}")).unknown == (
        "aws:principaltag/n",
    )
    doubtful = {"StringLike": {"ses:FromAddress": "bob@*"}, "IpAddress": {"aws:FromIp": "10.0.0.0/8"}}
    told = ask(request({"ses:FromAddress": "bob@example.com", "aws:FromIp": "?"}), statement(Condition=doubtful))
    assert told.unknown == ("aws:fromip",), "what AWS does not define is named like what nobody knows"
    assert told.traces[0].grant is None, "only what surely applies grants"
    allowed = ask(asked(), statement(), statement(Condition=entry))
    assert (allowed.decision, allowed.unknown) == (Decision.ALLOW, ())


def test_a_known_key_is_known_even_under_an_unknown_prefix():
    """
    What the operator has told us is no longer unknown.
    """
    told = request({"aws:PrincipalTag/team": "red"}, unknown_prefixes=("aws:principaltag/",))

    entry = {"StringEquals": {"aws:PrincipalTag/Team": "red"}}
    assert decision(told, statement(Condition=entry)) is Decision.ALLOW


def test_what_cannot_be_read_is_told_of_every_policy():
    """
    All problems, and how the statements that could be read fared.
    """
    told = evaluate(asked(), [UNREADABLE, readable(statement()), parse_policy("other", "[")], trace=True)

    assert (told.decision, told.because, told.grant) == (Decision.UNDECIDED, (), None)
    assert [problem.policy for problem in told.problems] == ["broken", "other"]
    assert [trace.applies for trace in told.traces] == [Truth.YES]


@pytest.mark.parametrize(("found", "wanted"), [(None, Truth.UNKNOWN), ("a", Truth.UNKNOWN)])
def test_a_null_that_wants_neither_is_never_sure(found, wanted):
    """
    Of an Allow; in a Deny it cannot be read.
    """
    context = {} if found is None else {"ses:FromAddress": found}
    for values in ("no", ["no", "maybe"]):
        told = ask(request(context), statement(Condition={"Null": {"ses:FromAddress": values}}))
        assert (told.decision, told.traces[0].applies) == (Decision.IMPLICIT_DENY, wanted)
    present = ask(request({"ses:FromAddress": "a"}), statement(Condition={"Null": {"ses:FromAddress": ["true", "no"]}}))
    assert (present.decision, present.traces[0].applies) == (Decision.IMPLICIT_DENY, wanted)


def test_an_unreadable_policy_is_undecided_unless_another_denies():
    """
    Explicit deny, then what cannot be read, then allow.
    """
    allow, deny, nothing = (
        readable(statement()),
        readable(statement("Deny")),
        readable(statement(Action="ses:GetEmailIdentity")),
    )

    for policies, wanted in (
        ([allow, UNREADABLE], Decision.UNDECIDED),
        ([UNREADABLE, nothing], Decision.UNDECIDED),
        ([UNREADABLE, allow, deny], Decision.EXPLICIT_DENY),
        ([], Decision.IMPLICIT_DENY),
    ):
        told = evaluate(request(), policies)
        assert told.decision is wanted
        assert bool(told.problems) is (UNREADABLE in policies)


def test_the_question_turned_round():
    """
    At MAIL an Allow is taken to apply if it could, a Deny only if it must.
    """
    perhaps = {"StringEquals": {KEY: "o-x"}}
    never = {"StringEquals": {"ses:FromAddress": "eve@example.com"}}

    for statements, could in (
        ([statement(Condition=perhaps)], True),
        ([statement(Condition=never)], False),
        ([statement()], True),
        ([statement(), statement("Deny", Condition=perhaps)], True),
        ([statement(), statement("Deny", Condition=never)], True),
        ([statement(), statement("Deny")], False),
        ([statement("Deny", Condition=perhaps)], False),
    ):
        assert could_allow(asked(), [readable(*statements)]) is could
    assert could_allow(asked(), [UNREADABLE])
    assert not could_allow(asked(), [UNREADABLE, readable(statement("Deny"))])
    assert not could_allow(asked(), [])


def test_a_policy_tells_which_keys_matter_to_it():
    """
    Keys of conditions and variables, lower-cased; the bare ones apart.
    """
    made = readable(
        statement(
            Resource="arn:aws:s3:::b/${aws:username}",
            Condition={
                "ForAllValues:StringLike": {"ses:Recipients": "${aws:PrincipalTag/D, 'x'}*"},
                "StringNotLike": {"ses:FromDisplayName": "A*"},
                "Null": {"aws:SourceIp": "true"},
                "ArnLike": {"aws:SourceArn": "arn:aws:s3:::${aws:userid}"},
            },
        )
    )

    assert made.keys == {
        "ses:recipients",
        "ses:fromdisplayname",
        "aws:sourceip",
        "aws:sourcearn",
        "aws:username",
        "aws:userid",
        "aws:principaltag/d",
    }
    assert made.bare_keys == {"ses:fromdisplayname", "aws:sourcearn"}
    assert readable(statement(), version=None).keys == frozenset()


def test_a_session_of_a_role_with_a_path():
    """
    A role's name is unique in its account: the same name under another path was deleted and made anew.
    """
    session = request(caller="arn:aws:sts::123456789012:assumed-role/R/s")
    known = replace(session, caller=replace(session.caller, role=ROLE))
    for named, allowed, denied in ((ROLE, True, True), (ROLE.replace("/a/", "/b/"), False, True)):
        assert (decision(known, statement(Principal={"AWS": named})) is Decision.ALLOW) is allowed
        assert (decision(known, statement("Deny", Principal={"AWS": named})) is Decision.EXPLICIT_DENY) is denied
    assert decision(session, statement(Principal={"AWS": ROLE})) is Decision.ALLOW


def test_a_trace_tells_the_first_thing_that_failed():
    """
    Element, what was wanted, what was found; nothing when the statement applies.
    """
    told = ask(
        asked(),
        statement(Sid="who", Principal={"AWS": "999999999999"}),
        statement(Sid="what", NotAction="ses:*"),
        statement(Sid="where", Resource=["arn:aws:s3:::b"]),
        statement(Sid="how", Condition={"StringEquals": {KEY: "o", "ses:FromAddress": ["a", "b"]}}),
        statement(Sid="absent", Condition={"Bool": {"aws:SecureTransport": False}}),
        statement(Sid="yes", Principal={"AWS": "123456789012"}),
    )

    who, what, where, how, absent, yes = told.traces
    assert [t.statement.sid for t in told.traces] == ["who", "what", "where", "how", "absent", "yes"]
    assert [t.statement.index for t in told.traces] == list(range(6))
    assert who.mismatch
    assert what.mismatch
    assert where.mismatch
    assert how.mismatch
    assert absent.mismatch
    assert (who.mismatch.element, who.mismatch.wanted, who.mismatch.found) == ("Principal", ("999999999999",), (ALICE,))
    assert (what.mismatch.element, what.mismatch.found) == ("NotAction", ("ses:SendRawEmail",))
    assert where.mismatch.element == "Resource"
    assert (how.mismatch.operator, how.mismatch.key) == ("StringEquals", "ses:FromAddress")
    assert (how.mismatch.wanted, how.mismatch.found) == (("a", "b"), ("bob@example.com",))
    assert (absent.mismatch.wanted, absent.mismatch.found) == (("false",), None)
    assert (yes.mismatch, yes.grant, yes.applies) == (None, "account", Truth.YES)
    assert [str(ref) for ref in told.because] == ["p/yes"]
