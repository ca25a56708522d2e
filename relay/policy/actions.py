"""Action and NotAction: ``service:Name``, wildcards in the name, whatever the case (IAM User Guide, "Action")."""

import re
from collections.abc import Iterable
from typing import Final

from relay.policy.truths import MAYBE, NO, YES
from relay.policy.wildcards import Glob, compile_glob, has_wildcard, wild
from relay.words.values import dataclass

_ACTION: Final = re.compile(r"[A-Za-z0-9*?_-]+:[A-Za-z0-9*?_.-]+")


@dataclass(frozen=True, slots=True)
class Actions:
    """
    The actions that a statement names, lower-cased. ``loose``: those with a wildcard in the service, which AWS nowhere
    allows: they may match.
    """

    spelled: tuple[str, ...]
    negated: bool
    everything: bool
    literals: frozenset[str]
    globs: tuple[Glob, ...]
    loose: tuple[Glob, ...]

    def match(self, action: str) -> int:
        """Whether the statement is about *action*, lower-cased."""
        if self.everything or action in self.literals:
            return NO if self.negated else YES
        named = self._names_loosely(action)
        return YES - named if self.negated else named

    def _names_loosely(self, action: str) -> int:
        for glob in self.globs:
            if glob.matches(action):
                return YES
        return MAYBE if self.loose and any(glob.matches(action) for glob in self.loose) else NO


def is_action(text: str) -> bool:
    """Whether *text* is ``*`` or has the form ``service:Name``."""
    return text == "*" or _ACTION.fullmatch(text) is not None


def compile_actions(spelled: Iterable[str], *, negated: bool) -> Actions:
    """Make the well-formed actions of a statement ready to match."""
    spelled = tuple(spelled)
    patterns = [wild(text.lower()) for text in spelled if text != "*"]
    open_ones = [pattern for pattern in patterns if has_wildcard(pattern)]
    return Actions(
        spelled,
        negated,
        "*" in spelled,
        frozenset(pattern for pattern in patterns if not has_wildcard(pattern)),
        tuple(compile_glob(p) for p in open_ones if not has_wildcard(p.partition(":")[0])),
        tuple(compile_glob(p) for p in open_ones if has_wildcard(p.partition(":")[0])),
    )
