"""
The request context of a message: which condition keys are known, which are absent, which nobody here can know.

Keys and their meaning: Service Authorization Reference, "Actions, resources, and condition keys for Amazon SES"; SES
Developer Guide, "Policy anatomy"; IAM User Guide, "AWS global condition context keys". A key that is not mentioned in
this file is unknown. Only keys that the policies refer to are looked up.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from relay.judgement.rules import Rules
from relay.judgement.wording import listed
from relay.mail.facts import DisplayName
from relay.policy.principals import parse_caller
from relay.policy.request import Caller, Context
from relay.words.addresses import Address
from relay.words.apis import Api
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.values import dataclass, replace

Values: TypeAlias = tuple[str, ...] | None
"""What a key holds: values, ``()`` for absent, None for unknown."""

ABSENT: Final = ()
EGRESS_KEYS: Final = ("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip")

_NEVER_SENT: Final = frozenset(
    {
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:tagkeys",
        "ses:exportsourcetype",
        "ses:multiregionendpointid",
        "ses:replicaregion",
    }
)
_SENT_BY_SERVICES: Final = frozenset(
    {
        "aws:principalservicename",
        "aws:principalservicenameslist",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
    }
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    Everything a context is read from. ``author``, ``recipients`` and ``now`` are None while they are not known.

    ``recipients`` and ``feedback`` are spelt as they will be sent; ``now`` is seconds since the epoch. ``batches``: the
    recipients of each call, where one call does not take them all.
    """

    author: Address | None
    display_name: DisplayName | None
    feedback: str
    recipients: tuple[str, ...] | None
    caller: Caller
    delegate: Delegate
    rules: Rules
    now: float | None
    tenant: str | None = None
    api: Api = Api.RAW
    batches: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """One reading of what is ambiguous. ``label`` names it, empty when nothing was."""

    label: str
    author: Values
    name: Values
    recipients: Values
    bare: Literal["any", "all"]
    egress: Mapping[str, Values]


def caller_of(delegate: Delegate) -> Caller:
    """Return who asks: the delegate's principal; for a session, with the role it is of."""
    return _caller(delegate.principal, None if delegate.role is None else delegate.role.arn)


@lru_cache(maxsize=4096)  # principals come from the configuration, never from the wire
def _caller(principal: str, role: str | None) -> Caller:
    caller = parse_caller(principal)
    return caller if role is None else replace(caller, role=role)


_NOWHERE: Final[Mapping[str, Values]] = MappingProxyType({})


def contexts(
    seen: Circumstances, arn: IdentityArn, keys: frozenset[str], bare_keys: frozenset[str]
) -> Iterator[tuple[str, Context]]:
    """
    Every reading of the circumstances that policies with these keys can tell apart, each with its label.

    All of them must be allowed. *keys* are the lower-cased keys of the policies, *bare_keys* those among them that
    stand under an operator without ForAllValues or ForAnyValue.
    """
    for world in _worlds(seen, keys, bare_keys):
        known: dict[str, tuple[str, ...]] = {}
        unknown = []
        for key in keys:
            values = _values(key, seen, world, arn)
            if values is None:
                unknown.append(key)
            elif values:
                known[key] = values
        yield world.label, Context(known, frozenset(unknown), bare_on_many=world.bare)


def _values(key: str, seen: Circumstances, world: World, arn: IdentityArn) -> Values:
    """Look one key up: the message and the caller, then what the operator says, then what is known of the call."""
    if (message := _OF_THE_MESSAGE.get(key)) is not None:
        return message(seen, world)
    if (of_the_caller := _of_the_caller(key, seen)) is not None:
        return of_the_caller
    if key in seen.rules.context:
        return seen.rules.context[key]
    if key in world.egress:
        return world.egress[key]
    return _of_the_call(key, seen, arn)


def _of_the_caller(key: str, seen: Circumstances) -> Values:
    if (caller := _OF_THE_CALLER.get(key)) is not None:
        return caller(seen)
    return _principal_tag(key, seen.delegate) if key.startswith("aws:principaltag/") else None


