"""Starting policies: what each client could do at the peer, as statements of the identities' owner. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from relay.owner.grant import Grant, policy_of
from relay.owner.migrate.model import CannotMigrate, Client
from relay.owner.migrate.settling import Delegated, Settled, may_cover
from relay.owner.statements import (
    ACTION,
    Json,
    Pattern,
    compare,
    compare_any,
    compare_in_any_case,
    deny,
    fits,
    text_of,
)
from relay.policy.lint import MOST_POLICIES, Finding, lint_policy
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Starting:
    """A policy to start with, and what lint has to say of it."""

    identity: IdentityArn
    name: str
    text: str
    findings: tuple[Finding, ...]


def starting_policies(settled: Settled, now: datetime) -> tuple[Starting, ...]:
    """
    Return the policies of every identity; *now* is timezone-aware, for lint.

    Raises:
        CannotMigrate: What a client could do takes more than the policies that an identity may have.
    """
    made = []
    actions = (ACTION, "ses:SendEmail") if settled.found.is_large else (ACTION,)
    for identity in settled.identities:
        policies = [
            (name, text_of(policy))
            for each in settled.delegates
            if identity in each.identities
            for name, policy in _of(each, identity, actions)
        ]
        if len(policies) > MOST_POLICIES:
            why = f"takes {len(policies)} policies, and SES has room for {MOST_POLICIES}"
            raise CannotMigrate([f"{identity.name}: {why}: let users send as a domain in place of so many addresses"])
        made += [
            Starting(identity, name, text, tuple(lint_policy(name, text, identity=identity, now=now)))
            for name, text in policies
        ]
    return tuple(made)


def _of(delegated: Delegated, identity: IdentityArn, actions: Sequence[str]) -> Iterator[tuple[str, Json]]:
    """Yield the names and policies of one delegate: one, or several where one would be too long for SES."""
    client, name = delegated.client, delegated.client.name
    envelope = client.addresses or ()
    authors = envelope if client.authors is None else client.authors
    # of addresses under other identities those are asked: a message is judged for each of its addresses
    not_as = [pattern for pattern in client.not_as if may_cover(identity, pattern)]
    size = max(len(envelope), len(authors), len(not_as), 1)
    while True:
        denied, *more = _pieces(not_as, size)
        grants = [
            Grant(identity, delegated.principal, some, others, client.recipients, actions=actions)
            for some in _pieces(authors, size)
            for others in _pieces(envelope, size)
        ]
        policies = [_policy(client, grant, denied) for grant in grants]
        policies += [_without_grant(_policy(client, grants[0], part)) for part in more]
        if all(map(fits, policies)):
            break
        if size == 1:
            raise CannotMigrate([f"{client.called or name}: its recipients alone fill a policy: give --recipients"])
        size = (size + 1) // 2
    for number, policy in enumerate(policies, start=1):
        suffix = "" if len(policies) == 1 else f"-{number}"
        yield name[: _LONGEST_NAME - len(suffix)] + suffix, policy


def _pieces(patterns: Sequence[Pattern], size: int) -> list[Sequence[Pattern]]:
    return [patterns[start : start + size] for start in range(0, len(patterns), size)] or [()]


def _without_grant(policy: Json) -> Json:
    """Return what the policy denies: that counts in whichever policy it stands."""
    return policy | {"Statement": policy["Statement"][1:]}


def _policy(client: Client, grant: Grant, not_as: Sequence[Pattern]) -> Json:
    sid = "".join(character for character in client.name if character.isalnum()) or "Client"
    policy = policy_of(replace(grant, sid=sid))
    conditions = []
    for what, key in (("From", "ses:FromAddress"), ("BouncesTo", "ses:FeedbackAddress")):
        if addresses := [pattern for pattern in not_as if not pattern.is_wild]:
            conditions += [(f"{sid}Not{what}", compare_in_any_case(key, addresses))]
        if patterns := [pattern for pattern in not_as if pattern.is_wild]:
            conditions += [(f"{sid}Not{what}Like", compare(key, patterns))]
    if client.not_to:
        conditions += [(f"{sid}NotTo", compare_any("ses:Recipients", client.not_to))]
    policy["Statement"] += [
        deny(name, grant.principal, grant.actions, str(grant.identity), condition) for name, condition in conditions
    ]
    return policy
