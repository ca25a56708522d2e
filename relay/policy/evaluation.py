"""
Evaluation: an explicit Deny wins, then an unreadable policy, then an Allow; silence is an implicit deny (IAM User
Guide, "Policy evaluation logic").
"""

from collections.abc import Sequence

from relay.policy.answers import Decision, Evaluation, Grant, PolicyProblem, StatementTrace
from relay.policy.document import Policy, UnreadablePolicy
from relay.policy.explanation import trace_of
from relay.policy.request import Request
from relay.policy.statements import Statement
from relay.policy.truths import MAYBE, NO, YES


def evaluate(request: Request, policies: Sequence[Policy | UnreadablePolicy], *, trace: bool = False) -> Evaluation:
    """
    What *policies*, all of one resource, answer to *request*.

    An Allow counts only if it applies whatever an unknown key holds; a Deny counts unless it fails whatever it holds.
    ``unknown`` names the keys that made a Deny count or kept an Allow from it. *trace* adds how every statement fared,
    which costs several times the answer. Never raises.
    """
    denies, allows, perhaps, problems = _applying(request, policies)
    traces = _traces(request, policies) if trace else ()
    action = request.action
    if denies:
        because = tuple([statement.ref for statement in denies])
        unknown = _unknown(denies, request)
        return Evaluation(Decision.EXPLICIT_DENY, because, None, unknown, traces, problems, action)
    if problems:
        return Evaluation(Decision.UNDECIDED, traces=traces, problems=problems, action=action)
    if allows:
        because = tuple([statement.ref for statement in allows])
        grants = [statement.principals.grant(request.caller) for statement in allows]
        grant: Grant = "direct" if "direct" in grants else "account"
        return Evaluation(Decision.ALLOW, because, grant, (), traces, (), action)
    unknown = _unknown(perhaps, request) if perhaps else ()
    return Evaluation(Decision.IMPLICIT_DENY, (), None, unknown, traces, (), action)


def keys_asked(request: Request, policies: Sequence[Policy | UnreadablePolicy]) -> frozenset[str]:
    """
    Name the keys that :func:`evaluate` may look up: those of statements on this action that may be about this caller.

    Whatever else the context holds makes no difference to its decision.
    """
    action = request.action.lower()
    asked: set[str] = set()
    for policy in policies:
        for statement in policy.statements if isinstance(policy, Policy) else ():
            if statement.actions.match(action) and statement.principals.match(request.caller):
                asked |= statement.resources.variables
                for condition in statement.conditions:
                    asked |= condition.variables | {condition.key}
    return frozenset(asked)


def could_allow(request: Request, policies: Sequence[Policy | UnreadablePolicy]) -> bool:
    """
    Whether the answer could still be Allow once everything unknown is known: the question turned round.

    An Allow is taken to apply if it could, a Deny only if it must; an unreadable policy could allow anything.
    """
    denies, allows, perhaps, problems = _applying(request, policies)
    action = request.action.lower()
    if any(_truth(statement, request, action) == YES for statement in denies):
        return False
    return bool(allows or perhaps or problems)


def _applying(
    request: Request, policies: Sequence[Policy | UnreadablePolicy]
) -> tuple[list[Statement], list[Statement], list[Statement], tuple[PolicyProblem, ...]]:
    """The Denies that may apply, the Allows that do, the Allows that may; what is unreadable."""
    denies: list[Statement] = []
    allows: list[Statement] = []
    perhaps: list[Statement] = []
    problems: tuple[PolicyProblem, ...] = ()
    action = request.action.lower()
    for policy in policies:
        if isinstance(policy, UnreadablePolicy):
            problems += policy.problems
            continue
        for statement in policy.statements:
            truth = _truth(statement, request, action)
            if truth == NO:
                continue
            if statement.effect == "Deny":
                denies.append(statement)
            elif truth == YES:
                allows.append(statement)
            else:
                perhaps.append(statement)
    return denies, allows, perhaps, problems


def _truth(statement: Statement, request: Request, action: str) -> int:
    """Whether *statement* applies; what is cheap and most telling is asked first."""
    truth = statement.actions.match(action)
    if not truth:
        return NO
    context = request.context
    principal = statement.principals.match(request.caller)
    if not principal:
        return NO
    resource = statement.resources.match(request.resource, context)
    if not resource:
        return NO
    truth = YES if truth == principal == resource == YES else MAYBE
    for condition in statement.conditions:
        held = condition.truth(context)
        if not held:
            return NO
        if held == MAYBE:
            truth = MAYBE
    return truth


def _traces(request: Request, policies: Sequence[Policy | UnreadablePolicy]) -> tuple[StatementTrace, ...]:
    readable = (policy for policy in policies if isinstance(policy, Policy))
    return tuple(trace_of(statement, request) for policy in readable for statement in policy.statements)


def _unknown(statements: Sequence[Statement], request: Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for statement in statements for key in trace_of(statement, request).unknown))
