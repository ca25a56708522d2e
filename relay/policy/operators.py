"""
The condition operators: their names, and how the values of a policy become something to compare with (IAM User Guide,
"IAM JSON policy elements: Condition operators").
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final, Literal, TypeAlias, TypeVar

from relay.policy.dates import Instant, read_date
from relay.policy.matchers import ArnLike, Exactly, ExactlyIgnoringCase, Like, Matcher, ascii_lower
from relay.policy.networks import read_range
from relay.policy.numbers import read_number
from relay.policy.octets import read_octets
from relay.policy.typed_matchers import Choice, Compared, Networks, Octets, Order
from relay.policy.variables import Template, VariableProblem, read_template
from relay.policy.wildcards import ANY_RUN, compile_glob, has_wildcard, wild
from relay.words.values import dataclass

Quantifier: TypeAlias = Literal["all", "any"]
Family: TypeAlias = Literal["string", "string-ignoring-case", "like", "arn", "number", "date", "bool", "octets", "ip"]

_Read = TypeVar("_Read")
_Bound = TypeVar("_Bound", Decimal, Instant)

#: Tells of a value that cannot be read, by its place among the values.
Doubt: TypeAlias = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as it is spelt: ``ForAllValues:StringNotLikeIfExists``. ``family`` is None for Null."""

    family: Family | None
    negated: bool = False
    order: Order = "equals"
    quantifier: Quantifier | None = None
    if_exists: bool = False


_ORDERS: Final[dict[str, Order]] = {
    "equals": "equals",
    "lessthan": "less",
    "lessthanequals": "less-or-equal",
    "greaterthan": "greater",
    "greaterthanequals": "greater-or-equal",
}
_NAMES: Final[dict[str, Operator]] = {
    "stringequals": Operator("string"),
    "stringnotequals": Operator("string", negated=True),
    "stringequalsignorecase": Operator("string-ignoring-case"),
    "stringnotequalsignorecase": Operator("string-ignoring-case", negated=True),
    "stringlike": Operator("like"),
    "stringnotlike": Operator("like", negated=True),
    "arnequals": Operator("arn"),
    "arnlike": Operator("arn"),
    "arnnotequals": Operator("arn", negated=True),
    "arnnotlike": Operator("arn", negated=True),
    "bool": Operator("bool"),
    "binaryequals": Operator("octets"),
    "ipaddress": Operator("ip"),
    "notipaddress": Operator("ip", negated=True),
    "null": Operator(None),
    "numericnotequals": Operator("number", negated=True),
    "datenotequals": Operator("date", negated=True),
    **{f"numeric{name}": Operator("number", order=order) for name, order in _ORDERS.items()},
    **{f"date{name}": Operator("date", order=order) for name, order in _ORDERS.items()},
}
_QUANTIFIERS: Final[dict[str, Quantifier]] = {"forallvalues:": "all", "foranyvalue:": "any"}
_IF_EXISTS: Final = "ifexists"


def read_operator(spelled: str) -> Operator | None:
    """
    The operator *spelled* names, or None. Upper and lower case are one: no two operators differ in it.

    ``NullIfExists`` and ``BinaryNotEquals`` do not exist.
    """
    name, quantifier, if_exists = ascii_lower(spelled), None, False
    for prefix, meaning in _QUANTIFIERS.items():
        if name.startswith(prefix):
            name, quantifier = name.removeprefix(prefix), meaning
            break
    if name.endswith(_IF_EXISTS):
        name, if_exists = name.removesuffix(_IF_EXISTS), True
    known = _NAMES.get(name)
    if known is None or (known.family is None and if_exists):
        return None
    return Operator(known.family, known.negated, known.order, quantifier, if_exists)


def compile_values(operator: Operator, values: tuple[str, ...], *, live: bool, doubt: Doubt) -> Matcher:
    """
    Make the values of one condition key ready to compare.

    *live*: the policy's Version gives it variables. A value that cannot be read is told to *doubt* and then may match
    anything.

    Raises:
        VariableProblem: A variable that cannot be read; no operator can then be compiled.
    """
    match operator.family:
        case "string" | "string-ignoring-case" | "like":
            return _compile_texts(operator.family, values, live=live)
        case "arn":
            return _compile_arns(values, live=live, doubt=doubt)
        case "number" | "date":
            return _compile_bounds(operator, values, doubt)
        case "ip":
            ranges = _readable(values, read_range, doubt, "is no address or CIDR range")
            return Networks(frozenset(ranges), len(ranges) < len(values))
        case "octets":
            wanted = _readable(values, read_octets, doubt, "is not base64")
            return Octets(frozenset(wanted), len(wanted) < len(values))
        case "bool":
            choices = _readable(values, read_choice, doubt, "is neither true nor false")
            return Choice(frozenset(choices), len(choices) < len(values))
        case None:
            raise ValueError("Null compares with nothing")


