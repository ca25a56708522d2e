"""All looks at one set-up, the choice among them, and the order in which they are told."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from relay.owner.doctor.account import look_at_region, look_at_region_of_role, no_region
from relay.owner.doctor.catalog import CHECKS
from relay.owner.doctor.certificate import look_at_certificate
from relay.owner.doctor.configuration_sets import look_at_sets
from relay.owner.doctor.credentials import look_at_credentials
from relay.owner.doctor.doors import look_at_admin, look_at_listener
from relay.owner.doctor.findings import Finding, Look, Status
from relay.owner.doctor.names import look_at_names
from relay.owner.doctor.owners import look_at_owner, named_arns
from relay.owner.doctor.permission import look_at_permission
from relay.owner.doctor.policies import look_at_folder, look_at_own_account, revocation_by_folder
from relay.owner.doctor.redis import look_at_shared, look_at_spool_server
from relay.owner.doctor.roles import look_at_delegates_role, look_at_owners_role
from relay.owner.doctor.rounds import Rounds
from relay.owner.doctor.secret_files import look_at_secrets
from relay.owner.doctor.setup import Means, Setup
from relay.owner.doctor.spool_place import look_at_spool

#: Where STS is asked when no region is named.
ANY_REGION: Final = "us-east-1"


def examine(setup: Setup, means: Means, rounds: Rounds, *, only: Collection[str] = ()) -> list[Finding]:
    """
    Look at *setup*, or at what the checks *only* need; return what it comes to, in the order of the catalog.

    Checks beside *only* are told where they fail and one of those needs them.
    """
    looks = _chosen(list(looks_of(setup, means)), only)
    found = rounds.make(looks, lambda look: not only or _answers(look, only))
    needed = {check for look in looks for check, _ in look.needs}
    told = [
        each
        for each in found
        if not only or each.check in only or (each.check in needed and each.status is Status.FAILING)
    ]
    return in_order(told)


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return *findings* in the order of the catalog, each failing one with a fix."""
    order = {check: number for number, check in enumerate(CHECKS)}
    return [_with_fix(each) for each in sorted(findings, key=lambda each: (order[each.check], each.about))]


def looks_of(setup: Setup, means: Means) -> Iterator[Look]:
    """Return every look at *setup* that can be named beforehand; those at owners lead to more."""
    regions = setup.regions()
    yield from _here(setup, means)
    if setup.shared_url is not None:
        yield look_at_shared(setup.shared_url)
    if setup.spool is not None and setup.spool.server is not None:
        yield look_at_spool_server(setup.spool.server)
    yield look_at_names(regions or (ANY_REGION,), setup.endpoint_url)
    yield look_at_credentials(means, (regions or (ANY_REGION,))[0])
    if not regions:
        yield Look(("region",), lambda: [no_region()])
    yield from (look_at_region(means, region) for region in regions)
    payers = {each.role.account: each for each in setup.delegates if each.role is not None}.values()
    yield from filter(None, (look_at_region_of_role(means, each, region) for each in payers for region in regions))
    at = (regions or (ANY_REGION,))[0]
    yield look_at_permission(means, at, named_arns(setup), is_aws=setup.asks_aws_itself)
    yield from look_at_sets(setup, means)
    yield from filter(None, (look_at_delegates_role(means, each, at) for each in setup.delegates))
    yield from filter(None, (look_at_owners_role(means, each, at) for each in setup.owners))
    yield from (look_at_owner(setup, means, owner, region) for owner, region in setup.places())


def _here(setup: Setup, means: Means) -> Iterator[Look]:
    """Return the looks that ask nobody but this machine, and what follows from them."""
    if setup.certificate is not None:
        yield look_at_certificate(setup.certificate, setup.hostname, means.now())
    yield look_at_secrets(setup.secrets)
    yield from (look_at_listener(each, setup.hostname, setup.admin) for each in setup.listeners)
    yield look_at_admin(*setup.admin)
    yield look_at_spool(setup.spool)
    if setup.policies is not None:
        yield look_at_folder(setup, means)
        yield look_at_own_account(setup, means)
        yield Look(("policies.revocation",), lambda: [revocation_by_folder(setup)])


def _chosen(looks: Sequence[Look], only: Collection[str]) -> list[Look]:
    """Return the looks that answer *only*, and those that they wait for."""
    if not only:
        return list(looks)
    wanted = set(only) | ({"configuration-set"} if "feedback" in only else set())
    while True:
        chosen = [look for look in looks if _answers(look, wanted)]
        more = {check for look in chosen for check, _ in (*look.needs, *look.after)} - wanted
        if not more:
            return chosen
        wanted |= more


def _answers(look: Look, wanted: Collection[str]) -> bool:
    """Whether it answers one of these checks, or may lead to a look that does."""
    return not set(wanted).isdisjoint((*look.checks, *look.leads_to))


def _with_fix(finding: Finding) -> Finding:
    """Give a line that somebody should act on the fix of its kind, where it has none of its own."""
    if finding.fix or finding.status in {Status.OK, Status.NOT_CHECKED}:
        return finding
    return replace(finding, fix=CHECKS[finding.check].fix)
