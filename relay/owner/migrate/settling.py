"""What a peer's settings say and what its operator adds: which identities, whose, who each client is to AWS. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from relay.identities.names import is_identity, partition_of
from relay.owner.migrate.model import CannotMigrate, Client, Found, Kind, Note, Wishes
from relay.owner.migrate.regexps import covers, lowered
from relay.owner.statements import Pattern
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Delegated:
    """One client with who it is to AWS, and the identities that must grant it something."""

    client: Client
    principal: str
    identities: tuple[IdentityArn, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """All that is needed to write settings and policies."""

    found: Found
    delegates: tuple[Delegated, ...]
    identities: tuple[IdentityArn, ...]
    region: str
    notes: tuple[Note, ...]


def settle(found: Found, wishes: Wishes) -> Settled:
    """
    Put both together.

    Raises:
        CannotMigrate: Something is missing that nobody but the operator knows, or does not go together.
    """
    problems: list[str] = []
    arns = _named_arns(found, problems)
    region = wishes.region or found.region or next((arn.region for arn in arns), "")
    accounts = sorted({arn.account for arn in arns})
    account = wishes.account or (accounts[0] if len(accounts) == 1 else "")
    if not region:
        problems.append("no region is told by the peer's settings: give --region")
    if not account:
        problems.append("no account is told by the peer's settings: give --account, the owner of the identities")
    problems += _same_names(found.clients)
    if problems:
        raise CannotMigrate(problems)
    identities, notes = _identities(found, wishes, arns, IdentityArn(partition_of(region), region, account, ""))
    delegates = tuple(
        Delegated(client, _principal(client, wishes, account, region), _of(client, identities, problems))
        for client in found.clients
    )
    if len({each.principal for each in delegates}) < len(delegates):
        problems.append("--principal makes all delegates one to the policies: let {name} stand in it")
    if problems:
        raise CannotMigrate(problems)
    return Settled(found, delegates, identities, region, tuple(notes))


def _named_arns(found: Found, problems: list[str]) -> tuple[IdentityArn, ...]:
    arns: dict[IdentityArn, None] = {}
    for client in found.clients:
        for key, text in client.arns.items():
            try:
                arns[parse_identity_arn(text)] = None
            except ArnProblem as problem:
                problems.append(f"{key}: {text!r}: {problem}")
    return tuple(arns)


def _same_names(clients: Iterable[Client]) -> Iterator[str]:
    called: dict[str, str] = {}
    for client in clients:
        first = called.get(client.name)
        called[client.name] = client.called
        if first is not None:
            both = f"{first!r} and {client.called!r} would both be the delegate {client.name}"
            yield f"{both}: rename one, or give --delegate"


def _principal(client: Client, wishes: Wishes, account: str, region: str) -> str:
    template = wishes.principal or f"arn:{partition_of(region)}:iam::{account}:user/{{name}}"
    return template.replace("{name}", client.name)


def _identities(
    found: Found, wishes: Wishes, arns: tuple[IdentityArn, ...], like: IdentityArn
) -> tuple[tuple[IdentityArn, ...], list[Note]]:
    """Return those that are named, and for addresses under none of them, their domains."""
    named = dict.fromkeys((*arns, *_wished(wishes.identities, like)))
    notes = []
    for client in found.clients:
        if client.arns:
            continue
        for pattern in (*(client.addresses or ()), *(client.authors or ())):
            domain = lowered(pattern).text.rpartition("@")[2]
            if set("*?") & set(domain) or any(may_cover(arn, pattern) for arn in named):
                continue
            if not is_identity(domain):
                raise CannotMigrate([f"{pattern.text}: no identity of SES could be of {domain!r}"])
            arn = replace(like, name=domain)
            named[arn] = None
            why = (
                f"taken for a verified identity of account {arn.account} in {arn.region}, for {pattern.text} needs one"
            )
            notes.append(Note(Kind.TO_DO, domain, f"{why}; where it is another one, give --identity"))
    return tuple(named), notes


def _wished(texts: Iterable[str], like: IdentityArn) -> Iterator[IdentityArn]:
    problems = []
    for text in texts:
        try:
            if text.startswith("arn:"):
                yield parse_identity_arn(text)
            elif is_identity(text):
                yield replace(like, name=text)
            else:
                problems.append(f"--identity {text!r}: no domain, address or ARN of an identity")
        except ArnProblem as problem:
            problems.append(f"--identity {text!r}: {problem}")
    if problems:
        raise CannotMigrate(problems)


def _of(client: Client, identities: tuple[IdentityArn, ...], problems: list[str]) -> tuple[IdentityArn, ...]:
    """Return the identities under which the client could have sent."""
    if client.arns:
        return tuple(dict.fromkeys(map(parse_identity_arn, client.arns.values())))
    patterns = client.addresses if client.addresses is not None else client.authors
    if patterns is None:
        found = tuple(arn for arn in identities if not any(covers(each, f"*@{arn.name}") for each in client.not_as))
    else:
        wanted = (*patterns, *(client.authors or ()))
        found = tuple(arn for arn in identities if any(may_cover(arn, pattern) for pattern in wanted))
    if not found:
        but = ", but for what others own" if client.not_as else ""
        problems.append(f"{client.called} might send as anybody{but}: give --identity for what it may use")
    return found


def may_cover(arn: IdentityArn, pattern: Pattern) -> bool:
    """Whether an address of the pattern may belong to the identity, going by the domain."""
    domain, own = pattern.text.rpartition("@")[2].lower(), arn.name.rpartition("@")[2].lower()
    if arn.is_address:
        return pattern.text == arn.name or (pattern.is_wild and _may_be(domain, own))
    return domain == own or domain.endswith(f".{own}") or (bool(set("*?") & set(domain)) and _may_be(domain, own))


def _may_be(domain: str, own: str) -> bool:
    tail = domain.replace("?", "*").rpartition("*")[2].lstrip(".")
    return own.endswith(tail) or tail.endswith(own)
