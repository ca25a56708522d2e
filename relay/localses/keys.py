"""Whose key is it: access keys, and the principals they belong to."""

import base64
import hashlib
import re
from dataclasses import field
from typing import Final

from relay.words.values import dataclass

UNKNOWN_PRINCIPAL: Final = "arn:aws:iam::000000000000:root"
"""Whom a key nobody listed belongs to, when signatures are not verified."""

PRINCIPAL: Final = re.compile(
    r"arn:aws[a-z-]*:(?:iam::[A-Za-z0-9]+:(?:root|user/[!-~]+|role/[!-~]+)|sts::[A-Za-z0-9]+:assumed-role/[!-~]+/[!-~]+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Key:
    """
    One access key: its id, its secret, and the ARN of the principal it signs for. Account ids are opaque.

    That of a session has a ``token`` that goes with it, ``ends`` (seconds since the epoch), and is of a ``role``.
    """

    id: str
    secret: str = field(repr=False)
    principal: str
    token: str | None = field(default=None, repr=False)
    ends: float | None = None
    role: str | None = None

    @property
    def account(self) -> str:
        """The account of the principal: the fifth field of its ARN."""
        return self.principal.split(":", 5)[4]

    def has_ended(self, now: float) -> bool:
        """Whether it is of a session that is over."""
        return self.ends is not None and self.ends <= now


DEMO_KEYS: Final = (
    Key("AKIADEMOOWNER0000000", "demo-owner-secret", "arn:aws:iam::888888888888:user/owner"),
    Key("AKIADEMORELAY0000000", "demo-relay-secret", "arn:aws:iam::888888888888:user/relay"),
)
"""The identity owner's key and the relay's: two users of one account, so that the owner trusts the relay."""


def unique_id(key: Key) -> str:
    """Derive a unique id of AWS's form: the account's for root, AROA...:SESSION for a role's session, else AIDA..."""
    resource = key.principal.split(":", 5)[5]
    if resource == "root":
        return key.account
    kind, _, name = resource.partition("/")
    session = f":{name.rpartition('/')[2]}" if kind == "assumed-role" else ""
    prefix = "AIDA" if kind == "user" else "AROA"
    owner = key.principal.rpartition("/")[0] if session else key.principal
    return prefix + base64.b32encode(hashlib.sha256(owner.encode()).digest())[:17].decode("ascii") + session
