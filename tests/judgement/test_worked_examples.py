"""
The 42 worked examples of the SES and IAM guides ("Sending authorization policy examples" and what follows from it) as
whole messages: which identity governs, who asks, what the context holds. The policies alone are asked in tests/policy.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from relay.judgement.catalog import Catalog, Identity
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Verdict
from relay.policy.document import Policy, parse_policy
from relay.words.addresses import parse_address
from relay.words.arns import IdentityArn
from tests.judgement.building import NOW, OWNER, REGION, arn, catalog, delegate, envelope, facts, judge

FILE = Path(__file__).parent.parent / "cases" / "judgement-examples.jsonl"
CASES = [json.loads(line) for line in FILE.read_text().splitlines()]


def known(case: dict[str, Any], now: float) -> Catalog:
    """Each identity with its statements as one policy, read just now."""
    identities = []
    for name, statements in case["identities"].items():
        document = {
            "Version": case.get("version", "2012-10-17"),
            "Statement": [{**statement, "Resource": arn(name)} for statement in statements],
        }
        policy = parse_policy("example", json.dumps(document))
        assert isinstance(policy, Policy)
        identities.append(
            Identity(IdentityArn("aws", REGION, OWNER, name), verified=True, policies=(policy,), read_at=now)
        )
    return catalog(*identities, listed_at=now)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['row']}: {case['name']}" for case in CASES])
def test_the_guides_examples_hold_for_whole_messages(case):
    now = datetime.fromisoformat(case["time"]).timestamp() if "time" in case else NOW
    author = case.get("from", "app@example.com")
    rules = Rules(
        source_arn=case.get("source_arn", "infer"),
        context={key: tuple(values) for key, values in case.get("context", {}).items()},
        egress=tuple(case.get("egress", ())),
    )
    recipients = [parse_address(each).with_domain_lowered() for each in case.get("recipients", ["bob@rcpt.example"])]
    sender = envelope(case.get("mail_from", author), map(str, recipients))  # lower-cased at the door
    judgement = judge(
        known(case, now),
        facts(author, case.get("display_name"), source_arn=case.get("named")),
        sender,
        who=delegate(**case["delegate"]),
        rules=rules,
        now=now,
    )

    verdicts = {str(decision.verdict) for decision in judgement.decisions} or {"not-allowed"}
    assert (judgement.permit is not None) == (case["verdict"] == "allowed")
    assert case["verdict"] in verdicts
    assert str(judgement.reply or "").startswith(case.get("reply", ""))


def test_every_worked_example_is_there():
    """Forty-two rows; each verdict is one the judge knows."""
    assert {case["row"] for case in CASES} == set(range(1, 43))
    assert {case["verdict"] for case in CASES} <= {str(verdict) for verdict in Verdict}
