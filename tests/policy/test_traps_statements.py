"""Where engines disagree over principals, actions and resources: each decided on purpose, as docs/policies.md says."""

import pytest

from relay.policy.answers import Decision
from relay.policy.document import UnreadablePolicy
from tests.policy.asking import (
    ALICE,
    FAILS_CLOSED,
    NO,
    YES,
    ask,
    both_ways,
    decision,
    policy,
    request,
    statement,
)

SESSION = "arn:aws:sts::123456789012:assumed-role/R/s1"
OTHER_SESSION = "arn:aws:sts::123456789012:assumed-role/R/s2"
ROLE = "arn:aws:iam::123456789012:role/R"
ROOT = "arn:aws:iam::123456789012:root"


def test_a_resource_whose_variable_has_no_value_is_no_resource():
    """
    Trap 4: so NotResource applies, and a Deny with it hits.
    """
    arn = "arn:aws:s3:::b/${aws:username}/*"

    assert both_ways(request(resource="arn:aws:s3:::b/bob/a"), Resource=arn) == NO
    assert both_ways(request(resource="arn:aws:s3:::b/bob/a"), NotResource=arn) == YES


@pytest.mark.parametrize(
    ("pattern", "resource", "holds"),
    [
        ("arn:aws:sqs", "arn:aws:sqs:us-east-1:1:q", FAILS_CLOSED),
        ("arn:aws:sqs", "arn:aws:sns:us-east-1:1:q", NO),
        ("arn:aws:sqs:us-east-1", "arn:aws:sqs:us-east-1:1:q", FAILS_CLOSED),
        ("arn:aws:sqs:*", "arn:aws:sqs:us-east-1:1:q", YES),
        ("arn:aws:*", "arn:aws:sqs:us-east-1:1:q", FAILS_CLOSED),
    ],
)
def test_short_arns_fail_closed(pattern, resource, holds):
    """
    Trap 9: AWS says it completes them, and experiments say that in resource policies they match nothing.
    """
    assert holds == both_ways(request(resource=resource), Resource=pattern)


@pytest.mark.parametrize(
    ("pattern", "resource", "holds"),
    [
        ("arn:aws:s3:::*", "arn:aws:s3:::b:c/d", YES),
        ("arn:aws:logs:*:1:log-group:*", "arn:aws:logs:us-east-1:1:log-group:g:log-stream:s", YES),
        ("arn:aws:logs:*:log-stream:s", "arn:aws:logs:us-east-1:1:log-group:g:log-stream:s", YES),
        ("arn:aws:logs:*:2:*", "arn:aws:logs:us-east-1:1:log-group:g:2:s", YES),
        ("arn:aws:logs:u*t:1:x", "arn:aws:logs:us:east:1:x", FAILS_CLOSED),
        ("arn:aws:s3:::b?c", "arn:aws:s3:::b:c", FAILS_CLOSED),
        ("arn:aws:s3:::b?c", "arn:aws:s3:::b/c", YES),
        ("arn:aws:s3:::b*c/d", "arn:aws:s3:::b/x/c/d", YES),
        ("arn:aws:s3:::b*c:d", "arn:aws:s3:::bxc:y:d", NO),
        ("arn:aws:s3:::b*c*:d", "arn:aws:s3:::bxc:y:d", YES),
    ],
)
def test_a_star_at_the_end_of_a_segment_runs_over_colons(pattern, resource, holds):
    """
    Trap 10: any other wildcard stays inside its segment; where only a looser reading matches, it fails closed.
    """
    assert holds == both_ways(request(resource=resource), Resource=pattern)


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("arn:aws:ses:*:*:*/example.com", FAILS_CLOSED),
        ("arn:aws:ses:*:*:ident*/example.com", FAILS_CLOSED),
        ("arn:aws:ses:*:*:*", YES),
        ("arn:aws:ses:*:*:identity/*", YES),
        ("arn:aws:*:us-east-1:888888888888:identity/example.com", FAILS_CLOSED),
        ("arn:aws:s?s:us-east-1:888888888888:identity/example.com", FAILS_CLOSED),
        ("arn:*:ses:us-east-1:888888888888:identity/example.com", YES),
        ("arn:aws:ses:us-east-1:888888888888:identity/EXAMPLE.com", NO),
    ],
)
def test_wildcards_where_aws_forbids_or_keeps_silent_fail_closed(pattern, holds):
    """
    Trap 11: in the service, and in the resource type. Resources heed case.
    """
    assert holds == both_ways(request(), Resource=pattern)


