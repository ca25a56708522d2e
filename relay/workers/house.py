"""What a worker is made of: the rooms between the street door and SES, put together from its orders."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from relay.courier.clock import Steady
from relay.delegates.registry import Registry
from relay.dns.recipient_domains import Ask, RecipientDomains
from relay.dns.servers import Server, system_servers
from relay.ids import new_id
from relay.mail.profile import Profile
from relay.observe.events import Event, Observer
from relay.observe.records import Recorder
from relay.reception import Keeping, Reception
from relay.sending.door import SesDoor
from relay.sending.ports import NotNow
from relay.smtp.door import Siblings, StreetDoor
from relay.walk import Clocks, House, Walk
from relay.words.delegates import CALLER, Delegate
from relay.words.values import dataclass
from relay.workers.asking import Asking
from relay.workers.far import FarGates, FarIdentities, FarKey, FarPace, FarRoles, FarSpool, FarSuccessor
from relay.workers.orders import Orders


@dataclass(frozen=True, slots=True)
class FarRooms:
    """The supervisor's rooms, as they are seen from here. ``barred`` tells of a delegate that may not send."""

    asking: Asking
    identities: FarIdentities
    gates: FarGates
    pace: FarPace
    spool: FarSpool
    key: FarKey
    roles: FarRoles
    barred: Callable[[str], NotNow | None]
    observe: Observer


class WorkersHouse:
    """
    One worker's rooms. What lies elsewhere of credentials (files, secrets, keys of issuers) it reads itself; of trouble
    with that the supervisor tells, who reads it as well.
    """

    def __init__(self, orders: Orders, siblings: Siblings, far: FarRooms) -> None:
        """
        Raises:
            ListenerProblem, OSError: A listener cannot open so, or the certificate cannot be read.
        """
        self._identities = far.identities
        self._registry = Registry(orders.entries, orders.elsewhere, observe=_nobody)
        clocks = Clocks(time.time, time.monotonic)
        self._walk = Walk(self._rules(orders), far.identities, observe=far.observe, clocks=clocks)
        ses = orders.ses
        self._ses = SesDoor(
            ses.endpoint_url,
            far.key,
            far.observe,
            _wall,
            connect_timeout=ses.connect_timeout,
            read_timeout=ses.read_timeout,
            max_connections=ses.max_connections,
            user_agent=ses.user_agent,
            region=ses.region,
        )
        self._ses.roles = far.roles
        reception = Reception(self._walk, self._ses, gates=far.gates, pace=far.pace)
        reception.barred = far.barred
        reception.keeping = self._keeping(orders, far)
        self._domains = RecipientDomains(_ask_of(orders), far.observe)
        self.door = StreetDoor(
            orders.listeners,
            limits=orders.limits,
            hostname=orders.hostname,
            tls_context=None if orders.tls is None else orders.tls.context(),
            reception=reception,
            delegates=self._registry,
            observe=far.observe,
            make_record=Recorder(clock=time.time, principal_of=self._principal_of),
            new_id=new_id,
            recipient_domains=self._domains,
            siblings=siblings,
        )

    async def open(self) -> None:
        """
        Open the door.

        Raises:
            ListenerProblem: An address cannot be had.
        """
        await self._ses.start()
        await self._registry.start()
        await self.door.open()

    async def renew(self, orders: Orders) -> None:
        """
        Take over other orders, as far as a reload does.

        Raises:
            OSError, ssl.SSLError: The certificate cannot be read; nothing was changed.
        """
        context = None if orders.tls is None else await asyncio.to_thread(orders.tls.context)
        await self._registry.reload(orders.entries, orders.elsewhere)
        self._walk.house = self._rules(orders)
        self._identities.release()
        self._domains.renew(_ask_of(orders))
        self.door.renew(limits=orders.limits, tls_context=context)
        await self._registry.start()

    async def drain(self, patience: float) -> bool:
        """Drain the door in *patience* seconds at most; return whether all came to its own end."""
        return await self.door.drain_or_close(patience, self._ses.close)

    async def close(self) -> None:
        """Close what is left."""
        await self.door.close()
        self._domains.close()
        await self._ses.close()
        self._registry.close()

    def _rules(self, orders: Orders) -> House:
        profile = Profile(own_name=orders.hostname)
        return House(self._delegate, orders.rules, profile, orders.hostname, orders.limits.message_bytes)

    def _delegate(self, name: str) -> Delegate | None:
        """Find who is to be judged; nobody as long as STS has not told who the caller is."""
        delegate = self._registry.get(name)
        return None if delegate is None or delegate.principal == CALLER else delegate

    def _principal_of(self, name: str) -> str | None:
        delegate = self._delegate(name)
        return delegate.principal if delegate else None

    def _keeping(self, orders: Orders, far: FarRooms) -> Keeping | None:
        keeping = orders.keeping
        if keeping is None:
            return None
        now = far.spool.now = Steady(time.time, time.monotonic, _nobody).now
        successor = FarSuccessor(far.asking, keeping.schedule, now)
        return Keeping(keeping.mode, far.spool, successor, now, keeping.budget, keeping.schedule.longest)


def _ask_of(orders: Orders) -> Ask | None:
    if orders.nameservers is None:
        return None
    from relay.dns.resolver import Resolver  # noqa: PLC0415 - a moment of every start, for those who want it

    nameservers: Sequence[Server] = orders.nameservers
    return Resolver(lambda: nameservers or system_servers()).ask


def _nobody(event: Event) -> None:
    """The supervisor tells of it, once."""


def _wall() -> datetime:
    return datetime.now(UTC)