def read_choice(text: str) -> str | None:
    """*text* if it is ``true`` or ``false``, in whatever case; else None."""
    return text if text.lower() in ("true", "false") else None


def _readable(values: Iterable[str], read: Callable[[str], _Read | None], doubt: Doubt, why: str) -> list[_Read]:
    found = []
    for place, value in enumerate(values):
        reading = read(value)
        if reading is None:
            doubt(place, f"{value!r} {why}")
        else:
            found.append(reading)
    return found


def _compile_texts(family: Family, values: tuple[str, ...], *, live: bool) -> Matcher:
    templates = [read_template(value, live=live, wildcards=family == "like") for value in values]
    fixed = [_only(template) for template in templates]
    literals = frozenset(text for text in fixed if text is not None)
    open_ones = tuple(template for template in templates if _only(template) is None)
    match family:
        case "like":
            plain = frozenset(text for text in literals if not has_wildcard(text))
            globs = tuple(compile_glob(text) for text in sorted(literals - plain))
            everything = any(not text.strip(ANY_RUN) for text in literals - plain)
            return Like(plain, globs, open_ones, everything)
        case "string-ignoring-case":
            lowered, folded = (frozenset(map(fold, literals)) for fold in (ascii_lower, str.casefold))
            return ExactlyIgnoringCase(lowered, folded, open_ones)
        case _:
            return Exactly(literals, open_ones)


def _only(template: Template) -> str | None:
    """The text of a template without variables."""
    return template[0] if len(template) == 1 and isinstance(template[0], str) else None


def _compile_arns(values: tuple[str, ...], *, live: bool, doubt: Doubt) -> Matcher:
    literals, patterns, templates, loose = set(), [], [], []
    for place, value in enumerate(values):
        fields = _arn_fields(read_template(value, live=live, wildcards=True))
        if len(fields) < 6:
            doubt(place, f"{value!r} has not the six fields of an ARN")
            loose.append(compile_glob(wild(value)))
            continue
        texts = [_only(field) for field in fields]
        known = [text for text in texts if text is not None]
        if len(known) < 6:
            templates.append(fields)
        elif any(map(has_wildcard, known)):
            patterns.append(tuple(map(compile_glob, known)))
        else:
            literals.add(":".join(known))
    return ArnLike(frozenset(literals), tuple(patterns), tuple(templates), tuple(loose))


def _arn_fields(template: Template) -> tuple[Template, ...]:
    """Cut at the first five colons that the policy itself wrote; a variable's value never makes a field."""
    fields: list[Template] = [()]
    for part in template:
        if not isinstance(part, str):
            fields[-1] += (part,)
            continue
        first, *others = part.split(":", 6 - len(fields))
        fields[-1] += (first,)
        fields.extend((other,) for other in others)
    return tuple(tuple(part for part in field if part) or ("",) for field in fields)


def _compile_bounds(operator: Operator, values: tuple[str, ...], doubt: Doubt) -> Matcher:
    if operator.family == "number":
        numbers = _readable(values, read_number, doubt, "is no integer or decimal")
        return Compared(
            "number", operator.order, frozenset(_widest(operator.order, numbers)), len(numbers) < len(values)
        )
    dates = _readable(values, read_date, doubt, "is no W3C date with its zone, nor epoch seconds")
    return Compared("date", operator.order, frozenset(_widest(operator.order, dates)), len(dates) < len(values))


def _widest(order: Order, bounds: list[_Bound]) -> list[_Bound]:
    """One bound is enough for an order: any value that passes one passes the widest."""
    if order == "equals" or not bounds:
        return bounds
    return [max(bounds) if order in ("less", "less-or-equal") else min(bounds)]


__all__ = ["Operator", "Quantifier", "VariableProblem", "compile_values", "read_choice", "read_operator"]