def test_a_variable_before_the_resource_part_fails_closed():
    """
    Variables belong in the resource part of a Resource ("Variables and tags").
    """
    arn = "arn:aws:ses:us-east-1:${aws:a}:identity/example.com"

    assert both_ways(request({"aws:a": "888888888888"}), Resource=arn) == FAILS_CLOSED
    assert both_ways(request({"aws:a": "1"}), Resource=arn) == NO


@pytest.mark.parametrize(
    ("action", "holds"),
    [
        ("SES:sendrawEMAIL", YES),
        ("ses:Send*", YES),
        ("ses:Send???Email", YES),
        ("ses:*", YES),
        ("*", YES),
        ("ses:SendEmail", NO),
        ("ses:", None),
        ("ses", None),
        ("", None),
        ("**", None),
        ("ses:Send RawEmail", None),
        ("ses:SendEmail,ses:SendRawEmail", None),
        ("ses:Send\u017fawEmail", None),
        ("*:SendRawEmail", FAILS_CLOSED),
        ("s*:SendRawEmail", FAILS_CLOSED),
        ("*:*", FAILS_CLOSED),
        ("*:GetObject", NO),
    ],
)
def test_actions_have_no_case_and_one_service(action, holds):
    """
    Trap 12: what is no action makes the policy unreadable; a wildcard for the service fails closed.
    """
    if holds is None:
        assert isinstance(policy(statement(Action=action)), UnreadablePolicy)
        assert isinstance(policy(statement(NotAction=action)), UnreadablePolicy)
    else:
        opposite = {YES: NO, NO: YES, FAILS_CLOSED: FAILS_CLOSED}
        assert holds == both_ways(request(), Action=action)
        assert opposite[holds] == both_ways(request(), NotAction=action)


@pytest.mark.parametrize("named", ["123456789012", ROOT, ["123456789012", "999999999999"]])
def test_an_account_grants_through_the_account(named):
    """
    Trap 13: every principal of it, and the grant says so; who is named beside the account is named directly.
    """
    for caller in (ALICE, ROLE, SESSION, ROOT, "123456789012"):
        told = ask(request(caller=caller), statement(Principal={"AWS": named}))
        assert (told.decision, told.grant) == (Decision.ALLOW, "account")
    both = [*(named if isinstance(named, list) else [named]), ALICE]
    assert ask(request(), statement(Principal={"AWS": both})).grant == "direct"
    assert ask(request(), statement(Principal={"AWS": named}), statement(Principal="*")).grant == "direct"
    assert Decision.IMPLICIT_DENY is decision(request(caller="anonymous"), statement(Principal={"AWS": named}))


def test_the_root_of_another_partition_is_another_account():
    """
    Trap 13.
    """
    assert both_ways(request(), Principal={"AWS": "arn:aws-cn:iam::123456789012:root"}) == NO
    assert both_ways(request(caller="arn:aws-cn:iam::123456789012:user/alice"), Principal={"AWS": ROOT}) == NO
    assert both_ways(request(caller="123456789012"), Principal={"AWS": "arn:aws-cn:iam::123456789012:root"}) == YES


@pytest.mark.parametrize(
    ("named", "caller", "holds"),
    [
        (ROLE, SESSION, YES),
        ("arn:aws:iam::123456789012:role/some/path/R", SESSION, YES),
        ("arn:aws:iam::123456789012:role/r", SESSION, NO),
        ("arn:aws-cn:iam::123456789012:role/R", SESSION, NO),
        ("arn:aws:iam::999999999999:role/R", SESSION, NO),
        (SESSION, SESSION, YES),
        (SESSION, OTHER_SESSION, NO),
        (ROLE, ROLE, YES),
        ("arn:aws:iam::123456789012:role/p/R", ROLE, NO),
        (SESSION, ROLE, FAILS_CLOSED),
        ("arn:aws:iam::123456789012:user/R", SESSION, NO),
        ("arn:aws:iam::123456789012:user/Alice", ALICE, NO),
        ("arn:aws:iam::123456789012:user/x/alice", ALICE, NO),
        (ALICE, "123456789012", FAILS_CLOSED),
        (ALICE, "999999999999", NO),
        (ALICE, ROOT, NO),
        ("arn:aws:sts::123456789012:federated-user/bob", "arn:aws:sts::123456789012:federated-user/bob", YES),
        ("AROAEXAMPLEEXAMPLE123", ROLE, NO),
    ],
)
def test_roles_cover_their_sessions_and_sessions_themselves(named, caller, holds):
    """
    Trap 14: who is named less precisely than the policy names people may be the one: no Allow, but a Deny.
    """
    assert holds == both_ways(request(caller=caller), Principal={"AWS": named})


