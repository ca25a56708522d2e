"""
Whether SES lets somebody send: its second opinion on what the relay judged before.

Written from "Using sending authorization with Amazon SES" alone; only the evaluator of policies is shared. What a
caller's own account allows it is not known here: it is taken to allow everything.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Any, Final

from relay.localses.addresses import addresses_in, one_address
from relay.localses.house import House
from relay.localses.identities import Identity, Traits
from relay.localses.message import Field, authors_of, read_fields, values_of
from relay.localses.naming import not_authorized, owner_of
from relay.localses.owners import Owner
from relay.localses.raw_email import RawEmail
from relay.localses.refusals import Refused
from relay.localses.sigv4 import Caller
from relay.localses.simulator import is_simulated
from relay.policy.answers import Decision
from relay.policy.document import parse_policy
from relay.policy.evaluation import evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from relay.words.arns import ArnProblem, parse_identity_arn
from relay.words.values import dataclass

_UNKNOWN: Final = frozenset({"aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:useragent"})


@dataclass(frozen=True, slots=True)
class Send:
    """
    A message about to be accepted: who sends it, and by which version of the API.

    ``actions`` must all be allowed. Raw content of v2 has two: the Service Authorization Reference knows SendEmail
    alone, SES was seen to ask for SendRawEmail; whichever it is, what both allow is allowed.
    """

    caller: Caller
    email: RawEmail
    actions: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One question that was put to an identity's policies, with its answer, for whoever wants to judge it again."""

    principal: str
    action: str
    resource: str
    context: Mapping[str, tuple[str, ...]]
    unknown: frozenset[str]
    policies: Mapping[str, str]
    decision: str
    allowed: bool

    def told(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "context": {key: list(values) for key, values in self.context.items()},
            "unknown": sorted(self.unknown),
            "policies": dict(self.policies),
            "decision": self.decision,
            "allowed": self.allowed,
        }


def check_send(house: House, send: Send) -> str:
    """
    Check author, Sender and return path against the identities that are known and their policies; in the sandbox the
    recipients too. Return the ARN of the identity that the author is used under.

    An address that belongs to no known identity counts as verified, unless the allowance is realistic.

    Raises:
        Refused: MessageRejected or AccessDenied, in SES's words.
    """
    fields = read_fields(send.email.raw)
    failed: list[str] = []
    used: list[Identity | None] = []
    for address, arn in _addresses(send.email, fields):
        identity, sure = _identity(house, send.caller, address, arn)
        used.append(identity)
        if identity is None:
            failed += [address] if sure or house.must_be_verified(owner_of(send.caller)) else []
        else:
            _check_policies(house, send, identity, fields)
    owners = {owner_of(send.caller), *(each.owner for each in used if each is not None)}
    failed += _unverified_recipients(house, owners, send.email)
    if failed:
        region, told = send.caller.region.upper(), ", ".join(dict.fromkeys(failed))
        raise Refused(
            "MessageRejected",
            f"Email address is not verified. The following identities failed the check in region {region}: {told}",
        )
    return used[0].arn if used[0] is not None else _supposed(send, fields)


def _addresses(email: RawEmail, fields: list[Field]) -> Iterator[tuple[str, str | None]]:
    """Each address that must be covered, with the ARN given for it; authors come first, the return path last."""
    author_arn = email.from_arn or email.source_arn
    yield from ((address, author_arn) for address in authors_of(fields))
    senders = (address for value in values_of(fields, "Sender") for address in addresses_in(value))
    yield from ((address, author_arn) for address in senders)
    yield _feedback(email, fields), email.return_path_arn or email.source_arn


def _unverified_recipients(house: House, owners: set[Owner], email: RawEmail) -> list[str]:
    """
    Those that nobody verified, where an account is in the sandbox (SES Developer Guide, "Request production access").

    Both the sender's account and the identity owner's must be out of it.
    """
    if not any(house.is_in_sandbox(owner) for owner in owners):
        return []
    recipients = [one_address(each) for each in email.destinations]
    return [
        each
        for each in recipients
        if not is_simulated(each) and not any(_is_verified(house, owner, each) for owner in owners)
    ]


def _is_verified(house: House, owner: Owner, address: str) -> bool:
    return any(house.verification.standing(each).is_verified for each in _covering(house, owner, address))


