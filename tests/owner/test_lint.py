"""What this desk writes is clean by its own lint."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.owner.grant import Grant, policy_of
from relay.owner.statements import Pattern, text_of
from relay.policy.lint import Severity, lint_policy
from relay.words.arns import IdentityArn, parse_identity_arn
from tests.owner.test_suggest import APP, MAILS, SESSION, Mail, suggested
from tests.owner.week import DOMAIN

NOW = datetime(2026, 11, 21, tzinfo=UTC)
IDENTITY = parse_identity_arn(DOMAIN)


def faults(identity: IdentityArn, name: str, text: str) -> list[tuple[str, str]]:
    """The errors and warnings in a policy."""
    found = lint_policy(name, text, identity=identity, now=NOW)
    return [(finding.code, finding.message) for finding in found if finding.severity is not Severity.NOTE]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(MAILS, st.booleans())
def test_suggestions_are_clean(mails, group):
    """
    Whatever was seen: odd addresses, labels, upper case, many identities.
    """
    suggestions, _ = suggested(mails, group=group)

    assert [faults(each.identity, each.name, each.text) for each in suggestions] == [[]] * len(suggestions)


@pytest.mark.parametrize("count", [30, 120, 800])
def test_suggestions_that_were_widened_are_clean(count):
    mails = [Mail(f"person{n}@example.com", f"bounce-{n}@bounces.example", ("to@a.example",)) for n in range(count)]

    suggestions, _ = suggested(mails)

    assert [faults(each.identity, each.name, each.text) for each in suggestions] == [[], []]


def test_a_suggestion_that_does_not_fit_is_an_error():
    mails = [Mail(f"a@{n:04}.{'x' * 50}.example.com", "b@bounces.example", ("to@a.example",)) for n in range(200)]

    suggestions, _ = suggested(mails)

    assert all("too-large" in dict(faults(each.identity, each.name, each.text)) for each in suggestions)


def patterns(*texts: str) -> st.SearchStrategy[Sequence[Pattern]]:
    """Some of these, those with a star as patterns."""
    made = [Pattern(text, is_wild="*" in text) for text in texts]
    return st.lists(st.sampled_from(made), unique=True, max_size=3)


GRANTS = st.builds(
    Grant,
    st.just(IDENTITY),
    st.sampled_from([APP, SESSION, "111111111111", "arn:aws:iam::111111111111:root"]),
    authors=patterns("ann@example.com", "news*@example.com", "*@mail.example.com", "*", "who?@example.com"),
    feedback=patterns("ann@example.com", "*@bounces.example", "*"),
    recipients=patterns("bob@example.net", "*@example.net", "*"),
    names=patterns("News", "News*", "Example Inc.*"),
    until=st.none() | st.just(datetime(2027, 1, 31, tzinfo=UTC)),
)


@given(GRANTS)
def test_grants_are_clean(grant):
    """
    Every combination of plain words that names somebody and this identity's addresses.
    """
    assert faults(IDENTITY, "grant", text_of(policy_of(grant))) == []


async def test_what_a_week_suggests_is_clean(week, run, tmp_path):
    """From the records to the folder: linted as the command lints it."""
    log = week.write(tmp_path / "week.log")
    for delegate in ("billing", "newsletter"):
        made = run("policy", "suggest", "--delegate", delegate, log, "--write", "made")
        assert (made.exit_code, "warning" in made.stderr) == (0, False)

    told: dict[str, Any] = json.loads(run("policy", "lint", "made", "--json").stdout)

    assert (told["errors"], told["warnings"], told["policies"]) == (0, 0, 2)
