"""Statements by which every AWS account in the world may send, and Denies that keep it from doing so."""

from collections.abc import Iterator, Sequence

from relay.policy.lint.actions import actions_named
from relay.policy.lint.findings import Remark
from relay.policy.lint.keys import find_key
from relay.policy.lint.views import Entry, PolicyView, StatementView


def check_strangers(view: PolicyView, denied: frozenset[str]) -> Iterator[Remark]:
    """Each Allow of one policy. *denied*: what some Deny denies to strangers."""
    for statement in view.statements:
        named = actions_named(statement)
        if statement.effect != "Allow" or statement.principal != "Principal" or (named and named <= denied):
            continue
        for principal in statement.principals:
            if (principal.kind, principal.text) != ("AWS", "*"):
                continue
            if not statement.entries:
                message = "Every AWS account in the world may do this: Principal is * and there is no condition."
                yield Remark("everyone-without-condition", principal.path, message)
            elif not any(map(_asks_who, statement.entries)):
                message = "Every AWS account in the world may do this: Principal is * and no condition asks who it is."
                yield Remark("everyone-not-narrowed", principal.path, message)


def denied_to_strangers(views: Sequence[PolicyView]) -> frozenset[str]:
    """The actions that some Deny, in any policy of the identity, denies to all but some."""
    statements = [statement for view in views for statement in view.statements if statement.effect == "Deny"]
    return frozenset[str]().union(*map(actions_named, filter(_is_about_strangers, statements)))


def _is_about_strangers(statement: StatementView) -> bool:
    if statement.principal == "NotPrincipal":
        return not statement.entries and bool(statement.principals)
    is_about_all = any((one.kind, one.text) == ("AWS", "*") for one in statement.principals)
    return is_about_all and all(_is_of_people(entry) or _spares_the_known(entry) for entry in statement.entries)


def _asks_who(entry: Entry) -> bool:
    """Whether it wants a key of the caller to be there and to be something; ``*`` is anything."""
    operator = entry.operator
    if not _is_of_caller(entry) or operator is None or entry.is_null or operator.negated or entry.holds_when_absent:
        return False
    return not (operator.family == "like" and any(not value.text.strip("*") for value in entry.values))


def _spares_the_known(entry: Entry) -> bool:
    """Whether it holds for every caller but those that it names, those without the key among them."""
    return _is_of_caller(entry) and entry.operator is not None and entry.operator.negated and entry.holds_when_absent


def _is_of_people(entry: Entry) -> bool:
    """Whether it only leaves AWS's own services alone, as the Denies of data perimeters do."""
    is_about_services = entry.key in ("aws:principalisawsservice", "aws:viaawsservice")
    return is_about_services and {value.text for value in entry.values} == {"false"}


def _is_of_caller(entry: Entry) -> bool:
    key = find_key(entry.spelled_key)
    return key is not None and key.of_caller
