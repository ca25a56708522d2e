"""The roles that delegates and owners lend, each assumed once; what STS gives out for it is let go at once."""

from collections.abc import Iterator
from dataclasses import field
from typing import Final

from relay.identities.accounts import AwsProblem, Refused
from relay.owner.doctor import iam
from relay.owner.doctor.findings import Finding, Look, failing, ok
from relay.owner.doctor.setup import DelegateAtAws, Means, Owner
from relay.words.values import dataclass

#: The name of the session that reads owners' policies, as the relay calls it.
READER: Final = "ses-relay"
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class _Role:
    check: str
    about: str
    arn: str
    session: str
    external_id: str | None = field(repr=False)
    key: str = ""


def look_at_delegates_role(means: Means, delegate: DelegateAtAws, region: str) -> Look | None:
    """Look at the role that a delegate's mail is sent as; None where there is none."""
    role = delegate.role
    if role is None:
        return None
    key = f"external_id of delegate {delegate.name}"
    return _look(means, _Role("delegate.role", delegate.name, role.arn, role.session, role.external_id, key), region)


def look_at_owners_role(means: Means, owner: Owner, region: str) -> Look | None:
    """Look at the role through which an owner's policies are read; None where there is none."""
    if owner.role_arn is None or owner.source == "sealed":
        return None
    key = f"external_id of owner {owner.account}"
    return _look(means, _Role("owner.role", owner.account, owner.role_arn, READER, owner.external_id, key), region)


def _look(means: Means, role: _Role, region: str) -> Look:
    return Look((role.check,), lambda: _assume(means, role, region), role.about, (("credentials", ""),), asks="aws")


def _assume(means: Means, role: _Role, region: str) -> Iterator[Finding]:
    extra = {} if role.external_id is None else {"ExternalId": role.external_id}
    try:
        means.own.call("", region, "sts.assume_role", RoleArn=role.arn, RoleSessionName=role.session, **extra)
    except Refused as refused:
        yield failing(
            role.check, f"{refused.code}: {' '.join(refused.message.split())[:_LONGEST]}", _fix(means, role), role.about
        )
    except AwsProblem as problem:
        yield failing(role.check, str(problem), "STS does not answer: see credentials and names.", role.about)
    else:
        yield ok(role.check, f"{role.arn} as {role.session}", role.about)


def _fix(means: Means, role: _Role) -> str:
    """Say both sides of it: which of them is missing STS tells nobody."""
    caller = iam.lasting(means.known_caller().arn)
    stands_for = None if role.external_id is None else f"the {role.key}"
    trust = iam.as_text(iam.trust(caller, stands_for))
    ours = iam.added_to(caller, [iam.statement(["sts:AssumeRole"], [role.arn])])
    return f"The trust policy of {role.arn}:\n{trust}\n{ours}"
