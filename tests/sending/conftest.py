"""The back door, open on a tiny SES."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider
from botocore.utils import ContainerMetadataFetcher

from relay.observe.events import Event, Noted, SesCalled
from relay.sending import credentials as room
from relay.sending.credentials import Credentials
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey
from relay.sending.outcomes import Mail

from .listeners import Listener, listening
from .vendor import Shop, opened_shop

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


def notes(heard: Recorder) -> list[str]:
    return [event.event for event in heard.events if isinstance(event, Noted)]


# --- where keys come from ---------------------------------------------------------------------------------------------


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Nothing of the machine the tests run on is found."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "ROLE_ARN"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE", raising=False)
    for name in ("RELATIVE_URI", "FULL_URI"):
        monkeypatch.delenv(f"AWS_CONTAINER_CREDENTIALS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("BOTO_CONFIG", str(tmp_path / "boto"))
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0.0)
    for provider in (SSOProvider, SSOTokenProvider):
        monkeypatch.setattr(provider, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / "sso"))


@pytest.fixture
def shop() -> Iterator[Shop]:
    with opened_shop() as shop:
        yield shop


@pytest.fixture
def container(monkeypatch, shop):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{shop.url}/key")
    return shop


@pytest.fixture
def impatient(monkeypatch):
    """No pause between two looks."""
    monkeypatch.setattr(room, "PAUSE", 0.0)


async def settled(credentials: Credentials) -> None:
    if credentials._look is not None:
        await asyncio.wait([credentials._look])