def _of_the_call(key: str, seen: Circumstances, arn: IdentityArn) -> Values:
    match key:
        case "aws:securetransport":
            return (str(seen.rules.secure_transport).lower(),)
        case "aws:useragent":
            return (seen.rules.user_agent,)
        case "aws:requestedregion":
            return (arn.region,)
        case "aws:resourceaccount":
            return (arn.account,)
        case "ses:tenantname":
            return ABSENT if seen.tenant is None else None
        case _:
            is_absent = key in _NEVER_SENT or key.startswith("aws:requesttag/")
            return ABSENT if is_absent or (key in _SENT_BY_SERVICES and seen.caller.service is None) else None


# --- readings ---------------------------------------------------------------------------------------------------------


def _worlds(seen: Circumstances, keys: frozenset[str], bare_keys: frozenset[str]) -> Iterable[World]:
    authors = _author_readings(seen, keys)
    names = _name_readings(seen, keys)
    several = seen.recipients is not None and len(seen.recipients) > 1 and "ses:recipients" in bare_keys
    bares: tuple[tuple[str, Literal["any", "all"]], ...] = _BOTH if several else _ANY
    routes = _ONE_ROUTE if keys.isdisjoint(EGRESS_KEYS) else _routes(seen.rules.egress)
    for (of_author, author), (of_name, name), (of_call, call), (of_bare, bare), (of_route, route) in product(
        authors, names, _calls(seen, keys), bares, routes
    ):
        label = "; ".join(filter(None, (of_author, of_name, of_call, of_bare, of_route)))
        yield World(label, author, name, call, bare, route)


_ANY: Final[tuple[tuple[str, Literal["any"]], ...]] = (("", "any"),)
_BOTH: Final[tuple[tuple[str, Literal["any", "all"]], ...]] = (
    ("a bare operator on ses:Recipients means any", "any"),
    ("a bare operator on ses:Recipients means all", "all"),
)
_ONE_ROUTE: Final = (("", _NOWHERE),)


def _calls(seen: Circumstances, keys: frozenset[str]) -> list[tuple[str, Values]]:
    """A message that goes in several calls is one to the owner of a policy, and several to SES."""
    whole = ("", seen.recipients)
    if not seen.batches or "ses:recipients" not in keys:
        return [whole]
    return [whole, *((f"to {listed(batch, most=1)} in one call", batch) for batch in seen.batches)]


def _author_readings(seen: Circumstances, keys: frozenset[str]) -> tuple[tuple[str, Values], ...]:
    """SES's folding of the domain in ses:FromAddress is not documented: as written, and in lower case."""
    if seen.author is None:
        return (("", None),)
    written, lowered = str(seen.author), str(seen.author.with_domain_lowered())
    if written == lowered or "ses:fromaddress" not in keys:
        return (("", (written,)),)
    return (("From domain as written", (written,)), ("From domain in lower case", (lowered,)))


def _name_readings(seen: Circumstances, keys: frozenset[str]) -> tuple[tuple[str, Values], ...]:
    """Whether SES decodes and unquotes ses:FromDisplayName is not documented. No name: the key is absent."""
    if seen.author is None:
        return (("", None),)
    name = seen.display_name
    if name is None:
        return (("", ABSENT),)
    if name.raw == name.decoded or "ses:fromdisplayname" not in keys:
        return (("", (name.decoded,)),)
    return (("display name decoded", (name.decoded,)), ("display name as written", (name.raw,)))