def _supposed(send: Send, fields: list[Field]) -> str:
    """The ARN of the domain that counted as verified."""
    author = (authors_of(fields) or [_feedback(send.email, fields)])[0]
    owner = owner_of(send.caller)
    return Identity(owner, author.rpartition("@")[2].lower(), Traits(), {}).arn


def _feedback(email: RawEmail, fields: list[Field]) -> str:
    if email.source is not None:
        return one_address(email.source)
    returned = [address for value in values_of(fields, "Return-Path") for address in addresses_in(value)]
    return (returned or authors_of(fields))[0]


def _identity(house: House, caller: Caller, address: str, arn: str | None) -> tuple[Identity | None, bool]:
    """The identity whose policies govern *address*; without one, whether it is sure that there is none."""
    if arn is None:
        every = list(_covering(house, owner_of(caller), address))
        covering = [each for each in every if house.verification.standing(each).is_verified]
        is_pending = bool(every) and not covering
        return next((each for each in covering if each.policies), covering[0] if covering else None), is_pending
    try:
        named = parse_identity_arn(arn)
    except ArnProblem:
        return None, True
    if named.region not in {"*", caller.region}:
        return None, False
    owner = Owner(named.account, caller.region)
    known = house.identities.find(owner, named.name)
    if known is None:
        return None, False
    covering = [each for each in _covering(house, owner, address) if house.verification.standing(each).is_verified]
    if known.name not in {each.name for each in covering}:
        return None, True
    # Policies of an address go before those of its domain, whichever of the two was named.
    return next((each for each in covering if each.is_address and each.policies), known), False


def _covering(house: House, owner: Owner, address: str) -> Iterator[Identity]:
    """The identities that *address* may be used under, the most granular first."""
    local, _, domain = address.rpartition("@")
    labels = domain.lower().split(".")
    names = [address, f"{local.partition('+')[0]}@{domain}", *(".".join(labels[n:]) for n in range(len(labels)))]
    found = (house.identities.find(owner, name) for name in dict.fromkeys(names) if name)
    yield from (each for each in found if each is not None)


def _check_policies(house: House, send: Send, identity: Identity, fields: list[Field]) -> None:
    policies = [parse_policy(name, text) for name, text in identity.policies.items()]
    principal = send.caller.key.principal
    caller, is_own = parse_caller(principal), send.caller.key.account == identity.owner.account
    for address, name in _authors(send.email, fields):
        context = _context(house, send, address, name, fields)
        for action in (f"ses:{each}" for each in send.actions):
            decision = evaluate(Request(caller, action, identity.arn, context), policies).decision
            allowed = decision is Decision.ALLOW or (is_own and decision is not Decision.EXPLICIT_DENY)
            house.judged.append(
                Judged(
                    principal,
                    action,
                    identity.arn,
                    context.known,
                    context.unknown,
                    identity.policies,
                    decision.value,
                    allowed,
                )
            )
            if not allowed:
                raise not_authorized(send.caller, action.removeprefix("ses:"), identity.arn)


def _authors(email: RawEmail, fields: list[Field]) -> list[tuple[str, str]]:
    """Address and display name of each author; the name belongs to the field, and so to the only one."""
    addresses = authors_of(fields) or [_feedback(email, fields)]
    written = next(iter(values_of(fields, "From")), "")
    name = parseaddr(written)[0] if len(addresses) == 1 else ""
    return [(address, _decoded(name)) for address in addresses]


def _decoded(name: str) -> str:
    try:
        return str(make_header(decode_header(name)))
    except (ValueError, LookupError):
        return name


def _context(house: House, send: Send, author: str, name: str, fields: list[Field]) -> Context:
    key, now = send.caller.key, datetime.fromtimestamp(house.clock(), UTC)
    known = {
        "ses:fromaddress": (author,),
        "ses:feedbackaddress": (_feedback(send.email, fields),),
        "ses:recipients": tuple(one_address(each) for each in send.email.destinations),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:securetransport": ("true",),
        "aws:principalaccount": (key.account,),
        "aws:principalarn": (key.role or key.principal,),
    }
    if name:
        known["ses:fromdisplayname"] = (name,)
    if send.version == "2":
        known["ses:apiversion"] = ("2",)
    return Context(known, _UNKNOWN if send.version == "2" else _UNKNOWN | {"ses:apiversion"})
