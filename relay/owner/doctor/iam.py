"""What to add in IAM so that something works: statements and trust policies, ready to be pasted."""

import json
from collections.abc import Sequence
from typing import Any, Final

from relay.identities.names import partition_of

SENDING: Final = ("ses:SendEmail", "ses:SendRawEmail")
READING: Final = ("ses:GetEmailIdentity", "ses:GetEmailIdentityPolicies")
_EVERYTHING: Final = "*"


def statement(actions: Sequence[str], resources: Sequence[str] = (_EVERYTHING,)) -> dict[str, Any]:
    """Return an Allow of *actions* on *resources*."""
    return {"Effect": "Allow", "Action": _one_or_all(sorted(actions)), "Resource": _one_or_all(sorted(resources))}


def reading(account: str, region: str) -> list[dict[str, Any]]:
    """Return what lets somebody read the identities and policies of one place; SES lists all of them or none."""
    return [
        statement(["ses:ListEmailIdentities"]),
        statement(READING, [f"arn:{partition_of(region)}:ses:{region}:{account}:identity/*"]),
    ]


def trust(principal: str, external_id: str | None) -> dict[str, Any]:
    """Return a trust policy of a role that lets *principal* assume it; *external_id*: what stands for one, if any."""
    allow: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    if external_id is not None:
        allow["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [allow]}


def added_to(principal: str, statements: Sequence[dict[str, Any]]) -> str:
    """Say to whose policy *statements* belong."""
    pieces = [f"Add to an IAM policy of {lasting(principal)}:", *(json.dumps(each, indent=2) for each in statements)]
    return "\n".join(pieces)


def lasting(principal: str) -> str:
    """Return who stands behind the ARN of a session: the role, whose path the session does not tell; else the same."""
    head, _, rest = principal.partition(":assumed-role/")
    if not rest:
        return principal
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}"


def _one_or_all(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)


def as_text(document: dict[str, Any]) -> str:
    """Write a document as people paste it."""
    return json.dumps(document, indent=2)
