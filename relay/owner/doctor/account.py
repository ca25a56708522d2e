"""How SES stands to the relay's own account in a region: there, sandbox, paused, quota (SES API v2, "GetAccount")."""

from collections.abc import Iterator
from typing import Any, Final

from relay.identities.accounts import AwsProblem, Refused
from relay.owner.doctor import iam
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.rounds import seconds_of_this_look
from relay.owner.doctor.setup import Means

CHECKS: Final = ("region", "sandbox", "sending", "quota")
_ASKED: Final = ("ses:GetAccount", "ses:GetSendQuota")
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_NEARLY: Final = 0.8


def look_at_region(means: Means, region: str) -> Look:
    """Look at SES in *region*, by the relay's own credentials."""
    return Look(CHECKS, lambda: _findings(means, region), region, needs=(("credentials", ""),), asks="aws")


def no_region() -> Finding:
    """Say that no region is named anywhere."""
    return warning("region", "no region is named: neither ses.region, nor AWS_REGION, nor one of an owner", "")


def is_denied(problem: AwsProblem) -> bool:
    """Whether it is IAM that said no."""
    return problem.code in _DENIED


def _findings(means: Means, region: str) -> Iterator[Finding]:
    caller = means.known_caller()
    fix = iam.added_to(caller.arn, [iam.statement(_ASKED)])
    try:
        quota, seconds = _timed(means, region, "ses.get_send_quota")
    except Refused as refused:
        yield from _no_quota(refused, region, fix)
        quota, seconds = {}, None
    except AwsProblem as problem:
        yield failing("region", f"SES does not answer: {problem}", "", region)
        yield from (not_checked(check, "SES does not answer", region) for check in CHECKS[1:])
        return
    try:
        account, again = _timed(means, region, "sesv2.get_account")
    except AwsProblem as problem:
        if seconds is not None:
            yield ok("region", f"SES answers within {seconds * 1000:.0f} ms", region)
        yield from (not_checked(each, str(problem), region, fix) for each in ("sandbox", "sending"))
    else:
        yield ok(
            "region", f"SES answers within {(again if seconds is None else min(seconds, again)) * 1000:.0f} ms", region
        )
        yield _sandbox(account, region)
        yield _sending(account, region)
    if quota:
        yield _quota(quota, region)


def _no_quota(refused: Refused, region: str, fix: str) -> Iterator[Finding]:
    if is_denied(refused):
        yield warning("quota", f"the rate is learnt from SES's refusals: {refused}", fix, region)
    else:
        yield failing("region", f"SES does not serve us: {refused}", "", region)
        yield not_checked("quota", "SES does not serve us", region)


def _timed(means: Means, region: str, operation: str) -> tuple[dict[str, Any], float]:
    """Call, and tell the seconds that it took, but for the wait for a turn."""
    account = means.known_caller().account
    began = seconds_of_this_look()
    answer = means.own.call(account, region, operation)
    return answer, seconds_of_this_look() - began


def _sandbox(account: dict[str, Any], region: str) -> Finding:
    if account.get("ProductionAccessEnabled"):
        return ok("sandbox", "out of the sandbox", region)
    return warning("sandbox", "the account is in the sandbox: SES sends to verified recipients only", "", region)


def _sending(account: dict[str, Any], region: str) -> Finding:
    enforcement = str(account.get("EnforcementStatus", ""))
    if not account.get("SendingEnabled"):
        return failing("sending", f"sending is paused ({enforcement})", "", region)
    if enforcement == "SHUTDOWN":
        return failing("sending", "SES shut the account down", "Answer AWS's case in the Support Center.", region)
    if enforcement == "PROBATION":
        fix = "Bring down bounces and complaints, and answer AWS's case in the Support Center."
        return warning("sending", "the account is on probation", fix, region)
    return ok("sending", f"enabled, {enforcement.lower()}", region)


def _quota(quota: dict[str, Any], region: str) -> Finding:
    sent, most, rate = (float(quota.get(name, 0)) for name in ("SentLast24Hours", "Max24HourSend", "MaxSendRate"))
    if most < 0:
        return ok("quota", f"{sent:,.0f} recipients in 24 hours, no bound; {rate:g} a second", region)
    told = f"{sent:,.0f} of {most:,.0f} recipients in 24 hours; {rate:g} a second"
    if sent >= most:
        return failing("quota", told, "", region)
    return warning("quota", told, "", region) if sent >= _NEARLY * most else ok("quota", told, region)
