"""
One entry of a Condition: an operator, a key, values (IAM User Guide, "Condition", "Multivalued context keys").

All entries of a statement must hold (and); any value will do (or), except that a negated operator wants none of them
(nor). The quantifiers ask per value of the request: ForAllValues:StringNotLike holds when *every* value is like *none*.
"""

from typing import Literal, TypeAlias

from relay.policy.matchers import Matcher
from relay.policy.operators import Quantifier
from relay.policy.request import Context
from relay.policy.truths import MAYBE, NO, YES
from relay.policy.variables import is_unknown
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    An entry with any operator but Null.

    ``key`` is lower-cased; ``spelled_operator``, ``spelled_key`` and ``values`` are as the policy spells them;
    ``variables`` are the keys its values ask for.
    """

    spelled_operator: str
    spelled_key: str
    values: tuple[str, ...]
    key: str
    matcher: Matcher
    negated: bool
    quantifier: Quantifier | None
    if_exists: bool
    variables: frozenset[str]

    def truth(self, context: Context) -> int:
        """Whether the entry holds."""
        values = context.known.get(self.key)
        if not values:
            return self._when_unknown(context) if values is None and is_unknown(self.key, context) else self.when_absent
        if len(values) == 1 and (self.quantifier is None or values[0]):
            truth = self.matcher.match(values[0], context)
            return YES - truth if self.negated else truth
        return self._of_many(values, context)

    @property
    def when_absent(self) -> int:
        """
        Whether it holds without the key: IfExists and negated operators do, ForAllValues does, ForAnyValue never does,
        not even with IfExists. A key with an empty list of values is as absent.
        """
        if self.quantifier is not None:
            return YES if self.quantifier == "all" else NO
        return YES if self.if_exists or self.negated else NO

    def _of_many(self, values: tuple[str, ...], context: Context) -> int:
        truths = [self.matcher.match(value, context) for value in values]
        if self.negated:
            truths = [YES - truth for truth in truths]
        every, some = min(truths), max(truths)
        if self.quantifier is None:
            return _reading(context.bare_on_many, every, some)
        # "An empty string" may or may not be the null data set for which the quantifiers have their own answer.
        nothing = not any(values)
        if self.quantifier == "all":
            return max(every, MAYBE) if nothing else every
        return min(some, MAYBE) if nothing else some

    def _when_unknown(self, context: Context) -> int:
        """Certain only if it is the same whatever the key holds, and when it is not there at all."""
        least, most = self.matcher.reach(context)
        if self.negated:
            least, most = YES - most, YES - least
        absent = self.when_absent
        return absent if least == most == absent else MAYBE

    def unknown(self, context: Context) -> frozenset[str]:
        """The keys that :meth:`truth` hangs on when it is MAYBE: unknown ones, else its own, of a doubtful value."""
        unknown = frozenset(key for key in (*self.variables, self.key) if is_unknown(key, context))
        return unknown or frozenset((self.key,))


def _reading(bare_on_many: Literal["any", "all", "either"], every: int, some: int) -> int:
    if bare_on_many == "any":
        return some
    if bare_on_many == "all":
        return every
    return every if every == some else MAYBE


@dataclass(frozen=True, slots=True)
class Presence:
    """An entry with Null: ``true`` wants the key absent, ``false`` present. ``doubtful``: it has other values."""

    spelled_operator: str
    spelled_key: str
    values: tuple[str, ...]
    key: str
    wants_absent: bool
    wants_present: bool
    quantifier: Quantifier | None
    doubtful: bool

    @property
    def variables(self) -> frozenset[str]:
        """None: Null takes no variables."""
        return frozenset()

    def truth(self, context: Context) -> int:
        """Whether the entry holds. An empty string may be null: AWS does not say."""
        if self.wants_absent and self.wants_present:
            return YES
        values = context.known.get(self.key)
        if values is None and is_unknown(self.key, context):
            return MAYBE
        present = MAYBE if values and not any(values) else YES if values else NO
        truth = present if self.wants_present else YES - present if self.wants_absent else NO
        if not values and self.quantifier is not None:
            # Of no values at all, all are as wanted, and none is; whether that goes for Null, AWS does not say.
            truth = truth if truth == (YES if self.quantifier == "all" else NO) else MAYBE
        return max(truth, MAYBE) if self.doubtful else truth

    def unknown(self, _context: Context, /) -> frozenset[str]:
        """The key itself."""
        return frozenset((self.key,))


Condition: TypeAlias = Comparison | Presence
