"""Events on their way to a queue, to topics and to buses: moto's server speaks SQS, SNS and EventBridge."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from relay.localses.app import LocalSes
from relay.localses.configuration_sets import ConfigurationSets
from relay.localses.identities import Identities
from relay.localses.keys import DEMO_KEYS, UNKNOWN_PRINCIPAL, Key
from relay.localses.outlet import Outlet, queue_at
from tests.localses.running import MESSAGE, Door, House

KEY = Key("AKIAMOTO", "moto", UNKNOWN_PRINCIPAL)
SEND = {"Source": "ann@example.com", "RawMessage": {"Data": MESSAGE}}


class Aws:
    """Moto's server, and clients of it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str) -> Any:
        return boto3.client(
            service, "us-east-1", endpoint_url=self.url, aws_access_key_id=KEY.id, aws_secret_access_key=KEY.secret
        )

    def queue(self, name: str) -> str:
        return str(self.client("sqs").create_queue(QueueName=name)["QueueUrl"])

    def bodies(self, queue: str, number: int) -> list[dict[str, Any]]:
        """The bodies in a queue once there are so many."""
        found: list[dict[str, Any]] = []
        sqs, deadline = self.client("sqs"), time.monotonic() + 20
        while len(found) < number and time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            found += [json.loads(each["Body"]) for each in answer.get("Messages", [])]
        assert len(found) == number, found
        return found

    def subscribed(self, name: str) -> tuple[str, str]:
        """A topic and a queue that it fills."""
        queue, topic = self.queue(name), self.client("sns").create_topic(Name=name)["TopicArn"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, queue


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield Aws(f"http://{host}:{port}")
    server.stop()


def places(door: Door) -> list[str]:
    """What became of every event at every place."""
    return [state for each in door.local("GET", "events")[1] for state in each["places"].values()]


def settled(door: Door, holds: Callable[[list[str]], Any]) -> list[str]:
    deadline = time.monotonic() + 20
    while not holds(places(door)):
        assert time.monotonic() < deadline, places(door)
        time.sleep(0.02)
    return places(door)


def test_every_event_goes_to_the_queue_in_order(house: House, aws: Aws) -> None:
    """As event publishing tells it, of any message, with or without a configuration set."""
    queue = aws.queue("all")
    outlet = Outlet(KEY, queue=queue_at(queue, "us-east-1"))
    with house.running(LocalSes(DEMO_KEYS, outlet=outlet)) as door:
        message_id = door.client().send_raw_email(**SEND, Destinations=["complaint@simulator.amazonses.com"])[
            "MessageId"
        ]
        bodies = aws.bodies(queue, 3)
        told = [each["event"] for each in door.local("GET", "events")[1]]
        assert set(settled(door, lambda states: "waits" not in states)) == {"told"}

    assert [body["eventType"] for body in bodies] == ["Send", "Delivery", "Complaint"]
    assert {body["mail"]["messageId"] for body in bodies} == {message_id}
    assert bodies == told


def test_the_topic_of_a_configuration_set_hears_what_it_asked_for(house: House, aws: Aws) -> None:
    """Through SNS and its envelope, to the queue that is subscribed; other types are not told there."""
    topic, queue = aws.subscribed("set")
    with house.running(LocalSes(DEMO_KEYS, outlet=Outlet(KEY, endpoint=aws.url))) as door:
        v2 = door.client("sesv2")
        v2.create_configuration_set(ConfigurationSetName="news")
        for name, enabled in (("on", True), ("off", False)):
            v2.create_configuration_set_event_destination(
                ConfigurationSetName="news",
                EventDestinationName=name,
                EventDestination={
                    "Enabled": enabled,
                    "MatchingEventTypes": ["BOUNCE", "COMPLAINT"],
                    "SnsDestination": {"TopicArn": topic},
                },
            )
        raw = b"X-SES-MESSAGE-TAGS: team=mail\r\nX-SES-CONFIGURATION-SET: news\r\n" + MESSAGE
        for destination in ("bounce@simulator.amazonses.com", "b@example.net"):
            door.client().send_raw_email(RawMessage={"Data": raw}, Destinations=[destination])
        (envelope,) = aws.bodies(queue, 1)

    record = json.loads(envelope["Message"])
    assert (envelope["Type"], envelope["TopicArn"]) == ("Notification", topic)
    assert record["eventType"] == "Bounce"
    assert record["mail"]["tags"]["ses:configuration-set"] == ["news"]
    assert record["mail"]["tags"]["team"] == ["mail"]


def test_the_bus_of_a_configuration_set_hears_too(house: House, aws: Aws) -> None:
    """EventBridge, in its envelope: ``detail-type``, source ``aws.ses``, the record as ``detail``."""
    queue = aws.queue("bus")
    events = aws.client("events")
    events.put_rule(Name="ses", EventPattern=json.dumps({"source": ["aws.ses"]}), State="ENABLED")
    events.put_targets(Rule="ses", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:bus"}])
    owner = Key("AKOWNER", "s", "arn:aws:iam::123456789012:user/owner")
    with house.running(LocalSes([owner], outlet=Outlet(KEY, endpoint=aws.url))) as door:
        v2 = door.client("sesv2", owner.id, owner.secret)
        v2.create_configuration_set(ConfigurationSetName="news")
        v2.create_configuration_set_event_destination(
            ConfigurationSetName="news",
            EventDestinationName="bus",
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["DELIVERY"],
                "EventBridgeDestination": {"EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/default"},
            },
        )
        door.client(key=owner.id, secret=owner.secret).send_raw_email(**SEND, ConfigurationSetName="news")
        (envelope,) = aws.bodies(queue, 1)

    assert (envelope["source"], envelope["detail-type"]) == ("aws.ses", "Email Delivered")
    assert envelope["resources"] == ["arn:aws:ses:us-east-1:123456789012:configuration-set/news"]
    assert envelope["detail"]["eventType"] == "Delivery"


@pytest.mark.parametrize("with_headers", [False, True])
def test_the_topics_of_an_identity_hear_in_the_shape_of_notifications(
    house: House, aws: Aws, with_headers: bool
) -> None:
    """``notificationType``, without tags, with header fields only where they were asked for."""
    topic, queue = aws.subscribed(f"identity-{with_headers}")
    with house.running(LocalSes(DEMO_KEYS, outlet=Outlet(KEY, endpoint=aws.url))) as door:
        v1 = door.client()
        v1.verify_domain_identity(Domain="example.com")
        v1.set_identity_notification_topic(Identity="example.com", NotificationType="Bounce", SnsTopic=topic)
        v1.set_identity_headers_in_notifications_enabled(
            Identity="example.com", NotificationType="Bounce", Enabled=with_headers
        )
        v1.send_raw_email(**SEND, Destinations=["bounce@simulator.amazonses.com"])
        (envelope,) = aws.bodies(queue, 1)

    record = json.loads(envelope["Message"])
    mail = record["mail"]
    assert (record["notificationType"], "eventType" in record, "tags" in mail) == ("Bounce", False, False)
    assert mail["sourceArn"] == "arn:aws:ses:us-east-1:888888888888:identity/example.com"
    assert mail["sourceIp"] == "127.0.0.1"
    assert {name in mail for name in ("headers", "headersTruncated", "commonHeaders")} == {with_headers}


def test_no_place_ever_keeps_a_sender_waiting(house: House, aws: Aws) -> None:
    """A queue that is not there, a server that is not there: the message is accepted, and what happened is said."""
    gone = Outlet(KEY, queue=queue_at(f"{aws.url}/123456789012/nowhere", "us-east-1"))
    with house.running(LocalSes(DEMO_KEYS, outlet=gone)) as door:
        assert door.client().send_raw_email(**SEND)["MessageId"]
        assert settled(door, lambda states: "waits" not in states) == ["refused with status 400"] * 2
    away = Outlet(KEY, queue=queue_at("http://127.0.0.1:9/123456789012/nowhere", "us-east-1"))
    with house.running(LocalSes(DEMO_KEYS, outlet=away)) as door:
        assert door.client().send_raw_email(**SEND)["MessageId"]
        assert places(door) == ["waits", "waits"]


def test_without_a_way_there_events_are_told_at_hand(house: House) -> None:
    """``/_local/events`` names the topic that would have heard."""
    with house.running(LocalSes(DEMO_KEYS)) as door:
        v1, topic = door.client(), "arn:aws:sns:us-east-1:888888888888:feedback"
        v1.verify_domain_identity(Domain="example.com")
        v1.set_identity_notification_topic(Identity="example.com", NotificationType="Delivery", SnsTopic=topic)
        v1.send_raw_email(**SEND)

        assert [each["places"] for each in door.local("GET", "events")[1]] == [{}, {topic: "no way there"}]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/111111111111/events", "eu-west-1"),
        ("http://sqs.us-west-2.localhost.example:4566/000000000000/events", "us-west-2"),
        ("http://127.0.0.1:5000/123456789012/events", "ap-south-1"),
    ],
)
def test_a_queue_is_in_the_region_of_its_name(url: str, region: str) -> None:
    assert queue_at(url, "ap-south-1").owner.region == region


@pytest.mark.parametrize(
    "url", ["", "events", "ftp://a/b", "http://", "http://u:p@host/q", "http://[::1/q", "http://a b/"]
)
def test_what_is_no_queue_is_said(url: str) -> None:
    with pytest.raises(ValueError, match="is no URL"):
        queue_at(url, "us-east-1")


def test_a_set_that_is_gone_hears_nothing(house: House, aws: Aws) -> None:
    """A configuration set that was deleted since the message does not keep an event from being told."""
    identities = Identities()
    with house.running(LocalSes(DEMO_KEYS, identities=identities, outlet=Outlet(KEY, endpoint=aws.url))) as door:
        door.client("sesv2").create_configuration_set(ConfigurationSetName="news")
        message_id = door.client().send_raw_email(**SEND, ConfigurationSetName="news")["MessageId"]
        identities.configuration_sets = ConfigurationSets()
        assert door.local("POST", "events", {"message_id": message_id, "type": "Complaint"})[1]["places"] == {}
