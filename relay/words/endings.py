"""How a message ends: one outcome and one reason, from closed sets that dashboards rely on."""

from enum import StrEnum


class Outcome(StrEnum):
    """Where a received message ended. Every message has exactly one."""

    ACCEPTED = "accepted"  # SES took it
    QUEUED = "queued"  # durably in the spool
    REJECTED = "rejected"  # 5xx
    DEFERRED = "deferred"  # 4xx
    ABORTED = "aborted"  # the client left, reset or quit first


class Reason(StrEnum):
    """Why it ended so. ``none`` for what succeeded, and for what no rule of ours decided."""

    NONE = "none"
    POLICY_DENIED = "policy-denied"
    POLICY_NOT_ALLOWED = "policy-not-allowed"
    POLICY_UNDECIDED = "policy-undecided"
    IDENTITY_UNKNOWN = "identity-unknown"
    MESSAGE_FORM = "message-form"
    ADDRESS_FORM = "address-form"
    SIZE = "size"
    RECIPIENTS = "recipients"
    QUOTA = "quota"
    RATE = "rate"
    SES_REFUSED = "ses-refused"
    SES_THROTTLED = "ses-throttled"
    SES_UNAVAILABLE = "ses-unavailable"
    SES_CREDENTIALS = "ses-credentials"
    SPOOL_FULL = "spool-full"
    SHUTTING_DOWN = "shutting-down"
    CLIENT_GONE = "client-gone"
    INTERNAL = "internal"
