"""What is remembered is what would have been judged: the same value, or it is judged anew."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.judgement.memory import Memory
from relay.judgement.message import Bulk, judge_early, judge_message
from relay.judgement.rules import Rules
from relay.mail.facts import MessageFacts
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope
from tests.judgement.building import NOW, allow, arn, catalog, delegate, deny, envelope, facts, identity, statement
from tests.judgement.test_properties import ADDRESSES, scenes, some

PATHS = st.builds(
    envelope,
    some(*ADDRESSES, "<>"),
    some(["a@rcpt.example"], ["b@b.b"], ["a@rcpt.example", "b@b.b"], [f"{n}@rcpt.example" for n in range(51)]),
)
MESSAGES = st.builds(
    facts,
    some(*ADDRESSES),
    some(None, "App", "Other"),
    return_path=some(None, None, "app@example.com", "b@example.com"),
    source_arn=some(None, None, arn("example.com"), arn("app@example.com")),
    from_arn=some(None, None, arn("example.com")),
    x_ses=some({}, {}, {"x-ses-message-tags": "a=b"}, {"x-ses-configuration-set": "set"}),
)
BULKS = st.builds(Bulk, some(0, 1000, 9 << 20, 20 << 20, 50 << 20), some(None, None, (("a@rcpt.example",), ("b@b.b",))))
#: About the bounds of freshness, of what is read at NOW and long before, and the end of observing.
TIMES = some(NOW - 90_000, NOW - 3601, NOW - 3600, NOW - 1, NOW, NOW + 100, NOW + 3600, NOW + 3600.5, NOW + 90_000)


@settings(max_examples=300, deadline=None)
@given(scenes(), st.lists(st.tuples(MESSAGES, PATHS, BULKS, TIMES), min_size=2, max_size=8), st.data())
def test_messages_are_judged_as_without_a_memory(scene, others, data):
    """Alike or not, in any order, at any time, by the same or other delegates, rules and catalogs: the very value."""
    memory = Memory(scene.catalog(scene.known), scene.rules, most=data.draw(some(1, 3, 100)))
    granted = replace(scene.who, allow_configuration_sets=("set",), allow_message_tags=True)
    observed = replace(scene.who, mode="observe", observe_until=NOW + 50)
    houses = [
        (who, scene.catalog(known), rules)
        for who in (scene.who, granted, observed)
        for known in (scene.known, scene.known[:1])
        for rules in (scene.rules, Rules(null_reverse_path="author", context={"aws:PrincipalOrgID": ("o-1",)}))
    ]
    for message, path, bulk, now in [(scene.message, scene.path, Bulk(), NOW), *others] * 2:
        who, known, rules = data.draw(some(houses[0], *houses))
        expected = judge_message(message, path, who, known, rules, now, bulk=bulk)
        memory.follow(known, rules)
        assert memory.judge(message, path, who, now, octets=bulk.octets, batches=bulk.batches) == expected
        early = judge_early(path.reverse_path, who, known, rules, now)
        assert memory.judge_early(path.reverse_path, who, now) == early


def judged(memory: Memory, message: MessageFacts, path: Envelope, who: Delegate, now: float) -> object:
    return memory.judge(message, path, who, now, octets=0)


RULES = Rules()
APP = delegate()


def test_whom_it_goes_to_does_not_matter_where_no_policy_asks():
    """The very same judgement, as long as what it rests on is fresh."""
    known = catalog(identity("example.com", allow(StringLike={"ses:FromAddress": "app@*"})))
    memory = Memory(known, RULES)

    first = judged(memory, facts(), envelope(recipients=["a@a.example"]), APP, NOW)

    assert judged(memory, facts(), envelope(recipients=["b@b.example"]), APP, NOW + 3600) is first
    assert judged(memory, facts(), envelope(), APP, NOW + 3601) is not first
    assert judged(memory, facts("app2@example.com"), envelope(), APP, NOW) is not first
    assert judged(memory, facts(name="App"), envelope(), APP, NOW) is not first
    assert judged(memory, facts(), envelope("b@example.com"), APP, NOW) is not first


@given(some("ses:Recipients", "aws:CurrentTime", "aws:EpochTime"))
@example("ses:Recipients")
def test_what_hangs_on_recipients_or_time_is_judged_every_time(key):
    """Also where they stand in a Deny that does not apply."""
    condition = {"Null": {key: "true"}}
    known = catalog(identity("example.com", allow(), deny(**condition)))
    memory = Memory(known, RULES)

    first = judged(memory, facts(), envelope(), APP, NOW)

    assert judged(memory, facts(), envelope(), APP, NOW) == first
    assert judged(memory, facts(), envelope(), APP, NOW) is not first


def test_what_is_said_of_others_does_not_matter():
    """Recipients are asked for, but not of this delegate; nor for this call."""
    asks = {"ForAllValues:StringLike": {"ses:Recipients": "*@rcpt.example"}}
    others = statement("Allow", "arn:aws:iam::999999999999:user/other", asks)
    known = catalog(identity("example.com", allow(), others, deny(**asks) | {"Action": "ses:SendEmail"}))
    memory = Memory(known, RULES)

    first = judged(memory, facts(), envelope(recipients=["a@a.example"]), APP, NOW)

    assert judged(memory, facts(), envelope(recipients=["b@b.example"]), APP, NOW) is first


@pytest.mark.parametrize(
    "said",
    [
        {"source_arn": arn("example.com")},
        {"from_arn": arn("example.com")},
        {"return_path_arn": arn("example.com")},
        {"return_path": "back@example.com"},
        {"name": "App"},
        {"x_ses": {"x-ses-message-tags": "a=b"}},
    ],
)
def test_whatever_a_message_says_is_heard(said):
    known, who = catalog(identity("example.com", allow())), delegate(allow_message_tags=True)
    memory = Memory(known, RULES)

    first = judged(memory, facts(), envelope(), who, NOW)
    other = judged(memory, facts(**said), envelope(), who, NOW)

    assert other is not first
    assert other == judge_message(facts(**said), envelope(), who, known, RULES, NOW)


def test_a_delegate_of_the_same_name_is_another_when_its_settings_changed():
    known, changed = catalog(identity("example.com", allow())), delegate(configuration_set="set")
    memory = Memory(known, RULES)

    judged(memory, facts(), envelope(), APP, NOW)

    assert judged(memory, facts(), envelope(), changed, NOW) == judge_message(
        facts(), envelope(), changed, known, RULES, NOW
    )


def test_a_large_message_is_judged_for_the_call_that_takes_it():
    """Whose actions the policy does not allow."""
    known = catalog(identity("example.com", allow()))
    memory = Memory(known, RULES)

    memory.judge(facts(), envelope(), APP, NOW, octets=1000)
    found = memory.judge(facts(), envelope(), APP, NOW, octets=20 << 20)

    assert found == judge_message(facts(), envelope(), APP, known, RULES, NOW, bulk=Bulk(20 << 20))
    assert found.permit is None


def test_what_is_refused_is_judged_every_time():
    known = catalog(identity("example.com", deny()))
    memory = Memory(known, RULES)

    first = judged(memory, facts(), envelope(), APP, NOW)

    assert judged(memory, facts(), envelope(), APP, NOW) is not first


def test_a_memory_does_not_grow_without_end():
    """One author more than it remembers, and it begins anew."""
    known = catalog(identity("example.com", allow()))
    memory = Memory(known, RULES, most=2)

    first = [judged(memory, facts(f"{name}@example.com"), envelope(), APP, NOW) for name in "abc"]
    again = [judged(memory, facts(f"{name}@example.com"), envelope(), APP, NOW) for name in "cba"]

    assert [one is other for one, other in zip(first, reversed(again), strict=True)] == [False, False, True]
