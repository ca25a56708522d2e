"""
What values of conditions have in common: whether one surely covers another, or surely has nothing in common with it.

Both answers are proofs: where nothing can be said for certain, both are no.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

from relay.policy.dates import Instant, read_date
from relay.policy.lint.views import Entry, Spelled
from relay.policy.matchers import ascii_lower
from relay.policy.networks import Range, read_range
from relay.policy.numbers import read_number
from relay.policy.octets import read_octets
from relay.policy.operators import Family, Operator, read_choice
from relay.policy.typed_matchers import Order
from relay.policy.variables import Variable, VariableProblem, read_template
from relay.policy.wildcards import ANY_ONE, ANY_RUN, compile_glob
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text, its wildcards spelt as in :mod:`relay.policy.wildcards`. ``has_variables``: they stand for any run."""

    text: str
    ignores_case: bool = False
    has_variables: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether it matches nothing but itself."""
        return ANY_RUN not in self.text and ANY_ONE not in self.text


@dataclass(frozen=True, slots=True)
class Fields:
    """The six fields of an ARN."""

    fields: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers or dates from ``low`` to ``high``, None = without end; an open end is not part of it."""

    kind: str
    low: Decimal | Instant | None
    high: Decimal | Instant | None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Network:
    """A range of addresses."""

    range: Range


@dataclass(frozen=True, slots=True)
class Exact:
    """A value that covers itself only: octets, true, false."""

    value: object


Atom: TypeAlias = Pattern | Fields | Interval | Network | Exact


def atoms_of(entry: Entry, values: Sequence[Spelled] | None = None) -> tuple[Atom, ...]:
    """
    What the *values* of an entry, by default its own, match if its operator is taken positively.

    Empty when any of them cannot be read: then nothing is known for certain.
    """
    operator = entry.operator
    if operator is None or operator.family is None:
        return ()
    atoms = [_atom(value.text, operator, live=entry.live) for value in (entry.values if values is None else values)]
    known = tuple(atom for atom in atoms if atom is not None)
    return known if len(known) == len(atoms) else ()


def covers(general: Atom, special: Atom) -> bool:
    """Whether whatever *special* matches, *general* surely matches."""
    match general, special:
        case Pattern(), Pattern():
            return _covers_text(general, special)
        case Fields(), Fields():
            return all(map(_covers_text, general.fields, special.fields))
        case Interval(), Interval() if general.kind == special.kind:
            return _starts_before(general, special) and _ends_after(general, special)
        case Network(), Network():
            return is_range_within(special.range, general.range)
    return general == special


def are_apart(one: Atom, other: Atom) -> bool:
    """Whether surely nothing matches both."""
    match one, other:
        case Pattern(), Pattern():
            return _are_apart_as_text(one, other)
        case Fields(), Fields():
            return any(map(_are_apart_as_text, one.fields, other.fields))
        case Interval(), Interval() if one.kind == other.kind:
            return _is_before(one, other) or _is_before(other, one)
        case Network(), Network():
            return not is_range_within(other.range, one.range) and not is_range_within(one.range, other.range)
        case Exact(), Exact():
            return one != other
    return False


def is_range_within(inner: Range, outer: Range) -> bool:
    """Whether *outer* holds all addresses of *inner*."""
    return outer[0] == inner[0] and outer[2] & inner[2] == outer[2] and inner[1] & outer[2] == outer[1]


def is_everything(atom: Atom) -> bool:
    """Whether there is nothing that *atom* does not match."""
    return isinstance(atom, Pattern) and _is_run(atom)


# --- reading ----------------------------------------------------------------------------------------------------------


def _atom(text: str, operator: Operator, *, live: bool) -> Atom | None:
    match operator.family:
        case "string" | "like":
            return _pattern(text, live=live, wildcards=operator.family == "like")
        case "string-ignoring-case":
            return _pattern(text, live=live, wildcards=False, ignores_case=True)
        case "arn":
            return _fields(text)
        case "number" | "date":
            return _interval(operator.family, operator.order, text)
        case _:
            return _typed(text, operator.family)


