"""What IAM lets the relay do, as far as that can be told without sending."""

from collections.abc import Iterator, Sequence
from typing import Any

from relay.identities.accounts import AwsProblem
from relay.owner.doctor import iam
from relay.owner.doctor.account import is_denied
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.setup import Means

CHECK = "permission"
_ALLOWED = "allowed"


def look_at_permission(means: Means, region: str, resources: Sequence[str], *, is_aws: bool) -> Look:
    """Look at whether IAM lets us send under *resources*, ARNs; *is_aws*: there is an IAM beside this SES."""
    if not is_aws:
        return Look((CHECK,), lambda: [not_checked(CHECK, "ses.endpoint_url is not AWS: there is no IAM to ask")])
    return Look((CHECK,), lambda: _simulated(means, region, resources), needs=(("credentials", ""),), asks="aws")


def _simulated(means: Means, region: str, resources: Sequence[str]) -> Iterator[Finding]:
    principal = iam.lasting(means.known_caller().arn)
    fix = iam.added_to(principal, [iam.statement(iam.SENDING, resources or ("*",))])
    if principal.endswith(":root"):
        yield ok(CHECK, "root may do everything")
        return
    wanted: dict[str, Any] = {"ResourceArns": list(resources)} if resources else {}
    try:
        answer = means.own.call(
            "",
            region,
            "iam.simulate_principal_policy",
            PolicySourceArn=principal,
            ActionNames=list(iam.SENDING),
            **wanted,
        )
    except AwsProblem as problem:
        why = "it cannot be told without sending, or iam:SimulatePrincipalPolicy"
        told = why if is_denied(problem) else f"{why}: {problem}"
        yield not_checked(CHECK, told, fix=f"If SES refuses with AccessDenied:\n{fix}")
        return
    yield _finding(answer.get("EvaluationResults", []), principal, fix)


def _finding(results: Sequence[dict[str, Any]], principal: str, fix: str) -> Finding:
    wrong = [each for each in results if each.get("EvalDecision") != _ALLOWED]
    if not wrong:
        return ok(CHECK, f"IAM lets {principal} send")
    told = ", ".join(
        f"{each.get('EvalActionName')} on {each.get('EvalResourceName')}: {each.get('EvalDecision')}" for each in wrong
    )
    missing = sorted({name for each in wrong for name in each.get("MissingContextValues", ())})
    if missing:
        return warning(CHECK, f"it depends on {', '.join(missing)}: {told}", fix)
    return failing(CHECK, told, fix)
