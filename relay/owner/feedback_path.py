"""
The way of SES's events back to a delegate: configuration set, event destination, topic or rule, queue. Pure.

SES Developer Guide, "Set up event destinations"; Amazon SNS Developer Guide, "Subscribing an Amazon SQS queue";
Amazon EventBridge User Guide, "Using resource-based policies for Amazon EventBridge".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from relay.identities.names import partition_of
from relay.words.values import dataclass

Via = Literal["sns", "eventbridge"]

#: What is published unless told otherwise: the fate of each message, but not what readers do (that changes the mail).
EVENTS: Final = ("SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "RENDERING_FAILURE", "DELIVERY_DELAY")
#: Seconds that events wait for a relay that is away: the most that SQS keeps anything.
RETENTION: Final = 14 * 86400
#: The one target of the rule: another queue takes the place of the one before.
TARGET: Final = "queue"
#: Readings of one event before it is put aside.
READINGS: Final = 5
_VISIBILITY: Final = 60
_LONG_POLL: Final = 20


@dataclass(frozen=True, slots=True)
class FeedbackPath:
    """
    One delegate's way, by the names of its parts in one account and region.

    ``name``: of the topic or rule, and of the event destination. The queue may be shared with other delegates'.
    """

    account: str
    region: str
    configuration_set: str
    name: str
    queue: str
    via: Via = "sns"
    events: tuple[str, ...] = EVENTS

    @property
    def dead_letters(self) -> str:
        """The queue for events that nobody could read."""
        return f"{self.queue}-dead"

    @property
    def queue_arn(self) -> str:
        """Return its ARN."""
        return self._arn("sqs", self.queue)

    @property
    def dead_letters_arn(self) -> str:
        """Return its ARN."""
        return self._arn("sqs", self.dead_letters)

    @property
    def source_arn(self) -> str:
        """The ARN of what sends to the queue: the topic, or the rule."""
        return self._arn("sns", self.name) if self.via == "sns" else self._arn("events", f"rule/{self.name}")

    @property
    def set_arn(self) -> str:
        """The ARN of the configuration set, which is what publishes to the topic."""
        return self._arn("ses", f"configuration-set/{self.configuration_set}")

    @property
    def bus_arn(self) -> str:
        """The ARN of the only event bus that SES publishes to."""
        return self._arn("events", "event-bus/default")

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{partition_of(self.region)}:{service}:{self.region}:{self.account}:{resource}"


def queue_statement(path: FeedbackPath) -> dict[str, Any]:
    """Return the statement of the queue's policy: one topic or rule may send, nobody else by it."""
    return sender_statement(path, path.queue_arn, path.source_arn)


def sender_statement(path: FeedbackPath, queue: Any, source: Any) -> dict[str, Any]:
    """Return it with *queue* and *source* as they are written where it stands."""
    return {
        "Sid": _sid(path.name),
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com" if path.via == "sns" else "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }


def topic_statement(path: FeedbackPath) -> dict[str, Any]:
    """Return the statement of the topic's policy: SES may publish, for this configuration set of this account."""
    return publisher_statement(path, path.source_arn, path.account, path.set_arn)


def publisher_statement(path: FeedbackPath, topic: Any, account: Any, configuration_set: Any) -> dict[str, Any]:
    """Return it with the names as they are written where it stands."""
    return {
        "Sid": _sid(path.name),
        "Effect": "Allow",
        "Principal": {"Service": "ses.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"aws:SourceAccount": account, "aws:SourceArn": configuration_set}},
    }


def reader_policy(path: FeedbackPath) -> dict[str, Any]:
    """Return the IAM policy that whoever reads the queue needs."""
    actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": path.queue_arn}
    return {"Version": "2012-10-17", "Statement": [statement]}


def event_pattern(path: FeedbackPath) -> dict[str, Any]:
    """Return what the rule lets through: the events of this configuration set."""
    return {"source": ["aws.ses"], "detail": {"mail": {"tags": {"ses:configuration-set": [path.configuration_set]}}}}


def queue_attributes(dead_letters: Any) -> dict[str, Any]:
    """Return the attributes of the queue; its contents are encrypted with keys of SQS, which need no policy."""
    redrive = {"deadLetterTargetArn": dead_letters, "maxReceiveCount": READINGS}
    return {
        "MessageRetentionPeriod": RETENTION,
        "VisibilityTimeout": _VISIBILITY,
        "ReceiveMessageWaitTimeSeconds": _LONG_POLL,
        "SqsManagedSseEnabled": True,
        "RedrivePolicy": redrive,
    }


def dead_letters_attributes() -> dict[str, Any]:
    """Return the attributes of the queue for what nobody could read."""
    return {"MessageRetentionPeriod": RETENTION, "SqsManagedSseEnabled": True}


def definition(path: FeedbackPath) -> dict[str, Any]:
    """Return the event destination as API v2 of SES takes it."""
    place = (
        {"SnsDestination": {"TopicArn": path.source_arn}}
        if path.via == "sns"
        else {"EventBridgeDestination": {"EventBusArn": path.bus_arn}}
    )
    return {"Enabled": True, "MatchingEventTypes": list(path.events), **place}


def merged(policy: str, statement: Mapping[str, Any]) -> str:
    """Return the text of *policy*, empty for none, with *statement* in the place of that of its Sid, or added."""
    document: dict[str, Any] = json.loads(policy) if policy else {"Version": "2012-10-17"}
    known = _listed(document.get("Statement") or [])
    statements = [dict(statement) if each.get("Sid") == statement["Sid"] else each for each in known]
    if dict(statement) not in statements:
        statements.append(dict(statement))
    return json.dumps({**document, "Statement": statements})


def parts(path: FeedbackPath) -> Iterator[tuple[str, str, str]]:
    """Tell every part of the way in the order in which it is set up: what, which, and what it is for."""
    yield "SQS queue", path.dead_letters, f"what could not be read {READINGS} times"
    yield "SQS queue", path.queue, f"keeps events {RETENTION // 86400} days; encrypted with keys of SQS"
    if path.via == "sns":
        yield "SNS topic", path.name, f"only SES may publish, only for {path.configuration_set}"
        yield "queue policy", path.queue, f"only {path.source_arn} may send"
        yield "subscription", path.name, f"the topic to {path.queue}, raw"
    else:
        yield "EventBridge rule", path.name, f"lets through the events of {path.configuration_set}"
        yield "queue policy", path.queue, f"only {path.source_arn} may send"
        yield "rule target", path.name, f"the rule to {path.queue}"
    yield "configuration set", path.configuration_set, "what the delegate's mail is sent with"
    yield "event destination", path.name, ", ".join(path.events)


def _listed(statements: Any) -> list[Mapping[str, Any]]:
    return statements if isinstance(statements, list) else [statements]


def _sid(name: str) -> str:
    """IAM takes letters and digits only, so that two names could meet in one: what is none becomes its number."""
    return "".join(c if c.isalnum() else f"x{ord(c):x}" for c in name)
