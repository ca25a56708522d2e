"""What a worker is told of the settings: plain values, the same for all workers but their number."""

import ssl
from dataclasses import field
from pathlib import Path
from typing import Literal

from relay.courier.schedule import Schedule
from relay.delegates.entries import Elsewhere, Entry
from relay.dns.servers import Server
from relay.judgement.rules import Rules
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener
from relay.smtp.tls import server_context
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The certificate of the listeners, as :func:`relay.smtp.tls.server_context` reads it."""

    certificate: Path
    key: Path
    client_ca: Path | None
    require_client_certificate: bool

    def context(self) -> ssl.SSLContext:
        """
        Read it.

        Raises:
            OSError, ssl.SSLError: It cannot be read.
        """
        return server_context(
            self.certificate, self.key, self.client_ca, require_client_certificate=self.require_client_certificate
        )


@dataclass(frozen=True, slots=True)
class WayToSes:
    """How a worker calls SES; ``max_connections`` is its own share."""

    endpoint_url: str | None
    connect_timeout: float
    read_timeout: float
    max_connections: int
    user_agent: str
    region: str | None


@dataclass(frozen=True, slots=True)
class KeepingOrders:
    """How messages are kept; see :class:`relay.reception.Keeping`."""

    mode: Literal["fallback", "spool"]
    budget: float
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class Beginning:
    """
    What a new worker is told first: its ``number`` of so many ``workers``, the descriptor of the ``memory`` that they
    share and the ``key`` of its hash.
    """

    number: int
    workers: int
    memory: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Orders:
    """
    All of it. ``limits`` and ``ses`` are of one worker where they cannot be counted together: octets in memory and
    connections to SES. ``nameservers``: None where recipients' domains are not asked for.
    """

    entries: tuple[Entry, ...]
    elsewhere: Elsewhere
    rules: Rules
    limits: Limits
    hostname: str
    listeners: tuple[Listener, ...]
    tls: TlsFiles | None
    nameservers: tuple[Server, ...] | None
    ses: WayToSes
    keeping: KeepingOrders | None
