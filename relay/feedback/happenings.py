"""
What SES tells of a message, read strictly and within bounds. Pure.

Event publishing and identity notifications are both taken: Amazon SES Developer Guide, "Contents of event data that
Amazon SES publishes to Amazon SNS", "Amazon SNS notification contents for Amazon SES".
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final

from relay.feedback.wrappings import Malformed, opened
from relay.judgement.steering import OWN_TAG
from relay.words.values import dataclass

#: The word for every kind of event. What readers do with mail, and kinds that SES may add, are ``other``.
OTHER: Final = "other"
_LONGEST_ID: Final = 256
_LONGEST_ADDRESS: Final = 1024
_LONGEST_WORDS: Final = 300
#: Recipients of one message at SES.
_MOST: Final = 50
#: What the log calls what SES calls otherwise.
_SPELT: Final = {
    "bounceSubType": "subtype",
    "complaintSubType": "subtype",
    "complaintFeedbackType": "type",
    "delayType": "type",
    "diagnosticCode": "diagnostic",
    "errorMessage": "error",
}
#: What SES publishes to a topic to see whether it may: no event, and no JSON.
_GREETING: Final = "Successfully validated SNS topic for Amazon SES"


@dataclass(frozen=True, slots=True)
class Happening:
    """
    One thing that happened to one message, for some of its recipients.

    ``kind``: a word, as the metric has it. ``ses_id``: as SES named the message. ``delegate``: as the relay's tag names
    it; None without. ``marks``: one text for each thing that is counted, the same whenever it is told again.
    ``mailed_at`` and ``at``, when it happened: seconds since the epoch. ``said``: what else there is for people.
    """

    kind: str
    ses_id: str
    delegate: str | None
    marks: tuple[str, ...]
    mailed_at: float
    at: float
    recipients: tuple[str, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)

    def digests(self) -> tuple[bytes, ...]:
        """Return what tells each thing that is counted from every other: 16 octets, no address in them."""
        begun = "\0".join((self.ses_id, self.kind))
        return tuple(
            hashlib.blake2b(f"{begun}\0{mark}".encode("utf-8", "replace"), digest_size=16).digest()
            for mark in dict.fromkeys(self.marks)
        )


def read_happening(body: str) -> Happening | None:
    """
    Read the body of an SQS message; None for what SES sends to see whether a topic takes anything.

    Raises:
        Malformed: It is no event of SES.
    """
    if _is_greeting(body):
        return None
    event = opened(body)
    name = event.get("eventType", event.get("notificationType"))
    if name == "AmazonSnsSubscriptionSucceeded":
        return None
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        raise Malformed("neither eventType nor notificationType")
    mail = _table(event, "mail")
    read = _KINDS.get(name.replace(" ", "").lower(), _other)
    told = read(event, mail)
    mailed_at = _instant(mail, "timestamp")
    return Happening(
        told.kind,
        _text(mail, "messageId", _LONGEST_ID),
        _delegate(mail),
        told.marks,
        mailed_at,
        mailed_at if told.at is None else told.at,
        told.recipients,
        told.said,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the part of an event says that is its kind's own; ``at`` None: the time of the mail."""

    kind: str
    marks: tuple[str, ...]
    at: float | None = None
    recipients: tuple[str, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)


def _send(_event: Mapping[str, Any], mail: Mapping[str, Any]) -> _Told:
    return _for_all("send", mail)


def _delivery(event: Mapping[str, Any], _mail: Mapping[str, Any]) -> _Told:
    delivery = _table(event, "delivery")
    recipients = tuple(_addresses(delivery, "recipients"))
    return _Told("delivery", recipients, _instant(delivery, "timestamp"), recipients)


def _bounce(event: Mapping[str, Any], _mail: Mapping[str, Any]) -> _Told:
    bounce = _table(event, "bounce")
    kind = _text(bounce, "bounceType", 64)
    recipients = tuple(_named(bounce, "bouncedRecipients"))
    said = {"type": kind} | _words(bounce, "bounceSubType") | _diagnosis(bounce, "bouncedRecipients")
    word = "bounce" if kind == "Permanent" else "transient-bounce"
    return _Told(word, recipients, _instant(bounce, "timestamp"), recipients, said)


