"""What the tests of this room begin with."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from relay.observe import records
from relay.observe.events import MessageEnded
from relay.words.endings import Outcome, Reason
from relay.words.replies import Reply
from relay.words.transactions import Ending, Session

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LISTENER = "127.0.0.1:2525"
IDENTITY = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
SESSION = Session("s-1", LISTENER, "203.0.113.7", "app.example", "ESMTPSA", "billing")
ROLE = {
    "role": "from",
    "address": "billing@example.com",
    "identity": IDENTITY,
    "chosen": "the domain example.com covers it, and no address identity takes precedence",
    "named": {"by": "X-SES-SOURCE-ARN", "arn": IDENTITY},
    "agreeing": [IDENTITY.replace("example.com", "mail.example.com")],
    "digests": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    "verdict": "allowed",
    "deciding": ["billing/From"],
    "why": None,
}
SENT = Ending(
    Outcome.ACCEPTED,
    Reason.NONE,
    Reply(250, (2, 0, 0), "Ok 0100-sent"),
    {
        "roles": [ROLE, {**ROLE, "role": "feedback"}],
        "display_name": "Billing Department",
        "api": "ses:SendRawEmail",
        "region": "us-east-1",
        "account": "888888888888",
        "mode": "enforce",
        "ses_id": "0100-sent",
        "timings": {"judgement": 0.000041, "ses": 0.0712},
    },
)
SCHEMA: dict[str, Any] = json.loads(Path(records.__file__).with_name("decision-record.schema.json").read_text("utf-8"))


VALIDATOR = Draft202012Validator(SCHEMA)


def assert_valid(kept: object) -> None:
    """Check a record as it is, and as a reader of its JSON sees it."""
    VALIDATOR.validate(kept)
    VALIDATOR.validate(json.loads(json.dumps(kept, allow_nan=False).encode("utf-8")))


def record(ending: Ending = SENT, **changes: Any) -> dict[str, Any]:
    """A record of a message that was sent, but for *changes*."""
    given = {
        "id": "7QXK2",
        "time": NOON.timestamp(),
        "session": SESSION,
        "principal": "arn:aws:iam::111111111111:user/billing",
        "reverse_path": "billing@example.com",
        "recipients": ["ann@example.net", "bob@example.net"],
        "ending": ending,
        "size": 5120,
        "seconds": 0.0931,
    }
    return records.make_record(**{**given, **changes})


def ended(ending: Ending = SENT, *, delegate: str = "billing", **changes: Any) -> MessageEnded:
    """The event of a message that ended so."""
    kept = record(ending, **changes)
    return MessageEnded(delegate, ending.outcome, ending.reason, len(kept["recipients"]), kept["bytes"], 0.0931, kept)
