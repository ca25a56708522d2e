"""Whose credentials these are, where they were found, and whether this machine's clock lets AWS take them."""

from collections.abc import Iterator
from typing import Any, Final

from relay.identities.accounts import Away, AwsProblem
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.setup import Caller, Means
from relay.words.dates import http_date

#: Seconds by which clocks may differ unnoticed, and until AWS refuses (SigV4: five minutes).
NOTICED: Final = 60.0
REFUSED: Final = 300.0

_ORIGINS: Final = {
    "env": "the environment",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS config file",
    "assume-role": "a profile that assumes a role",
    "assume-role-with-web-identity": "a web identity (AWS_ROLE_ARN)",
    "sso": "a profile of IAM Identity Center",
    "login": "aws login",
    "custom-process": "a credential process",
    "container-role": "the container's role",
    "iam-role": "the instance's role",
}


def look_at_credentials(means: Means, region: str) -> Look:
    """Look at the relay's own credentials by asking STS of *region*, once, and at the time that it says it is."""
    return Look(("credentials", "clock"), lambda: _findings(means, region), asks="aws")


def _findings(means: Means, region: str) -> Iterator[Finding]:
    origin = means.own.origin()
    if origin is None:
        yield failing("credentials", "the chain finds none", "")
        yield not_checked("clock", "AWS tells the time to whom it knows")
        return
    before = means.now()
    try:
        answer = means.own.call("", region, "sts.get_caller_identity")
    except AwsProblem as problem:
        yield from _refused(problem, origin, before, means.now())
        return
    caller = means.caller = Caller(str(answer["Account"]), str(answer["Arn"]))
    yield _whose(caller, origin)
    date = _headers(answer).get("date", "")
    yield _clock(str(date), (before + means.now()) / 2)


def _refused(problem: AwsProblem, origin: str, before: float, after: float) -> Iterator[Finding]:
    clock = _clock(problem.date, (before + after) / 2)
    found = f"found in {_ORIGINS.get(origin, origin)}, not taken"
    if clock.status == "failing":
        fix = "Set the clock first: what is signed by a wrong one is refused."
    elif problem.code in {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}:
        fix = "The key is not AWS's any more, or its secret is another's: put the right ones where they were found."
    elif problem.code in {"ExpiredToken", "ExpiredTokenException"}:
        fix = "The session is over: give the relay a role, whose sessions are renewed."
    elif isinstance(problem, Away) and origin != "custom-process":
        fix = "Let this machine reach the endpoint of STS: see names; or correct ses.endpoint_url."
    else:
        fix = ""
    yield failing("credentials", f"{found}: {problem}", fix)
    yield clock


def _whose(caller: Caller, origin: str) -> Finding:
    told = f"{caller.arn}, found in {_ORIGINS.get(origin, origin)}"
    if caller.arn.endswith(":root"):
        fix = "Make a role or user for the relay that may do no more than it needs."
        return warning("credentials", f"{told}: root, who may do everything", fix)
    return ok("credentials", told)


def _clock(date: str, now: float) -> Finding:
    """Compare *now*, the middle of the call, with AWS's ``Date``, which is cut to the second."""
    theirs = http_date(date)
    if theirs is None:
        return not_checked("clock", "AWS told no time")
    apart = now - theirs.timestamp() - 0.5
    told = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} AWS"
    if abs(apart) > REFUSED:
        return failing("clock", told, "")
    return warning("clock", told, "") if abs(apart) > NOTICED else ok("clock", f"within {max(1, round(abs(apart)))} s")


def _headers(answer: dict[str, Any]) -> dict[str, Any]:
    return dict(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
