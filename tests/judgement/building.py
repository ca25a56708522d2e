"""Small makers of what the judge is handed: policies, catalogs, delegates, messages."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.message import Bulk, judge_message
from relay.judgement.rules import Rules
from relay.mail.facts import DisplayName, MessageFacts
from relay.policy.document import Policy, UnreadablePolicy, parse_policy
from relay.words.addresses import Address, NullPath, ReversePath, parse_address
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.roles import AssumedRole
from relay.words.transactions import Envelope

NOW = 1_760_000_000.0  # 2025-10-09T08:53:20Z
OWNER = "888888888888"
REGION = "us-east-1"
APP = "arn:aws:iam::111111111111:user/app"
ANYONE = "*"


def arn(name: str, account: str = OWNER, region: str = REGION) -> str:
    return f"arn:aws:ses:{region}:{account}:identity/{name}"


def statement(
    effect: str = "Allow", principal: Any = APP, condition: Mapping[str, Any] | None = None, **elements: Any
) -> dict[str, Any]:
    """One statement on every identity of the tests; ``resource`` is filled in by :func:`identity`."""
    made: dict[str, Any] = {
        "Effect": effect,
        "Principal": principal if principal == ANYONE else {"AWS": principal},
        "Action": "ses:SendRawEmail",
        **elements,
    }
    return made | ({"Condition": condition} if condition else {})


def allow(principal: Any = APP, **condition: Any) -> dict[str, Any]:
    """An Allow; conditions as ``allow(StringEquals={"ses:FromAddress": ...})``."""
    return statement("Allow", principal, condition)


def deny(principal: Any = APP, **condition: Any) -> dict[str, Any]:
    return statement("Deny", principal, condition)


def policy(*statements: Mapping[str, Any], resource: str, name: str = "p") -> Policy | UnreadablePolicy:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": f"S{i}", **s, "Resource": resource} for i, s in enumerate(statements)],
    }
    return parse_policy(name, json.dumps(document))


def identity(
    name: str,
    *statements: Mapping[str, Any],
    account: str = OWNER,
    region: str = REGION,
    verified: bool = True,
    read_at: float = NOW,
    problem: str | None = None,
    unreadable: bool = False,
) -> Identity:
    """A verified identity; each call's statements are one policy of it, none of them no policy."""
    policies: tuple[Policy | UnreadablePolicy, ...] = ()
    if statements:
        policies += (policy(*statements, resource=arn(name, account, region)),)
    if unreadable:
        policies += (parse_policy("broken", "{"),)
    return Identity(IdentityArn("aws", region, account, name), verified, policies, read_at, problem)


def catalog(*identities: Identity, listed_at: float = NOW, problem: str | None = None) -> Catalog:
    owners: dict[tuple[str, str], list[Identity]] = {(OWNER, REGION): []} if not identities else {}
    for one in identities:
        owners.setdefault((one.arn.account, one.arn.region), []).append(one)
    return Catalog({key: OwnedIdentities.of(group, listed_at, problem) for key, group in owners.items()})


def delegate(principal: str = APP, *, role: str | None = None, **settings: Any) -> Delegate:
    """A delegate; *role* is the ARN of the role whose session *principal* is."""
    assumed = None if role is None else AssumedRole(role, principal.rpartition("/")[2])
    return Delegate("app", principal, role=assumed, **settings)


def facts(author: str = "app@example.com", name: str | DisplayName | None = None, **fields: Any) -> MessageFacts:
    shown = DisplayName(name, name) if isinstance(name, str) else name
    return_path = fields.pop("return_path", None)
    return MessageFacts(
        parse_address(author),
        shown,
        parse_address(return_path) if return_path else None,
        fields.pop("source_arn", None),
        fields.pop("from_arn", None),
        fields.pop("return_path_arn", None),
        **fields,
    )


def envelope(mail_from: str = "app@example.com", recipients: Iterable[str] = ("bob@rcpt.example",)) -> Envelope:
    reverse_path: ReversePath = NullPath.NULL
    if mail_from != "<>":
        reverse_path = parse_address(mail_from, maybe_on_a_host=True).with_domain_lowered()
    return Envelope(reverse_path, tuple(parse_address(one) for one in recipients), "id")


def judge(
    known: Catalog,
    message: MessageFacts | None = None,
    path: Envelope | None = None,
    *,
    who: Delegate | None = None,
    rules: Rules | None = None,
    now: float = NOW,
    trace: bool = False,
    bulk: Bulk | None = None,
) -> Any:
    """Judge a message of which only what matters to the test is given: a Judgement, of which it knows which half."""
    return judge_message(
        message or facts(),
        path or envelope(),
        who or delegate(),
        known,
        rules or Rules(),
        now,
        bulk=bulk or Bulk(),
        trace=trace,
    )


def address(text: str) -> Address:
    return parse_address(text)
