"""The octets of BinaryEquals: base64 in the policy and in the request (IAM User Guide, "Condition operators")."""

import binascii
from dataclasses import dataclass

from relay.policy.matchers import ANYTHING, Reach
from relay.policy.request import Context
from relay.policy.truths import MAYBE, NO, YES


def read_octets(text: str) -> bytes | None:
    """The octets that *text* spells in base64 (RFC 4648 section 4, padded, nothing beside it), or None."""
    if not text.isascii():
        return None
    try:
        return binascii.a2b_base64(text.encode(), strict_mode=True)
    except binascii.Error:
        return None


@dataclass(frozen=True, slots=True)
class Octets:
    """BinaryEquals: the same octets, however they are spelt."""

    wanted: frozenset[bytes]
    doubtful: bool = False

    def match(self, value: str, _context: Context, /) -> int:
        """See :class:`relay.policy.matchers.Matcher`."""
        octets = read_octets(value)
        if octets is None:
            return MAYBE
        if octets in self.wanted:
            return YES
        return MAYBE if self.doubtful else NO

    def reach(self, _context: Context, /) -> Reach:
        """Always open."""
        return ANYTHING
