"""A feedback path as a template of AWS CloudFormation (AWS CloudFormation User Guide, "Template reference"). Pure."""

from collections.abc import Mapping
from typing import Any, Final

from relay.owner.feedback_path import (
    TARGET,
    FeedbackPath,
    dead_letters_attributes,
    event_pattern,
    publisher_statement,
    queue_attributes,
    sender_statement,
)

_POLICY: Final = "2012-10-17"


def template_of(path: FeedbackPath, delegate: str, *, with_queue: bool = True) -> dict[str, Any]:
    """
    Return the template; account and region are those it is made in.

    Args:
        path: Its ``account`` is not looked at.
        delegate: Whose it is, for the description.
        with_queue: False where the queue is another stack's: its policy must let this one's topic or rule send.

    """
    resources = _queues(path) if with_queue else {}
    resources |= _topic(path, with_queue=with_queue) if path.via == "sns" else _rule(path, with_queue=with_queue)
    outputs: dict[str, Any] = {
        "ConfigurationSet": {"Value": path.configuration_set, "Description": "configuration_set of the delegate"}
    }
    if with_queue:
        outputs["QueueUrl"] = {"Value": {"Ref": "Queue"}, "Description": "queue_url of [feedback]"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Feedback of SES about the mail of the delegate {delegate} of ses-relay",
        "Resources": resources | _events(path),
        "Outputs": outputs,
    }


def _queues(path: FeedbackPath) -> dict[str, Any]:
    dead = {"QueueName": path.dead_letters, **dead_letters_attributes()}
    queue = {"QueueName": path.queue, **queue_attributes(_arn("DeadLetters"))}
    statement = sender_statement(path, _arn("Queue"), _source(path))
    return {
        "DeadLetters": _resource("SQS::Queue", dead),
        "Queue": _resource("SQS::Queue", queue),
        "QueuePolicy": _resource(
            "SQS::QueuePolicy", {"Queues": [{"Ref": "Queue"}], "PolicyDocument": _document(statement)}
        ),
    }


def _topic(path: FeedbackPath, *, with_queue: bool) -> dict[str, Any]:
    own_set = {"Fn::Sub": f"{_sub('ses')}:configuration-set/{path.configuration_set}"}
    statement = publisher_statement(path, {"Ref": "Topic"}, {"Ref": "AWS::AccountId"}, own_set)
    subscription = {
        "Protocol": "sqs",
        "TopicArn": {"Ref": "Topic"},
        "Endpoint": _queue(path, with_queue=with_queue),
        "RawMessageDelivery": True,
    }
    return {
        "Topic": _resource("SNS::Topic", {"TopicName": path.name}),
        "TopicPolicy": _resource(
            "SNS::TopicPolicy", {"Topics": [{"Ref": "Topic"}], "PolicyDocument": _document(statement)}
        ),
        "Subscription": _resource("SNS::Subscription", subscription, after="QueuePolicy" if with_queue else None),
    }


def _rule(path: FeedbackPath, *, with_queue: bool) -> dict[str, Any]:
    target = {"Id": TARGET, "Arn": _queue(path, with_queue=with_queue)}
    rule = {"Name": path.name, "EventPattern": event_pattern(path), "State": "ENABLED", "Targets": [target]}
    return {"Rule": _resource("Events::Rule", rule)}


def _events(path: FeedbackPath) -> dict[str, Any]:
    bus = {"Fn::Sub": f"{_sub('events')}:event-bus/default"}
    place = (
        {"SnsDestination": {"TopicARN": {"Ref": "Topic"}}}
        if path.via == "sns"
        else {"EventBridgeDestination": {"EventBusArn": bus}}
    )
    events = [_camel(event) for event in path.events]
    destination = {"Name": path.name, "Enabled": True, "MatchingEventTypes": events, **place}
    return {
        "ConfigurationSet": _resource("SES::ConfigurationSet", {"Name": path.configuration_set}),
        "EventDestination": _resource(
            "SES::ConfigurationSetEventDestination",
            {"ConfigurationSetName": {"Ref": "ConfigurationSet"}, "EventDestination": destination},
            after="TopicPolicy" if path.via == "sns" else "Rule",
        ),
    }


def _resource(kind: str, properties: Mapping[str, Any], after: str | None = None) -> dict[str, Any]:
    waits = {} if after is None else {"DependsOn": after}
    return {"Type": f"AWS::{kind}", **waits, "Properties": dict(properties)}


def _document(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": _POLICY, "Statement": [dict(statement)]}


def _arn(resource: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, "Arn"]}


def _queue(path: FeedbackPath, *, with_queue: bool) -> dict[str, Any]:
    return _arn("Queue") if with_queue else {"Fn::Sub": f"{_sub('sqs')}:{path.queue}"}


def _source(path: FeedbackPath) -> dict[str, Any]:
    """A rule's by its name: rule and queue policy would wait for each other."""
    return {"Ref": "Topic"} if path.via == "sns" else {"Fn::Sub": f"{_sub('events')}:rule/{path.name}"}


def _sub(service: str) -> str:
    return f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}"


def _camel(event: str) -> str:
    """``RENDERING_FAILURE`` is ``renderingFailure`` to CloudFormation."""
    first, *others = event.lower().split("_")
    return first + "".join(map(str.capitalize, others))
