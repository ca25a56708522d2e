"""
Lint: what is wrong with a policy, or worth knowing of it, before it is put.

Values in, values out: a text, a name, the identity if it is known, and the time.
"""

from relay.policy.lint.catalog import CHAPTERS, RULES
from relay.policy.lint.findings import Finding, Rule, Severity
from relay.policy.lint.linting import MOST_POLICIES, identity_told_by, lint_identity, lint_policy

__all__ = [
    "CHAPTERS",
    "MOST_POLICIES",
    "RULES",
    "Finding",
    "Rule",
    "Severity",
    "identity_told_by",
    "lint_identity",
    "lint_policy",
]
