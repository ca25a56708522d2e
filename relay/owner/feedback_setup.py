"""A feedback path set up by API, part by part; a part that is there is left, or gets only what it lacks."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from relay.identities.accounts import Accounts, Refused
from relay.owner.feedback_path import (
    TARGET,
    FeedbackPath,
    dead_letters_attributes,
    definition,
    event_pattern,
    merged,
    queue_attributes,
    queue_statement,
    topic_statement,
)

_NO_QUEUE: Final = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
_EXISTS: Final = "AlreadyExistsException"
#: An own key of KMS in front of the queue would have to let the sender use it.
ENCRYPTION: Final = (
    "The queue is encrypted with keys of SQS: topic and rule need no right to them.\n"
    "With a key of your own in KMS, its policy must let "
    "sns.amazonaws.com or events.amazonaws.com call kms:GenerateDataKey* and kms:Decrypt."
)


class Setup:
    """
    Sets up one path; may be run again after it failed, or to mend what somebody changed.

    Args:
        accounts: Who is asked; with rights to SES, SQS, and SNS or EventBridge in the path's account.
        path: What to set up.
        tell: Hears of every part that stands.

    """

    def __init__(self, accounts: Accounts, path: FeedbackPath, tell: Callable[[str], None]) -> None:
        self._accounts = accounts
        self._path = path
        self._tell = tell

    def run(self) -> str:
        """
        Set up every part, and return the queue's URL. Events are published only when all the rest stands.

        Raises:
            AwsProblem: A part could not be had; those before it stand.

        """
        path = self._path
        self._ses("get_account")  # whose credentials these are is asked before anything is made
        url = self._queue()
        if path.via == "sns":
            self._topic()
        else:
            self._rule()
        self._let_send(url)
        if path.via == "sns":
            self._subscribe()
        else:
            self._target()
        self._configuration_set()
        self._event_destination()
        return url

    def _queue(self) -> str:
        """Make both queues unless the one is there: then it keeps its attributes, and where its dead letters go."""
        path = self._path
        if (url := self._url_of(path.queue)) is not None:
            self._tell(f"queue {path.queue} is there")
            return url
        if self._url_of(path.dead_letters) is None:
            self._make(path.dead_letters, dead_letters_attributes())
        return self._make(path.queue, queue_attributes(path.dead_letters_arn))

    def _url_of(self, queue: str) -> str | None:
        try:
            return str(self._call("sqs.get_queue_url", QueueName=queue)["QueueUrl"])
        except Refused as refused:
            if refused.code not in _NO_QUEUE:
                raise
            return None

    def _make(self, queue: str, attributes: Mapping[str, Any]) -> str:
        texts = {key: _text(value) for key, value in attributes.items()}
        url = str(self._call("sqs.create_queue", QueueName=queue, Attributes=texts)["QueueUrl"])
        self._tell(f"made queue {queue}")
        return url

    def _topic(self) -> None:
        arn = str(self._call("sns.create_topic", Name=self._path.name)["TopicArn"])
        policy = str(self._call("sns.get_topic_attributes", TopicArn=arn)["Attributes"].get("Policy") or "")
        wanted = merged(policy, topic_statement(self._path))
        if not _is_same(policy, wanted):
            self._call("sns.set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=wanted)
        self._tell(f"topic {self._path.name} stands")

    def _rule(self) -> None:
        path = self._path
        pattern = json.dumps(event_pattern(path))
        about = f"Feedback of SES for {path.configuration_set} to {path.queue}"
        self._call("events.put_rule", Name=path.name, EventPattern=pattern, State="ENABLED", Description=about)
        self._tell(f"rule {path.name} stands")

    def _let_send(self, url: str) -> None:
        asked = self._call("sqs.get_queue_attributes", QueueUrl=url, AttributeNames=["Policy"])
        policy = str((asked.get("Attributes") or {}).get("Policy") or "")
        wanted = merged(policy, queue_statement(self._path))
        if not _is_same(policy, wanted):
            self._call("sqs.set_queue_attributes", QueueUrl=url, Attributes={"Policy": wanted})
        self._tell(f"policy of {self._path.queue} lets {self._path.source_arn} send")

    def _subscribe(self) -> None:
        path = self._path
        attributes = {"RawMessageDelivery": "true"}
        asked = {"TopicArn": path.source_arn, "Protocol": "sqs", "Endpoint": path.queue_arn, "Attributes": attributes}
        self._call("sns.subscribe", **asked, ReturnSubscriptionArn=True)
        self._tell(f"{path.queue} is subscribed to {path.name}")

    def _target(self) -> None:
        path = self._path
        call = "events.put_targets"
        answer = self._call(call, Rule=path.name, Targets=[{"Id": TARGET, "Arn": path.queue_arn}])
        for failed in answer.get("FailedEntries") or ():
            raise Refused(call, str(failed.get("ErrorCode")), str(failed.get("ErrorMessage")))
        self._tell(f"rule {path.name} leads to {path.queue}")

    def _configuration_set(self) -> None:
        name = self._path.configuration_set
        try:
            self._ses("create_configuration_set", ConfigurationSetName=name)
        except Refused as refused:
            if refused.code != _EXISTS:
                raise
            self._tell(f"configuration set {name} is there")
        else:
            self._tell(f"made configuration set {name}")

    def _event_destination(self) -> None:
        path = self._path
        asked = {"ConfigurationSetName": path.configuration_set, "EventDestinationName": path.name}
        try:
            self._ses("create_configuration_set_event_destination", **asked, EventDestination=definition(path))
        except Refused as refused:
            if refused.code != _EXISTS:
                raise
            self._ses("update_configuration_set_event_destination", **asked, EventDestination=definition(path))
        self._tell(f"event destination {path.name} publishes {', '.join(path.events)}")

    def _ses(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._call(f"sesv2.{operation}", **parameters)

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._accounts.call(self._path.account, self._path.region, operation, **parameters)


def _text(value: Any) -> str:
    """SQS takes texts: ``true``, ``60``, JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _is_same(policy: str, wanted: str) -> bool:
    return bool(policy) and json.loads(policy) == json.loads(wanted)
