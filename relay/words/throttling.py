"""Which refusals of AWS's are for now only (AWS SDKs and Tools Reference Guide, "Retry behavior")."""

from typing import Final

#: What services say of too many calls, each in its own word.
THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
    }
)


def is_passing(code: str, status: int) -> bool:
    """Whether an error with this *code* and HTTP *status* says nothing about the question: asked later, it may go."""
    return code in THROTTLED or status == 429 or status >= 500
