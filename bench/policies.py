"""The policies, requests and messages that are measured: the same for every judge."""

import json
from collections.abc import Iterator
from typing import Any

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.mail.facts import DisplayName, MessageFacts
from relay.policy.document import Policy, parse_policy
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from relay.words.addresses import parse_address
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.transactions import Envelope

OWNER, REGION = "888888888888", "us-east-1"
DELEGATE = "arn:aws:iam::111111111111:user/billing"
NOW = 1_760_000_000.0
CONTEXT = {
    "ses:FromAddress": ["invoices-2025@example.com"],
    "ses:FeedbackAddress": ["bounces@example.com"],
    "ses:Recipients": ["ann@example.net", "bob@example.net"],
}


def arn(name: str) -> str:
    return f"arn:aws:ses:{REGION}:{OWNER}:identity/{name}"


def document(name: str = "example.com", statements: int = 3) -> dict[str, Any]:
    """
    Statements for other delegates, a Deny of some recipients, and last the one that allows: from two addresses, with
    bounces to the domain.
    """
    allow = {
        "Sid": "Billing",
        "Effect": "Allow",
        "Principal": {"AWS": DELEGATE},
        "Action": "ses:SendRawEmail",
        "Resource": arn(name),
        "Condition": {
            "StringLike": {
                "ses:FromAddress": [f"billing@{name}", f"invoices*@{name}"],
                "ses:FeedbackAddress": f"*@{name}",
            }
        },
    }
    deny = {
        "Sid": "NoRivals",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "ses:Send*",
        "Resource": arn(name),
        "Condition": {"ForAnyValue:StringLike": {"ses:Recipients": "*@rival.example"}},
    }
    others = [
        {**allow, "Sid": f"Other{n}", "Principal": {"AWS": f"arn:aws:iam::{n:012}:user/other"}}
        for n in range(2, statements)
    ]
    return {"Version": "2012-10-17", "Statement": [*others, deny, allow][-statements:]}


def policy(name: str = "example.com", statements: int = 3) -> Policy:
    read = parse_policy("sending", json.dumps(document(name, statements)))
    assert isinstance(read, Policy), read
    return read


def request() -> Request:
    known = {key.lower(): tuple(values) for key, values in CONTEXT.items()}
    return Request(parse_caller(DELEGATE), "ses:SendRawEmail", arn("example.com"), Context(known))


def identities(count: int) -> Iterator[Identity]:
    """``example.com`` and others, each with a policy of three statements of its own."""
    for n in range(count):
        name = f"example{n}.com" if n else "example.com"
        yield Identity(IdentityArn("aws", REGION, OWNER, name), verified=True, policies=(policy(name),), read_at=NOW)


def catalog(count: int, shared: Policy | None = None) -> Catalog:
    """A catalog of *count* identities; with *shared*, all but the first have that policy (it is never asked)."""
    if shared is None:
        return Catalog({(OWNER, REGION): OwnedIdentities.of(identities(count), NOW)})
    names = (IdentityArn("aws", REGION, OWNER, f"example{n}.com") for n in range(1, count))
    others = (Identity(name, verified=True, policies=(shared,), read_at=NOW) for name in names)
    return Catalog({(OWNER, REGION): OwnedIdentities.of([*identities(1), *others], NOW)})


def delegates(count: int) -> list[Delegate]:
    """Delegates of one account, each with a principal of its own; the policies allow the first."""
    people = [DELEGATE, *(f"{DELEGATE}{n}" for n in range(1, count))]
    return [Delegate(f"billing{n}", principal) for n, principal in enumerate(people)]


def message(mail_from: str = "bounces@example.com") -> tuple[MessageFacts, Envelope]:
    author = parse_address("invoices-2025@example.com")
    facts = MessageFacts(author, DisplayName("Billing", "Billing"), None, None, None, None)
    recipients = tuple(parse_address(one) for one in CONTEXT["ses:Recipients"])
    return facts, Envelope(parse_address(mail_from), recipients)
