"""How one statement fared, element by element: the slow telling of what evaluation only counts."""

from collections.abc import Iterator

from relay.policy.answers import Mismatch, StatementTrace
from relay.policy.principals import CALLER_KEY
from relay.policy.request import Request
from relay.policy.statements import Statement
from relay.policy.truths import MAYBE, TRUTHS, YES
from relay.policy.variables import is_unknown
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of a statement against the request: its truth, what it would say if it failed, the keys it asked."""

    truth: int
    mismatch: Mismatch
    unknown: tuple[str, ...]


def trace_of(statement: Statement, request: Request) -> StatementTrace:
    """How *statement* fared; its mismatch is the first element that surely fails, else the first that is unsure."""
    elements = list(_elements(statement, request))
    truth = min(element.truth for element in elements)
    mismatch = next(e.mismatch for e in elements if e.truth == truth) if truth < YES else None
    unknown = dict.fromkeys(key for e in elements if e.truth == MAYBE for key in e.unknown) if truth == MAYBE else ()
    grant = statement.principals.grant(request.caller) if truth == YES else None
    return StatementTrace(statement.ref, statement.effect, TRUTHS[truth], mismatch, tuple(unknown), grant)


def _elements(statement: Statement, request: Request) -> Iterator[_Element]:
    context = request.context
    principals, actions, resources = statement.principals, statement.actions, statement.resources
    yield _Element(
        principals.match(request.caller),
        Mismatch(_name("Principal", negated=principals.negated), principals.spelled, (request.caller.text,)),
        (CALLER_KEY,),
    )
    yield _Element(
        actions.match(request.action.lower()),
        Mismatch(_name("Action", negated=actions.negated), actions.spelled, (request.action,)),
        (),
    )
    yield _Element(
        resources.match(request.resource, context),
        Mismatch(_name("Resource", negated=resources.negated), resources.spelled, (request.resource,)),
        tuple(sorted(key for key in resources.variables if is_unknown(key, context))),
    )
    for condition in statement.conditions:
        yield _Element(
            condition.truth(context),
            Mismatch(
                "Condition",
                condition.values,
                context.known.get(condition.key),
                condition.spelled_operator,
                condition.spelled_key,
            ),
            tuple(sorted(condition.unknown(context))),
        )


def _name(element: str, *, negated: bool) -> str:
    return f"Not{element}" if negated else element
