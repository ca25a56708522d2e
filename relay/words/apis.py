"""The two calls that send a message through SES, and which of them a message fits."""

from enum import StrEnum
from typing import Final


class Api(StrEnum):
    """
    An operation that takes whole messages: of SES's first API, and of its second for large ones.

    ``action``: what a policy calls it. ``actions``: every action that a policy must allow for it. The Service
    Authorization Reference names ``ses:SendEmail`` for v2 whatever the content; with raw content SES was seen to ask
    for ``ses:SendRawEmail``. Both must be allowed.
    """

    action: str
    actions: tuple[str, ...]

    RAW = "SendRawEmail", ("ses:SendRawEmail",)
    V2 = "SendEmail", ("ses:SendRawEmail", "ses:SendEmail")

    def __new__(cls, operation: str, actions: tuple[str, ...]) -> "Api":
        """Make a member."""
        member = str.__new__(cls, operation)
        member._value_, member.actions, member.action = operation, actions, actions[-1]
        return member


#: Octets that each takes "after base64 encoding" (SES Developer Guide, "Service quotas in Amazon SES").
MOST_ENCODED: Final = {Api.RAW: 10 << 20, Api.V2: 40 << 20}
#: Octets that the relay adds to a message at most: its Received field, and a mark when SES may have it already.
ADDED: Final = 2048
#: Octets up to which any of them takes a message.
FITS_ANY: Final = MOST_ENCODED[Api.RAW] // 4 * 3 - ADDED
#: The largest message that goes through SES at all, as it comes, in octets.
LARGEST: Final = MOST_ENCODED[Api.V2] // 4 * 3 - ADDED
#: Recipients that SES takes in one call (SES Developer Guide, "Service quotas in Amazon SES").
MOST_RECIPIENTS: Final = 50


def apis_for(octets: int, *, to_tenant: bool = False) -> tuple[Api, ...]:
    """
    Name the calls that may take a message of so many *octets* as it came, the surer first; none if it is too large.

    *to_tenant*: it is sent through a tenant of SES, for which only v2 has a parameter.

    Between 7.5 and 10 MiB AWS says two things: its quota for v1 counts base64, its error text counts the message's own
    octets. There v2 is sure and v1 is worth trying.
    """
    sent = octets + ADDED
    encoded = -(-sent // 3) * 4
    if encoded > MOST_ENCODED[Api.V2]:
        return ()
    if to_tenant:
        return (Api.V2,)
    if encoded <= MOST_ENCODED[Api.RAW]:
        return (Api.RAW,)
    return (Api.V2, Api.RAW) if sent <= MOST_ENCODED[Api.RAW] else (Api.V2,)
