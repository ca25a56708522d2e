"""The only place that names implementations: builds the house from Settings, and knows the order of start and stop."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from relay import __version__
from relay.console.readiness import Check, Readiness
from relay.console.server import AdminServer
from relay.delegates.registry import Registry
from relay.mail.profile import Profile
from relay.observe.events import Noted, Observer
from relay.observe.libraries import take_over_logging
from relay.observe.lines import Lines
from relay.observe.log import Log
from relay.observe.loop_lag import watch_loop_lag
from relay.observe.metrics import Metrics
from relay.observe.observers import fan_out
from relay.observe.records import Recorder
from relay.reception import Clocks, House, Reception
from relay.sending.callers import Caller
from relay.sending.credentials import Credentials
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey, Unusable
from relay.settings.model import Settings
from relay.smtp.door import StreetDoor
from relay.translation import (
    CALLER,
    USER_AGENT,
    directory_of,
    entries_of,
    hostname_of,
    limits_of,
    listeners_of,
    log_options,
    rules_of,
    tls_of,
    tokens_of,
)

CALLER_RETRY_SECONDS = 5.0


def new_id() -> str:
    """Name a session, a message or an incident: 16 hexadecimal digits by chance."""
    return secrets.token_hex(8)


class Relay:
    """
    One running relay.

    ``start`` opens the street door last and ``stop`` closes it first: nothing is accepted that cannot be carried out.
    """

    def __init__(self, settings: Settings, *, key: AccessKey | None = None, observers: Sequence[Observer] = ()) -> None:
        """
        Args:
            settings: Without problems.
            key: The access key to sign with; None for the standard chain.
            observers: Told of every event, beside metrics and log.

        """
        self._settings = settings
        self._caller: str | None = None
        self._lines = Lines()
        self._log = Log(log_options(settings), write=self._lines.write, key=secrets.token_bytes(32))
        self._metrics = Metrics(
            delegates=[each.name for each in settings.delegate],
            listeners=[str(each.address) for each in settings.listener],
            max_identities=settings.metrics.max_identities,
        )
        self.observe = fan_out(self._metrics, self._log, *observers)
        self._credentials = Credentials(self.observe) if key is None else None
        self._ses = SesDoor(
            settings.ses.endpoint_url,
            self._credentials or FixedKey(key or AccessKey("", "")),
            self.observe,
            lambda: datetime.now(UTC),
            connect_timeout=settings.ses.connect_timeout,
            read_timeout=settings.ses.read_timeout,
            max_connections=settings.ses.max_connections,
            user_agent=USER_AGENT,
        )
        self.directory = directory_of(settings, self.observe)
        self._registry = Registry(entries_of(settings, None))
        self._reception = Reception(
            self._house(), self.directory, self._ses, observe=self.observe, clocks=Clocks(_wall, time.monotonic)
        )
        self._door = StreetDoor(
            listeners_of(settings),
            limits=limits_of(settings),
            hostname=hostname_of(settings),
            tls_context=tls_of(settings),
            reception=self._reception,
            delegates=self._registry,
            observe=self.observe,
            make_record=Recorder(clock=_wall, principal_of=self._principal_of),
            new_id=new_id,
        )
        self._admin = AdminServer(
            self._metrics.render, self.readiness, tokens=tokens_of(settings), console=settings.admin.console
        )
        self._background: list[asyncio.Task[None]] = []
        self._is_open = False
        self._put_back_logging: Callable[[], None] = lambda: None

    async def start(self) -> dict[str, object]:
        """
        Open everything, the street door last.

        Returns:
            The addresses that are listened on: ``listeners`` and ``admin``.

        Raises:
            ListenerProblem, OSError: An address cannot be had.

        """
        self._put_back_logging = take_over_logging(self._log)
        await self._ses.start()
        if self._credentials is not None:
            await self._credentials.start()
        await asyncio.to_thread(self.directory.refresh)
        await self._learn_caller()
        admin = await self._admin.start(self._settings.admin.address.host, self._settings.admin.address.port)
        await self._door.open()
        self._is_open = True
        interval = self._settings.policies.refresh_interval
        self._background = [
            asyncio.create_task(self.directory.run(interval), name="policies"),
            asyncio.create_task(watch_loop_lag(self.observe), name="loop-lag"),
            asyncio.create_task(self._keep_asking_for_caller(), name="caller"),
        ]
        listeners = [address(*bound) for addresses in self._door.addresses.values() for bound in addresses]
        addresses: dict[str, object] = {"listeners": listeners, "admin": address(*admin)}
        self.observe(Noted("info", "relay.ready", {**addresses, "version": __version__, "pid": os.getpid()}))
        return addresses

    async def stop(self) -> None:
        """Drain: no new client, running transactions finish, then everything behind them closes. Also half started."""
        was_open, self._is_open = self._is_open, False
        quiet = not was_open or await self._door.drain(self._settings.server.drain_timeout)
        if not quiet:
            await self._door.close()
        for task in self._background:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._admin.stop()
        if self._credentials is not None:
            await self._credentials.close()
        await self._ses.close()
        self._registry.close()
        self.observe(Noted("info", "relay.stopped", {"quiet": quiet}))
        self._lines.close()
        self._put_back_logging()

    def reload(self, settings: Settings) -> None:
        """
        Take over delegates, policies' rules, TLS certificate and limits; running sessions keep what they began with.

        Raises:
            OSError, ssl.SSLError: The certificate cannot be read; nothing was changed.

        """
        context = tls_of(settings)
        self._settings = settings
        self._registry.replace(entries_of(settings, self._caller))
        self._reception.house = self._house()
        self._door.renew(limits=limits_of(settings), tls_context=context)
        self.directory.refresh_soon()
        self.observe(Noted("info", "relay.reloaded", {"delegates": len(settings.delegate)}))

    def readiness(self) -> Readiness:
        """Whether mail can be sent now: asked by load balancers, so it costs nothing and waits for nothing."""
        doors = Check("listeners", self._is_open, "" if self._is_open else "not open")
        return (self._check_credentials(), self._check_policies(), doors)

    def _check_credentials(self) -> Check:
        state = None if self._credentials is None else self._credentials.state
        why = state.why if isinstance(state, Unusable) else ""
        return Check("credentials", not why, why)

    def _check_policies(self) -> Check:
        catalog, rules, now = self.directory.catalog, self._reception.house.rules, time.time()
        problems = [catalog.problem] if catalog.problem else []
        for (account, region), owned in catalog.owners.items():
            if owned.problem is not None:
                problems.append(f"{account} {region}: {owned.problem}")
            elif not rules.is_fresh(owned.listed_at, now):
                problems.append(f"{account} {region}: too old, read {now - owned.listed_at:.0f} s ago")
        return Check("policies", not problems, "; ".join(problems))

    def _house(self) -> House:
        hostname = hostname_of(self._settings)
        return House(self._registry.get, rules_of(self._settings), Profile(own_name=hostname), hostname)

    def _principal_of(self, name: str) -> str | None:
        delegate = self._registry.get(name)
        return delegate.principal if delegate else None

    async def _learn_caller(self) -> None:
        """Ask STS who the relay is, where a delegate is the relay itself."""
        if self._caller is not None or all(each.principal != CALLER for each in self._settings.delegate):
            return
        found = await self._ses.caller_identity(self._settings.ses.region or "us-east-1")
        if isinstance(found, Caller):
            self._caller = found.arn
            self._registry.replace(entries_of(self._settings, found.arn))
            self.observe(Noted("info", "caller.known", {"arn": found.arn}))
        else:
            self.observe(Noted("warning", "caller.unknown", {"why": found.why}))

    async def _keep_asking_for_caller(self) -> None:
        while self._caller is None:
            await asyncio.sleep(CALLER_RETRY_SECONDS)
            await self._learn_caller()


def _wall() -> datetime:
    return datetime.now(UTC)


def address(host: str, port: int) -> str:
    """Write an address as people and URLs do: an IPv6 host stands in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