def _typed(text: str, family: Family | None) -> Atom | None:
    if family == "ip":
        network = read_range(text)
        return None if network is None else Network(network)
    value = read_octets(text) if family == "octets" else (read_choice(text) or "").lower() or None
    return None if value is None else Exact(value)


def _fields(text: str) -> Fields | None:
    found = [_pattern(field, live=False, wildcards=True) for field in text.split(":", 5)]
    known = tuple(field for field in found if field is not None)
    return Fields(known) if len(known) == 6 and "${" not in text else None


def _pattern(text: str, *, live: bool, wildcards: bool, ignores_case: bool = False) -> Pattern | None:
    if ANY_RUN in text or ANY_ONE in text:
        return None
    try:
        template = read_template(text, live=live, wildcards=wildcards)
    except VariableProblem:
        return None
    spelled = "".join(part if isinstance(part, str) else ANY_RUN for part in template)
    return Pattern(spelled, ignores_case, any(isinstance(part, Variable) for part in template))


def _interval(kind: str, order: Order, text: str) -> Interval | None:
    bound = read_number(text) if kind == "number" else read_date(text)
    if bound is None:
        return None
    match order:
        case "equals":
            return Interval(kind, bound, bound)
        case "less" | "less-or-equal":
            return Interval(kind, None, bound, high_open=order == "less")
        case _:
            return Interval(kind, bound, None, low_open=order == "greater")


# --- texts ------------------------------------------------------------------------------------------------------------

_WILDCARDS: Final = (ANY_RUN, ANY_ONE)


def _covers_text(general: Pattern, special: Pattern) -> bool:
    if general.has_variables or (special.ignores_case and not general.ignores_case and not _is_run(general)):
        return False
    left, right = general.text, special.text
    if general.ignores_case:
        left, right = ascii_lower(left), ascii_lower(right)
    if ANY_ONE in left and ANY_RUN in right:
        return left == right
    # A wildcard of the special one is a character of no text: only a wildcard of the general one can match it.
    return compile_glob(left).matches(right)


def _is_run(pattern: Pattern) -> bool:
    return bool(pattern.text) and not pattern.text.strip(ANY_RUN) and not pattern.has_variables


def _are_apart_as_text(one: Pattern, other: Pattern) -> bool:
    left, right = one.text, other.text
    if one.ignores_case or other.ignores_case:
        if not _is_ascii(left + right):
            return False  # by which rule AWS folds other letters is not known
        left, right = left.lower(), right.lower()
    if one.is_fixed and other.is_fixed:
        return left != right
    if one.is_fixed or other.is_fixed:
        fixed, pattern = (left, right) if one.is_fixed else (right, left)
        return not compile_glob(pattern).matches(fixed)
    return _differ(_head(left), _head(right)) or _differ(_head(left[::-1]), _head(right[::-1]))


def _is_ascii(pattern: str) -> bool:
    return pattern.replace(ANY_RUN, "").replace(ANY_ONE, "").isascii()


def _head(pattern: str) -> str:
    """What *pattern* begins with for certain."""
    return pattern[: min((pattern.find(w) for w in _WILDCARDS if w in pattern), default=len(pattern))]


def _differ(one: str, other: str) -> bool:
    return not one.startswith(other) and not other.startswith(one)


# --- numbers, dates, networks -----------------------------------------------------------------------------------------


def _starts_before(general: Interval, special: Interval) -> bool:
    low: Any = general.low
    if low is None or special.low is None:
        return low is None
    return bool(low < special.low) or (low == special.low and (special.low_open or not general.low_open))


def _ends_after(general: Interval, special: Interval) -> bool:
    high: Any = general.high
    if high is None or special.high is None:
        return high is None
    return bool(high > special.high) or (high == special.high and (special.high_open or not general.high_open))


def _is_before(one: Interval, other: Interval) -> bool:
    high: Any = one.high
    if high is None or other.low is None:
        return False
    return bool(high < other.low) or (high == other.low and (one.high_open or other.low_open))
