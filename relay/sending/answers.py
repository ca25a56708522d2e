"""
What SES's answers mean: the table. Code and text decide, never the HTTP status alone; the unknown is temporary.

Reasons: ``ses-credentials`` when SES does not know who we are (key, token, signature, clock), ``ses-refused`` when it
knows us and says no, ``ses-throttled`` when it says later, ``ses-unavailable`` when it says nothing of use.

Codes: SES API Reference, "SendRawEmail" and "Common Errors", SES API v2 Reference, "SendEmail", whose codes end in
"Exception"; texts: SES Developer Guide, "Amazon SES email sending errors" and "Errors related to the sending quotas".
"""

import re
from typing import Final, Literal

from relay.sending.documents import LONGEST_DOCUMENT, read_fields, read_object
from relay.sending.outcomes import Ambiguous, Deferred, Outcome, Refused, Sent
from relay.words.endings import Reason
from relay.words.patterns import on_demand
from relay.words.replies import Reply

LONGEST_TEXT: Final = 400

NOT_LET: Final = Reply(451, (4, 3, 5), "SES does not let this relay send the message: its operator must act")
NOT_KNOWN: Final = Reply(451, (4, 3, 5), "SES does not accept this relay's credentials: its operator must act")
NO_ROLE: Final = Reply(451, (4, 3, 5), "This relay cannot send as the delegate now: its operator must act")
TRY_LATER: Final = Reply(451, (4, 3, 0), "SES is not available, try again later")
UNKNOWN_ANSWER: Final = Reply(451, (4, 3, 0), "SES gave an answer this relay does not know, try again later")
MAYBE_SENT: Final = Reply(451, (4, 4, 2), "SES did not confirm the message in time: it may have been sent")

