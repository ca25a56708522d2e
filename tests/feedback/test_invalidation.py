"""An owner's change, heard through a queue, has its identity read again: soon, not too often, of our owners only."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.feedback import invalidation
from relay.feedback.invalidation import PolicyEvents
from relay.feedback.queues import Queue
from relay.identities.nothing import NoDirectory
from relay.identities.ports import PlaceState
from relay.observe.events import Noted, QueueRead
from relay.words.arns import IdentityArn
from tests.feedback.conftest import Seen, Sqs, until
from tests.feedback.telling import event, recorded

DOMAIN = IdentityArn("aws", "us-east-1", "888888888888", "example.com")


class Directory(NoDirectory):
    """A directory of one place that remembers what it was told to read again."""

    def __init__(self) -> None:
        super().__init__()
        self.invalidated: list[IdentityArn | None] = []

    def places(self) -> tuple[PlaceState, ...]:
        return (PlaceState("888888888888", "us-east-1", "ses"),)

    def invalidate(self, identity: IdentityArn | None = None) -> bool:
        self.invalidated.append(identity)
        return True


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def events(sqs: Sqs, seen: Seen, directory: Directory, monkeypatch: Any) -> AsyncIterator[PolicyEvents]:
    monkeypatch.setattr(invalidation, "PAUSE", 0.5)
    events = PolicyEvents(lambda: directory, seen)
    await events.renew((Queue(sqs.url),))
    yield events
    await events.close()


def results(seen: Seen) -> list[str]:
    return sorted(each.result for each in seen.of(QueueRead) if each.result not in ("ok", "failed"))


@pytest.mark.usefixtures("events")
async def test_what_changed_is_read_again(sqs, seen, directory):
    sqs.put(
        recorded("PutIdentityPolicy", identity="example.com"),
        recorded("PutIdentityPolicy", account="111111111111", identity="example.com"),
        recorded("PutIdentityPolicy", region="eu-west-1", identity="example.com"),
        recorded("SendEmail"),
        event("Send"),
        "nonsense",
    )
    await until(lambda: len(results(seen)) == 6, "six")
    await until(lambda: sqs.waiting == 0, "an empty queue")

    assert results(seen) == ["ignored", "ignored", "ignored", "malformed", "malformed", "taken"]
    assert directory.invalidated == [DOMAIN]
    assert [each.details["call"] for each in seen.of(Noted) if each.level == "info"] == ["PutIdentityPolicy"]


@pytest.mark.usefixtures("events")
async def test_a_flood_about_one_identity_reads_it_now_and_once_more_at_the_end(sqs, seen, directory):
    """The last change is never missed; another identity does not wait for it."""
    sqs.put(*[recorded("PutIdentityPolicy", identity="example.com") for _ in range(9)], recorded("DeleteIdentity"))
    await until(lambda: len(results(seen)) == 10, "ten")
    assert sorted(directory.invalidated, key=str) == [None, DOMAIN]

    await until(lambda: directory.invalidated.count(DOMAIN) == 2, "the last one")
    assert len(directory.invalidated) == 3


async def test_queues_are_changed_by_a_reload(sqs, seen, directory, events, moto):
    other = Sqs(moto)
    await events.renew((Queue(other.url),))
    sqs.put(recorded("PutIdentityPolicy", identity="example.com"))
    other.put(recorded("PutIdentityPolicy", identity="example.net"))
    await until(lambda: directory.invalidated, "something")

    assert [each.name for each in directory.invalidated] == ["example.net"]
    assert (events.is_read, events.troubles()) == (True, [])
    await events.renew(())
    assert not events.is_read
