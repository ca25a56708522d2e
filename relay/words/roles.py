"""A role of somebody's that the relay assumes to send mail as them (IAM User Guide, "Roles terms and concepts")."""

import hashlib
from dataclasses import field
from typing import Final

from relay.words.values import dataclass

_PREFIX: Final = "ses-relay-"
#: STS takes no longer name of a session (STS API Reference, "AssumeRole").
LONGEST_SESSION: Final = 64


@dataclass(frozen=True, slots=True)
class AssumedRole:
    """
    A role and the session of it that is the relay's.

    ``arn`` is the role's, with its path. ``session``: 2 to 64 letters, digits and ``_+=,.@-``; one for each delegate,
    so that policies, and CloudTrail on both sides, can tell delegates of one role apart. ``external_id``: what the
    role's trust policy asks for.
    """

    arn: str
    session: str
    external_id: str | None = field(default=None, repr=False)

    @property
    def account(self) -> str:
        """The account of the role: whose quota, bounces and bill the mail counts for."""
        return self.arn.split(":", 5)[4]

    @property
    def partition(self) -> str:
        """The partition of AWS that it is in: ``aws``, ``aws-cn``, ``aws-us-gov``."""
        return self.arn.split(":", 2)[1]

    @property
    def principal(self) -> str:
        """The ARN of the session, which leaves out the role's path: who the delegate is to SES."""
        name = self.arn.rpartition("/")[2]
        return f"arn:{self.partition}:sts::{self.account}:assumed-role/{name}/{self.session}"


def session_of(delegate: str) -> str:
    """Name the session of a delegate, ``ses-relay-NAME``; a name too long for STS ends in a digest of itself."""
    name = _PREFIX + delegate
    if len(name) <= LONGEST_SESSION:
        return name
    digest = hashlib.sha256(delegate.encode()).hexdigest()[:12]
    return f"{name[: LONGEST_SESSION - len(digest) - 1]}-{digest}"