ACCESS_DENIED: Final = frozenset({"AccessDenied", "NotAuthorized", "UnauthorizedOperation"})
THROTTLED: Final = frozenset(
    {
        "LimitExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttled",
        "Throttling",
        "TooManyRequests",
    }
)
ACCOUNT_NOT_READY: Final = frozenset(
    {
        "AccountSendingPaused",
        "AccountSuspended",
        "ConfigurationSetDoesNotExist",
        "ConfigurationSetSendingPaused",
        "MailFromDomainNotVerified",
        "NotFound",  # v2: the configuration set
        "SendingPaused",
    }
)
CLOCK_OR_KEY: Final = frozenset(
    {"AuthFailure", "InvalidSignature", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
)
STALE_KEY: Final = frozenset({"ExpiredToken", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClient"})
NOT_SIGNED_IN: Final = (
    CLOCK_OR_KEY
    | STALE_KEY
    | {"IncompleteSignature", "MissingAuthenticationToken", "OptInRequired", "SubscriptionRequired"}
)

#: The message's own fault; what v1 calls an invalid parameter is a bad request to v2.
REJECTED: Final = frozenset({"BadRequest", "MessageRejected"})
OF_THE_MESSAGE: Final = REJECTED | {"InvalidParameterValue"}

#: A gateway's own words for "I asked and heard nothing": SES behind it may have the message.
_GATEWAY_HEARD_NOTHING: Final = (502, 504)

#: SES's answer to what it took, in full; anything else is read as XML. The id has no character that XML escapes.
_TAKEN = re.compile(
    rb'<SendRawEmailResponse xmlns="http://ses\.amazonaws\.com/doc/2010-12-01/">~<SendRawEmailResult>~'
    rb"<MessageId>([A-Za-z0-9-]{1,256})</MessageId>~</SendRawEmailResult>~<ResponseMetadata>~"
    rb"<RequestId>[A-Za-z0-9-]{1,256}</RequestId>~</ResponseMetadata>~</SendRawEmailResponse>~".replace(
        b"~", rb"[ \t\r\n]*+"
    )
)
_MESSAGE_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._]{1,64}", re.ASCII)
#: In SES's words for it, of which some calls have no code.
ACCOUNT_PAUSED: Final = on_demand(r"\bsending (?:is |has been )?(?:suspended|paused)\b", re.IGNORECASE)
_ABOUT_AN_ADDRESS = on_demand(
    r"final '@domain'|local (?:address|name)|\bdomain (?:contains|starts|ends)|e-?mail address|illegal address"
    r"|\b(?:in|invalid|empty|of the) address|route-addr|addr-spec|missing '[<>]'|quoted local",
    re.IGNORECASE,
)


def outcome_of(status: int, body: bytes, *, own: bool = True) -> Outcome:
    """
    Return what SES's answer to SendRawEmail means.

    Args:
        status: The HTTP status.
        body: The answer's body, as much as was read; anything that is no answer of SES is temporary.
        own: The request was signed with the relay's own credentials, so a lack of permission is the operator's fault;
            else with the delegate's role, and SES's word is final.

    """
    if status == 200 and len(body) <= LONGEST_DOCUMENT and (taken := _TAKEN.fullmatch(body)):
        return Sent(taken[1].decode("ascii"))
    fields = read_fields(body) or {}
    if status // 100 == 2:
        return _of_success(fields.get("SendRawEmailResult/MessageId", ""))
    code, text = fields.get("Error/Code", ""), _clean(fields.get("Error/Message", ""))
    if not _CODE.fullmatch(code):
        return _of_no_answer(status)
    return _of_error(code, text, own=own, broken=status >= 500)


def outcome_of_v2(status: int, body: bytes, kind: str, *, own: bool = True) -> Outcome:
    """
    Return what SES's answer to SendEmail of v2 means.

    Args:
        status, body, own: As of :func:`outcome_of`.
        kind: The header ``x-amzn-ErrorType``, empty without; what follows its first colon is an address.

    """
    fields = read_object(body) or {}
    if status // 100 == 2:
        return _of_success(fields.get("MessageId", ""))
    named = kind or fields.get("__type", "") or fields.get("code", "")
    code = named.partition(":")[0].rpartition("#")[2]
    if not _CODE.fullmatch(code):
        return _of_no_answer(status)
    text = _clean(fields.get("message", "") or fields.get("Message", ""))
    return _of_error(code, text, own=own, broken=status >= 500)


def disagreement(outcome: Outcome) -> Literal["access-denied", "not-verified"] | None:
    """Tell whether SES refused for want of authorization, which we had found; None when it did not."""
    if not isinstance(outcome, Deferred | Refused):
        return None
    code = bare_code(outcome.code)
    if code in ACCESS_DENIED:
        return "access-denied"
    return "not-verified" if _is_not_verified(code, outcome.message) else None


def _of_success(message_id: str) -> Outcome:
    if _MESSAGE_ID.fullmatch(message_id):
        return Sent(message_id)
    return Ambiguous("Unreadable", "success without a message id", MAYBE_SENT, Reason.SES_UNAVAILABLE)


def _of_no_answer(status: int) -> Outcome:
    text = f"HTTP status {status} and no error of SES"
    if status in _GATEWAY_HEARD_NOTHING:
        return Ambiguous("Unreadable", text, MAYBE_SENT, Reason.SES_UNAVAILABLE)
    return Deferred("Unreadable", text, TRY_LATER, Reason.SES_UNAVAILABLE)


def _of_error(code: str, text: str, *, own: bool, broken: bool) -> Outcome:
    bare = bare_code(code)
    if bare in ACCESS_DENIED or _is_not_verified(bare, text):
        return _of_authorization(code, text, own=own)
    if bare in THROTTLED:
        return Deferred(code, text, _reply(454, (4, 7, 0), "Throttling failure", text), Reason.SES_THROTTLED)
    if bare in NOT_SIGNED_IN:
        return Deferred(code, text, NOT_KNOWN, Reason.SES_CREDENTIALS)
    if bare in ACCOUNT_NOT_READY or (bare in REJECTED and ACCOUNT_PAUSED.search(text)):
        return Deferred(code, text, NOT_LET, Reason.SES_REFUSED)
    if bare in OF_THE_MESSAGE:
        return Refused(code, text, _of_message(bare, text), Reason.SES_REFUSED)
    reply, reason = (TRY_LATER, Reason.SES_UNAVAILABLE) if broken else (UNKNOWN_ANSWER, Reason.SES_REFUSED)
    return Deferred(code, text, reply, reason)


def _of_authorization(code: str, text: str, *, own: bool) -> Outcome:
    if own:
        return Deferred(code, text, NOT_LET, Reason.SES_REFUSED)
    words = "Access denied" if bare_code(code) in ACCESS_DENIED else "Message rejected"
    return Refused(code, text, _reply(554, (5, 7, 1), words, text), Reason.SES_REFUSED)


def _of_message(bare: str, text: str) -> Reply:
    if bare == "MessageRejected":
        return _reply(554, (5, 6, 0), "Message rejected", text)
    if _ABOUT_AN_ADDRESS.search(text):
        return _reply(550, (5, 1, 0), "Address refused", text)  # RFC 3463: SES does not say which address
    return _reply(554, (5, 6, 0), "Transaction failed", text)


def _reply(code: int, enhanced: tuple[int, int, int], words: str, text: str) -> Reply:
    return Reply(code, enhanced, f"{words}: {text}" if text else words)


def bare_code(code: str) -> str:
    """Return *code* as v1 and v2 have it in common."""
    return code.removesuffix("Exception")


def _is_not_verified(bare: str, text: str) -> bool:
    return bare in REJECTED and "not verified" in text.lower()


def _clean(text: str) -> str:
    """One line, cut: it goes into a reply and into logs."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."