def _complaint(event: Mapping[str, Any], mail: Mapping[str, Any]) -> _Told:
    """One each: whose it is SES often cannot tell, and then names all who may have complained."""
    complaint = _table(event, "complaint")
    recipients = tuple(_named(complaint, "complainedRecipients"))
    mark = complaint.get("feedbackId")
    said = _words(complaint, "complaintFeedbackType") | _words(complaint, "complaintSubType")
    marks = (mark if isinstance(mark, str) and len(mark) <= _LONGEST_ID else _text(mail, "messageId", _LONGEST_ID),)
    return _Told("complaint", marks, _instant(complaint, "timestamp"), recipients, said)


def _reject(event: Mapping[str, Any], mail: Mapping[str, Any]) -> _Told:
    return _for_all("reject", mail, _words(_table(event, "reject"), "reason"))


def _rendering_failure(event: Mapping[str, Any], mail: Mapping[str, Any]) -> _Told:
    return _for_all("rendering-failure", mail, _words(_table(event, "failure"), "errorMessage"))


def _delay(event: Mapping[str, Any], _mail: Mapping[str, Any]) -> _Told:
    delay = _table(event, "deliveryDelay")
    recipients = tuple(_named(delay, "delayedRecipients"))
    said = _words(delay, "delayType") | _diagnosis(delay, "delayedRecipients")
    return _Told("delivery-delay", recipients, _instant(delay, "timestamp"), recipients, said)


def _other(_event: Mapping[str, Any], mail: Mapping[str, Any]) -> _Told:
    return _Told(OTHER, (_text(mail, "messageId", _LONGEST_ID),))


_Read = Callable[[Mapping[str, Any], Mapping[str, Any]], _Told]
_KINDS: Final[Mapping[str, _Read]] = {
    "send": _send,
    "delivery": _delivery,
    "bounce": _bounce,
    "complaint": _complaint,
    "reject": _reject,
    "renderingfailure": _rendering_failure,
    "deliverydelay": _delay,
}


def _for_all(kind: str, mail: Mapping[str, Any], said: Mapping[str, str] | None = None) -> _Told:
    """Tell what happens to a message as a whole: it counts for every recipient."""
    recipients = tuple(_addresses(mail, "destination"))
    return _Told(kind, recipients, recipients=recipients, said=said or {})


def _delegate(mail: Mapping[str, Any]) -> str | None:
    tags = mail.get("tags", {})
    values = tags.get(OWN_TAG, ()) if isinstance(tags, dict) else None
    if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
        raise Malformed("mail.tags is no table of lists")
    return values[0] if len(values) == 1 else None


def _table(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object")
    return value


def _text(table: Mapping[str, Any], name: str, longest: int) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise Malformed(f"{name} is no text of up to {longest} characters")
    return value


def _instant(table: Mapping[str, Any], name: str) -> float:
    text = _text(table, name, 40)
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC).timestamp()  # raises for what no calendar could write again
    except (ValueError, OverflowError):
        raise Malformed(f"{name} is no time") from None
    raise Malformed(f"{name} is no time with its zone")


def _addresses(table: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the addresses of a list of them."""
    values = table.get(name)
    if not isinstance(values, list) or not 0 < len(values) <= _MOST:
        raise Malformed(f"{name} is no list of 1 to {_MOST} recipients")
    for value in values:
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ADDRESS or not value.isprintable():
            raise Malformed(f"{name} has a recipient that is no address")
        yield value


def _named(table: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the addresses of a list of tables."""
    values = table.get(name)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise Malformed(f"{name} is no list of objects")
    return _addresses({name: [value.get("emailAddress") for value in values]}, name)


def _words(table: Mapping[str, Any], name: str) -> dict[str, str]:
    value = table.get(name)
    return {_SPELT.get(name, name): value[:_LONGEST_WORDS]} if isinstance(value, str) else {}


def _diagnosis(table: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return what the first recipient's server said."""
    first = table[name][0]
    return _words(first, "status") | _words(first, "diagnosticCode")


def _is_greeting(body: str) -> bool:
    return _GREETING in body and "eventType" not in body and "notificationType" not in body
