"""The strict profile in numbers and names: what a message may hold, how often, and how much."""

from collections.abc import Sequence
from typing import Final

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """
    Bounds of one message. Octets are counted without the CRLF of a line, with those inside a header section.

    ``one_field`` bounds a field that names a mailbox (From, Sender, Return-Path ...). ``mime_parts`` is SES's own limit
    (SES Developer Guide, "Service quotas"); the other bounds are far above ordinary mail. ``own_name`` is our host
    name: a Received field written by it means that the message has been here before; empty means unknown.
    """

    header_bytes: int = 65536
    fields: int = 500
    folds: int = 1000
    line_octets: int = 998
    received: int = 50
    mime_parts: int = 500
    mime_depth: int = 50
    boundary: int = 70
    one_field: int = 4096
    own_name: str = ""


DEFAULT: Final = Profile()

#: Every field of this prefix can steer SES, those it will invent tomorrow too (SES Developer Guide, "Sending
#: authorization", "Using message tags", "List management").
X_SES: Final = b"x-ses-"

#: By this field the relay says that a message may have been sent before: nobody else may say so.
ATTEMPT: Final = "X-Relay-Attempt"

#: Fields that never leave: a second Return-Path steers feedback, Bcc tells recipients of each other.
NEVER_SENT: Final = frozenset({b"return-path", b"bcc", b"resent-bcc", ATTEMPT.lower().encode()})

#: Fields that name an author as From does, and who must be the same.
SAME_AUTHOR: Final = {b"sender": "Sender", b"resent-from": "Resent-From", b"resent-sender": "Resent-Sender"}
#: The field of W3C Trace Context.
TRACE: Final = b"traceparent"
_UNUSUAL: Final = NEVER_SENT | SAME_AUTHOR.keys() | {TRACE}

_ONCE_ONLY = b"""
accept-language acceptlanguage archived-at auto-submitted bounces-to comments content-alternative content-base
content-class content-description content-disposition content-duration content-id content-language content-length
content-location content-md5 content-transfer-encoding content-type date delivered-to disposition-notification-options
disposition-notification-to dkim-signature domainkey-signature errors-to from importance in-reply-to keywords
list-archive list-help list-id list-owner list-post list-subscribe list-unsubscribe list-unsubscribe-post
message-context message-id mime-version organization original-from original-message-id original-recipient
original-subject precedence priority references reply-to return-path return-receipt-to sender solicitation sensitivity
subject thread-index thread-topic user-agent vbr-info to cc bcc
"""

#: SES refuses a message in which one of these occurs twice (SES Developer Guide, "Header fields": once only), and says
#: so after the end of DATA; RFC 5322 section 3.6 adds To, Cc and Bcc.
ONCE_ONLY: Final = frozenset(_ONCE_ONLY.split())


def is_steering(name: bytes) -> bool:
    """Whether the field of this lower-cased name is taken out of what is sent."""
    return name.startswith(X_SES) or name in NEVER_SENT


def is_plain(names: Sequence[bytes]) -> bool:
    """
    Whether none of a header section's *names*, lower-cased, steers SES or names an author but From.

    So it is of most messages, which then have next to nothing that differs from one to the next.
    """
    if not _UNUSUAL.isdisjoint(names):
        return False
    return max(names) < X_SES or not any(name.startswith(X_SES) for name in names)  # the last one in order tells most
