"""What holds for every policy and every request (Hypothesis)."""

import json
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.policy.answers import Decision
from relay.policy.batch import answer
from relay.policy.document import Policy, UnreadablePolicy, parse_document, parse_policy
from relay.policy.evaluation import could_allow, evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from relay.policy.wildcards import compile_glob, wild

IDENTITY = "arn:aws:ses:us-east-1:1:identity/a"
KEYS = ("ses:FromAddress", "ses:Recipients", "aws:SourceIp", "aws:CurrentTime", "aws:PrincipalTag/a")
TEXTS = st.text("ab*?${}", max_size=5)
FOUND = st.one_of(
    TEXTS,
    st.sampled_from(
        ["", "a", "ab", "true", "false", "1", "2.5", "2020-01-01", "10.0.0.1", "::1", "arn:a:b:c:d:e", "YQ==", "\ud800"]
    ),
)
WANTED = st.one_of(
    FOUND.filter(lambda text: "\ud800" not in text),
    st.sampled_from(["a*", "*b", "*", "?", "${aws:PrincipalTag/a}", "a${ses:FromAddress, 'b'}", "${*}"]),
)
READABLE = {
    "Numeric": st.sampled_from(["1", "2.5", "-3"]),
    "Date": st.sampled_from(["2020-01-01", "1577836800", "2019-12-31T23:59:59.5Z"]),
    "Bool": st.sampled_from(["true", "false", "True"]),
    "Null": st.sampled_from(["true", "false"]),
    "Binary": st.sampled_from(["YQ==", ""]),
    "Ip": st.sampled_from(["10.0.0.0/8", "::1", "0.0.0.0/0"]),
    "NotIp": st.sampled_from(["10.0.0.0/8", "::1", "::/0"]),
}
NAMES = sorted(
    {
        *(f"String{name}" for name in ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase")),
        *("StringLike", "StringNotLike", "ArnLike", "ArnNotLike", "Bool", "BinaryEquals", "IpAddress", "NotIpAddress"),
        *("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"),
        *("DateLessThan", "DateNotEquals", "Null"),
    }
)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    """A Condition whose values its operators can mostly read."""
    made: dict[str, dict[str, list[str]]] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        spelled = draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"])) + name
        spelled += draw(st.sampled_from(["", "IfExists"])) if name != "Null" else ""
        typed = next((values for kind, values in READABLE.items() if name.startswith(kind)), WANTED)
        values = st.lists(typed if draw(st.integers(0, 20)) else WANTED, min_size=1, max_size=3)
        made[spelled] = draw(st.dictionaries(st.sampled_from(KEYS), values, min_size=1, max_size=2))
    return made


PEOPLE = (
    "arn:aws:iam::123456789012:user/a",
    "arn:aws:iam::123456789012:role/R",
    "arn:aws:sts::123456789012:assumed-role/R/s",
    "123456789012",
)
ACTIONS = ("ses:*", "ses:A", "*", "*:A", "s3:B")
RESOURCES = ("*", "*", IDENTITY, "arn:aws:ses:*:1:i*y/?", "arn:aws:ses", "arn:aws:s3:::${ses:x}")


def elements(name: str, values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, list[str]]]:
    """An element, or now and then its Not- form; one value or several."""
    lists = st.lists(st.sampled_from(values), min_size=1, max_size=3)
    return st.tuples(st.sampled_from([name, name, name, f"Not{name}"]), lists)


@st.composite
def statements(draw: st.DrawFn, effects: tuple[str, ...] = ("Allow", "Allow", "Deny")) -> dict[str, Any]:
    """A statement, mostly readable and about the requests below."""
    effect = draw(st.sampled_from(effects))
    who, named = draw(elements("Principal", ("*", "*", *PEOPLE)))
    action, resource = draw(elements("Action", ACTIONS)), draw(elements("Resource", RESOURCES))
    return {
        "Effect": effect,
        ("Principal" if effect == "Allow" else who): {"AWS": named},
        action[0]: action[1],
        resource[0]: resource[1],
        "Condition": draw(conditions()),
    }


