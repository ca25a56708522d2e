"""The order of changes: at no moment is anything allowed that neither end allows."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.message import judge_message
from relay.judgement.rules import Rules
from relay.mail.facts import MessageFacts
from relay.owner.ordering import NoOrder, in_order
from relay.owner.steps import HOLD_SID, Step
from relay.policy.document import parse_policy
from relay.words.addresses import Address, parse_address
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope

OWNER, REGION = "888888888888", "us-east-1"
ANN, BOB = (f"arn:aws:iam::{number * 12}:user/{name}" for number, name in (("1", "ann"), ("2", "bob")))
ACCOUNT = "111111111111"
State = Mapping[IdentityArn, Mapping[str, str]]


def arn(name: str) -> IdentityArn:
    return IdentityArn("aws", REGION, OWNER, name)


DOMAIN, BELOW, CEO, LABEL = map(arn, ("example.com", "sub.example.com", "ceo@example.com", "ceo+x@example.com"))


def text(identity: IdentityArn, *statements: tuple[str, str, str]) -> str:
    """A policy of (effect, principal, authors)."""
    made = [
        {
            "Effect": effect,
            "Principal": "*" if who == "*" else {"AWS": who},
            "Action": "ses:SendRawEmail",
            "Resource": str(identity),
        }
        | ({} if authors == "*" else {"Condition": {"StringLike": {"ses:FromAddress": authors}}})
        for effect, who, authors in statements
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": made})


def changes(before: State, after: State) -> list[Step]:
    steps = []
    for identity in {**before, **after}:
        old, new = before.get(identity, {}), after.get(identity, {})
        steps += [
            Step(identity, name, old.get(name), new.get(name))
            for name in {**old, **new}
            if old.get(name) != new.get(name)
        ]
    return steps


def ordered(before: State, after: State) -> list[Step]:
    return in_order(changes(before, after), {identity: len(own) for identity, own in before.items()})


def states(before: State, steps: Iterable[Step]) -> Iterator[dict[IdentityArn, dict[str, str]]]:
    """Every state on the way; each step finds what it expects."""
    now = {identity: dict(own) for identity, own in before.items()}
    for step in steps:
        own = now.setdefault(step.identity, {})
        assert own.get(step.name) == step.before
        if step.after is None:
            del own[step.name]
        else:
            own[step.name] = step.after
        yield {identity: dict(own) for identity, own in now.items()}


def catalog(state: State) -> Catalog:
    identities = [
        Identity(identity, verified=True, policies=tuple(parse_policy(*item) for item in state[identity].items()))
        for identity in state
    ]
    return Catalog({(OWNER, REGION): OwnedIdentities.of(identities, 0.0)})


AUTHORS = [
    parse_address(name)
    for name in ("ceo@example.com", "ceo+x@example.com", "Ceo@example.com", "ann@example.com", "ann@sub.example.com")
]
REQUESTS = [
    (author, Delegate(who[-3:], who, account_grant=vouched))
    for author, who, vouched in product(AUTHORS, (ANN, BOB), (False, True))
]


def allowed(state: State) -> set[tuple[Address, str, bool]]:
    known = catalog(state)
    return {
        (author, delegate.name, delegate.account_grant)
        for author, delegate in REQUESTS
        if judge_message(
            MessageFacts(author, None, None, None, None, None),
            Envelope(author.with_domain_lowered(), (parse_address("bob@rcpt.example"),), "id"),
            delegate,
            known,
            Rules(),
            0.0,
        ).permit
    }


def wider(before: State, after: State, steps: Iterable[Step]) -> list[Any]:
    """What is allowed on the way and at neither end."""
    ends = allowed(before) | allowed(after)
    return [found - ends for found in map(allowed, states(before, steps)) if found - ends]


EFFECTS = st.sampled_from(["Allow", "Allow", "Deny"])
WHO = st.sampled_from([ANN, BOB, ACCOUNT, "*"])
FROM = st.sampled_from(["*", "ceo*", "ann@*", "*@example.com", "Ceo@example.com", "ceo+x@example.com"])
STATEMENTS = st.lists(st.tuples(EFFECTS, WHO, FROM), min_size=1, max_size=2)
POLICIES = st.dictionaries(st.sampled_from(["a", "b", "c"]), STATEMENTS, max_size=3)
STATES = st.fixed_dictionaries(dict.fromkeys((DOMAIN, BELOW, CEO, LABEL), POLICIES))


def written(state: Mapping[IdentityArn, Mapping[str, Any]]) -> State:
    return {
        identity: {name: text(identity, *statements) for name, statements in own.items()}
        for identity, own in state.items()
    }


@settings(max_examples=50, deadline=None)
@given(STATES, STATES)
def test_no_moment_allows_what_neither_end_allows(before, after):
    before, after = written(before), written(after)
    steps = ordered(before, after)
    *_, last = [before, *states(before, steps)]
    assert last == {identity: dict(own) for identity, own in after.items()}
    assert wider(before, after, steps) == []


@settings(max_examples=40, deadline=None)
@given(STATES, STATES, st.integers(0, 12), STATES)
def test_nor_when_it_is_interrupted_and_begun_again_or_taken_elsewhere(before, after, done, other):
    """From wherever it stopped, what is allowed on the way to the end was allowed there, or is at the end."""
    before, after, other = map(written, (before, after, other))
    *_, there = [before, *states(before, ordered(before, after)[:done])]
    assert allowed(there) <= allowed(before) | allowed(after)
    assert wider(there, other, ordered(there, other)) == []


ONE_EACH = st.lists(st.tuples(EFFECTS, WHO, FROM), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@given(ONE_EACH, ONE_EACH)
def test_what_both_ends_allow_stays_allowed_where_policies_come_and_go_whole(before, after):
    """One statement each, under other names: nothing makes a new Allow wait for an old one to go."""
    olds = {DOMAIN: {f"old{n}": text(DOMAIN, one) for n, one in enumerate(before)}}
    news = {DOMAIN: {f"new{n}": text(DOMAIN, one) for n, one in enumerate(after)}}
    both = allowed(olds) & allowed(news)
    assert all(both <= found for found in map(allowed, states(olds, ordered(olds, news))))


def verbs(steps: Iterable[Step]) -> list[str]:
    return [f"{step.verb} {step.identity.name}/{step.name}" for step in steps]


def test_a_deny_comes_first_then_allows_then_old_allows_go_and_old_denies_last():
    before = {DOMAIN: {"old-allow": text(DOMAIN, ("Allow", ANN, "*")), "old-deny": text(DOMAIN, ("Deny", "*", "ceo*"))}}
    after = {DOMAIN: {"allow": text(DOMAIN, ("Allow", ANN, "ann*")), "deny": text(DOMAIN, ("Deny", "*", "Ceo*"))}}
    assert verbs(ordered(before, after)) == [
        "add example.com/deny",
        "add example.com/allow",
        "delete example.com/old-allow",
        "delete example.com/old-deny",
    ]


def test_an_identity_that_has_policies_before_and_after_is_never_without():
    """Without any, an address falls to its domain, whose policies may allow what none of its own ever did."""
    before = {CEO: {"old": text(CEO, ("Deny", "*", "*"))}, DOMAIN: {"all": text(DOMAIN, ("Allow", ANN, "*"))}}
    after = {**before, CEO: {"new": text(CEO, ("Allow", BOB, "*"))}}
    assert verbs(ordered(before, after)) == ["add ceo@example.com/new", "delete ceo@example.com/old"]


def test_nor_is_it_where_that_leaves_no_order():
    """Its old policy waits for its new one, that for its domain's, and the domain's for the old one to go."""
    before = {CEO: {"old": text(CEO, ("Allow", BOB, "*"))}, DOMAIN: {"all": text(DOMAIN, ("Allow", ANN, "*"))}}
    after = {
        CEO: {"new": text(CEO, ("Allow", ANN, "other*"))},
        DOMAIN: {"all": text(DOMAIN, ("Allow", ANN, "ann@*"), ("Allow", BOB, "*"))},
    }
    steps = ordered(before, after)
    assert wider(before, after, steps) == []
    assert all(state[CEO] for state in states(before, steps))


def test_a_deny_that_moves_to_another_policy_is_there_before_it_goes():
    before = {
        DOMAIN: {
            "a": text(DOMAIN, ("Deny", ANN, "ceo*"), ("Allow", BOB, "x*")),
            "b": text(DOMAIN, ("Deny", ANN, "z*")),
            "k": text(DOMAIN, ("Allow", ANN, "*")),
        }
    }
    after = {
        DOMAIN: {
            **before[DOMAIN],
            "a": text(DOMAIN, ("Allow", BOB, "y*")),
            "b": text(DOMAIN, ("Deny", ANN, "ceo*")),
        }
    }
    steps = ordered(before, after)
    assert verbs(steps) == ["change example.com/b", "change example.com/a"]
    assert wider(before, after, steps) == []


def test_a_new_domain_with_an_address_begins_with_the_address():
    after = {DOMAIN: {"all": text(DOMAIN, ("Allow", ANN, "*"))}, CEO: {"only": text(CEO, ("Allow", BOB, "*"))}}
    assert verbs(ordered({}, after)) == ["add ceo@example.com/only", "add example.com/all"]
    assert verbs(ordered(after, {DOMAIN: {}, CEO: {}})) == ["delete example.com/all", "delete ceo@example.com/only"]


def test_an_address_that_loses_its_policies_does_so_after_its_domain_was_tightened():
    before = {CEO: {"only": text(CEO, ("Allow", BOB, "*"))}, DOMAIN: {"all": text(DOMAIN, ("Allow", ANN, "*"))}}
    after = {CEO: {}, DOMAIN: {"all": text(DOMAIN, ("Allow", ANN, "ann@*"))}}
    assert verbs(ordered(before, after)) == ["change example.com/all", "delete ceo@example.com/only"]


CROSSED_BEFORE = {
    DOMAIN: {
        "a": text(DOMAIN, ("Allow", ANN, "ceo*"), ("Deny", ANN, "x@*")),
        "b": text(DOMAIN, ("Deny", ANN, "ceo*"), ("Allow", ANN, "x@*")),
    }
}
CROSSED_AFTER = {
    DOMAIN: {"a": text(DOMAIN, ("Allow", ANN, "ann@*")), "b": text(DOMAIN, ("Allow", ANN, "b@*"))},
}


def test_policies_that_wait_for_each_other_are_held_by_a_deny_for_the_people_concerned():
    steps = ordered(CROSSED_BEFORE, CROSSED_AFTER)
    assert verbs(steps) == ["hold example.com/a", "change example.com/b", "change example.com/a"]
    hold = json.loads(steps[0].after or "")["Statement"][0]
    assert (hold["Sid"], hold["Effect"], hold["Principal"]) == (HOLD_SID, "Deny", {"AWS": ["111111111111"]})
    assert wider(CROSSED_BEFORE, CROSSED_AFTER, steps) == []


def test_a_hold_is_for_those_too_whom_the_held_policy_goes_on_denying():
    kept = {"k": text(DOMAIN, ("Allow", BOB, "*"))}
    before, after = (
        {DOMAIN: {**state[DOMAIN], **kept, "a": text(DOMAIN, *of_a, ("Deny", BOB, "ceo*"))}}
        for state, of_a in (
            (CROSSED_BEFORE, (("Allow", ANN, "ceo*"), ("Deny", ANN, "x@*"))),
            (CROSSED_AFTER, (("Allow", ANN, "ann@*"),)),
        )
    )
    steps = ordered(before, after)
    hold = json.loads(steps[0].after or "")["Statement"][0]
    assert (steps[0].verb, hold["Principal"]) == ("hold", {"AWS": ["111111111111", "222222222222"]})
    assert wider(before, after, steps) == []


def test_a_domain_and_one_below_it_that_both_get_their_first_policies_are_held():
    """Both must allow; while one of them has no say yet, the other would decide alone."""
    after = {BELOW: {"a": text(BELOW, ("Allow", BOB, "*"))}, DOMAIN: {"a": text(DOMAIN, ("Allow", ANN, "*"))}}
    steps = ordered({BELOW: {}, DOMAIN: {}}, after)
    assert [step.verb for step in steps] == ["hold", "hold", "change", "change"]
    assert wider({BELOW: {}, DOMAIN: {}}, after, steps) == []


def test_other_people_and_other_domains_do_not_wait():
    other = arn("example.org")
    before = {**CROSSED_BEFORE, other: {"x": text(other, ("Deny", BOB, "*"))}}
    after = {**CROSSED_AFTER, other: {"y": text(other, ("Allow", BOB, "*"))}}
    assert verbs(ordered(before, after)) == [
        "hold example.com/a",
        "change example.com/b",
        "change example.com/a",
        "add example.org/y",
        "delete example.org/x",
    ]


def test_a_text_that_cannot_be_read_may_hold_anything():
    before = {DOMAIN: {"a": "{", "b": text(DOMAIN, ("Allow", ANN, "*"))}}
    after = {DOMAIN: {"c": text(DOMAIN, ("Deny", ANN, "*"), ("Allow", BOB, "*"))}}
    assert verbs(ordered(before, after)) == [
        "add example.com/c",
        "delete example.com/b",
        "delete example.com/a",
    ]


FULL = {f"p{n}": text(DOMAIN, ("Allow", ANN, f"a{n}*")) for n in range(20)}


def test_of_twenty_policies_one_goes_before_another_comes():
    after = {**{name: own for name, own in FULL.items() if name != "p0"}, "q": FULL["p0"]}
    assert verbs(ordered({DOMAIN: FULL}, {DOMAIN: after})) == ["delete example.com/p0", "add example.com/q"]


def test_where_there_is_no_room_for_a_safe_way_it_is_said():
    denies = {f"p{n}": text(DOMAIN, ("Deny", ANN, f"a{n}*"), ("Allow", ANN, "*")) for n in range(20)}
    others = {f"q{n}": own for n, own in enumerate(denies.values())}
    with pytest.raises(NoOrder, match="no room to change them safely; delete one of them first"):
        ordered({DOMAIN: denies}, {DOMAIN: others})
