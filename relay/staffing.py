"""
Settings and the supervisor's rooms into the workers of ``server.workers``.

Loaded where there are some: one process that does all has nothing of it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from relay.courier.schedule import Schedule
from relay.feedback.feedback import Feedback
from relay.identities.ports import Directory
from relay.observe.events import Observer
from relay.reception import Keeping
from relay.sending.credentials import Credentials
from relay.sending.door import SesDoor
from relay.sending.gates import Gates
from relay.sending.keys import AccessKey, FixedKey, Unusable
from relay.sending.pace.pacer import Pacer
from relay.sending.ports import NotNow
from relay.settings.model import Settings
from relay.smtp.gossip import Gossip
from relay.smtp.limits import Limits
from relay.smtp.ports import MakeRecord
from relay.spool.ports import Full, Intake
from relay.translation import (
    USER_AGENT,
    dispatch_of,
    elsewhere_of,
    entries_of,
    hostname_of,
    limits_of,
    listeners_of,
    rules_of,
)
from relay.words.apis import LARGEST
from relay.words.roles import AssumedRole
from relay.words.values import dataclass
from relay.workers.desk import Rooms
from relay.workers.mirror import Sights
from relay.workers.orders import KeepingOrders, Orders, TlsFiles, WayToSes
from relay.workers.supervisor import Staff, Workers


@dataclass(frozen=True, slots=True)
class Supervisor:
    """The rooms of the supervisor that its workers need."""

    directory: Callable[[], Directory]
    keeping: Callable[[], Keeping | None]
    ses: SesDoor
    key: Credentials | FixedKey
    gates: Gates
    pacer: Pacer
    feedback: Feedback
    observe: Observer
    make_record: MakeRecord
    new_id: Callable[[], str]
    together: Callable[[], AbstractContextManager[None]]


def workers_of(settings: Settings, house: Supervisor) -> Workers:
    """Return the workers of ``server.workers``, nobody yet at work."""
    gossip = Gossip()
    rooms = Rooms(
        house.directory, house.pacer, house.gates, house.key, house.ses.roles, house.keeping, _nothing, house.observe
    )
    staff = Staff(settings.server.workers, house.observe, house.make_record, house.new_id, house.together)
    return Workers(staff, rooms, _sights_of(house, gossip), gossip)


def _sights_of(house: Supervisor, gossip: Gossip) -> Sights:
    def barred() -> Mapping[str, NotNow]:
        return {name: replace(told, seconds=0.0) for name, told in house.feedback.all_barred().items()}

    def keys() -> Mapping[AssumedRole | None, AccessKey | Unusable]:
        own: dict[AssumedRole | None, AccessKey | Unusable] = {None: house.key.state}
        return own | house.ses.roles.states()

    def refused() -> tuple[int, Full] | None:
        keeping = house.keeping()
        return None if keeping is None else _refused_from(keeping.spool)

    return Sights(lambda: house.directory().catalog, house.gates.shut, barred, keys, refused, lambda: gossip.key)


def _refused_from(spool: Intake) -> tuple[int, Full] | None:
    """Return the least size of a message that finds no room, and why; None where the largest finds some."""
    full = spool.room(LARGEST)
    if full is None:
        return None
    fits, refused = -1, LARGEST
    while refused - fits > 1:
        between = (fits + refused) // 2
        if (why := spool.room(between)) is None:
            fits = between
        else:
            refused, full = between, why
    return refused, full


async def _nothing() -> None:
    """Whoever makes workers of it puts something better in its place."""


def orders_of(settings: Settings, caller: str | None, *, keeps: bool) -> Orders:
    """
    Return what a worker is told of the settings; *keeps*: there is a spool.

    Octets in memory, and connections to SES beside the courier's, are divided among the workers.
    """
    limits, ses, delivery = limits_of(settings, keeps=keeps), settings.ses, dispatch_of(settings)
    couriers = delivery.bounds.calls if keeps else 0
    return Orders(
        entries=tuple(entries_of(settings, caller)),
        elsewhere=elsewhere_of(settings),
        rules=rules_of(settings),
        limits=_share_of(limits, settings.server.workers),
        hostname=hostname_of(settings),
        listeners=listeners_of(settings),
        tls=_tls_of(settings),
        nameservers=settings.dns.nameservers if settings.dns.check_recipient_domains else None,
        ses=WayToSes(
            endpoint_url=ses.endpoint_url,
            connect_timeout=ses.connect_timeout,
            read_timeout=ses.read_timeout,
            max_connections=max(1, (ses.max_connections - couriers) // settings.server.workers),
            user_agent=USER_AGENT,
            region=ses.region,
        ),
        keeping=_keeping_of(delivery.mode, delivery.budget, delivery.schedule) if keeps else None,
    )


def _share_of(limits: Limits, workers: int) -> Limits:
    """Divide the memory for messages; a worker takes the largest there is all the same."""
    return replace(limits, inflight_bytes=max(limits.inflight_bytes // workers, 1))


def _tls_of(settings: Settings) -> TlsFiles | None:
    tls = settings.tls
    if tls.certificate is None or tls.key is None:
        return None
    return TlsFiles(tls.certificate, tls.key, tls.client_ca, tls.require_client_certificate)


def _keeping_of(mode: str, budget: float, schedule: Schedule) -> KeepingOrders | None:
    if mode == "direct":
        return None
    return KeepingOrders("spool" if mode == "spool" else "fallback", budget, schedule)
