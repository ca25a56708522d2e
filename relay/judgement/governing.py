"""
Which identity governs an address, and which others must agree; or why none does.

The order of precedence is that of SES: policies on a verified address take the place of its domain's (SES Developer
Guide, "Creating an identity policy"). Where AWS is silent (spellings of an address, a subdomain beside its parent)
every identity that SES might ask must allow.
"""

from collections.abc import Iterable, Sequence

from relay.judgement.catalog import Bearing, Identity
from relay.judgement.choice import Choice, Governing, Lack, Owner, Ungoverned
from relay.judgement.questions import Named, Question
from relay.judgement.sealed import covers, pinned, seal
from relay.words.addresses import Address
from relay.words.arns import ArnProblem, IdentityArn, check_arn_text, parse_identity_arn
from relay.words.delegates import Delegate
from relay.words.values import replace


def govern(question: Question, choice: Choice) -> Governing | Ungoverned:
    """Find the identity that governs the question's address: named, or inferred; never chosen by outcome."""
    for named in question.names:
        arn = parse_named(named)
        if isinstance(arn, Ungoverned):
            return arn
        if covers(arn, question.address) or named.strict:
            found = _pinned(_explicit(arn, named, question.address, choice), choice.delegate)
            return replace(found, named=(named.origin, named.text)) if isinstance(found, Governing) else found
    if choice.rules.source_arn == "required":
        return _nothing_named(question.address)
    return _pinned(_inferred(question.address, choice), choice.delegate)


def parse_named(named: Named) -> IdentityArn | Ungoverned:
    """Read an ARN that was named: its form, and that it is one of an SES identity in one region."""
    try:
        check_arn_text(named.text)
    except ArnProblem as problem:
        lack = Lack.NAMED if not named.by_client else Lack.FORM if named.text.isascii() else Lack.EIGHT_BIT
        return Ungoverned(lack, f"{named.origin}: {problem}")
    try:
        arn = parse_identity_arn(named.text)
    except ArnProblem as problem:
        return Ungoverned(Lack.NAMED, f"{named.origin}: {problem}")
    if arn.region == "*":
        why = f"{named.origin}: the region * of a global endpoint is not supported, name the ARN of one region"
        return Ungoverned(Lack.NAMED, why)
    return arn


def _explicit(arn: IdentityArn, named: Named, address: Address, choice: Choice) -> Governing | Ungoverned:
    if (refusal := _named_badly(arn, named, address, choice)) is not None:
        return refusal
    if (arn.account, arn.region) in choice.rules.sealed:
        return seal(arn, f"it is named by {named.origin}", choice)
    if (unknown := choice.unknown_list((arn.account, arn.region))) is not None:
        return Ungoverned(Lack.UNKNOWN, unknown)
    bearing = choice.owners[arn.account, arn.region].bearing_on(address)
    identity = bearing.named(arn)
    if identity is None:
        advice = (f"{named.origin} must spell a verified identity exactly: {arn} is not verified by its owner.",)
        why = f"{named.origin}: {arn} is not verified"
        return Ungoverned(Lack.UNVERIFIED, why, advice, (arn.region,), why)
    return rank(bearing, choice, f"{arn.name} is named by {named.origin}", identity)


def _named_badly(arn: IdentityArn, named: Named, address: Address, choice: Choice) -> Ungoverned | None:
    if _is_outside(arn, choice.delegate):
        return _outside(arn, choice.delegate)
    owner = (arn.account, arn.region)
    if owner not in choice.owners and owner not in choice.rules.sealed:
        if choice.unknown_owners is not None:
            return Ungoverned(Lack.UNKNOWN, choice.unknown_owners)
        why = f"{named.origin}: account {arn.account} in region {arn.region} is no identity owner of this relay"
        return Ungoverned(Lack.NAMED, why, (f"Name an identity of a configured owner in {named.origin}.",))
    if not covers(arn, address):
        why = f"{named.origin}: {arn.name} does not cover {address}"
        return Ungoverned(Lack.NAMED, why, (f"Name {address}, its domain or a parent domain in {named.origin}.",))
    return None


def _inferred(address: Address, choice: Choice) -> Governing | Ungoverned:
    """
    Take the only owner with a verified identity for *address*; which one it is must be certain.

    What a sealed owner verified nobody here knows: it takes part only with what the operator pinned the delegate to.
    """
    known: list[tuple[Owner, Bearing]] = []
    unknown = [] if choice.unknown_owners is None else [choice.unknown_owners]
    for owner, owned in choice.owners.items():
        if (why := choice.unknown_list(owner)) is not None:
            unknown.append(why)
        elif (bearing := owned.bearing_on(address)).covers:
            known.append((owner, bearing))
    pins = pinned(address, choice)
    places = {owner for owner, _ in known} | {(arn.account, arn.region) for arn in pins}
    if len(places) > 1:
        return _several(address, places)
    if len(pins) > 1:
        return _several_pins(address, pins)
    if unknown:
        return Ungoverned(Lack.UNKNOWN, unknown[0], ("Naming the identity's ARN makes other owners irrelevant.",))
    if pins:
        return seal(pins[0], f"only it in allow_source_arns covers {address}", choice)
    if not known:
        return _unverified(address, choice)
    (account, region), bearing = known[0]
    return rank(bearing, choice, f"inferred: only account {account} in {region} has a verified identity for {address}")


