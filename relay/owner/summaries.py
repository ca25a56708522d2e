"""What there is to say of each policy of an identity in a line. Pure."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from relay.policy.document import Policy, parse_policy
from relay.policy.lint import Severity, lint_identity
from relay.words.arns import IdentityArn
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """
    One policy: its size in octets, the SHA-256 of its text in hexadecimal, how many statements allow and deny, how many
    findings of each kind lint has. ``is_readable``: whether it can be judged by at all.
    """

    name: str
    octets: int
    digest: str
    allows: int
    denies: int
    findings: Mapping[Severity, int]
    is_readable: bool

    @property
    def effect(self) -> str:
        """Say what its statements do."""
        if not self.is_readable:
            return "unreadable"
        parts = [(self.allows, "Allow"), (self.denies, "Deny")]
        return ", ".join(f"{number} {effect}" for number, effect in parts if number)

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "name": self.name,
            "bytes": self.octets,
            "sha256": self.digest,
            "allow": self.allows,
            "deny": self.denies,
            "readable": self.is_readable,
            "findings": {f"{severity}s": self.findings.get(severity, 0) for severity in Severity},
        }


def summaries(identity: IdentityArn, policies: Mapping[str, str], now: datetime) -> list[Summary]:
    """Return a summary of each of the *policies*, texts by name. *now*: timezone-aware, for dates that have passed."""
    found = Counter((finding.policy, finding.severity) for finding in lint_identity(policies, identity, now))
    return [_summary(name, text, found) for name, text in sorted(policies.items())]


def _summary(name: str, text: str, found: Counter[tuple[str, Severity]]) -> Summary:
    data, policy = text.encode(errors="surrogatepass"), parse_policy(name, text)
    effects = Counter(s.effect for s in policy.statements) if isinstance(policy, Policy) else Counter[str]()
    return Summary(
        name,
        len(data),
        sha256(data).hexdigest(),
        effects["Allow"],
        effects["Deny"],
        {severity: found[name, severity] for severity in Severity if found[name, severity]},
        isinstance(policy, Policy),
    )
