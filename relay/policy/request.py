"""What is asked of a policy: who, what, on which resource, with which context."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """
    The request context (IAM User Guide, "AWS global condition context keys"), and what of it nobody here can know.

    ``known`` maps lower-cased keys to their values; a key that is in neither set is *absent*. ``unknown`` holds
    lower-cased keys, ``unknown_prefixes`` beginnings of keys (``aws:principaltag/``), that SES will fill in with
    something we cannot see: an Allow must apply whatever they hold, a Deny counts unless it fails whatever they hold.
    ``bare_on_many`` is the reading of an operator without ForAllValues or ForAnyValue on a key with several values:
    it holds if ``any`` of them passes, or if ``all`` do, or (``either``) surely only where the two readings agree.
    """

    known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    unknown_prefixes: tuple[str, ...] = ()
    bare_on_many: Literal["any", "all", "either"] = "any"


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who asks. Made by :func:`relay.policy.principals.parse_caller`.

    ``arn``: the caller's own ARN as ``aws:userid``-style identity (user, role or assumed-role session), or None.
    ``account``: 12 digits or an opaque id, None for services and anonymous callers. ``role``: for a session, the ARN
    of its role when known. ``service``: ``cognito-idp.amazonaws.com`` and the like. ``literal``: any other text,
    compared literally with Service, Federated and CanonicalUser principals. ``role_name``: of a role, or of the role
    that a session belongs to, without its path; ``is_session`` tells the two apart.
    """

    text: str
    partition: str | None = None
    account: str | None = None
    arn: str | None = None
    role: str | None = None
    service: str | None = None
    literal: str | None = None
    anonymous: bool = False
    role_name: str | None = None
    is_session: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the policies of one resource. ``action`` such as ``ses:SendRawEmail``; ``resource`` an ARN."""

    caller: Caller
    action: str
    resource: str
    context: Context
