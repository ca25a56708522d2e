"""Which identity statements are about (SES Developer Guide, "Policy anatomy": one resource, the identity itself)."""

from collections.abc import Iterator

from relay.policy.lint.findings import Remark
from relay.policy.lint.views import PolicyView, Spelled
from relay.policy.lint.wording import listed, quoted
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn


def identity_named(view: PolicyView) -> IdentityArn | None:
    """The identity that the policy says it is of; None when its statements say none, or several."""
    arns = {arn for statement in view.statements for arn in map(_read, statement.resources) if arn is not None}
    return arns.pop() if len(arns) == 1 else None


def check_resources(view: PolicyView, identity: IdentityArn | None) -> Iterator[Remark]:
    """The resource of each statement. *identity*: whose policy it is, None when only the policy itself tells."""
    first = None
    for statement in view.statements:
        if statement.resource != "Resource":
            continue
        if len(statement.resources) > 1:
            message = f"{len(statement.resources)} resources; SES takes exactly one, the identity of the policy."
            yield Remark("several-resources", statement.place("Resource"), message)
            continue
        for resource in statement.resources:
            arn = _read(resource)
            if arn is None or identity is not None:
                yield from _compared(resource, arn, identity)
            elif first is not None and arn != first:
                message = f"{quoted(resource.text)} is another identity than {quoted(str(first))} before it."
                yield Remark("several-resources", resource.path, message)
            first = first or arn


def _read(resource: Spelled) -> IdentityArn | None:
    try:
        arn = parse_identity_arn(resource.text)
    except ArnProblem:
        return None
    return None if any(mark in resource.text for mark in ("*", "?", "${")) else arn


def _compared(resource: Spelled, arn: IdentityArn | None, identity: IdentityArn | None) -> Iterator[Remark]:
    if identity is not None and resource.text == str(identity):
        return
    fix = None if identity is None else f"Write {identity}."
    if arn is not None and identity is not None:
        why = f"it differs in {listed(_differences(arn, identity))}"
    elif set("*?") & set(resource.text):
        why = "SES takes no wildcards here"
    elif "${" in resource.text:
        why = "SES takes no variables here"
    else:
        why = "that is not the ARN of an SES identity"
    message = f"Resource {quoted(resource.text)} is not the identity of the policy: {why}."
    yield Remark("resource-not-identity", resource.path, message, fix)


def _differences(arn: IdentityArn, identity: IdentityArn) -> list[str]:
    differences = [
        field for field in ("partition", "region", "account") if getattr(arn, field) != getattr(identity, field)
    ]
    if arn.name != identity.name:
        differences.append("the case of the name" if arn.name.lower() == identity.name.lower() else "the name")
    return differences
