"""
What an operator compares with: the values of a policy, read once, asked about one value of the request at a time.

A matcher answers for the *positive* operator: YES when the value matches any of the policy's, NO, or MAYBE where that
hangs on an unknown variable, or on something AWS does not define (a date that is none).
"""

from typing import Final, Protocol, TypeAlias

from relay.policy.request import Context
from relay.policy.truths import MAYBE, NO, YES
from relay.policy.variables import Template, expand
from relay.policy.wildcards import ANY_RUN, Glob, compile_glob
from relay.words.values import dataclass

#: The least and the most that a matcher could answer, whatever the value.
Reach: TypeAlias = tuple[int, int]

ANYTHING: Final[Reach] = (NO, YES)
NOTHING: Final[Reach] = (NO, NO)
EVERYTHING: Final[Reach] = (YES, YES)


class Matcher(Protocol):
    """The values of one condition key, ready to compare."""

    def match(self, value: str, context: Context, /) -> int:
        """Whether *value*, the request's, matches any of the policy's."""

    def reach(self, context: Context, /) -> Reach:
        """What :meth:`match` could answer for values nobody has seen."""


@dataclass(frozen=True, slots=True)
class Exactly:
    """StringEquals: the same text."""

    literals: frozenset[str]
    templates: tuple[Template, ...] = ()

    def match(self, value: str, context: Context, /) -> int:
        """See :class:`Matcher`."""
        if value in self.literals:
            return YES
        return max([_equals(t, value, context) for t in self.templates]) if self.templates else NO

    def reach(self, context: Context, /) -> Reach:
        """Nothing matches when no variable has a value."""
        return ANYTHING if self.literals or any(expand(t, context) for t in self.templates) else NOTHING


def _equals(template: Template, value: str, context: Context) -> int:
    expanded = expand(template, context)
    if expanded is None:
        return NO
    pattern, certain = expanded
    if certain:
        return YES if value == pattern else NO
    return MAYBE if compile_glob(pattern).matches(value) else NO


_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def ascii_lower(text: str) -> str:
    """*text* with A to Z in lower case and nothing else touched."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


@dataclass(frozen=True, slots=True)
class ExactlyIgnoringCase:
    """
    StringEqualsIgnoreCase. Two texts that differ in the case of letters outside ASCII may be equal: AWS does not say by
    which rule it folds them.
    """

    lowered: frozenset[str]
    folded: frozenset[str]
    templates: tuple[Template, ...] = ()

    def match(self, value: str, context: Context, /) -> int:
        """See :class:`Matcher`."""
        if ascii_lower(value) in self.lowered:
            return YES
        if value.casefold() in self.folded:
            return MAYBE
        return max((_equals_ignoring_case(t, value, context) for t in self.templates), default=NO)

    def reach(self, context: Context, /) -> Reach:
        """Nothing matches when no variable has a value."""
        return ANYTHING if self.lowered or any(expand(t, context) for t in self.templates) else NOTHING


def _equals_ignoring_case(template: Template, value: str, context: Context) -> int:
    expanded = expand(template, context)
    if expanded is None:
        return NO
    pattern, certain = expanded
    if certain and ascii_lower(value) == ascii_lower(pattern):
        return YES
    return MAYBE if compile_glob(pattern.casefold()).matches(value.casefold()) else NO


@dataclass(frozen=True, slots=True)
class Like:
    """StringLike: ``*`` and ``?``, which know nothing of colons. ``everything``: one of the patterns is ``*``."""

    literals: frozenset[str]
    globs: tuple[Glob, ...]
    templates: tuple[Template, ...] = ()
    everything: bool = False

    def match(self, value: str, context: Context, /) -> int:
        """See :class:`Matcher`."""
        if self.everything or value in self.literals:
            return YES
        for glob in self.globs:
            if glob.matches(value):
                return YES
        return max([_is_like(t, value, context) for t in self.templates]) if self.templates else NO

    def reach(self, context: Context, /) -> Reach:
        """``*`` matches whatever there is; variables without a value match nothing."""
        if self.everything:
            return EVERYTHING
        expanded = [e for e in (expand(t, context) for t in self.templates) if e is not None]
        if any(certain and pattern and not pattern.strip(ANY_RUN) for pattern, certain in expanded):
            return EVERYTHING
        return ANYTHING if self.literals or self.globs or expanded else NOTHING


def _is_like(template: Template, value: str, context: Context) -> int:
    expanded = expand(template, context)
    if expanded is None or not compile_glob(expanded[0]).matches(value):
        return NO
    return YES if expanded[1] else MAYBE


#: The six fields of an ARN pattern.
ArnFields: TypeAlias = tuple[Glob, ...]


@dataclass(frozen=True, slots=True)
class ArnLike:
    """
    ArnLike and ArnEquals: six fields compared one by one, each with wildcards that stay inside it.

    ``loose``: patterns of fewer than six fields, ``*`` among them, of which AWS does not say that they match.
    """

    literals: frozenset[str]
    patterns: tuple[ArnFields, ...]
    templates: tuple[tuple[Template, ...], ...] = ()
    loose: tuple[Glob, ...] = ()

    def match(self, value: str, context: Context, /) -> int:
        """A value that is no ARN may match anything: AWS does not say."""
        if value in self.literals:
            return YES
        fields = value.split(":", 5)
        if len(fields) < 6:
            return MAYBE
        for pattern in self.patterns:
            if all(glob.matches(field) for glob, field in zip(pattern, fields, strict=True)):
                return YES
        if any(glob.matches(value) for glob in self.loose):
            return MAYBE
        return max((_is_arn_like(t, fields, context) for t in self.templates), default=NO)

    def reach(self, _context: Context, /) -> Reach:
        """Always open."""
        return ANYTHING


def _is_arn_like(templates: tuple[Template, ...], fields: list[str], context: Context) -> int:
    truth = YES
    for template, field in zip(templates, fields, strict=True):
        truth = min(truth, _is_like(template, field, context))
        if truth == NO:
            return NO
    return truth
