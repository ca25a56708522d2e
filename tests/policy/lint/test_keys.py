"""What lint says of condition keys is what the judge makes of them."""

import pytest

from relay.judgement.context import Circumstances, caller_of, contexts
from relay.judgement.rules import Rules
from relay.mail.facts import DisplayName
from relay.policy.lint.keys import KEYS, find_key, meant_by
from relay.policy.request import Context
from relay.words.addresses import parse_address
from relay.words.arns import parse_identity_arn
from relay.words.delegates import Delegate
from tests.policy.asking import IDENTITY
from tests.policy.lint.asking import APP

ADDRESS = parse_address("app@example.com")


def seen(key: str) -> Context:
    """The context of a message of a user, as far as a policy with this key would look."""
    delegate = Delegate("app", APP)
    name = DisplayName("App", "App")
    circumstances = Circumstances(
        ADDRESS, name, str(ADDRESS), ("a@example.net",), caller_of(delegate), delegate, Rules(), 0.0
    )
    ((_, context),) = contexts(circumstances, parse_identity_arn(IDENTITY), frozenset((key,)), frozenset())
    return context


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_judge_knows_what_lint_says_it_knows(key):
    """
    Never sent, or by services only: absent. To be told by a setting: unknown until then. Always there: never absent.
    """
    name = (key.name + "team" if key.name.endswith("/") else key.name).lower()
    context = seen(name)

    assert (name in context.unknown) is bool(key.told_by)
    if key.presence in ("never", "services", "api-only"):
        assert name not in context.known
    if key.presence == "always":
        assert name in context.known or name in context.unknown


def test_keys_are_found_in_whatever_case():
    assert getattr(find_key("SES:FROMADDRESS"), "name", None) == "ses:FromAddress"
    assert getattr(find_key("AWS:principaltag/Team"), "name", None) == "aws:PrincipalTag/Team"
    assert find_key("aws:PrincipalTag/") is None
    assert find_key("ses:From") is None


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("ses:FromAdress", "ses:FromAddress"),
        ("ses:From", "ses:FromAddress"),
        ("From", "ses:FromAddress"),
        ("ses:ReturnPath", "ses:FeedbackAddress"),
        ("Return-Path", "ses:FeedbackAddress"),
        ("ses:mail_from", "ses:FeedbackAddress"),
        ("ses:Recipient", "ses:Recipients"),
        ("ses:To", "ses:Recipients"),
        ("FromDisplayName", "ses:FromDisplayName"),
        ("aws:PrincipalOrgId", "aws:PrincipalOrgID"),
        ("aws:PrincipleArn", "aws:PrincipalArn"),
        ("s3:prefix", None),
        ("", None),
    ],
)
def test_what_was_meant_is_guessed(spelled, meant):
    assert meant_by(spelled) == meant
