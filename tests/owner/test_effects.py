"""What a change of policies means for delegates, told by the judge and no further than it was asked."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.judgement.catalog import Identity
from relay.owner.effects import MOST_QUESTIONS, effects, summary
from relay.policy.document import parse_policy
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate

NOW = 1_790_000_000.0
ARN = IdentityArn("aws", "us-east-1", "888888888888", "example.com")
BILLING = "arn:aws:iam::111111111111:user/billing"
DELEGATES = (Delegate("billing", BILLING), Delegate("other", "arn:aws:iam::333333333333:user/other"))


def statement(effect: str = "Allow", principal: Any = BILLING, **condition: Any) -> dict[str, Any]:
    made = {
        "Effect": effect,
        "Principal": {"AWS": principal},
        "Action": "ses:SendRawEmail",
        "Resource": str(ARN),
    }
    return made | ({"Condition": condition} if condition else {})


def like(**values: Any) -> dict[str, Any]:
    return {"StringLike": {f"ses:{key}": value for key, value in values.items()}}


def state(*statements: dict[str, Any], arn: IdentityArn = ARN, text: str | None = None) -> Identity:
    texts = [json.dumps({"Version": "2012-10-17", "Statement": [one]}) for one in statements]
    texts += [text] if text is not None else []
    return Identity(arn, verified=True, policies=tuple(parse_policy(f"p{n}", t) for n, t in enumerate(texts)))


INVOICES = statement(**like(FromAddress="invoices*@example.com"))
TO_NET: dict[str, Any] = {"ForAllValues:StringLike": {"ses:Recipients": "*@example.net"}}

CASES = {
    "a grant": (state(), state(INVOICES), "gains From invoices*@example.com"),
    "the last grant": (state(INVOICES), state(), "loses everything: From invoices*@example.com"),
    "one of two": (
        state(statement(**like(FromAddress=["billing@example.com", "invoices*@example.com"]))),
        state(INVOICES),
        "loses From billing@example.com",
    ),
    "moved": (
        state(statement(**like(FromAddress="billing@example.com"))),
        state(INVOICES),
        "gains From invoices*@example.com; loses From billing@example.com",
    ),
    "a Deny within a grant": (
        state(statement()),
        state(statement(), statement("Deny", "*", **like(FromAddress="ceo*@example.com"))),
        "loses From ceo*@example.com",
    ),
    "a grant with a Deny within": (
        state(),
        state(INVOICES, statement("Deny", **like(FromAddress="invoices-ceo@example.com"))),
        "gains From invoices*@example.com (without invoices-ceo@example.com)",
    ),
    "bounces bound": (
        state(INVOICES),
        state(statement(**like(FromAddress="invoices*@example.com", FeedbackAddress="*@example.com"))),
        "loses From invoices*@example.com, bounces to elsewhere",
    ),
    "recipients bound": (
        state(INVOICES),
        state(statement(**like(FromAddress="invoices*@example.com"), **TO_NET)),
        "loses From invoices*@example.com, but for mail to *@example.net",
    ),
    "a grant with recipients": (
        state(),
        state(statement(**like(FromAddress="invoices*@example.com"), **TO_NET)),
        "gains From invoices*@example.com, to *@example.net",
    ),
    "names bound": (
        state(INVOICES),
        state(statement(**like(FromAddress="invoices*@example.com", FromDisplayName="Acme*"))),
        "loses From invoices*@example.com, but for mail named Acme*",
    ),
    "names free": (
        state(statement(**like(FromAddress="invoices*@example.com", FromDisplayName="Acme*"))),
        state(INVOICES),
        "gains From invoices*@example.com, beyond mail named Acme*",
    ),
    "an end": (
        state(INVOICES),
        state(
            statement(
                **like(FromAddress="invoices*@example.com"),
                DateLessThan={"aws:CurrentTime": "2030-01-01T00:00:00Z"},
            )
        ),
        "loses From invoices*@example.com, after 2030-01-01T00:00:00Z",
    ),
    "a variable": (
        state(),
        state(statement(**like(FromAddress="${aws:username}@example.com"))),
        "gains From billing@example.com",
    ),
    "the same in other words": (
        state(statement(**like(FromAddress="billing@example.com"))),
        state(statement(StringEquals={"ses:FromAddress": "billing@example.com"})),
        "unchanged",
    ),
    "a whole account": (
        state(),
        state(statement(principal="111111111111", **like(FromAddress="billing@example.com"))),
        "may gain, by what the relay cannot know or does not count: From billing@example.com",
    ),
    "an organisation": (
        state(),
        state(statement(StringEquals={"aws:PrincipalOrgID": "o-1"}, **like(FromAddress="billing@example.com"))),
        "may gain, by what the relay cannot know or does not count: From billing@example.com",
    ),
    "unreadable": (
        state(INVOICES),
        state(text="{"),
        "cannot be told, a policy cannot be read: From *@example.com; From invoices*@example.com",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_effect_is_told_as_it_is(case):
    before, after, told = CASES[case]
    effect = effects(before, after, DELEGATES, NOW)[0]
    # Bounces of mail from elsewhere are told of beside these where the policies leave authors open.
    assert str(effect).startswith(told), effect


def test_a_delegate_that_no_statement_is_about_is_not_asked():
    found = effects(state(), state(INVOICES), DELEGATES, NOW)
    assert found[1].is_none
    assert found[1].asked == 0
    assert summary(found) == [
        "billing gains From invoices*@example.com",
        "unchanged for 1 delegate: no statement is about them",
    ]


def test_what_everybody_is_denied_is_asked_of_everybody():
    found = effects(state(INVOICES), state(INVOICES, statement("Deny", "*")), DELEGATES, NOW)
    assert found[0].has_lost_all
    assert summary(found)[1].startswith("unchanged for 1 delegate: ")
    assert found[1].asked > 0


def test_an_unreadable_policy_concerns_everybody():
    found = effects(state(INVOICES), state(INVOICES, text="{"), DELEGATES, NOW)
    assert all("cannot be told" in str(effect) for effect in found)


def test_an_identity_that_could_not_be_read_is_undecided():
    before = Identity(ARN, verified=True, problem="away")
    assert "cannot be told" in str(effects(before, state(), DELEGATES, NOW)[0])
    assert effects(before, state(INVOICES), DELEGATES, NOW)[0].gained == ("From invoices*@example.com",)


def test_an_address_identity_is_asked_about_itself():
    arn = IdentityArn("aws", "us-east-1", "888888888888", "ceo@example.com")
    allowed = statement() | {"Resource": str(arn)}
    effect = effects(state(arn=arn), state(allowed, arn=arn), DELEGATES, NOW)[0]
    assert effect.gained[0] == "From ceo@example.com"


def test_bounces_under_an_identity_are_told_of():
    allowed = statement(**like(FeedbackAddress="bounces@example.com", FromAddress="*@example.org"))
    effect = effects(state(), state(allowed), DELEGATES, NOW)[0]
    assert effect.gained == ("From *@example.org, bounces to bounces@example.com",)


def test_too_much_to_ask_is_said():
    many = [f"a{n}@example.com" for n in range(200)]
    people = [f"b{n}@example.net" for n in range(200)]
    to_people: dict[str, Any] = {"ForAllValues:StringLike": {"ses:Recipients": people}}
    wide = statement(**like(FromAddress=many), **to_people)
    effect = effects(state(), state(wide), DELEGATES, NOW)[0]
    assert effect.asked == MOST_QUESTIONS
    assert effect.unclear == (f"only {MOST_QUESTIONS} requests were judged, there would be more to ask",)


def test_json_says_the_same():
    told = effects(state(INVOICES), state(), DELEGATES, NOW)[0].to_json()
    assert told == {
        "delegate": "billing",
        "identity": str(ARN),
        "gained": [],
        "lost": ["From invoices*@example.com"],
        "unclear": [],
        "loses_everything": True,
        "asked": told["asked"],
    }


PATTERNS = st.sampled_from(["a*@example.com", "ab@example.com", "*b@example.com", "*", "a?@example.com"])
STATEMENTS = st.builds(
    lambda effect, patterns: statement(effect, **like(FromAddress=patterns)),
    st.sampled_from(["Allow", "Deny"]),
    st.lists(PATTERNS, min_size=1, max_size=2),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(STATEMENTS, max_size=3), st.lists(STATEMENTS, max_size=3))
def test_there_and_back_again_is_gained_what_was_lost(one, other):
    there = effects(state(*one), state(*other), DELEGATES[:1], NOW)[0]
    back = effects(state(*other), state(*one), DELEGATES[:1], NOW)[0]
    assert bool(there.gained) == bool(back.lost)
    assert bool(there.lost) == bool(back.gained)
    assert not there.unclear
    if one == other:
        assert there.is_none
