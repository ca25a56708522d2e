"""
What ``/readyz`` tells of each part.

Nothing that only some mail needs keeps the relay from being ready: it is told, and the others send as ever.
"""

from typing import TYPE_CHECKING

from relay.console.readiness import Check, Readiness
from relay.delegates.registry import Registry
from relay.feedback.feedback import Feedback
from relay.identities.ports import Directory
from relay.journal.keeping import Journal
from relay.judgement.rules import Rules
from relay.sending.credentials import Credentials
from relay.sending.keys import Unusable
from relay.sending.roles import Roles
from relay.smtp.certificates import CertificateWatch

if TYPE_CHECKING:
    from relay.feedback.invalidation import PolicyEvents
    from relay.workers.supervisor import Workers


def of_credentials(credentials: Credentials | None) -> Check:
    """Tell whether calls can be signed; None: with a key that was given."""
    state = None if credentials is None else credentials.state
    why = state.why if isinstance(state, Unusable) else ""
    return Check("credentials", not why, why)


def of_roles(roles: Roles, *, is_used: bool) -> Readiness:
    """Tell whose role cannot be assumed."""
    why = "; ".join(f"{role}: {trouble}" for role, trouble in roles.troubles().items())
    return (Check("roles", ok=True, why=why),) if is_used else ()


def of_delegates(registry: Registry) -> Check:
    """Tell whose credentials cannot be read."""
    return Check("delegates", ok=True, why="; ".join(f"{what}: {why}" for what, why in registry.troubles().items()))


def of_certificate(watch: CertificateWatch) -> Readiness:
    """Tell of an end that is near."""
    return (Check("certificate", ok=True, why=watch.why),) if watch.why else ()


def of_journal(journal: Journal) -> Readiness:
    """Tell that decisions are not kept where they should be."""
    return (Check("journal", ok=True, why=journal.trouble),) if journal.trouble else ()


def of_workers(workers: "Workers | None", *, is_open: bool) -> Readiness:
    """Tell which are not there; one is enough."""
    if workers is None:
        return ()
    return (Check("workers", ok=workers.serving > 0 or not is_open, why=workers.trouble),)


def of_queues(feedback: Feedback, policy_events: "PolicyEvents | None") -> Readiness:
    """Tell which queues cannot be read, and who is slowed or suspended."""
    readers = (("feedback", feedback), ("policy-events", policy_events))
    there = [(name, reader) for name, reader in readers if reader is not None and reader.is_read]
    return tuple(Check(name, ok=True, why="; ".join(reader.troubles())) for name, reader in there)


def of_policies(directory: Directory, rules: Rules, now: float) -> Check:
    """
    Tell which owners' identities are not known.

    An address that nobody knows where it is verified is undecided, wherever it may be; where mail must name its
    identity, that of other owners goes on.
    """
    catalog = directory.catalog
    problems = {}
    for (account, region), owned in catalog.owners.items():
        if owned.problem is not None:
            problems[f"{account} {region}"] = owned.problem
        elif not rules.is_fresh(owned.listed_at, now):
            problems[f"{account} {region}"] = f"too old, read {now - owned.listed_at:.0f} s ago"
    goes_on = rules.source_arn == "required" and len(problems) < len(catalog.owners)
    is_ok = catalog.problem is None and (not problems or goes_on)
    told = [f"{place}: {why}" for place, why in problems.items()]
    for state in directory.places():
        place = f"{state.account} {state.region}"
        told += [f"{place}: {why}" for why in state.troubles if problems.get(place) != why]
    return Check("policies", is_ok, "; ".join([*([catalog.problem] if catalog.problem else []), *told]))
