"""
Resource and NotResource: ARNs with wildcards and variables, case-sensitive (IAM User Guide, "Resource").

A ``*`` that ends a segment may run over colons, any other wildcard stays inside its segment. Where AWS does not say
that a pattern matches (a wildcard in the service, or in the resource type of SES and IAM; fewer than six fields; a
variable before the resource part), it may match: too little for an Allow, enough for a Deny.
"""

from collections.abc import Iterable
from typing import Final

from relay.policy.request import Context
from relay.policy.truths import MAYBE, NO, YES
from relay.policy.variables import Template, expand, keys_of, read_template
from relay.policy.wildcards import ANY_ONE, ANY_RUN, compile_glob, has_wildcard, matches_within_segments
from relay.words.values import dataclass

#: Services every resource of which has a type (``identity/example.com``).
_TYPED: Final = frozenset({"ses", "iam"})


@dataclass(frozen=True, slots=True)
class ResourcePattern:
    """One value with a wildcard, a variable, or too few fields; ``completion`` is what AWS may add to those."""

    template: Template
    doubtful: bool
    completion: str

    def match(self, resource: str, context: Context) -> int:
        """Whether it names *resource*."""
        expanded = expand(self.template, context)
        if expanded is None:
            return NO
        pattern, certain = expanded
        if not compile_glob(pattern).matches(resource):
            completed = self.completion and compile_glob(pattern + self.completion).matches(resource)
            return MAYBE if completed else NO
        if self.doubtful or not certain:
            return MAYBE
        return YES if _runs_only_at_ends(pattern) or matches_within_segments(pattern, resource) else MAYBE


def _runs_only_at_ends(pattern: str) -> bool:
    """Whether every wildcard is a ``*`` that ends a segment: then colons are no bounds to it."""
    if ANY_ONE in pattern:
        return False
    return pattern.count(ANY_RUN) == pattern.count(ANY_RUN + ":") + pattern.endswith(ANY_RUN)


@dataclass(frozen=True, slots=True)
class Resources:
    """The resources that a statement names."""

    spelled: tuple[str, ...]
    negated: bool
    everything: bool
    literals: frozenset[str]
    patterns: tuple[ResourcePattern, ...]

    def match(self, resource: str, context: Context) -> int:
        """Whether the statement is about *resource*."""
        if self.everything or resource in self.literals:
            return NO if self.negated else YES
        named = max([pattern.match(resource, context) for pattern in self.patterns]) if self.patterns else NO
        return YES - named if self.negated else named

    @property
    def variables(self) -> frozenset[str]:
        """The keys whose values the ARNs ask for."""
        return frozenset().union(*(keys_of(pattern.template) for pattern in self.patterns))


def compile_resources(spelled: Iterable[str], *, negated: bool, live: bool) -> Resources:
    """
    Make the resources of a statement ready to match; each is ``*`` or begins with ``arn:``. *live*: the policy's
    Version gives it variables.

    Raises:
        VariableProblem: A variable that cannot be read.
    """
    spelled = tuple(spelled)
    literals, patterns = set(), []
    for text in spelled:
        if text == "*":
            continue
        template = read_template(text, live=live, wildcards=True)
        colons = sum(part.count(":") for part in template if isinstance(part, str))
        if colons >= 5 and len(template) == 1 and not has_wildcard(str(template[0])):
            literals.add(str(template[0]))  # not the text: ${*} in it is a star
        else:
            patterns.append(ResourcePattern(template, _is_doubtful(template), f":{ANY_RUN}" * (5 - colons)))
    return Resources(spelled, negated, "*" in spelled, frozenset(literals), tuple(patterns))


def _is_doubtful(template: Template) -> bool:
    skeleton = "".join(part if isinstance(part, str) else "${}" for part in template)
    fields = skeleton.split(":", 5)
    if len(fields) < 3 or has_wildcard(fields[2]) or any("${}" in field for field in fields[:5]):
        return True
    if len(fields) < 6 or fields[2] not in _TYPED:
        return False
    kind, slash, _ = fields[5].partition("/")
    return bool(slash) and has_wildcard(kind)
