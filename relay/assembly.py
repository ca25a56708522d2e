"""The only place that names implementations: builds the house from Settings, and knows the order of start and stop."""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from relay import __version__, checks
from relay.audit.trail import Surroundings
from relay.background import call_off, going_on
from relay.caller import OwnCaller
from relay.console.readiness import Check, Readiness, is_ready
from relay.console.server import AdminServer
from relay.courier.attempts import Backdoor
from relay.delegates.registry import Registry
from relay.dispatch import Dispatch
from relay.dns.recipient_domains import RecipientDomains
from relay.feedback.feedback import Feedback
from relay.identities.ports import Directory
from relay.ids import new_id
from relay.judgement.catalog import Catalog
from relay.judgement.own_account import grants_of_account, living_in
from relay.mail.profile import Profile
from relay.observe.events import (
    DelegatesObserved,
    Incident,
    Noted,
    Observer,
    PoliciesForgotten,
    ReadinessSeen,
    StalenessBounded,
)
from relay.observe.loop_lag import watch_loop_lag
from relay.observe.records import Recorder
from relay.reception import Reception
from relay.sending.callers import Caller
from relay.sending.credentials import Credentials
from relay.sending.door import SesDoor
from relay.sending.gates import Gates
from relay.sending.keys import AccessKey, FixedKey
from relay.settings.model import Settings
from relay.sharing import Sharing
from relay.smtp.certificates import CertificateWatch
from relay.smtp.door import StreetDoor
from relay.smtp.held import Held
from relay.smtp.limits import Limits
from relay.translation import (
    USER_AGENT,
    digest_of,
    directory_of,
    dispatch_of,
    domain_lookups_of,
    elsewhere_of,
    entries_of,
    feedback_of,
    hostname_of,
    largest_of,
    limits_of,
    listeners_of,
    observed_of,
    pacer_of,
    pinned_of,
    policy_queues_of,
    postmaster_of,
    roles_of,
    rules_of,
    scoped_of,
    shares_of,
    tls_of,
    tokens_of,
    with_tls,
)
from relay.walk import Clocks, House, Walk
from relay.watching import Watching
from relay.words.delegates import CALLER, NOTIFICATIONS, Delegate
from relay.words.roles import AssumedRole

if TYPE_CHECKING:
    from relay.console.inbox_pages import InboxPort
    from relay.console.interior import Ports
    from relay.desks import Desks
    from relay.feedback.invalidation import PolicyEvents
    from relay.workers.orders import Orders
    from relay.workers.supervisor import Workers

#: What the start waits for roles; mail of one that is not assumed by then waits for it, and nobody else.
ROLES_PATIENCE_SECONDS = 3.0
#: The sections that a reload takes over; the others are read at the start only.
RELOADED = ("delegate", "delegates", "policies", "authorization", "limits", "dns", "feedback", "tls")

#: How late the log tells that observing has ended; verdicts are enforced from the very moment.
OBSERVING_LOOK_SECONDS = 1.0
#: How old the readiness in the metrics is at most.
READINESS_SECONDS = 2.0


