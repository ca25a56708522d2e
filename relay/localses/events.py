"""
Events of sending as SES tells them: in the shape of event publishing, and in that of an identity's notifications.

SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS" and "Amazon SNS notification
contents for Amazon SES".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any, Final
from uuid import uuid4

from relay.localses.addresses import one_address
from relay.localses.message import Field, read_fields, values_of
from relay.localses.store import Message
from relay.words.values import dataclass

MOST_HEADER_OCTETS: Final = 10 * 1024
"""Of header fields in an event; the rest is cut ("Mail object": ``headersTruncated``)."""

MEMBERS: Final = {
    "Send": "send",
    "Reject": "reject",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Open": "open",
    "Click": "click",
    "Rendering Failure": "failure",
}
"""Every ``eventType``, and the member that its details stand in."""

_MTA: Final = "a8-70.smtp-out.amazonses.com"
_REMOTE: Final = "127.0.2.0"
_SUPPRESSED: Final = "Suppressed"
_ONE: Final = {"subject": "Subject", "date": "Date"}
_SEVERAL: Final = {"from": "From", "sender": "Sender", "to": "To", "cc": "Cc", "bcc": "Bcc", "replyTo": "Reply-To"}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a message: ``kind`` is an ``eventType``, ``at`` in seconds since the epoch."""

    kind: str
    detail: Mapping[str, Any]
    at: float


def event(kind: str, detail: Mapping[str, Any], at: float) -> Event:
    """Make an event whose details are *detail*."""
    return Event(kind, detail, at)


def delivery(recipients: Sequence[str], received_at: float, at: float) -> Event:
    """Make a delivery to *recipients*, of a message that was accepted at *received_at*."""
    detail = {
        "timestamp": timestamp(at),
        "processingTimeMillis": max(0, int((at - received_at) * 1000)),
        "recipients": list(recipients),
        "smtpResponse": "250 2.6.0 Message received",
        "remoteMtaIp": _REMOTE,
        "reportingMTA": _MTA,
    }
    return Event("Delivery", detail, at)


def bounce(recipients: Sequence[str], at: float, kind: str = "Permanent", sub: str = "General") -> Event:
    """Make one bounce of all *recipients*; a transient one is without a delivery status notification."""
    said = {
        "Permanent": {"action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"},
    }.get(kind, {})
    if sub == _SUPPRESSED:
        why = "Amazon SES has suppressed sending to this address because it has a recent history of bouncing"
        said = {**said, "diagnosticCode": f"{why} as an invalid address."}
    reporting = {"reportingMTA": f"dns; {_MTA}"} if said else {}
    detail = {
        "bounceType": kind,
        "bounceSubType": sub,
        "bouncedRecipients": [{"emailAddress": each, **said} for each in recipients],
        "timestamp": timestamp(at),
        "feedbackId": new_id(at),
        "remoteMtaIp": _REMOTE,
        **reporting,
    }
    return Event("Bounce", detail, at)


def complaint(recipients: Sequence[str], at: float) -> Event:
    """Make a complaint of *recipients*, with a feedback report."""
    detail = {
        "complainedRecipients": [{"emailAddress": each} for each in recipients],
        "timestamp": timestamp(at),
        "feedbackId": new_id(at),
        "complaintSubType": None,
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": timestamp(at),
    }
    return Event("Complaint", detail, at)


def delay(recipients: Sequence[str], at: float) -> Event:
    """Make a delivery that did not succeed yet."""
    said = {"status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect to remote host"}
    detail = {
        "timestamp": timestamp(at),
        "delayType": "TransientCommunicationFailure",
        "expirationTime": timestamp(at + timedelta(hours=14).total_seconds()),
        "delayedRecipients": [{"emailAddress": each, **said} for each in recipients],
    }
    return Event("DeliveryDelay", detail, at)


def published(happened: Event, message: Message) -> dict[str, Any]:
    """Return the record of event publishing: with header fields and tags."""
    mail = {**_mail(message), **_headers(message, message.id), "tags": _tags(happened, message)}
    return {"eventType": happened.kind, "mail": mail, MEMBERS[happened.kind]: dict(happened.detail)}


def notified(happened: Event, message: Message, *, with_headers: bool) -> dict[str, Any]:
    """Return the record of an identity's notification: without tags, and with header fields where it wants them."""
    mail = {**_mail(message), "sourceIp": message.source_ip}
    if with_headers:
        mail |= _headers(message, next(iter(values_of(read_fields(message.raw), "Message-ID")), None))
    return {"notificationType": happened.kind, "mail": mail, MEMBERS[happened.kind]: dict(happened.detail)}


def timestamp(seconds: float) -> str:
    """Return the time as events tell it, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_id(now: float) -> str:
    """Draw an id of SES's form."""
    return f"0100{int(now * 1000):012x}-{uuid4()}-000000"


def _mail(message: Message) -> dict[str, Any]:
    return {
        "timestamp": timestamp(message.received_at),
        "source": message.source or next(iter(values_of(read_fields(message.raw), "From")), ""),
        "sourceArn": message.identity_arn,
        "sendingAccountId": message.principal.split(":", 5)[4],
        "messageId": message.id,
        "destination": [one_address(each) for each in message.destinations],
    }


def _headers(message: Message, message_id: str | None) -> dict[str, Any]:
    fields = read_fields(message.raw)
    kept = list(_first(fields, MOST_HEADER_OCTETS))
    common: dict[str, Any] = {name: _mailboxes(fields, field) for name, field in _SEVERAL.items()}
    common |= {name: _decoded(value) for name, field in _ONE.items() for value in values_of(fields, field)[:1]}
    common["messageId"] = message_id
    return {
        "headersTruncated": len(kept) < len(fields),
        "headers": [{"name": field.name, "value": field.value} for field in kept],
        "commonHeaders": {name: value for name, value in common.items() if value},
    }


def _first(fields: Sequence[Field], octets: int) -> list[Field]:
    """As many of the fields as fit."""
    kept: list[Field] = []
    for field in fields:
        octets -= len(field.name) + len(field.value) + len(": \r\n")
        if octets < 0:
            break
        kept.append(field)
    return kept


def _mailboxes(fields: Sequence[Field], name: str) -> list[str]:
    found = getaddresses(values_of(fields, name))
    return [f"{_decoded(shown)} <{address}>" if shown else address for shown, address in found if address]


def _decoded(text: str) -> str:
    try:
        return str(make_header(decode_header(text)))
    except (ValueError, LookupError):
        return text


def _tags(happened: Event, message: Message) -> dict[str, list[str]]:
    """The message's own, beside those that SES adds."""
    principal = message.principal.split(":", 5)[5].split("/")
    caller = principal[1] if principal[0] == "assumed-role" else principal[-1]
    author = next(iter(getaddresses(values_of(read_fields(message.raw), "From"))), ("", ""))[1]
    own = {
        "ses:operation": message.action,
        "ses:configuration-set": message.configuration_set,
        "ses:source-ip": message.source_ip,
        "ses:from-domain": author.rpartition("@")[2].lower(),
        "ses:caller-identity": caller,
        "ses:outgoing-ip": _REMOTE if happened.kind == "Delivery" else None,
    }
    return {**{name: [value] for name, value in own.items() if value}, **{k: [v] for k, v in message.tags.items()}}
