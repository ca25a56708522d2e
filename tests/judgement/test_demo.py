"""The demo's table holds: the policies that ship with it, read from their folder, judged by the real judge."""

import json
from pathlib import Path
from typing import Any

import pytest

from relay.identities.folder import FolderDirectory
from relay.identities.ports import Owner
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Verdict
from relay.policy.document import Policy
from relay.words.delegates import Delegate
from tests.judgement.building import NOW, arn, envelope, facts, judge

FOLDER = Path(__file__).parents[2] / "config" / "demo" / "policies"
BILLING = Delegate("billing", "arn:aws:iam::111111111111:user/billing")
NEWSLETTER = Delegate("newsletter", "arn:aws:iam::222222222222:role/newsletter", account_grant=True)
INTERN = Delegate("intern", "arn:aws:iam::333333333333:user/intern")
DEMO = Rules(source_arn="infer", reveal="full")


@pytest.fixture(scope="module")
def known():
    events: list[Any] = []
    folder = FolderDirectory(FOLDER, [Owner("888888888888", ("us-east-1",))], events.append, lambda: NOW)
    folder.refresh()
    assert [event.result for event in events] == ["ok"]
    return folder.catalog


@pytest.mark.parametrize(
    ("who", "author", "mail_from", "recipients"),
    [
        (BILLING, "billing@example.com", "billing@example.com", ["x@anywhere.example"]),
        (BILLING, "invoices@example.com", "bounces@example.com", ["x@anywhere.example", "y@b.example"]),
        (BILLING, "invoices+2025@example.com", "billing@example.com", ["x@anywhere.example"]),
        (NEWSLETTER, "news@example.com", "news@example.com", ["a@example.net"]),
        (NEWSLETTER, "news@example.com", "bounces@example.com", ["a@example.net", "b@example.net"]),
    ],
)
def test_permitted(known, who, author, mail_from, recipients):
    judgement = judge(known, facts(author), envelope(mail_from, recipients), who=who, rules=DEMO)

    assert judgement.permit.from_arn == judgement.permit.source_arn == arn("example.com")
    assert judgement.permit.tags == (("ses-relay-delegate", who.name),)


@pytest.mark.parametrize(
    ("who", "author", "mail_from", "recipients", "verdict", "says"),
    [
        (BILLING, "ceo@example.com", "billing@example.com", ["x@a.example"], Verdict.NOT_ALLOWED, "ceo@example.com'"),
        (BILLING, "Ceo@example.com", "billing@example.com", ["x@a.example"], Verdict.NOT_ALLOWED, "Access denied"),
        (BILLING, "bob@example.com", "billing@example.com", ["x@a.example"], Verdict.NOT_ALLOWED, "ses:FromAddress is"),
        (BILLING, "billing@example.com", "b@other.example", ["x@a.example"], Verdict.NOT_ALLOWED, "other.example"),
        (BILLING, "billing@sub.example.com", "billing@example.com", ["x@a.example"], Verdict.NOT_ALLOWED, "Access"),
        (NEWSLETTER, "news@example.com", "news@example.com", ["x@a.example"], Verdict.NOT_ALLOWED, "ses:Recipients is"),
        (
            NEWSLETTER,
            "news@example.com",
            "news@example.com",
            ["a@example.net", "x@a.example"],
            Verdict.NOT_ALLOWED,
            "each of ses:Recipients like *@example.net",
        ),
        (NEWSLETTER, "billing@example.com", "news@example.com", ["a@example.net"], Verdict.NOT_ALLOWED, "FromAddress"),
        (INTERN, "intern@example.com", "intern@example.com", ["a@example.net"], Verdict.DENIED, "intern/NotTheIntern"),
        (INTERN, "news@example.com", "news@example.com", ["a@example.net"], Verdict.DENIED, "explicit Deny"),
    ],
)
def test_forbidden(known, who, author, mail_from, recipients, verdict, says):
    judgement = judge(known, facts(author), envelope(mail_from, recipients), who=who, rules=DEMO)

    assert verdict in {decision.verdict for decision in judgement.decisions}
    assert str(judgement.reply).startswith("554 5.7.1 ")
    assert f"delegate {who.name}, " in judgement.reply.text
    assert says in judgement.reply.text


def test_the_newsletter_sends_by_the_operators_word_for_its_account(known):
    unvouched = Delegate("newsletter", NEWSLETTER.principal)
    path = envelope("news@example.com", ["a@example.net"])

    assert judge(known, facts("news@example.com"), path, who=unvouched, rules=DEMO).permit is None


def test_the_policies_are_such_as_ses_takes(known):
    """Readable, at most 4,096 bytes, each with its one Resource, a Sid for every statement, nothing doubtful."""
    for path in sorted(FOLDER.glob("*/*/*/*.json")):
        account, region, name = path.parts[-4:-1]
        statements = json.loads(path.read_text())["Statement"]
        assert path.stat().st_size <= 4096
        assert {statement["Resource"] for statement in statements} == {arn(name, account, region)}
        assert all(statement["Sid"] and "ses:SendRawEmail" in statement["Action"] for statement in statements)
    (owned,) = known.owners.values()
    policies = [policy for group in owned.by_folded_name.values() for one in group for policy in one.policies]
    assert sorted(policy.name for policy in policies) == ["assistant", "billing", "intern", "newsletter"]
    assert all(isinstance(policy, Policy) and not policy.doubts for policy in policies)