class Relay:
    """
    One running relay.

    ``start`` opens the street door last and ``stop`` closes it first: nothing is accepted that cannot be carried out.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        key: AccessKey | None = None,
        observers: Sequence[Observer] = (),
        inbox: "InboxPort | None" = None,
        held: Held | None = None,
    ) -> None:
        """
        Args:
            settings: Without problems.
            key: The access key to sign with; None for the standard chain.
            observers: Told of every event, beside metrics and log.
            inbox: The messages of an embedded SES, for the console.
            held: Listening sockets that somebody opened for us.

        """
        self._settings = settings
        self._observed: dict[str, float] = {}
        around = Surroundings(self._catalog, self._delegates, lambda: self._walk.house.rules, self._forget)
        self._watching = Watching(settings, around, observers)
        self.observe = self._watching.observe
        self._credentials = Credentials(self.observe) if key is None else None
        own = self._credentials or FixedKey(key or AccessKey("", ""))
        self._ses = self._back_door(own)
        self._ses.roles.mended = self._role_mended
        self._caller = OwnCaller(self._ses, lambda: self._settings, self._caller_known, self.observe)
        self._sharing = Sharing(settings, self.observe)
        self.directory = directory_of(settings, self.observe, keeps=True, share=self._sharing.policies)
        self._registry = Registry(entries_of(settings, None), elsewhere_of(settings), observe=self.observe)
        self._walk = Walk(self._house(), self.directory, observe=self.observe, clocks=Clocks(time.time, time.monotonic))
        self._gates = Gates(most=settings.ses.max_connections, now=time.monotonic, chance=random.random)
        self._pacer = pacer_of(
            settings, self._ses, lambda: self._caller.account, self.observe, fleet=self._sharing.fleet
        )
        self._feedback = Feedback(feedback_of(settings), self.observe, sender_of=self._watching.senders.find)
        self._pacer.shares.restraint = self._feedback.restraint
        self._policy_events: PolicyEvents | None = None
        self._reception = Reception(self._walk, self._ses, gates=self._gates, pace=self._pacer)
        self._reception.barred = self._feedback.barred
        door = Backdoor(self._ses, self._gates, self._pacer)
        self._dispatch = Dispatch(dispatch_of(settings), self._walk, door, self.observe)
        self._domains = RecipientDomains(domain_lookups_of(settings), self.observe)
        self._door = self._street_door(held)
        self._workers = None if settings.server.workers == 1 else self._hire(own)
        self._front: StreetDoor | Workers = self._workers or self._door
        self._certificate = CertificateWatch(with_tls(settings), self.observe, _wall)
        self._inbox = inbox
        self._desks: Desks | None = None
        self._admin = self._admin_endpoint()
        self._refreshing: asyncio.Task[None] | None = None
        self._background: list[asyncio.Task[None]] = []
        self._is_open = False

    async def start(self) -> dict[str, object]:
        """
        Open everything, the street door last.

        Returns:
            The addresses that are listened on: ``listeners`` and ``admin``.

        Raises:
            ListenerProblem, OSError: An address cannot be had.
            SpoolProblem: The spool that was asked for cannot be used.

        """
        await self._watching.start()
        await self._ses.start()
        await self._sharing.start()
        if self._credentials is not None:
            await self._credentials.start()
        self._ses.roles.want(roles_of(self._settings))
        await asyncio.gather(self._registry.start(), self._ses.roles.start(ROLES_PATIENCE_SECONDS))
        await self._sharing.begin(self.directory)
        await asyncio.to_thread(self.directory.refresh)
        self._watching.trail.start()
        await self._caller.start()
        self._tell_who_is_observed()
        self.observe(StalenessBounded(self._walk.house.rules.max_stale))
        self._certificate.look_at(self._settings.tls.certificate)
        await self._feedback.start()
        self._reception.keeping = await self._dispatch.start()
        admin = await self._admin.start(self._settings.admin.address.host, self._settings.admin.address.port)
        await self._open_door()
        self._is_open = True
        self._refreshing = self._keep_refreshing()
        await self._hear_of_policies()
        self._background = [
            self._kept_up(partial(watch_loop_lag, self.observe), "loop-lag"),
            self._kept_up(self._caller.run, "caller"),
            self._kept_up(self._pacer.run, "pace"),
            self._kept_up(self._tell_when_observing_ends, "observing"),
            self._kept_up(self._certificate.run, "certificate"),
            self._kept_up(self._keep_telling_readiness, "readiness"),
        ]
        listeners = [address(*bound) for addresses in self._front.addresses.values() for bound in addresses]
        addresses: dict[str, object] = {"listeners": listeners, "admin": address(*admin)}
        told = {**addresses, "version": __version__, "pid": os.getpid(), "settings": digest_of(self._settings)}
        self.observe(Noted("info", "relay.ready", told))
        return addresses

    async def stop(self) -> None:
        """Drain: no new client, running transactions finish, then everything behind them closes. Also half started."""
        was_open, self._is_open = self._is_open, False
        self._tell_readiness()
        until = time.monotonic() + self._settings.server.drain_timeout
        self._dispatch.halt()
        quiet = not was_open or await self._drain_door(self._settings.server.drain_timeout)
        quiet = await self._dispatch.stop(until - time.monotonic()) and quiet
        await call_off(self._refreshing, *self._background)
        if self._workers is not None:
            await self._workers.close()
        self._domains.close()
        if self._policy_events is not None:
            await self._policy_events.close()
        await self._feedback.close()
        await self._pacer.close()
        await self._sharing.close()
        await self._admin.stop()
        if self._credentials is not None:
            await self._credentials.close()
        await self._ses.close()
        self._registry.close()
        if self._desks is not None:
            self._desks.close()
        await self._watching.close(Noted("info", "relay.stopped", {"quiet": quiet}))

    def _back_door(self, key: Credentials | FixedKey) -> SesDoor:
        settings = self._settings.ses
        return SesDoor(
            settings.endpoint_url,
            key,
            self.observe,
            lambda: datetime.now(UTC),
            connect_timeout=settings.connect_timeout,
            read_timeout=settings.read_timeout,
            max_connections=settings.max_connections,
            user_agent=USER_AGENT,
            region=settings.region,
        )

    def _street_door(self, held: Held | None) -> StreetDoor:
        settings = self._settings
        return StreetDoor(
            listeners_of(settings),
            limits=limits_of(settings),
            hostname=hostname_of(settings),
            tls_context=tls_of(settings),
            reception=self._reception,
            delegates=self._registry,
            observe=self.observe,
            make_record=Recorder(clock=time.time, principal_of=self._principal_of),
            new_id=new_id,
            recipient_domains=self._domains,
            held=held,
        )

    def _admin_endpoint(self) -> AdminServer:
        settings = self._settings
        return AdminServer(
            self._watching.metrics.render,
            self.readiness,
            tokens=tokens_of(settings),
            scoped=scoped_of(settings),
            console=settings.admin.console,
            ports=self._furnish,
            observe=self.observe,
        )

    def _furnish(self) -> "Ports":
        """Put the rooms behind the admin endpoint."""
        from relay.desks import Desks, Rooms  # noqa: PLC0415  most relays are asked for their metrics alone

        rooms = Rooms(
            settings=lambda: self._settings,
            directory=lambda: self.directory,
            house=lambda: self._walk.house,
            limits=self._limits,
            delegate=self._delegate,
            registry=self._registry,
            dispatch=self._dispatch,
            roles=self._ses.roles,
            pacer=self._pacer,
            feedback=self._feedback,
            watching=self._watching,
            inbox=self._inbox,
        )
        self._desks = Desks(rooms)
        return self._desks.ports

    async def _open_door(self) -> None:
        """Let clients in: to this process, or to its workers."""
        await self._sharing.watch(self._front)
        if self._workers is not None:
            await self._workers.open(self._orders())
            return
        self._door.renew(limits=self._limits())
        await self._door.open()

    async def _renew_workers(self) -> None:
        if self._workers is not None:
            await self._workers.renew(self._orders())

    def _orders(self) -> "Orders":
        from relay.staffing import orders_of  # noqa: PLC0415  most relays have no workers and load nothing of them

        return orders_of(self._settings, self._caller.arn, keeps=self._reception.keeping is not None)

    def _hire(self, key: Credentials | FixedKey) -> "Workers":
        """Name the rooms that workers need."""
        from relay.staffing import Supervisor, workers_of  # noqa: PLC0415  the same

        house = Supervisor(
            directory=lambda: self.directory,
            keeping=lambda: self._reception.keeping,
            ses=self._ses,
            key=key,
            gates=self._gates,
            pacer=self._pacer,
            feedback=self._feedback,
            observe=self.observe,
            make_record=Recorder(clock=time.time, principal_of=self._principal_of),
            new_id=new_id,
            together=self._watching.together,
        )
        return workers_of(self._settings, house)

    async def _drain_door(self, patience: float) -> bool:
        """Drain the street door in *patience* seconds at most; return whether all came to its own end."""
        if self._workers is not None:
            return await self._workers.drain(patience)
        return await self._door.drain_or_close(patience, self._ses.close)

    async def reload(self, settings: Settings) -> None:
        """
        Take over delegates, policies, rules, limits, the TLS certificate and tokens of the admin endpoint; running
        sessions keep what they began with.

        The other sections stay as they were at the start, and the log says which of them differ.

        Raises:
            OSError, ssl.SSLError: The certificate or a token cannot be read; nothing was changed.

        """
        context = await asyncio.to_thread(tls_of, settings)
        tokens, scoped = tokens_of(settings), scoped_of(settings)
        old = self._settings
        renewed = {name: getattr(settings.admin, name) for name in ("token_file", "token")}
        kept = {name: getattr(old, name) for name in type(old).model_fields if name not in RELOADED}
        kept["admin"] = old.admin.model_copy(update=renewed)
        ignored = [name for name, value in kept.items() if getattr(settings, name) != value]
        self._settings = settings.model_copy(update=kept)
        directory = await self._next_directory() if settings.policies != old.policies else self.directory
        self._watching.metrics.admit([each.name for each in settings.delegate], pinned_of(settings))
        gone = self._ses.roles.want(roles_of(self._settings))
        for role in gone:
            self._gates.forget(role.principal)
        await self._registry.reload(entries_of(settings, self._caller.arn), elsewhere_of(settings))
        # At once, and workers hear of all together: between them an owner would have neither policies nor a seal.
        before, self.directory, self._walk.directory = self.directory, directory, directory
        self._walk.house = self._house()
        self._pacer.shares.shares = shares_of(settings)
        self._domains.renew(domain_lookups_of(self._settings))
        self._door.renew(limits=self._limits(), tls_context=context)
        await self._renew_workers()
        for account in {role.account for role in gone}:
            if not self._ses.roles.of_account(account):
                self._pacer.forget(account)
        await self._let_go(before)
        await self._feedback.renew(feedback_of(self._settings))
        await self._hear_of_policies()
        if context is not None:  # else listeners that have TLS show the old one on
            self._certificate.look_at(settings.tls.certificate)
        self._admin.renew(tokens, scoped)
        self._tell_who_is_observed()
        self.observe(StalenessBounded(self._walk.house.rules.max_stale))
        self.directory.refresh_soon()
        self._dispatch.look()
        await self._registry.start()
        told = {"delegates": len(settings.delegate), "needs_restart": ignored, "settings": digest_of(self._settings)}
        self.observe(Noted("warning" if ignored else "info", "relay.reloaded", told))

    async def _hear_of_policies(self) -> None:
        """Read the queues that tell of changed policies, if there are any."""
        queues = policy_queues_of(self._settings)
        if queues and self._policy_events is None:
            from relay.feedback.invalidation import PolicyEvents  # noqa: PLC0415  the first queue loads it

            self._policy_events = PolicyEvents(lambda: self.directory, self.observe)
        if self._policy_events is not None:
            await self._policy_events.renew(queues)

    async def _next_directory(self) -> Directory:
        """Read policies from where the settings now say; what is known already of the same owners stays known."""
        share = self._sharing.policies
        directory = directory_of(self._settings, self.observe, keeps=True, before=self.directory, share=share)
        await self._sharing.begin(directory)
        await asyncio.to_thread(directory.refresh)
        return directory

    async def _let_go(self, before: Directory) -> None:
        """End the directory of *before*, if there is another one now, which is kept fresh from now on."""
        if before is self.directory:
            return
        await call_off(self._refreshing)
        self._refreshing = self._keep_refreshing()
        for source, place in before.sources.items() - self.directory.sources.items():
            self.observe(PoliciesForgotten(source, *place))

    def _keep_refreshing(self) -> asyncio.Task[None]:
        return self._kept_up(self.directory.run, "policies")

    def _kept_up(self, run: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        going = going_on(run, lambda error: self.observe(Incident(name, "-", error)))
        return asyncio.create_task(going, name=name)

    def readiness(self) -> Readiness:
        """Whether mail can be sent now: asked by load balancers, so it costs nothing and waits for nothing."""
        return (
            checks.of_credentials(self._credentials),
            *checks.of_roles(self._ses.roles, is_used=bool(roles_of(self._settings))),
            checks.of_policies(self.directory, self._walk.house.rules, time.time()),
            checks.of_delegates(self._registry),
            *self._dispatch.check(),
            *self._sharing.check(),
            *checks.of_queues(self._feedback, self._policy_events),
            *checks.of_certificate(self._certificate),
            *checks.of_journal(self._watching.journal),
            *checks.of_workers(self._workers, is_open=self._is_open),
            Check("listeners", self._is_open, "" if self._is_open else "not open"),
        )

    async def _keep_telling_readiness(self) -> None:
        while True:
            self._tell_readiness()
            await asyncio.sleep(READINESS_SECONDS)

    def _tell_readiness(self) -> None:
        told = self.readiness()
        troubled = {check.name: bool(check.why) or not check.ok for check in told}
        self.observe(ReadinessSeen(is_ready(told), troubled))

    def _role_mended(self, role: AssumedRole) -> None:
        """What waited for a role is tried at once, and as fast as its account bears."""
        self._gates.mended(role.principal)
        self._dispatch.look()
        self._pacer.look_again(role.account)

    def _house(self) -> House:
        hostname = hostname_of(self._settings)
        most = largest_of(self._settings)
        return House(self._delegate, rules_of(self._settings), Profile(own_name=hostname), hostname, most)

    def _limits(self) -> Limits:
        return limits_of(self._settings, keeps=self._reception.keeping is not None)

    def _delegate(self, name: str) -> Delegate | None:
        """Find who is to be judged; nobody as long as STS has not told who the caller is."""
        if name == NOTIFICATIONS:
            return postmaster_of(self._settings, self._caller.arn)
        delegate = self._registry.get(name)
        return None if delegate is None or delegate.principal == CALLER else delegate

    def _catalog(self) -> Catalog:
        return self.directory.catalog

    def _delegates(self) -> list[Delegate]:
        """Return all who may be judged."""
        entries = entries_of(self._settings, self._caller.arn)
        return [entry.delegate for entry in entries if entry.delegate.principal != CALLER]

    def _forget(self, before: float) -> None:
        """Let go of decisions that are too old to be kept; blocks."""
        self._watching.journal.forget(before)

    def _principal_of(self, name: str) -> str | None:
        delegate = self._delegate(name)
        return delegate.principal if delegate else None

    async def _caller_known(self, caller: Caller) -> None:
        """Judge delegates that are the relay itself by its name from now on."""
        self._registry.replace(entries_of(self._settings, caller.arn))
        await self._renew_workers()
        self.observe(Noted("info", "caller.known", {"arn": caller.arn}))
        self._warn_of_grants(caller.account)

    def _warn_of_grants(self, account: str) -> None:
        delegates = living_in(account, (entry.delegate for entry in entries_of(self._settings, self._caller.arn)))
        for arn, statement in grants_of_account(self.directory.catalog, account):
            told = {"identity": str(arn), "statement": str(statement), "account": account, "delegates": delegates}
            self.observe(Noted("warning", "policy.grants-own-account", told))

    def _tell_who_is_observed(self) -> None:
        now = time.time()
        observed = {name: until for name, until in observed_of(self._settings).items() if now < until}
        if observed != self._observed:
            self._observed = observed
            self.observe(DelegatesObserved(observed))

    async def _tell_when_observing_ends(self) -> None:
        while True:
            await asyncio.sleep(OBSERVING_LOOK_SECONDS)
            if any(until <= time.time() for until in self._observed.values()):
                self._tell_who_is_observed()


def _wall() -> datetime:
    return datetime.now(UTC)


def address(host: str, port: int) -> str:
    """Write an address as people and URLs do: an IPv6 host stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
