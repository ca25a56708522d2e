"""The back door, open on a tiny SES."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.observe.events import Event, SesCalled
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey
from relay.sending.outcomes import Mail

from .listeners import Listener, listening

KEY = AccessKey("AKIAEXAMPLE", "canary-secret", "canary-token")
MAIL = Mail(
    "bounce@example.com",
    ("b@example.net", "c@example.net"),
    "arn:aws:ses:us-east-1:888888888888:identity/example.com",
    "arn:aws:ses:us-east-1:888888888888:identity/a@example.com",
    "arn:aws:ses:us-east-1:888888888888:identity/example.com",
    b"From: a@example.com\r\n\r\ncanary-body\r\n",
)


@dataclass
class Recorder:
    """An observer that keeps what it hears."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def results(self) -> list[str]:
        return [event.result for event in self.events if isinstance(event, SesCalled)]


@asynccontextmanager
async def opened(url: str | None, recorder: Recorder, **changes: Any) -> AsyncIterator[SesDoor]:
    credentials = changes.pop("credentials", FixedKey(KEY))
    clock = changes.pop("clock", lambda: datetime.now(UTC))
    settings = {"connect_timeout": 5.0, "read_timeout": 10.0, "max_connections": 10, "user_agent": "ses-relay/test"}
    door = SesDoor(url, credentials, recorder, clock, **{**settings, **changes})
    await door.start()
    try:
        yield door
    finally:
        await door.close()


@pytest.fixture
def heard() -> Recorder:
    return Recorder()


@pytest.fixture
async def ses() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


@pytest.fixture
async def door(ses: Listener, heard: Recorder) -> AsyncIterator[SesDoor]:
    async with opened(ses.url, heard) as door:
        yield door


@pytest.fixture
def open_door(heard: Recorder) -> Callable[..., Any]:
    """A door with other settings: ``async with open_door(url, read_timeout=0.2) as door``."""
    return lambda url, **changes: opened(url, heard, **changes)
