"""Whose trouble a failed call is: the message's own, an identity's, or a whole account's."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from relay.sending.answers import ACCESS_DENIED, ACCOUNT_PAUSED, bare_code, disagreement
from relay.sending.outcomes import Ambiguous, Deferred, Outcome
from relay.words.endings import Reason
from relay.words.patterns import on_demand
from relay.words.values import dataclass

#: Our own words for "no connection became free": it says nothing of SES.
_BUSY: Final = "Busy"
_DAILY: Final = on_demand(r"\b(?:daily|24-hour)\b", re.IGNORECASE)
_OF_AN_IDENTITY: Final = ACCESS_DENIED | {
    "ConfigurationSetDoesNotExist",
    "ConfigurationSetSendingPaused",
    "MailFromDomainNotVerified",
    "NotFound",
}
_OF_AN_ACCOUNT: Final = frozenset({"AccountSendingPaused", "AccountSuspended", "SendingPaused"})
_CONFIGURATION_SET: Final = on_demand(r"\bconfiguration set\b", re.IGNORECASE)


class Trouble(StrEnum):
    """What keeps more than one message from going."""

    OUTAGE = "outage"  # SES does not answer, or with nothing of use
    RATE = "rate"  # too many at once: slower, not later
    QUOTA = "quota"  # the day's recipients are used up
    CREDENTIALS = "credentials"  # SES does not know the relay, or a role cannot be assumed
    PAUSED = "paused"  # the account may not send at all
    NOT_LET = "not-let"  # SES knows the relay and does not let it use this identity or configuration set


_OF_A_REASON: Final = {
    Reason.SES_UNAVAILABLE: Trouble.OUTAGE,
    Reason.SES_CREDENTIALS: Trouble.CREDENTIALS,
}


#: The account that the relay's own credentials belong to, whichever it is.
OWN: Final = "own"


@dataclass(frozen=True, slots=True)
class Lane:
    """
    The way of a message through SES, as far as others share it.

    ``account`` is the one that calls SES, whose quota and rate count; ``identity`` is the ARN of the author's.
    ``session``: of the role that calls, its ARN; empty where the relay's own key does.
    """

    account: str
    region: str
    identity: str
    session: str = ""


def details_of(lane: Lane) -> dict[str, str]:
    """Write *lane* as an entry of the spool keeps it."""
    return {"account": lane.account, "region": lane.region, "identity": lane.identity, "session": lane.session}


def lane_of(details: Mapping[str, str]) -> Lane:
    """Read what :func:`details_of` wrote; what is not there is empty."""
    find = details.get
    return lane_to(find("account", ""), find("region", ""), find("identity", ""), find("session", ""))


@lru_cache(maxsize=1024)
def lane_to(account: str, region: str, identity: str, session: str) -> Lane:
    """Make a lane, once for all its messages: it is made of every entry, and compared with that of its judgement."""
    return Lane(account, region, identity, session)


def trouble_of(outcome: Outcome) -> Trouble | None:
    """
    Return what *outcome* says about the messages behind this one; None when it says nothing.

    A code nobody has seen says nothing: each message then finds out for itself.
    """
    if not isinstance(outcome, Deferred | Ambiguous) or outcome.code == _BUSY:
        return None
    if outcome.reason is Reason.SES_THROTTLED:
        is_spent = bare_code(outcome.code) == "LimitExceeded" or _DAILY.search(outcome.message)
        return Trouble.QUOTA if is_spent else Trouble.RATE
    if outcome.reason is Reason.SES_REFUSED:
        return _of_refusal(outcome)
    return _OF_A_REASON.get(outcome.reason)


def _of_refusal(outcome: Deferred | Ambiguous) -> Trouble | None:
    bare = bare_code(outcome.code)
    if bare == "SendingPaused" and _CONFIGURATION_SET.search(outcome.message):  # v2 has one word for both
        return Trouble.NOT_LET
    if bare in _OF_AN_ACCOUNT or ACCOUNT_PAUSED.search(outcome.message):
        return Trouble.PAUSED
    return Trouble.NOT_LET if bare in _OF_AN_IDENTITY or disagreement(outcome) else None
