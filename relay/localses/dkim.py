"""Tokens that verify a domain: derived from its ARN, so that they are the same after every restart."""

import base64
import hashlib
from typing import Final

from relay.localses.identities import Identity

HOSTED_ZONE: Final = "dkim.amazonses.com"


def verification_token(identity: Identity) -> str:
    """Return the value of the TXT record at ``_amazonses.DOMAIN``."""
    return base64.b64encode(_digest(identity, "verification")).decode("ascii")


def dkim_tokens(identity: Identity) -> list[str]:
    """Return the names below ``_domainkey.DOMAIN``: three for Easy DKIM, the selector of one's own key, or none."""
    if identity.traits.dkim == "EXTERNAL":
        return [identity.traits.selector]
    if not identity.traits.dkim:
        return []
    return [base64.b32encode(_digest(identity, f"dkim {n}"))[:32].decode("ascii").lower() for n in range(3)]


def _digest(identity: Identity, purpose: str) -> bytes:
    return hashlib.sha256(f"{identity.arn} {identity.traits.key_length} {purpose}".encode()).digest()