@pytest.mark.parametrize("named", ["assumed-role/R/*", "assumed-role/R", "assumed-role/R/a/b", "assumed-role//s"])
def test_sessions_have_no_wildcards(named):
    """
    Trap 14: AWS refuses such a principal, and so do we.
    """
    assert isinstance(policy(statement(Principal={"AWS": f"arn:aws:sts::123456789012:{named}"})), UnreadablePolicy)


def test_not_principal_belongs_to_deny():
    """
    Trap 15: with Allow "it is not supported".
    """
    assert isinstance(policy(statement(NotPrincipal={"AWS": ALICE})), UnreadablePolicy)


@pytest.mark.parametrize(
    ("listed", "caller", "denied"),
    [
        ([ALICE, ROOT], ALICE, False),
        ([ALICE, "123456789012"], ALICE, False),
        ([ALICE], ALICE, True),
        ([ROOT], ALICE, True),
        ([ROOT], ROOT, False),
        ([ROOT], "123456789012", True),
        ([SESSION, ROLE, ROOT], SESSION, False),
        ([SESSION, ROLE, ROOT], OTHER_SESSION, True),
        ([ROLE, ROOT], SESSION, True),
        ([SESSION, ROOT], SESSION, True),
        ([ROLE, ROOT], ROLE, False),
        ([ALICE, ROOT], "anonymous", True),
        ([ALICE, ROOT], "ecs.amazonaws.com", True),
        (["*"], "anonymous", False),
    ],
)
def test_not_principal_spares_only_whoever_is_listed_whole(listed, caller, denied):
    """
    Trap 15: account, role and session, each must be listed: AWS validates one after the other.
    """
    told = decision(request(caller=caller), statement(), statement("Deny", NotPrincipal={"AWS": listed}))

    assert (Decision.EXPLICIT_DENY if denied else Decision.ALLOW) is told


def test_not_principal_spares_a_service_that_is_listed():
    """
    Trap 15.
    """
    spare = statement("Deny", NotPrincipal={"Service": "ecs.amazonaws.com"})

    assert Decision.ALLOW is decision(request(caller="ecs.amazonaws.com"), statement(), spare)
    assert Decision.EXPLICIT_DENY is decision(request(caller="ec2.amazonaws.com"), statement(), spare)


def test_a_statement_names_somebody():
    """
    Trap 16: without a Principal AWS takes no resource policy.
    """
    assert isinstance(policy({"Effect": "Allow", "Action": "*", "Resource": "*"}), UnreadablePolicy)


@pytest.mark.parametrize("everyone", ["*", {"AWS": "*"}, {"AWS": ["*"]}])
@pytest.mark.parametrize("caller", [ALICE, "anonymous", "ecs.amazonaws.com", "79a59df900b949e55d96a1e698fbacedfd6e"])
def test_a_star_is_everyone(everyone, caller):
    """
    Trap 16: services too, since nobody has less than the anonymous caller whom the star lets in.
    """
    told = ask(request(caller=caller), statement(Principal=everyone))

    assert (told.decision, told.grant) == (Decision.ALLOW, "direct")
    assert Decision.EXPLICIT_DENY is decision(request(caller=caller), statement("Deny", Principal=everyone))


@pytest.mark.parametrize("kind", ["Service", "Federated", "CanonicalUser"])
def test_other_principals_are_compared_literally(kind):
    """
    Services by name; any other text as it is. A star among them is nowhere described.
    """
    for caller in ("ecs.amazonaws.com", "accounts.google.com", "arn:aws:iam::123456789012:saml-provider/X"):
        assert both_ways(request(caller=caller), Principal={kind: ["x", caller]}) == YES
        assert both_ways(request(caller=caller), Principal={kind: caller.upper()}) == NO
        assert both_ways(request(caller=caller), Principal={kind: "*"}) == FAILS_CLOSED
    assert both_ways(request(), Principal={kind: "*"}) == NO
    assert both_ways(request(), Principal={kind: ALICE}) == NO
