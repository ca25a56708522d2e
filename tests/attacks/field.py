"""
The field: a whole relay in this process, a recording SES behind it, and clients that come from addresses of their own.

In one process and one event loop, so that a segment that is sent is a segment that is read; and every client has its
own loopback address, which the Received field tells, so that hundreds play at once and each one's mail is known.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from relay.assembly import Relay
from relay.observe.events import Incident, Observer
from relay.sending.keys import AccessKey
from relay.settings.reading import read_settings
from relay.smtp.inflow import Inflow
from tests.attacks.cases import FIXTURE
from tests.smtp import stage
from tests.system.attack_field import write_settings
from tests.system.recording_ses import RecordingSes, Taken
from tests.system.relays import RunningRelay, plain_response, split, started, trusting

_CLIENT: Final = re.compile(rb"\(\[(127\.\d+\.\d+\.\d+)\]\)")

#: How the octets of a dialogue's step, given by its number, are cut into segments.
Cut = Callable[[int, bytes], Iterable[bytes]]


def whole(_: int, octets: bytes) -> list[bytes]:
    return [octets]


def old_context() -> ssl.SSLContext:
    """A client that knows nothing newer than TLS 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


class Client(stage.Client):
    """A client with an address of its own."""

    address = ""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.heard: list[str] = []

    async def reply(self, seconds: float = 20) -> str:
        """Return the next reply, as its parent does, and remember it."""
        self.heard.append(await super().reply(seconds))
        return self.heard[-1]

    @classmethod
    async def of(cls, address: str, to: str, tls: ssl.SSLContext | None = None) -> Client:
        host, port = split(to)
        reader, writer = await asyncio.open_connection(
            host, port, ssl=tls, server_hostname="relay.test" if tls else None, local_addr=(address, 0)
        )
        client = cls(reader, writer)
        client.address = address
        return client

    async def sends(self, pieces: Iterable[bytes]) -> None:
        """Send each piece as a segment that the relay reads before the next is sent."""
        for piece in pieces:
            if self.writer.is_closing():
                raise ConnectionResetError("hung up")
            self.writer.write(piece)
            await asyncio.sleep(0)  # one turn of the loop to write it,
            await asyncio.sleep(0)  # and one to read it
        await self.writer.drain()


@dataclass
class Field:
    """An open field."""

    relay: Relay | RunningRelay
    ses: RecordingSes
    starttls: str
    implicit: str
    clear: str
    segments: Counter[int] = field(default_factory=Counter)
    incidents: list[Incident] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    _addresses: Iterator[str] = field(
        default_factory=lambda: (
            f"127.{a}.{b}.{c}" for a, b, c in itertools.product(range(9, 99), range(256), range(1, 255))
        )
    )

    def address(self) -> str:
        """An address that nobody has come from yet."""
        return next(self._addresses)

    async def connected(self, *, implicit: bool = False, clear: bool = False, address: str = "") -> Client:
        """A client that has said nothing yet; from an address of its own unless one is given."""
        to = self.clear if clear else self.implicit if implicit else self.starttls
        client = await Client.of(address or self.address(), to, trusting() if implicit else None)
        self.clients.append(client)
        return client

    async def leave(self) -> None:
        """Hang up on every connection that is left."""
        for client in self.clients:
            client.vanish()
        await asyncio.gather(*(client.close() for client in self.clients))
        self.clients.clear()

    async def opened(self, preamble: str, delegate: str, *, clear: bool = False) -> Client:
        """A client that has come as far as *preamble* says; *clear*: with AUTH, but without TLS."""
        if preamble.startswith("connect_"):
            return await self.connected()
        implicit = preamble.startswith("implicit")
        client = await self.connected(implicit=implicit, clear=clear)
        await client.reply()
        if preamble != "connect":
            await client.says("EHLO client.test")
        if preamble in ("connect", "greeted", "implicit_tls_greeted"):
            return client
        if not clear:
            assert (await client.says("STARTTLS")).startswith("220")
            if preamble == "starttls_sent":
                return client
            await client.start_tls(trusting())
            if preamble == "tls_connect":
                return client
            await client.says("EHLO client.test")
        if preamble == "authed":
            answer = await client.says(f"AUTH PLAIN {plain_response(delegate, FIXTURE['users'][delegate])}")
            assert answer.startswith("235"), answer
        return client

    def taken_from(self, client: Client) -> list[Taken]:
        """What reached SES from this client; its address is in our Received field."""
        return [each for each in self.ses.taken if address_in(each) == client.address]

    def forget(self, client: Client) -> None:
        """Forget what reached SES from this client."""
        self.clients.remove(client)
        self.ses.taken[:] = [each for each in self.ses.taken if address_in(each) != client.address]


def told_of(incidents: list[Incident]) -> Observer:
    """Keep what is the relay's own fault."""
    return lambda event: incidents.append(event) if isinstance(event, Incident) else None


def address_in(taken: Taken) -> str:
    found = _CLIENT.search(taken.head)
    return found[1].decode() if found else ""


@asynccontextmanager
async def open_field(
    folder: Path, certificate: tuple[Path, Path], *, password_file: Path | None = None
) -> AsyncIterator[Field]:
    """
    Open the field of attacks_fixture.json.

    Args:
        password_file: Holds the first user's password.
    """
    clear = '[[listener]]\naddress = "127.0.0.2:0"\ntls = "off"\nallow_plaintext_auth = true\n\n'
    segments: Counter[int] = Counter()
    with RecordingSes() as ses, counted(segments):
        path = write_settings(folder, certificate=certificate[0], key=certificate[1], ses=ses.url)
        text = path.read_text().replace("[tls]", f"{clear}[tls]") + '[log]\nlevel = "error"\n'
        if password_file is not None:
            text = text.replace("password_hash", f'password_file = "{password_file}" #', 1)
        path.write_text(text)
        settings = read_settings(path, {}).settings
        assert settings is not None, read_settings(path, {}).problems
        incidents: list[Incident] = []
        relay = Relay(settings, key=AccessKey("AKIAEXAMPLE", "example"), observers=[told_of(incidents)])
        try:
            addresses = (await relay.start())["listeners"]
            assert isinstance(addresses, list)
            starttls, implicit, in_clear = addresses
            yield Field(relay, ses, starttls, implicit, in_clear, segments, incidents)
        finally:
            await relay.stop()


@contextmanager
def open_relay(folder: Path, certificate: tuple[Path, Path], environ: dict[str, str] | None = None) -> Iterator[Field]:
    """Open the field with its relay in a process of its own."""
    with RecordingSes() as ses:
        settings = write_settings(folder, certificate=certificate[0], key=certificate[1], ses=ses.url)
        with started(["serve", "-c", str(settings)], folder, environ) as relay:
            starttls, implicit = relay.addresses["listeners"][:2]
            yield Field(relay, ses, starttls, implicit, clear="")


@contextmanager
def counted(segments: Counter[int]) -> Iterator[None]:
    """Count the lengths of what the relay reads, so that a test can tell that its segments came as segments."""
    really = Inflow.feed

    def feed(inflow: Inflow, data: bytes) -> None:
        segments[len(data)] += 1
        really(inflow, data)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Inflow, "feed", feed)
        yield
