"""What a hostile client tries with its headers, byte for byte, and honest mail: the judge's part of the answer."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.rules import Rules
from relay.mail.facts import MessageProblem
from relay.mail.reading import read_facts
from relay.policy.document import parse_policy
from relay.words.arns import parse_identity_arn
from relay.words.delegates import Delegate
from tests.judgement.building import NOW, envelope, judge

CASES = Path(__file__).parents[1] / "cases"
FIXTURE = json.loads((CASES / "attacks_fixture.json").read_text())
RULES = Rules(source_arn="required", x_ses_headers="reject")

#: Authorization is the judge's; these must get past the reader and be refused, or permitted, here.
AUTHORIZATION = {
    "c-idn-puny", "c-local-case", "c-plus", "c-subdomain", "c-suffix-domain", "ctl-domain-case", "ctl-good",
    "e-arn-case-value", "e-arn-configset", "e-arn-folded", "e-arn-in-body", "e-arn-partition", "e-arn-region",
    "e-arn-trailing-ws", "e-arn-wild", "e-config-set", "e-from-arn-other", "e-list-mgmt", "e-tenant", "e-unknown-xses",
    "f-allowed", "f-errors-to", "f-forged", "f-verp",
}  # fmt: skip


def principal(delegate: str) -> str:
    return f"arn:aws:iam::444455556666:user/{delegate}"


def policy_of(arn: str, allows: Any) -> Any:
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": principal(allow["delegate"])},
            "Action": "ses:SendRawEmail",
            "Resource": arn,
            "Condition": {operator: keys for operator, keys in allow.items() if operator != "delegate"},
        }
        for allow in allows
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    return (parse_policy("fixture", json.dumps(document)),) if statements else ()


def fixture_catalog() -> Catalog:
    identities = [
        Identity(parse_identity_arn(arn), verified=True, policies=policy_of(arn, of["allow"]), read_at=NOW)
        for arn, of in FIXTURE["identities"].items()
    ]
    return Catalog({("111122223333", "us-east-1"): OwnedIdentities.of(identities, NOW)})


KNOWN = fixture_catalog()


def messages() -> list[Any]:
    with (CASES / "attacks.jsonl").open() as lines:
        cases = [json.loads(line) for line in lines]
    return [case for case in cases if case["kind"] == "message"]


def raw_of(case: Any) -> bytes:
    if "message_zb64" in case:
        return zlib.decompress(base64.b64decode(case["message_zb64"]))
    return base64.b64decode(case["message_b64"])


def judged(case: Any, rules: Rules = RULES) -> Any:
    raw = raw_of(case)
    read = read_facts(raw if raw.endswith(b"\r\n") else raw + b"\r\n")
    if isinstance(read, MessageProblem):
        return None
    defaults = FIXTURE["defaults"]
    path = envelope(case.get("mail_from", defaults["mail_from"]), case.get("rcpt", defaults["rcpt"]))
    name = case.get("delegate", defaults["delegate"])
    return judge(KNOWN, read, path, who=Delegate(name, principal(name)), rules=rules)


@pytest.mark.parametrize("case", messages(), ids=lambda case: case["id"])
def test_case(case):
    """What the reader lets pass is permitted, or refused with the code of the case."""
    judgement = judged(case)

    if judgement is None:
        assert case["id"] not in AUTHORIZATION
    elif case["expect"] == "accept":
        assert judgement.permit is not None
    else:
        code, status = case["code"].split("|")[0].split()
        assert str(judgement.reply.code).replace("554", "550") == code.replace("554", "550")
        assert judgement.reply.status == status


@pytest.mark.parametrize("case", messages(), ids=lambda case: case["id"])
def test_stripping_never_honours(case):
    """With ``x_ses_headers = "strip"`` what passes is sent without a configuration set, tenant or foreign tag."""
    judgement = judged(case, Rules(source_arn="required", x_ses_headers="strip"))

    if judgement is not None and judgement.permit is not None:
        assert judgement.permit.configuration_set is None
        assert judgement.permit.tenant is None
        assert [name for name, _ in judgement.permit.tags] == ["ses-relay-delegate"]


def test_every_authorization_case_is_there():
    assert {case["id"] for case in messages()} >= AUTHORIZATION
