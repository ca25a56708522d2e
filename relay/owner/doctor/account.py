"""
How SES stands to an account for which mail counts: there, sandbox, paused, quota (SES API v2 Reference, "GetAccount").

It counts for the relay's own account; for the role's where a delegate's mail is sent as a role.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from relay.identities.accounts import Accounts, Away, AwsProblem
from relay.owner.doctor import iam
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.rounds import seconds_of_this_look
from relay.owner.doctor.setup import DelegateAtAws, Means
from relay.words.values import dataclass

CHECKS: Final = ("region", "sandbox", "sending", "quota")
_ASKED: Final = ("ses:GetAccount", "ses:GetSendQuota")
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_NEARLY: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Payer:
    """An account for which mail counts, in one region: by whose clients, and as whom, it is asked about."""

    accounts: Accounts
    account: str
    arn: str
    region: str
    about: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a call gave, in how many seconds beside its turn; or why it gave nothing."""

    found: dict[str, Any]
    seconds: float = 0.0
    problem: AwsProblem | None = None


def look_at_region(means: Means, region: str) -> Look:
    """Look at SES in *region*, by the relay's own credentials."""

    def work() -> Iterator[Finding]:
        caller = means.known_caller()
        return _findings(_Payer(means.own, caller.account, caller.arn, region, region))

    return Look(CHECKS, work, region, needs=(("credentials", ""),), asks="aws")


def look_at_region_of_role(means: Means, delegate: DelegateAtAws, region: str) -> Look | None:
    """Look at SES in *region* as the role that a delegate's mail is sent as, for whose account it counts."""
    role = delegate.role
    if role is None:
        return None
    about = f"{region} as {delegate.name}"
    work = partial(_findings, _Payer(means.lent(role), role.account, role.arn, region, about))
    return Look(CHECKS, work, about, needs=(("delegate.role", delegate.name),), asks="aws")


def no_region() -> Finding:
    """Say that no region is named anywhere."""
    return warning("region", "no region is named: neither ses.region, nor AWS_REGION, nor one of an owner", "")


def is_denied(problem: AwsProblem | None) -> bool:
    """Whether it is IAM that said no."""
    return problem is not None and problem.code in _DENIED


def _findings(payer: _Payer) -> Iterator[Finding]:
    about, fix = payer.about, iam.added_to(payer.arn, [iam.statement(_ASKED)])
    quota = _answer(payer, "ses.get_send_quota")
    if isinstance(quota.problem, Away):
        yield failing("region", f"SES does not answer: {quota.problem}", "", about)
        yield from (not_checked(check, "SES does not answer", about) for check in CHECKS[1:])
        return
    account = _answer(payer, "sesv2.get_account")
    yield _region(quota, account, about)
    if account.problem is None:
        yield _sandbox(account.found, about)
        yield _sending(account.found, about)
    else:
        yield from (not_checked(each, str(account.problem), about, fix) for each in ("sandbox", "sending"))
    if quota.problem is None:
        yield _quota(quota.found, about)
    elif is_denied(quota.problem):
        yield warning("quota", f"the rate is learnt from SES's refusals: {quota.problem}", fix, about)
    else:
        yield not_checked("quota", str(quota.problem), about)


def _answer(payer: _Payer, operation: str) -> _Answer:
    began = seconds_of_this_look()
    try:
        found = payer.accounts.call(payer.account, payer.region, operation)
    except AwsProblem as problem:
        return _Answer({}, problem=problem)
    return _Answer(found, seconds_of_this_look() - began)


def _region(quota: _Answer, account: _Answer, about: str) -> Finding:
    """SES answers: that it lets us ask nothing is no trouble of the region's."""
    times = [each.seconds for each in (quota, account) if each.problem is None]
    if times:
        return ok("region", f"SES answers within {min(times) * 1000:.0f} ms", about)
    if is_denied(quota.problem) or is_denied(account.problem):
        return ok("region", "SES answers, and lets us ask nothing", about)
    return failing("region", f"SES does not serve us: {quota.problem}", "", about)


def _sandbox(account: dict[str, Any], about: str) -> Finding:
    if account.get("ProductionAccessEnabled"):
        return ok("sandbox", "out of the sandbox", about)
    return warning("sandbox", "the account is in the sandbox: SES sends to verified recipients only", "", about)


def _sending(account: dict[str, Any], about: str) -> Finding:
    enforcement = str(account.get("EnforcementStatus", ""))
    if not account.get("SendingEnabled"):
        return failing("sending", f"sending is paused ({enforcement})", "", about)
    if enforcement == "SHUTDOWN":
        return failing("sending", "SES shut the account down", "Answer AWS's case in the Support Center.", about)
    if enforcement == "PROBATION":
        fix = "Bring down bounces and complaints, and answer AWS's case in the Support Center."
        return warning("sending", "the account is on probation", fix, about)
    return ok("sending", f"enabled, {enforcement.lower()}", about)


def _quota(quota: dict[str, Any], about: str) -> Finding:
    sent, most, rate = (float(quota.get(name, 0)) for name in ("SentLast24Hours", "Max24HourSend", "MaxSendRate"))
    if most < 0:
        return ok("quota", f"{sent:,.0f} recipients in 24 hours, no bound; {rate:g} a second", about)
    told = f"{sent:,.0f} of {most:,.0f} recipients in 24 hours; {rate:g} a second"
    if sent >= most:
        return failing("quota", told, "", about)
    return warning("quota", told, "", about) if sent >= _NEARLY * most else ok("quota", told, about)
