"""What holds for every message, every delegate and every set of identities (Hypothesis)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.judgement.catalog import Catalog, Identity
from relay.judgement.message import judge_early
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement, Verdict
from relay.mail.facts import DisplayName, MessageFacts
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope
from tests.judgement.building import (
    APP,
    NOW,
    OWNER,
    REGION,
    arn,
    catalog,
    delegate,
    envelope,
    facts,
    identity,
    judge,
    policy,
    statement,
)

NAMES = ("example.com", "app@example.com", "App@example.com", "app+x@example.com", "sub.example.com")
ADDRESSES = (*[NAMES[1]] * 3, *NAMES[1:4], "app@sub.example.com", "app@Example.com", "b@example.com", "b@other.example")
PLACES = (*[(OWNER, REGION)] * 12, (OWNER, "eu-west-1"), ("777777777777", REGION))
CONDITIONS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"StringEquals": {"ses:FromAddress": "app@example.com"}},
    {"StringLike": {"ses:FromAddress": "*@*example.com"}},
    {"StringLike": {"ses:FeedbackAddress": "app*"}},
    {"StringLike": {"ses:Recipients": "*@rcpt.example"}},
    {"ForAllValues:StringLike": {"ses:Recipients": "*@rcpt.example"}},
    {"StringEquals": {"ses:FromDisplayName": "App"}},
    {"Null": {"ses:FromDisplayName": "true"}},
    {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
    {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}},
)
PRINCIPALS = (APP, APP, "*", "111111111111", "arn:aws:iam::999999999999:user/other")


def some(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


STATEMENTS = st.builds(statement, some("Allow", "Allow", "Deny"), some(*PRINCIPALS), some(*CONDITIONS))
DENIES = st.builds(statement, some("Deny"), some(*PRINCIPALS), some(*CONDITIONS))
ALLOWS = st.builds(statement, some("Allow"), some(*PRINCIPALS), some(*CONDITIONS))


BROAD = st.builds(statement, some("Allow"), some(APP, APP, "*", "111111111111"), some({}, {}, *CONDITIONS))


@st.composite
def identities(draw: st.DrawFn, names: Sequence[str] = NAMES, least: int = 0) -> Identity:
    """An identity with up to two statements, mostly verified, readable and fresh."""
    place = draw(some(*PLACES))
    return identity(
        draw(some(*names)),
        *draw(st.lists(st.one_of(BROAD, BROAD, STATEMENTS), min_size=least, max_size=2)),
        account=place[0],
        region=place[1],
        verified=draw(some(*[True] * 7, False)),
        read_at=draw(some(*[NOW] * 19, NOW - 90_000)),
        problem=draw(some(*[None] * 19, "away")),
        unreadable=draw(some(*[False] * 19, True)),
    )


@dataclass(frozen=True)
class Scene:
    """Everything that a judgement depends on."""

    known: tuple[Identity, ...]
    message: MessageFacts
    path: Envelope
    who: Delegate
    rules: Rules

    def judged(self, known: Sequence[Identity] | None = None) -> Judgement:
        found: Judgement = judge(self.catalog(known), self.message, self.path, who=self.who, rules=self.rules)
        return found

    def catalog(self, known: Sequence[Identity] | None = None) -> Catalog:
        return catalog(*(self.known if known is None else known))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    author = draw(some(*ADDRESSES))
    name = draw(some(None, DisplayName("App", "App"), DisplayName("=?utf-8?q?App?=", "App")))
    source = draw(some(*[None] * 6, arn("example.com"), arn("app@example.com"), arn("example.com", region="eu-west-1")))
    pins = draw(some(*[()] * 6, (arn("example.com"),), (arn("app@example.com"), arn("example.com"))))
    known = [draw(identities(("example.com",), 1)), *draw(st.lists(identities(), max_size=3))]
    return Scene(
        tuple({one.arn: one for one in known}.values()),
        facts(
            author, name, return_path=draw(some(*[None] * 4, "app@example.com", "App@example.com")), source_arn=source
        ),
        envelope(draw(some(*[author] * 9, *ADDRESSES)), draw(some(["a@rcpt.example"], ["a@rcpt.example", "b@b.b"]))),
        delegate(
            account_grant=draw(st.booleans()),
            organization_id=draw(some(None, "o-1")),
            allow_source_arns=pins,
            return_path=draw(some("envelope", "envelope", "author")),
        ),
        Rules(source_arn=draw(some(*["infer"] * 7, "required"))),
    )


def with_policy(known: Sequence[Identity], which: int, made: dict[str, Any]) -> list[Identity]:
    """The identities, one of them with one policy more."""
    changed = list(known)
    one = changed[which % len(changed)]
    more = policy(made, resource=str(one.arn), name="more")
    changed[which % len(changed)] = replace(one, policies=(*one.policies, more))
    return changed


def owner_of(one: Identity) -> tuple[str, str]:
    return one.arn.account, one.arn.region


@given(scenes())
def test_a_message_is_permitted_or_answered(scene):
    """
    Permitted if every question was allowed, and then as it was judged; else refused for ever or for now.
    """
    judgement = scene.judged()
    verdicts = [decision.verdict for decision in judgement.decisions]

    assert (judgement.permit is None) is (judgement.reply is not None)
    if judgement.permit is not None:
        assert set(verdicts) == {Verdict.ALLOWED}
        assert {judgement.permit.source_arn, judgement.permit.from_arn} <= {str(one.arn) for one in scene.known}
    elif verdicts and judgement.reply is not None and judgement.reply.is_permanent:
        assert set(verdicts) - {Verdict.UNDECIDED} != set()


@given(scenes(), st.integers(0, 3), DENIES)
def test_a_deny_more_never_permits_more(scene, which, deny):
    """
    On whatever identity.
    """
    after = scene.judged(with_policy(scene.known, which, deny))

    assert after.permit is None or scene.judged().permit is not None


@given(scenes(), st.integers(0, 3), ALLOWS)
def test_an_allow_more_never_permits_less(scene, which, allow):
    """
    On an identity that has policies; the first one would take the place of its domain's.
    """
    before = scene.judged()

    if before.permit is not None and scene.known[which % len(scene.known)].policies:
        assert scene.judged(with_policy(scene.known, which, allow)).permit is not None


@given(scenes(), st.randoms(use_true_random=False))
def test_order_never_matters(scene, chance):
    """
    Of owners, identities, policies, recipients: the permit and the verdicts are the same.
    """
    known = [replace(one, policies=tuple(chance.sample(one.policies, len(one.policies)))) for one in scene.known]
    chance.shuffle(known)
    paths = scene.path.forward_paths
    turned = replace(scene, path=replace(scene.path, forward_paths=tuple(chance.sample(paths, len(paths)))))
    before, after = scene.judged(), turned.judged(known)

    assert (before.permit, before.reason) == (after.permit, after.reason)
    assert [d.verdict for d in before.decisions] == [d.verdict for d in after.decisions]


@given(scenes(), some("else.example", "app@else.example", "c@example.com", "com.example", "xexample.com"), STATEMENTS)
def test_an_identity_of_no_address_of_the_message_changes_nothing(scene, name, made):
    """
    Not what is permitted, not what is answered.
    """
    more = replace(identity(name, made), arn=IdentityArn("aws", REGION, OWNER, name))
    if (OWNER, REGION) in map(owner_of, scene.known):
        assert scene.judged([*scene.known, more]) == scene.judged()


@given(scenes(), st.integers(0, 3))
def test_an_unverified_identity_changes_nothing(scene, which):
    """
    It is as if it were not there, but for its owner.
    """
    one = scene.known[which % len(scene.known)]
    others = [other for other in scene.known if other is not one]
    if one.problem is None and owner_of(one) in map(owner_of, others):
        assert scene.judged([*others, replace(one, verified=False)]) == scene.judged(others)


@given(scenes())
def test_what_is_refused_early_would_have_been_refused_late(scene):
    """
    Whatever the rest of the message.
    """
    early = judge_early(scene.path.reverse_path, scene.who, scene.catalog(), scene.rules, NOW)

    if early is not None:
        judged = scene.judged()
        assert judged.permit is None
        assert early.reply is not None
        assert early.reply.is_permanent


@given(scenes())
def test_a_trace_changes_no_answer(scene):
    """
    It only tells more.
    """
    told: Judgement = judge(scene.catalog(), scene.message, scene.path, who=scene.who, rules=scene.rules, trace=True)
    quick = scene.judged()

    assert (told.permit, told.reply, told.reason) == (quick.permit, quick.reply, quick.reason)
    assert [d.why for d in told.decisions] == [d.why for d in quick.decisions]


@given(scenes())
def test_observing_permits_more_and_in_the_same_way(scene):
    """
    What is permitted under enforce goes as it would; what is refused although observed is refused under enforce too.
    """
    watched = replace(scene, who=replace(scene.who, mode="observe")).judged()
    judgement = scene.judged()

    assert watched.permit is not None or judgement.permit is None
    assert [d.verdict for d in watched.decisions] == [d.verdict for d in judgement.decisions]
    if judgement.permit is not None:
        assert watched.permit == judgement.permit