def rank(bearing: Bearing, choice: Choice, how: str, named: Identity | None = None) -> Governing:
    """Order the identities that bear on an address by precedence, and note what is not known of them."""
    spellings = tuple(s for s in bearing.spellings if _speaks(s, choice))
    exact = bearing.exact
    if exact is not None and _speaks(exact, choice):
        chosen = f"{exact.arn.name} is verified by itself and has policies: they take the place of its domain's; {how}"
        return _governing(exact, (exact, *spellings), chosen, choice)
    speaking = tuple(domain for domain in bearing.domains if _speaks(domain, choice))
    silent = bearing.domains if exact is None else (exact, *bearing.domains)
    granting = named if named is not None and named in speaking else (*speaking, *silent)[0]
    agreeing = speaking or (granting,)
    return _governing(granting, agreeing + spellings, _chosen(granting, bearing, agreeing + spellings, how), choice)


def _speaks(identity: Identity, choice: Choice) -> bool:
    """Whether it has policies, or may have: what could not be read, or was read too long ago, is not silence."""
    fresh = choice.is_fresh(identity.read_at)
    return bool(identity.policies) or identity.problem is not None or not fresh


def _governing(granting: Identity, agreeing: tuple[Identity, ...], chosen: str, choice: Choice) -> Governing:
    doubts = []
    for identity in agreeing:
        if identity.problem is not None:
            doubts.append(f"the policies of {identity.arn} cannot be read")
        elif not choice.is_fresh(identity.read_at):
            doubts.append(f"the policies of {identity.arn} are not known fresh enough")
    return Governing(granting, agreeing, chosen, tuple(doubts))


def _chosen(granting: Identity, bearing: Bearing, agreeing: tuple[Identity, ...], how: str) -> str:
    parts = [how]
    if bearing.exact is not None and granting is not bearing.exact:
        parts.append(f"{bearing.exact.arn.name} is verified too but has no policies, so its domain's decide")
    others = ", ".join(identity.arn.name for identity in agreeing if identity is not granting)
    if others:
        parts.append(f"{others} must allow as well")
    return f"{granting.arn.name} governs; " + "; ".join(parts)


def _pinned(found: Governing | Ungoverned, delegate: Delegate) -> Governing | Ungoverned:
    """Hold the delegate to ``allow_source_arns``: the ARN that would be sent to SES must be among them too."""
    if isinstance(found, Governing) and _is_outside(found.identity.arn, delegate):
        return _outside(found.identity.arn, delegate)
    return found


def _is_outside(arn: IdentityArn, delegate: Delegate) -> bool:
    return bool(delegate.allow_source_arns) and str(arn) not in delegate.allow_source_arns


def _outside(arn: IdentityArn, delegate: Delegate) -> Ungoverned:
    why = f"delegate {delegate.name} is not configured to send as {arn.name}"
    return Ungoverned(Lack.NAMED, why, (f"Add {arn} to allow_source_arns of the delegate.",))


def _nothing_named(address: Address) -> Ungoverned:
    why = f"no identity is named for {address}: give its ARN in X-SES-SOURCE-ARN"
    advice = (
        "Add the field X-SES-SOURCE-ARN with the ARN that the identity owner handed out.",
        'Or set default_source_arn for the delegate, or authorization.source_arn = "infer".',
    )
    return Ungoverned(Lack.NAMED, why, advice)


def _several(address: Address, owners: Iterable[Owner]) -> Ungoverned:
    places = ", ".join(f"account {account} in {region}" for account, region in sorted(owners))
    why = f"{address} is verified in several places ({places}): name one in X-SES-SOURCE-ARN or default_source_arn"
    return Ungoverned(Lack.NAMED, why, ("Set default_source_arn for the delegate, or send X-SES-SOURCE-ARN.",))


def _several_pins(address: Address, pins: Sequence[IdentityArn]) -> Ungoverned:
    names = ", ".join(sorted(arn.name for arn in pins))
    why = f"several of allow_source_arns cover {address} ({names}): name one in X-SES-SOURCE-ARN or default_source_arn"
    return Ungoverned(Lack.NAMED, why, ("Set default_source_arn for the delegate, or send X-SES-SOURCE-ARN.",))


def _unverified(address: Address, choice: Choice) -> Ungoverned:
    owners = choice.owners
    if not owners:
        return _nothing_sealed_named(address)
    regions = tuple(sorted({region for _, region in owners}))
    advice: tuple[str, ...] = (f"Have {address.domain.lower()} or {address} verified by a configured identity owner.",)
    if "." not in address.domain:
        cure = 'send another MAIL FROM, or set return_path = "author" for the delegate.'
        advice = (f"{address.domain} is a host: {cure}",)
    if any(owned.bearing_on(address).spellings for owned in owners.values()):
        advice += ("An address that is verified permits only its exact spelling: no other case, no +label.",)
    if choice.rules.sealed:
        advice += ("Or name the ARN of a sealed owner's identity in X-SES-SOURCE-ARN or default_source_arn.",)
    return Ungoverned(Lack.UNVERIFIED, f"no verified identity covers {address}", advice, regions)


def _nothing_sealed_named(address: Address) -> Ungoverned:
    why = f"no identity is named for {address}, and the relay has no list to look in: give its ARN in X-SES-SOURCE-ARN"
    return Ungoverned(
        Lack.NAMED,
        why,
        (
            "Add the field X-SES-SOURCE-ARN with the ARN that the identity owner handed out.",
            "Or set default_source_arn or allow_source_arns for the delegate: its owner is sealed.",
        ),
    )
