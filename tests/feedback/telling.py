"""Events as SES, SNS, EventBridge and CloudTrail tell them."""

import json
from datetime import UTC, datetime
from typing import Any

NOW = 1_800_000_000.0
TAG = "ses-relay-delegate"


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(kind: str, number: int = 1, *, delegate: str | None = "billing", at: float = NOW, **more: Any) -> str:
    """An event about message *number*, for its recipients ``to``; ``mailed_at``: when it was sent."""
    to = list(more.pop("to", ["b@example.net"]))
    mailed_at = more.pop("mailed_at", at)
    mail = {
        "timestamp": stamp(mailed_at),
        "source": "a@example.com",
        "messageId": f"0100-{number}",
        "destination": to,
        "tags": {"ses:operation": ["SendRawEmail"]} | ({} if delegate is None else {TAG: [delegate]}),
    }
    named, when = [{"emailAddress": each} for each in to], {"timestamp": stamp(at)}
    details: dict[str, dict[str, Any]] = {
        "Send": {"send": {}},
        "Delivery": {"delivery": {**when, "recipients": to, "smtpResponse": "250 ok"}},
        "Bounce": {
            "bounce": {
                **when,
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": named,
                "feedbackId": "f",
            }
        },
        "Complaint": {
            "complaint": {
                **when,
                "complainedRecipients": named,
                "feedbackId": f"f-{number}",
                "complaintFeedbackType": "abuse",
            }
        },
        "Reject": {"reject": {"reason": "Bad content"}},
        "Rendering Failure": {"failure": {"errorMessage": "no such attribute", "templateName": "t"}},
        "DeliveryDelay": {"deliveryDelay": {**when, "delayType": "MailboxFull", "delayedRecipients": named}},
    }
    found = {name: {**value, **more} for name, value in details.get(kind, {kind.lower(): {}}).items()}
    return json.dumps({"eventType": kind, "mail": mail, **found})


def by_sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:x:1:t", "Message": body})


def by_eventbridge(body: str) -> str:
    told = {"version": "0", "id": "i", "detail-type": "Email Bounced", "source": "aws.ses", "account": "1"}
    return json.dumps({**told, "detail": json.loads(body)})


def recorded(call: str, account: str = "888888888888", region: str = "us-east-1", **asked: Any) -> str:
    """A call as CloudTrail recorded and EventBridge passed it on; a member ``errorCode`` where it failed."""
    record = {
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "accountId": account},
        "eventTime": stamp(NOW),
        "eventSource": "ses.amazonaws.com",
        "eventName": call,
        "awsRegion": region,
        "recipientAccountId": account,
    }
    error = asked.pop("errorCode", None)
    record |= {} if error is None else {"errorCode": error}
    told = {"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.ses", "account": account}
    return json.dumps({**told, "region": region, "detail": {**record, "requestParameters": asked or None}})
