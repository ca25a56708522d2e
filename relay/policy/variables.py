"""
Policy variables: ``${aws:username}``, ``${aws:PrincipalTag/team, 'none'}``, ``${*}`` (IAM User Guide, "IAM policy
elements: Variables and tags"). They live only in policies of Version 2012-10-17; elsewhere they are plain text.
"""

from typing import Final, TypeAlias

from relay.policy.request import Context
from relay.policy.wildcards import ANY_ONE, ANY_RUN, wild
from relay.words.patterns import on_demand
from relay.words.values import dataclass

_VARIABLE: Final = on_demand(
    r"\$\{(?:(?P<literal>[*?$])"
    r"|(?P<key>[^\s{}$,'\"*?](?:[^{}$,'\"*?]*[^\s{}$,'\"*?])?)(?:,\s*'(?P<default>[^']*)')?)\}"
)


class VariableProblem(ValueError):
    """A ``${`` that begins no variable. ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Variable:
    """
    A variable inside a value. ``key`` is lower-cased; ``default`` is None when it has none.

    ``doubtful_default``: it holds wildcards where wildcards count, and AWS does not say whether they do in a default.
    """

    key: str
    default: str | None = None
    doubtful_default: bool = False


#: A value as literal parts and variables. Wildcards of the literal parts are spelt as in :mod:`wildcards`.
Template: TypeAlias = tuple[str | Variable, ...]


def read_template(text: str, *, live: bool, wildcards: bool) -> Template:
    """
    Take *text* apart. *live*: variables are read (else all is literal); *wildcards*: ``*`` and ``?`` are.

    Raises:
        VariableProblem: ``${`` without a readable variable behind it, ``${}`` among them.
    """
    literal = wild if wildcards else str
    if not live or "${" not in text:
        return (literal(text),)
    parts: list[str | Variable] = []
    at = 0
    while (start := text.find("${", at)) >= 0:
        found = _VARIABLE.match(text, start)
        if found is None:
            raise VariableProblem("after ${ comes a key, perhaps a default in single quotes, and }: ${aws:username}")
        parts.append(literal(text[at:start]))
        parts.append(found["literal"] or _variable(found["key"], found["default"], wildcards=wildcards))
        at = found.end()
    parts.append(literal(text[at:]))
    return _joined(parts)


def _variable(key: str, default: str | None, *, wildcards: bool) -> Variable:
    return Variable(key.lower(), default, wildcards and default is not None and wild(default) != default)


def _joined(parts: list[str | Variable]) -> Template:
    """Neighbouring literal parts become one; a template without variables becomes one literal."""
    joined: list[str | Variable] = [""]
    for part in parts:
        last = joined[-1]
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        elif part:
            joined.append(part)
    return tuple(part for part in joined if part)


def keys_of(template: Template) -> frozenset[str]:
    """The keys whose values *template* asks for."""
    return frozenset(part.key for part in template if isinstance(part, Variable))


def is_unknown(key: str, context: Context) -> bool:
    """Whether nobody here can know what *key*, lower-cased, holds."""
    if key in context.known:
        return False
    return key in context.unknown or (bool(context.unknown_prefixes) and key.startswith(context.unknown_prefixes))


def expand(template: Template, context: Context) -> tuple[str, bool] | None:
    """
    Put the request's values in, as literal text that is not read again.

    Returns:
        A pattern, and whether it is certain; an uncertain one matches at least all that it might stand for. None when
        a variable has no value: then the value matches nothing ("Policy variables with no value").
    """
    pattern, certain = "", True
    for part in template:
        if isinstance(part, str):
            pattern += part
            continue
        value = _value_of(part, context)
        if value is None:
            return None
        pattern += value[0]
        certain = certain and value[1]
    return pattern, certain


def _value_of(variable: Variable, context: Context) -> tuple[str, bool] | None:
    values = context.known.get(variable.key, ())
    if len(values) == 1:
        value = values[0]
        # AWS does not say whether an empty value takes the default; a surrogate would read as a wildcard of ours.
        certain = (value != "" or variable.default is None) and ANY_RUN not in value and ANY_ONE not in value
        return (value, True) if certain else (ANY_RUN, False)
    if values or is_unknown(variable.key, context):
        return ANY_RUN, False  # a key with several values cannot be a variable; AWS does not say what becomes of it
    if variable.default is None:
        return None
    return (wild(variable.default), False) if variable.doubtful_default else (variable.default, True)
