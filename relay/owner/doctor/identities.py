"""One identity as SES holds it: verified, signed, its MAIL FROM, who hears of bounces; and its policies."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.identities.ses_api import Held, SesApi
from relay.judgement.catalog import Identity
from relay.owner.dns_records import zone_fragment
from relay.owner.doctor.dns import look_at_records
from relay.owner.doctor.findings import Finding, Key, Look, failing, ok, warning
from relay.owner.doctor.policies import alone, linted, own_account, unreadable
from relay.owner.doctor.setup import Means, Setup
from relay.owner.identity_status import FOUND, Status, status_of
from relay.policy.document import parse_policy
from relay.words.arns import parse_identity_arn
from relay.words.values import dataclass

_CHECKS: Final = ("identity", "identity.dkim", "identity.mail-from", "feedback")
_POLICIES: Final = ("policies.readable", "policies.lint", "policies.own-account")
#: What a look at an owner leads to.
LEADS_TO: Final = (*_CHECKS, "identity.dns", *_POLICIES)
_DKIM: Final = frozenset({"dkim", "dkim-key"})
_MAIL_FROM: Final = frozenset({"mail-from-mx", "mail-from-spf"})
_REJECTS: Final = "REJECT_MESSAGE"


@dataclass(frozen=True, slots=True)
class Visited:
    """An identity that is looked at. ``is_judged_by``: its policies count as SES holds them, not as a folder does."""

    setup: Setup
    means: Means
    api: SesApi
    arn: str
    is_judged_by: bool


def look_at_identity(visited: Visited) -> Look:
    """Look at one identity with one call."""
    checks = (*_CHECKS, *(_POLICIES if visited.is_judged_by else ()))
    sets = {name for each in visited.setup.delegates for name in each.configuration_sets}
    after: tuple[Key, ...] = tuple(("configuration-set", name) for name in sorted(sets))
    needs: tuple[Key, ...] = (("credentials", ""),)
    return Look(checks, lambda: _findings(visited), visited.arn, needs, after, ("identity.dns",), "aws")


def missing(arn: str, listed: Mapping[str, Any]) -> Finding:
    """Say that an identity is not in the list of its place."""
    name = parse_identity_arn(arn).name
    close = [each for each in listed if each.lower() == name.lower()]
    told = f"it is not there; {close[0]} is, which is another spelling" if close else "it is not there"
    return failing("identity", told, f"ses-relay identity create {name}; or correct who names it.", arn)


def _findings(visited: Visited) -> Iterator[Finding | Look]:
    named = parse_identity_arn(visited.arn)
    held = visited.api.identity(named.name)
    if held is None:
        yield missing(visited.arn, {})
        return
    status = status_of(held, named.region)
    yield _verified(status, visited.arn)
    if status.kind != "EMAIL_ADDRESS":
        yield _dkim(status, visited.arn)
    if status.mail_from:
        yield _mail_from(status, visited.arn)
    yield _feedback(visited, status)
    yield look_at_records(visited.arn, held, visited.setup.resolvers, is_aws=visited.setup.asks_aws_itself)
    if visited.is_judged_by:
        yield from _policies(visited, held)


def _verified(status: Status, arn: str) -> Finding:
    if status.is_verified:
        return ok("identity", "verified", arn)
    if status.kind == "EMAIL_ADDRESS":
        fix = "Follow the link in the mail that AWS sent to the address; `ses-relay identity create` sends another."
    else:
        fix = _records(status, _DKIM | {"verification"})
    why = f": {status.error}" if status.error else ""
    return failing("identity", f"not verified ({status.verification.lower()}{why})", fix, arn)


def _dkim(status: Status, arn: str) -> Finding:
    if status.dkim == FOUND and status.is_signing:
        return ok("identity.dkim", "SES signs for it", arn)
    told = "SES does not sign for it" if not status.is_signing else f"SES waits for the DNS ({status.dkim.lower()})"
    return warning("identity.dkim", told, _records(status, _DKIM), arn)


def _mail_from(status: Status, arn: str) -> Finding:
    if status.mail_from_state == FOUND:
        return ok("identity.mail-from", status.mail_from, arn)
    told = f"{status.mail_from}: SES does not find its records ({status.mail_from_state.lower()})"
    if status.on_mx_failure == _REJECTS:
        fix = _records(status, _MAIL_FROM)
        return failing("identity.mail-from", f"{told}, and rejects mail until it does", fix, arn)
    return warning("identity.mail-from", told, _records(status, _MAIL_FROM), arn)


def _records(status: Status, kinds: frozenset[str]) -> str:
    """Return the records of these kinds as lines of a zone file; nothing where SES waits for none."""
    wanted = [record for record in status.missing if record.kind in kinds]
    return f"Publish:\n{zone_fragment(wanted).rstrip()}" if wanted else ""


def _feedback(visited: Visited, status: Status) -> Finding:
    """Tell whether somebody hears of bounces. Topics are asked for only where nothing is mailed."""
    if status.forwards_feedback:
        return ok("feedback", "bounces and complaints are mailed to the Return-Path", visited.arn)
    answer = visited.api.call("ses.get_identity_notification_attributes", Identities=[status.name])
    told = (answer.get("NotificationAttributes") or {}).get(status.name) or {}
    if all(told.get(f"{kind}Topic") for kind in ("Bounce", "Complaint")):
        return ok("feedback", "bounces and complaints go to SNS topics", visited.arn)
    sets = visited.means.with_events | ({status.configuration_set} - {""})
    if sets:
        return ok("feedback", f"events of configuration sets: {', '.join(sorted(sets))}", visited.arn)
    fix = f"aws ses set-identity-feedback-forwarding-enabled --identity {status.name} --forwarding-enabled"
    return warning("feedback", "nobody hears of bounces and complaints", fix, visited.arn)


def _policies(visited: Visited, held: Held) -> Iterator[Finding]:
    arn, now = parse_identity_arn(visited.arn), visited.means.now()
    policies = tuple(parse_policy(name, text) for name, text in sorted(held.policies.items()))
    identity = Identity(arn, held.verified, policies, now)
    yield from unreadable([identity], visited.arn)
    yield from linted([(arn, held.policies)], now, f"ses-relay policy get {arn}", about=visited.arn)
    delegates = [each.delegate for each in visited.setup.delegates]
    yield from own_account(alone(identity), visited.means, delegates, visited.arn)
