"""SQS of moto, and queues in it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from relay.feedback import queues
from relay.observe.events import Event


class Sqs:
    """One queue of moto's."""

    def __init__(self, url: str) -> None:
        self.client = boto3.client(
            "sqs", "us-east-1", endpoint_url=url, aws_access_key_id="AKIAMOTO", aws_secret_access_key="moto"
        )
        self.name = f"queue-{uuid4().hex[:8]}"
        self.make()

    def make(self) -> None:
        self.url = str(self.client.create_queue(QueueName=self.name, Attributes={"VisibilityTimeout": "3"})["QueueUrl"])

    def delete(self) -> None:
        self.client.delete_queue(QueueUrl=self.url)

    def show_again_after(self, seconds: int) -> None:
        """What is read and not deleted within so long is given once more: three seconds, if nothing else is said."""
        self.client.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": str(seconds)})

    def put(self, *bodies: str) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self.client.send_message_batch(QueueUrl=self.url, Entries=entries)

    @property
    def waiting(self) -> int:
        """Messages that are there, seen by somebody or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(map(int, told.values()))


class Seen(list[Any]):
    """An observer that remembers."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self if isinstance(event, kind)]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def sqs(moto: str, monkeypatch: pytest.MonkeyPatch) -> Sqs:
    """An empty queue; the standard chain has a key, polls are short and pauses are."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMOTO")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "moto")
    monkeypatch.setattr(queues, "POLL_SECONDS", 1)
    monkeypatch.setattr(queues, "PAUSE", 0.05)
    monkeypatch.setattr(queues, "LONGEST_PAUSE", 0.2)
    return Sqs(moto)


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def until(holds: Callable[[], Any], what: str = "", seconds: float = 30) -> Any:
    """Wait until *holds* returns something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := await asyncio.to_thread(holds):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"never {what}")
