"""
Which identity somebody changed, read from a call that CloudTrail recorded and EventBridge passed on. Pure.

AWS CloudTrail User Guide, "CloudTrail record contents"; Amazon SES Developer Guide, "Logging Amazon SES API calls with
AWS CloudTrail".
"""

from collections.abc import Mapping
from typing import Any, Final

from relay.feedback.wrappings import Malformed, opened
from relay.identities.names import partition_of
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn
from relay.words.values import dataclass

#: The calls after which an identity, or what its policies say, may be another than before.
CALLS: Final = (
    "PutIdentityPolicy",
    "DeleteIdentityPolicy",
    "CreateEmailIdentityPolicy",
    "UpdateEmailIdentityPolicy",
    "DeleteEmailIdentityPolicy",
    "CreateEmailIdentity",
    "DeleteEmailIdentity",
    "DeleteIdentity",
    "VerifyDomainDkim",
    "VerifyDomainIdentity",
    "VerifyEmailAddress",
    "VerifyEmailIdentity",
)
#: What EventBridge lets through to the queue.
PATTERN: Final[Mapping[str, Any]] = {
    "source": ["aws.ses"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {"eventSource": ["ses.amazonaws.com"], "eventName": list(CALLS)},
}
_NAMED_BY: Final = ("emailIdentity", "identity", "domain", "emailAddress")


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A call that may have changed ``identity``; None where the record does not name it."""

    call: str
    account: str
    region: str
    identity: IdentityArn | None


def read_policy_change(body: str) -> PolicyChange | None:
    """
    Read the body of an SQS message; None for a call that failed, or changes no identity.

    Raises:
        Malformed: It is no record of CloudTrail.
    """
    record = opened(body)
    call = _text(record, "eventName")
    if call not in CALLS or record.get("errorCode") is not None:
        return None
    if _text(record, "eventSource") not in ("ses.amazonaws.com", "email.amazonaws.com"):
        return None
    account, region = _account(record), _text(record, "awsRegion")
    asked = record.get("requestParameters")
    names = [asked[name] for name in _NAMED_BY if isinstance(asked.get(name), str)] if isinstance(asked, dict) else []
    return PolicyChange(call, account, region, _identity(names[0], account, region) if names else None)


def _identity(name: str, account: str, region: str) -> IdentityArn | None:
    """Return the identity as an ARN; None where it was hidden, or is none."""
    arn = name if name.startswith("arn:") else f"arn:{partition_of(region)}:ses:{region}:{account}:identity/{name}"
    try:
        found = parse_identity_arn(arn)
    except ArnProblem:
        return None
    return found if (found.account, found.region) == (account, region) else None


def _account(record: Mapping[str, Any]) -> str:
    if "recipientAccountId" in record:
        return _text(record, "recipientAccountId")
    who = record.get("userIdentity")
    if not isinstance(who, dict):
        raise Malformed("neither recipientAccountId nor userIdentity")
    return _text(who, "accountId")


def _text(table: Mapping[str, Any], name: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 128 or not value.isprintable():
        raise Malformed(f"{name} is no text of up to 128 characters")
    return value