def _routes(egress: tuple[str, ...]) -> list[tuple[str, Mapping[str, Values]]]:
    """
    Every way the relay's calls may reach SES: from an address, or through a VPC endpoint; None of them known if empty.

    Through an endpoint aws:SourceIp is absent, and the aws:Source* and aws:VpcSourceIp keys of VPCs are absent without
    one (IAM User Guide, "AWS global condition context keys").
    """
    vpcs = [entry for entry in egress if entry.startswith("vpc-")]
    endpoints = [entry for entry in egress if entry.startswith("vpce-")]
    vpc: Values = (vpcs[0],) if len(vpcs) == 1 else None
    addresses = [entry for entry in egress if not entry.startswith(("vpc-", "vpce-"))]
    routes = [(f"sent from {address}", _route(source_ip=_one_address(address))) for address in addresses]
    routes += [(f"sent through {e}", _route(vpc=vpc, endpoint=(e,), inner_ip=None)) for e in endpoints]
    if vpcs and not endpoints:
        routes.append((f"sent from {', '.join(vpcs)}", _route(vpc=vpc, endpoint=None, inner_ip=None)))
    if len(routes) == 1:
        return [("", routes[0][1])]
    return routes or [("", dict.fromkeys(EGRESS_KEYS))]


def _route(
    *, source_ip: Values = ABSENT, vpc: Values = ABSENT, endpoint: Values = ABSENT, inner_ip: Values = ABSENT
) -> Mapping[str, Values]:
    return dict(zip(EGRESS_KEYS, (source_ip, vpc, endpoint, inner_ip), strict=True))


def _one_address(entry: str) -> Values:
    """Return the address of *entry*; None for a network of several, of which any may be the one."""
    address, slash, bits = entry.partition("/")
    return (address,) if not slash or bits == ("128" if ":" in address else "32") else None


# --- keys of the message ----------------------------------------------------------------------------------------------


def _current_time(seen: Circumstances, _: World) -> Values:
    if seen.now is None:
        return None
    return (datetime.fromtimestamp(seen.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),)


_OF_THE_MESSAGE: Final[Mapping[str, Callable[[Circumstances, World], Values]]] = {
    "ses:fromaddress": lambda _, world: world.author,
    "ses:fromdisplayname": lambda _, world: world.name,
    "ses:feedbackaddress": lambda seen, _: (seen.feedback,),
    "ses:recipients": lambda _, world: world.recipients,
    "aws:currenttime": _current_time,
    "aws:epochtime": lambda seen, _: None if seen.now is None else (str(int(seen.now)),),
}


# --- keys of the caller -----------------------------------------------------------------------------------------------


def _principal_arn(seen: Circumstances) -> Values:
    """The user's or role's own ARN; for a session its role's, unknown without it: a session's ARN has no role path."""
    match _kind(seen.caller):
        case "user" | "role":
            return _single(seen.caller.arn)
        case "assumed-role":
            return _single(seen.caller.role)
        case _:
            return None


def _username(seen: Circumstances) -> Values:
    match _kind(seen.caller):
        case "user":
            return _single((seen.caller.arn or "").rpartition("/")[2])
        case "role" | "assumed-role":
            return ABSENT
        case _:
            return None


def _principal_type(seen: Circumstances) -> Values:
    kinds = {"user": "User", "role": "AssumedRole", "assumed-role": "AssumedRole"}
    return _single(kinds.get(_kind(seen.caller)))


def _principal_tag(key: str, delegate: Delegate) -> Values:
    wanted = key.removeprefix("aws:principaltag/")
    return next(((value,) for tag, value in delegate.principal_tags.items() if tag.lower() == wanted), None)


def _kind(caller: Caller) -> str:
    """Return ``user``, ``role``, ``assumed-role`` and so on, ``root``; empty for accounts and services."""
    return (caller.arn or "").rpartition(":")[2].partition("/")[0]


def _single(value: str | None) -> Values:
    return None if value is None else (value,)


_OF_THE_CALLER: Final[Mapping[str, Callable[[Circumstances], Values]]] = {
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": lambda seen: _single(seen.caller.account),
    "aws:principaltype": _principal_type,
    "aws:principalorgid": lambda seen: _single(seen.delegate.organization_id),
    "aws:username": _username,
    "aws:principalisawsservice": lambda seen: ("true" if seen.caller.service else "false",),
    "aws:viaawsservice": lambda seen: None if seen.caller.service else ("false",),
}
