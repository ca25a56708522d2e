"""
What SES refuses when a policy is put (SES Developer Guide, "Policy anatomy"; "PutIdentityPolicy").

The grammar is that of :mod:`relay.policy.lint`; which of its rules SES itself enforces is said here.
"""

import json
import re
from datetime import UTC, datetime
from typing import Final

from relay.localses.constraints import check_length
from relay.localses.identities import Identity
from relay.localses.refusals import Refused, invalid
from relay.policy.lint import MOST_POLICIES, Finding, lint_policy
from relay.words.arns import IdentityArn

MOST_OCTETS: Final = 4_096
_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_KEY = re.compile(r'(?:\["(?P<quoted>(?:[^"\\]|\\.)*)"\]|\.(?P<plain>[A-Za-z_0-9]+))(?:\[[0-9]+\])?$')
_REFUSED: Final = re.compile(
    "not-json|duplicate-key|unreadable|unknown-element|missing-element|exclusive-elements|bad-effect|notresource|"
    "no-principal|principal-form|principal-wildcard|bad-principal|principal-deleted|bad-action|unknown-action|"
    "resource-not-identity|several-resources|unknown-key|key-case|unknown-operator|too-large"
)


def check_policy_name(name: str) -> None:
    """
    Check the name of a policy: 1 to 64 letters, digits, hyphens and underscores.

    Raises:
        Refused: ValidationError or InvalidParameterValue.
    """
    check_length("PolicyName", name, 64)
    if not _NAME.fullmatch(name):
        raise invalid("Policy name must contain only alphanumeric characters, dashes, and underscores.")


def check_policy(identity: Identity, name: str, text: str) -> None:
    """
    Check that *identity* can take the policy *text* under *name*.

    Raises:
        Refused: ValidationError, InvalidParameterValue, InvalidPolicy or LimitExceeded.
    """
    check_policy_name(name)
    if not text:
        check_length("Policy", text, MOST_OCTETS)
    owner = identity.owner
    arn = IdentityArn(owner.partition, owner.region, owner.account, identity.name)
    for finding in lint_policy(name, text, identity=arn, now=datetime.now(UTC)):
        if _REFUSED.fullmatch(finding.code):
            raise Refused("InvalidPolicy", _words(finding))
    if name not in identity.policies and len(identity.policies) >= MOST_POLICIES:
        raise Refused("LimitExceeded", f"Identity {identity.name} has {MOST_POLICIES} policies, the most it can have.")


def _words(finding: Finding) -> str:
    """SES's own words where they are known: those about condition keys."""
    found = _KEY.search(finding.path)
    if finding.code in {"unknown-key", "key-case"} and found:
        key = json.loads(f'"{found["quoted"]}"') if found["quoted"] is not None else found["plain"]
        return f"Unknown or unapplicable condition field '{key}'."
    return finding.message
