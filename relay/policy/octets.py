"""The octets of BinaryEquals: base64 in the policy and in the request (IAM User Guide, "Condition operators")."""

import binascii


def read_octets(text: str) -> bytes | None:
    """The octets that *text* spells in base64 (RFC 4648 section 4, padded, nothing beside it), or None."""
    if not text.isascii():
        return None
    try:
        return binascii.a2b_base64(text.encode(), strict_mode=True)
    except binascii.Error:
        return None
