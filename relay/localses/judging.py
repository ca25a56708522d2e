"""
Whether SES lets somebody send: its second opinion on what the relay judged before.

Written from "Using sending authorization with Amazon SES" alone; only the evaluator of policies is shared. What a
caller's own account allows it is not known here: it is taken to allow everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Final

from relay.localses.addresses import addresses_in, one_address
from relay.localses.house import House
from relay.localses.identities import Identity
from relay.localses.message import Field, authors_of, read_fields, values_of
from relay.localses.naming import not_authorized, owner_of
from relay.localses.owners import Owner
from relay.localses.raw_email import RawEmail
from relay.localses.refusals import Refused
from relay.localses.sigv4 import Caller
from relay.policy.answers import Decision
from relay.policy.document import parse_policy
from relay.policy.evaluation import evaluate
from relay.policy.principals import parse_caller
from relay.policy.request import Context, Request
from relay.words.arns import ArnProblem, parse_identity_arn

_UNKNOWN: Final = frozenset({"aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:useragent"})


@dataclass(frozen=True, slots=True)
class Send:
    """A message about to be accepted: who sends it, by which action and version of the API."""

    caller: Caller
    email: RawEmail
    action: str
    version: str


def check_send(house: House, send: Send) -> None:
    """
    Check author and return path against the identities that are known and their policies.

    An address that belongs to no known identity counts as verified, unless the allowance is realistic.

    Raises:
        Refused: MessageRejected or AccessDenied, in SES's words.
    """
    fields = read_fields(send.email.raw)
    failed: list[str] = []
    for address, arn in _addresses(send.email, fields):
        identity, sure = _identity(house, send.caller, address, arn)
        if identity is None:
            failed += [address] if sure or house.quota.allowance.realistic else []
        elif not _allowed(house, send, identity, fields):
            raise not_authorized(send.caller, send.action, identity.arn)
    if failed:
        region, told = send.caller.region.upper(), ", ".join(dict.fromkeys(failed))
        raise Refused(
            "MessageRejected",
            f"Email address is not verified. The following identities failed the check in region {region}: {told}",
        )


def _addresses(email: RawEmail, fields: list[Field]) -> Iterator[tuple[str, str | None]]:
    """Each address that must be covered, with the ARN given for it: parameters go before the message's fields."""
    whole = email.source_arn or _first(fields, "X-SES-SOURCE-ARN")
    author_arn = email.from_arn or _first(fields, "X-SES-FROM-ARN") or whole
    feedback_arn = email.return_path_arn or _first(fields, "X-SES-RETURN-PATH-ARN") or whole
    yield from ((address, author_arn) for address in authors_of(fields))
    yield _feedback(email, fields), feedback_arn


def _feedback(email: RawEmail, fields: list[Field]) -> str:
    if email.source is not None:
        return one_address(email.source)
    returned = [address for value in values_of(fields, "Return-Path") for address in addresses_in(value)]
    return (returned or authors_of(fields))[0]


def _first(fields: list[Field], name: str) -> str | None:
    return next(iter(values_of(fields, name)), None)


def _identity(house: House, caller: Caller, address: str, arn: str | None) -> tuple[Identity | None, bool]:
    """The identity whose policies govern *address*; without one, whether it is sure that there is none."""
    if arn is None:
        covering = list(_covering(house, owner_of(caller), address))
        return next((each for each in covering if each.policies), covering[0] if covering else None), False
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
    covering = list(_covering(house, owner, address))
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


def _allowed(house: House, send: Send, identity: Identity, fields: list[Field]) -> bool:
    policies = [parse_policy(name, text) for name, text in identity.policies.items()]
    caller = parse_caller(send.caller.key.principal)
    is_own = send.caller.key.account == identity.owner.account
    for address, name in _authors(send.email, fields):
        context = _context(house, send, address, name, fields)
        asked = Request(caller, f"ses:{send.action}", identity.arn, context)
        decision = evaluate(asked, policies).decision
        allowed = decision is Decision.ALLOW or (is_own and decision is not Decision.EXPLICIT_DENY)
        if not allowed:
            return False
    return True


def _authors(email: RawEmail, fields: list[Field]) -> list[tuple[str, str]]:
    """Address and display name of each author; the name belongs to the field, and so to the only one."""
    addresses = authors_of(fields) or [_feedback(email, fields)]
    name = parseaddr(_first(fields, "From") or "")[0] if len(addresses) == 1 else ""
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
        "ses:apiversion": (send.version,),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:securetransport": ("true",),
        "aws:principalaccount": (key.account,),
        "aws:principalarn": (key.role or key.principal,),
    }
    if name:
        known["ses:fromdisplayname"] = (name,)
    return Context(known, _UNKNOWN)
