"""What a reader of policies notes on the way: problems, which make a policy unreadable, and doubts, which do not."""

from dataclasses import field

from relay.policy.answers import PolicyProblem
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes on one policy, in reading order."""

    policy: str
    problems: list[PolicyProblem] = field(default_factory=list)
    doubts: list[PolicyProblem] = field(default_factory=list)

    def problem(self, path: str, why: str) -> None:
        """Note what cannot be judged."""
        self.problems.append(PolicyProblem(self.policy, path, why))

    def doubt(self, path: str, why: str) -> None:
        """Note what AWS does not define, and is judged so that it allows nothing and denies what it may."""
        self.doubts.append(PolicyProblem(self.policy, path, why))
