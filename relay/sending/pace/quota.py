"""What SES says an account may send in a region (SES API Reference, "GetSendQuota"), in recipients."""

import math
from typing import Final

from relay.sending.documents import read_fields
from relay.sending.keys import Unusable
from relay.words.values import dataclass

QUESTION: Final = b"Action=GetSendQuota&Version=2010-12-01"


@dataclass(frozen=True, slots=True)
class SendQuota:
    """
    The most a second, the most in a rolling 24 hours, and what was sent in the last. ``most_a_day`` is None without a
    limit.
    """

    rate: float
    most_a_day: float | None
    sent: float


def quota_of(status: int, body: bytes) -> SendQuota | Unusable:
    """Return what SES told; Unusable when it did not."""
    fields = read_fields(body) or {}
    told = [_number(fields.get(f"GetSendQuotaResult/{name}", "")) for name in _NAMES]
    rate, most, sent = told
    if status == 200 and rate is not None and most is not None and sent is not None and rate > 0:
        return SendQuota(rate, None if most < 0 else most, max(0.0, sent))
    code = fields.get("Error/Code", "no error of SES")[:64]
    return Unusable(f"GetSendQuota: HTTP status {status}, {code}", code)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_NAMES: Final = ("MaxSendRate", "Max24HourSend", "SentLast24Hours")