CONTEXTS = st.dictionaries(st.sampled_from(KEYS), st.lists(FOUND, max_size=3), max_size=4)
READINGS: st.SearchStrategy[Literal["any", "all", "either"]] = st.sampled_from(["any", "all", "either"])


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A request with a context in which nothing is unknown."""
    known = {key.lower(): tuple(values) for key, values in draw(CONTEXTS).items()}
    caller = parse_caller(draw(st.sampled_from((*PEOPLE, "anonymous", "ecs.amazonaws.com", "x"))))
    context = Context(known, bare_on_many=draw(READINGS))
    return Request(caller, draw(st.sampled_from(["ses:A", "ses:A", "s3:B", "x"])), IDENTITY, context)


def policy_of(*made: dict[str, Any]) -> Policy | UnreadablePolicy:
    """A policy of these statements."""
    return parse_document("p", {"Version": "2012-10-17", "Statement": list(made)})


def turn(value: Any, chance: Random) -> Any:
    """The same JSON with every list and every object in another order."""
    if isinstance(value, list):
        return chance.sample([turn(one, chance) for one in value], len(value))
    if isinstance(value, dict):
        return {key: turn(value[key], chance) for key in chance.sample(sorted(value), len(value))}
    return value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | WANTED,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["Statement", "Effect", "Principal", "AWS"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from(["Version", "Statement", "Principal", "Action", "Resource", "Condition", "Sid", "Id"]))
def test_parsing_never_raises(value, element):
    """
    Whatever JSON stands where: a policy, or problems with their paths.
    """
    good = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    for document in (value, {"Statement": value}, {"Statement": [good | {element: value}]}, {element: value}):
        made = parse_document("p", document)
        assert isinstance(made, Policy) or (made.problems and all(p.path.startswith("$") for p in made.problems))
        again = parse_policy("p", json.dumps(document))
        assert isinstance(again, Policy | UnreadablePolicy)


@given(st.text())
def test_parsing_text_never_raises(text):
    """
    Nor does what is no JSON at all.
    """
    assert isinstance(parse_policy("p", text), Policy | UnreadablePolicy)


@given(JSON, st.text())
def test_a_batch_answers_everything(value, text):
    """
    Any line has an answer that can be written as JSON.
    """
    for line in (
        json.dumps(value),
        text,
        json.dumps({"policy": value, "principal": "a", "action": "b", "resource": "c"}),
    ):
        told = answer(line)
        assert told["decision"] in {"Allow", "ExplicitDeny", "ImplicitDeny", "Undecided"}
        json.dumps(told, allow_nan=False)


@given(st.lists(statements(), min_size=1, max_size=3), statements(("Deny",)), requests())
def test_a_deny_more_never_allows_more(made, deny, asked):
    """
    And where it denies nothing, the answer stays.
    """
    before, after = (evaluate(asked, [policy_of(*some)]).decision for some in (made, [*made, deny]))

    assert after is not Decision.ALLOW or before is Decision.ALLOW


@given(st.lists(statements(), min_size=1, max_size=3), statements(("Allow",)), requests())
def test_an_allow_more_never_allows_less(made, allow, asked):
    """
    If it can be read.
    """
    before = evaluate(asked, [policy_of(*made)]).decision
    more = policy_of(*made, allow)

    if before is Decision.ALLOW and isinstance(more, Policy):
        assert evaluate(asked, [more]).decision is Decision.ALLOW


@given(st.lists(statements(), min_size=1, max_size=3), statements(), requests())
def test_a_statement_that_is_not_about_the_request_changes_nothing(made, other, asked):
    """
    Neither the answer nor its reasons.
    """
    others = [
        {**{n: v for n, v in other.items() if "Action" not in n}, "Action": "sqs:*"},
        {**{n: v for n, v in other.items() if "Resource" not in n}, "Resource": "arn:aws:sqs:us-east-1:1:q"},
        {**{n: v for n, v in other.items() if "Principal" not in n}, "Principal": {"AWS": "999999999999"}},
    ]
    before = evaluate(asked, [policy_of(*made)])

    for unused in others:
        more = policy_of(*made, unused)
        if isinstance(more, Policy):
            assert evaluate(asked, [more]) == before


@given(
    JSON,
    st.sampled_from(["Statement", "Principal", "Action", "Resource", "Condition", "Sid"]),
    st.dictionaries(st.text(), st.lists(st.text() | FOUND, max_size=2), max_size=3),
    st.text(),
)
def test_evaluation_never_raises(value, element, context, text):
    """
    Whatever JSON stands where, and whoever asks what of which with anything in the context.
    """
    good = {"Effect": "Allow", "Principal": {"CanonicalUser": "*"}, "Action": "*", "Resource": "*"}
    policies = [
        parse_document("p", {"Statement": [good | {element: value}]}),
        policy_of(good | {"Condition": {"StringLike": {"a": text.replace("${", "")}, "ArnNotLike": {"b": "*"}}}),
    ]
    known = {key.lower(): tuple(values) for key, values in context.items()}
    for caller, action, resource in ((text, "ses:A", IDENTITY), ("anonymous", text, text)):
        asked = Request(parse_caller(caller), action, resource, Context({"a": (text,), **known}))
        assert evaluate(asked, policies, trace=True).decision in Decision
        assert could_allow(asked, policies) in (True, False)


@given(st.lists(statements(), min_size=1, max_size=3), requests(), st.randoms(use_true_random=False))
def test_order_never_matters(made, asked, chance):
    """
    Of statements, of elements, of conditions, of values, of policies.
    """
    turned = [turn(one, chance) for one in json.loads(json.dumps(made))]
    chance.shuffle(turned)

    straight = evaluate(asked, [policy_of(*made)])
    assert evaluate(asked, [policy_of(*turned)]).decision is straight.decision
    if straight.decision is not Decision.UNDECIDED:
        apart = evaluate(asked, [policy_of(one) for one in turned])
        assert (apart.decision, apart.grant) == (straight.decision, straight.grant)


@given(st.lists(statements(), min_size=1, max_size=3), requests())
def test_traces_tell_what_was_counted(made, asked):
    """
    The slow telling and the quick counting agree, and a trace changes no answer.
    """
    told = evaluate(asked, [policy_of(*made)], trace=True)
    quick = evaluate(asked, [policy_of(*made)])

    assert replace(told, traces=()) == quick
    if told.decision is not Decision.UNDECIDED:
        wanted = {Decision.ALLOW: {"yes"}, Decision.EXPLICIT_DENY: {"yes", "unknown"}}.get(told.decision, set())
        effect = "Deny" if told.decision is Decision.EXPLICIT_DENY else "Allow"
        counted = tuple(t.statement for t in told.traces if t.effect == effect and t.applies in wanted)
        assert told.because == counted


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(statements(), min_size=1, max_size=2), requests(), st.sampled_from(KEYS), st.lists(FOUND, max_size=2))
def test_the_unknown_is_never_better_than_what_it_turns_out_to_be(made, asked, key, found):
    """
    Allow with a key unknown is Allow whatever the key holds, and without it; no Allow is possible where none could be.
    """
    policies = [policy_of(*made)]
    known = {name: values for name, values in asked.context.known.items() if name != key.lower()}
    unknown = replace(asked, context=replace(asked.context, known=known, unknown=frozenset({key.lower()})))
    told, could = evaluate(unknown, policies).decision, could_allow(unknown, policies)

    for more in ({}, {key.lower(): tuple(found)}):
        turned_out = evaluate(replace(asked, context=replace(asked.context, known=known | more)), policies).decision
        assert told is not Decision.ALLOW or turned_out is Decision.ALLOW
        assert could or turned_out is not Decision.ALLOW


@given(st.lists(statements(), min_size=1, max_size=2), requests())
def test_the_cautious_reading_of_several_values_is_within_both(made, asked):
    """
    ``either`` allows only what ``any`` and ``all`` allow.
    """
    told = {
        reading: evaluate(replace(asked, context=replace(asked.context, bare_on_many=reading)), [policy_of(*made)])
        for reading in ("any", "all", "either")
    }

    if told["either"].decision is Decision.ALLOW:
        assert told["any"].decision is told["all"].decision is Decision.ALLOW


def backtrack(pattern: str, text: str) -> bool:
    """The plain definition: a star is nothing, or one character and a star."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return backtrack(pattern[1:], text) or (bool(text) and backtrack(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and backtrack(pattern[1:], text[1:])


@settings(max_examples=5 * settings().max_examples)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_wildcards_match_as_defined(pattern, text):
    """
    The linear matcher and the plain definition agree.
    """
    assert compile_glob(wild(pattern)).matches(text) is backtrack(pattern, text)


def test_every_short_pattern_on_every_short_text():
    """
    All patterns and texts of up to four characters: head and tail may not share what stands once.
    """
    patterns, texts = (
        ["".join(made) for n in range(5) for made in product(letters, repeat=n)] for letters in ("ab*?", "a\n")
    )
    for pattern in patterns:
        glob = compile_glob(wild(pattern))
        assert [text for text in texts if glob.matches(text)] == [text for text in texts if backtrack(pattern, text)]


def test_a_pattern_made_to_backtrack_is_as_quick_as_any():
    """
    Were it exponential, this would not end.
    """
    for pattern in ("*a" * 40 + "*b", "*a?" * 40 + "b", ("*" + "a" * 50) * 20 + "*?b"):
        assert not compile_glob(wild(pattern)).matches("a" * 10_240)
