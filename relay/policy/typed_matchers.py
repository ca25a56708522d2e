"""
Matchers of the operators that compare more than text: numbers, dates, booleans, octets, addresses.

A value of the request that is none of these may match: AWS does not say. ``doubtful``: the policy has values, beside
those held here, that cannot be read.
"""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from relay.policy.dates import Instant, read_date
from relay.policy.matchers import ANYTHING, Reach
from relay.policy.networks import Range, is_within, mapped_address, read_address
from relay.policy.numbers import read_number
from relay.policy.octets import read_octets
from relay.policy.request import Context
from relay.policy.truths import MAYBE, NO, YES
from relay.words.values import dataclass

Order: TypeAlias = Literal["equals", "less", "less-or-equal", "greater", "greater-or-equal"]
Bound: TypeAlias = Decimal | Instant

_PASSES: Final[dict[Order, Callable[[Any, Any], Any]]] = {
    "equals": operator.eq,
    "less": operator.lt,
    "less-or-equal": operator.le,
    "greater": operator.gt,
    "greater-or-equal": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """
    The Numeric and Date operators.

    ``bounds`` of a comparison by order holds only the widest, which any value passes that passes some other;
    ``doubtful``: the policy has values beside them that cannot be read.
    """

    kind: Literal["number", "date"]
    order: Order
    bounds: frozenset[Bound]
    doubtful: bool = False

    def match(self, value: str, _context: Context, /) -> int:
        """What cannot be read as a number or date may match: AWS does not say."""
        found: Any = read_number(value) if self.kind == "number" else read_date(value)
        if found is None:
            return MAYBE
        passes = _PASSES[self.order]
        for bound in self.bounds:
            if passes(found, bound):
                return YES
        return MAYBE if self.doubtful else NO

    def reach(self, _context: Context, /) -> Reach:
        """Always open."""
        return ANYTHING


@dataclass(frozen=True, slots=True)
class Networks:
    """IpAddress: inside any of the ranges. An IPv4 address written as IPv6 may be inside an IPv4 range, or not."""

    ranges: frozenset[Range]
    doubtful: bool = False

    def match(self, value: str, _context: Context, /) -> int:
        """See :class:`Matcher`."""
        address = read_address(value)
        if address is None:
            return MAYBE
        mapped = mapped_address(address)
        literally = any(is_within(address, network) for network in self.ranges)
        if mapped is not None and literally != any(is_within(mapped, network) for network in self.ranges):
            return MAYBE
        if literally:
            return YES
        return MAYBE if self.doubtful else NO

    def reach(self, _context: Context, /) -> Reach:
        """Always open."""
        return ANYTHING


@dataclass(frozen=True, slots=True)
class Choice:
    """Bool: ``true`` or ``false``. Spelt in another case it may be meant: AWS does not say."""

    wanted: frozenset[str]
    doubtful: bool = False

    def match(self, value: str, _context: Context, /) -> int:
        """See :class:`Matcher`."""
        if value in self.wanted and value in ("true", "false"):
            return YES
        lowered = value.lower()
        if lowered not in ("true", "false"):
            return MAYBE
        return MAYBE if self.doubtful or any(lowered == wanted.lower() for wanted in self.wanted) else NO

    def reach(self, _context: Context, /) -> Reach:
        """Always open."""
        return ANYTHING


@dataclass(frozen=True, slots=True)
class Octets:
    """BinaryEquals: the same octets, however they are spelt."""

    wanted: frozenset[bytes]
    doubtful: bool = False

    def match(self, value: str, _context: Context, /) -> int:
        """See :class:`relay.policy.matchers.Matcher`."""
        octets = read_octets(value)
        if octets is None:
            return MAYBE
        if octets in self.wanted:
            return YES
        return MAYBE if self.doubtful else NO

    def reach(self, _context: Context, /) -> Reach:
        """Always open."""
        return ANYTHING
