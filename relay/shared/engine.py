"""
One Redis or Valkey for many relays, at a distance that keeps mail out of its troubles.

Every call has a deadline and answers with a value. After the first that fails nobody waits any more: calls answer
:class:`Away` at once, until a probe finds the engine again.
"""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from relay.observe.events import Noted, Observer, SharedFound, SharedLost
from relay.shared.address import Address
from relay.shared.answers import Away, away_of
from relay.shared.ear import Ear, Hear
from relay.shared.scripts import Script, script_of
from relay.words.values import dataclass

#: For a call; and for a connection with its TLS and AUTH, which only the probe waits for.
CALL_SECONDS: Final = 0.25
PROBE_SECONDS: Final = 2.0
#: Between probes of an engine that is away; and of one that is there, when nothing else asks it.
PROBE_PAUSES: Final = (0.1, 0.25, 0.5, 1.0)
CHECK_SECONDS: Final = 5.0
HANG_UP_SECONDS: Final = 0.2
#: Errors that are the operator's to mend, and for how long they are told after the last.
ORDERS: Final = frozenset({"NOPERM", "OOM", "MISCONF", "CROSSSLOT"})
DECLINED_SECONDS: Final = 60.0
OLDEST: Final = (6, 2)

Part: TypeAlias = bytes | str | int | float
_FAULTS: Final = (exceptions.RedisError, OSError, TimeoutError, asyncio.IncompleteReadError)
_PROBE: Final = script_of("probe")
_VERSION: Final = re.compile(rb"^(redis|valkey)_version:(\d+)\.(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class State:
    """
    Whether the engine is there.

    ``why``: what keeps it away, empty when it is there. ``since``: in monotonic seconds. ``server``: its name and
    version, as far as it told.
    """

    is_up: bool
    why: str
    since: float
    server: str = ""


class Engine:
    """
    One server, as all of a relay use it.

    Args:
        address: Where it is.
        observe: Hears when it goes away and when it is there again.
        use: What it is for: ``shared`` or ``spool``.
        deadline: Seconds that a call may take, where it does not say otherwise.
        connections: The most at a time.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        address: Address,
        observe: Observer,
        *,
        use: str = "shared",
        deadline: float = CALL_SECONDS,
        connections: int = 32,
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self._observe = observe
        self._use = use
        self._deadline = deadline
        self._clock = clock
        self._client = _client(address, connections)
        self._ear = Ear(self._client, self._failed)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[State], None]] = []
        self._troubled = asyncio.Event()
        self._heard_at = clock()
        self._declined: dict[str, float] = {}
        self.state = State(is_up=False, why="not asked yet", since=clock())

    async def start(self) -> None:
        """Find the engine, or find it away; either way it is looked after from now on."""
        self._note(await self._probe())
        self._tasks = [asyncio.create_task(self._look_after()), asyncio.create_task(self._ear.run())]

    async def close(self) -> None:
        """Let go of every connection. Calls from now on answer Away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.state = State(is_up=False, why="closed", since=self._clock())
        await self._client.aclose(close_connection_pool=True)

    def key(self, tag: str, *parts: str) -> str:
        """
        Name a key. Keys of one *tag* lie together in a cluster, so that a script can touch them all.

        Example: ``{ses-relay:pace}:123456789012:us-east-1``.
        """
        return ":".join((f"{{{self.address.prefix}:{tag}}}", *parts))

    def channel(self, name: str) -> str:
        """Name a channel: ``ses-relay:policies``."""
        return f"{self.address.prefix}:{name}"

    async def run(
        self, script: Script, keys: Sequence[str], args: Sequence[Part] = (), *, deadline: float | None = None
    ) -> Any | Away:
        """Run *script* in one piece. Its answer is as the library has it: int, bytes, None or a list of these."""
        answer = await self.command("EVALSHA", script.digest, len(keys), *keys, *args, deadline=deadline)
        if isinstance(answer, Away) and answer.code == "NOSCRIPT":
            return await self.command("EVAL", script.text, len(keys), *keys, *args, deadline=deadline)
        return answer

    async def command(self, *parts: Part, deadline: float | None = None) -> Any | Away:
        """Send one command."""
        return await self._call(lambda: self._execute(*parts), deadline)

    async def pipeline(self, commands: Sequence[Sequence[Part]], *, deadline: float | None = None) -> list[Any] | Away:
        """Send several commands at once, not as a transaction; the answers that are errors are Away each."""
        limit = self._deadline if deadline is None else deadline
        pipe = self._client.pipeline(transaction=False)
        for parts in commands:
            pipe.execute_command(*parts)
        answers = await self._call(lambda: pipe.execute(raise_on_error=False), deadline)
        if isinstance(answers, Away):
            return answers
        return [away_of(each, limit) if isinstance(each, Exception) else each for each in answers]

    async def publish(self, channel: str, payload: bytes | str) -> int | Away:
        """Tell all that listen to *channel*, a name without the prefix; answers how many heard it here."""
        heard: int | Away = await self.command("PUBLISH", self.channel(channel), payload)
        return heard

    def subscribe(self, channel: str, hear: Hear, resubscribed: Callable[[], None]) -> Callable[[], None]:
        """
        Listen to *channel*, a name without the prefix, until the answer is called.

        *hear* gets each payload. *resubscribed* is called at the beginning and after every time that something may
        have been missed: read then what the engine keeps. Both are called on the event loop and must not block.
        """
        return self._ear.subscribe(self.channel(channel), hear, resubscribed)

    def on_change(self, tell: Callable[[State], None]) -> None:
        """Tell of every change of the state."""
        self._listeners.append(tell)

    @property
    def trouble(self) -> str:
        """What is wrong, for people: that it is away, or what it declined lately; empty for nothing."""
        if not self.state.is_up:
            return f"{self.address} is away: {self.state.why}"
        now = self._clock()
        lately = sorted(code for code, at in self._declined.items() if now - at < DECLINED_SECONDS)
        return f"{self.address} declines what it is asked: {', '.join(lately)}" if lately else ""

    async def time(self) -> float | Away:
        """Return the server's clock, in seconds since the epoch: the one clock that all relays agree on."""
        answer = await self.command("TIME")
        return answer if isinstance(answer, Away) else int(answer[0]) + int(answer[1]) / 1e6

    async def _execute(self, *parts: Part) -> Any:
        return await self._client.execute_command(*parts)  # type: ignore[no-untyped-call]  # the library's

    async def _call(self, ask: Callable[[], Awaitable[Any]], deadline: float | None) -> Any | Away:
        if not self.state.is_up:
            return Away(self.state.why)
        limit = self._deadline if deadline is None else deadline
        try:
            async with asyncio.timeout(limit):
                answer = await ask()
        except _FAULTS as error:
            away = away_of(error, limit)
            if away.is_useless:
                self._note(away)
            elif away.code in ORDERS:
                self._tell_declined(away)
            return away
        except Exception as error:  # noqa: BLE001 - the library's own, of a connection that was taken from under it
            self._observe(Noted("error", "shared.call-failed", {"use": self._use, "error": type(error).__name__}))
            return Away("the call broke off inside the relay", maybe=True)
        self._heard_at = self._clock()
        return answer

    def _tell_declined(self, away: Away) -> None:
        now = self._clock()
        if now - self._declined.get(away.code, -DECLINED_SECONDS) >= DECLINED_SECONDS:
            told = {"use": self._use, "at": str(self.address), "why": away.why}
            self._observe(Noted("warning", "shared.declined", told))
        self._declined[away.code] = now

    async def _probe(self) -> str | Away:
        """Return what the server is, having seen that it does all we need."""
        if not self.state.is_up:
            await self._hang_up()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._client.eval(_PROBE.text, 1, self.key("probe"))
                return await self._version()
        except Exception as error:  # noqa: BLE001 - an engine that nobody looks after stays away for ever
            return away_of(error, PROBE_SECONDS)

    async def _hang_up(self) -> None:
        """Let go of connections: its name may lead to another server by now, of which it may be a replica."""
        with suppress(Exception):
            async with asyncio.timeout(HANG_UP_SECONDS):
                await self._client.connection_pool.disconnect(inuse_connections=True)

    async def _version(self) -> str | Away:
        """Return name and version; empty where the server does not tell us."""
        try:
            told = await self._execute("INFO", "server")
        except exceptions.ResponseError:
            return ""
        found = {name: (int(major), int(minor)) for name, major, minor in _VERSION.findall(_text(told))}
        if b"valkey" in found:
            return "Valkey {}.{}".format(*found[b"valkey"])
        if b"redis" not in found:
            return ""
        if found[b"redis"] < OLDEST:
            return Away("Redis {}.{} is too old: 6.2 or later is needed".format(*found[b"redis"]), "OLD")
        return "Redis {}.{}".format(*found[b"redis"])

    async def _look_after(self) -> None:
        """Probe an engine that is away until it is found, and one that nobody asks now and then."""
        probes = 0
        while True:
            if self.state.is_up:
                probes = 0
                self._troubled.clear()
                try:
                    async with asyncio.timeout(CHECK_SECONDS):
                        await self._troubled.wait()
                except TimeoutError:
                    if self._clock() - self._heard_at >= CHECK_SECONDS:
                        self._note(await self._probe())
            else:
                pause = PROBE_PAUSES[min(probes, len(PROBE_PAUSES) - 1)]
                await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - relays do not probe in step
                probes += 1
                self._note(await self._probe())

    def _note(self, found: str | Away) -> None:
        """Take over what was found out, and tell when it is news."""
        is_up, before = isinstance(found, str), self.state
        why = found.why if isinstance(found, Away) else ""
        server = found if isinstance(found, str) else before.server
        if is_up:
            self._heard_at = self._clock()
        if (before.is_up, before.why, before.server) == (is_up, why, server):
            return
        is_news = before.is_up != is_up or before.why == "not asked yet"
        self.state = State(is_up=is_up, why=why, since=self._clock() if is_news else before.since, server=server)
        if not is_news:
            return
        if is_up:
            self._ear.found()
            self._observe(SharedFound(self._use, str(self.address), server))
        else:
            self._ear.lost()
            self._troubled.set()
            self._observe(SharedLost(self._use, str(self.address), why))
        for tell in self._listeners:
            tell(self.state)

    def _failed(self, error: Exception) -> None:
        self._observe(Noted("error", "shared.listener-failed", {"error": type(error).__name__}))


def _client(address: Address, connections: int) -> Redis:
    kind: type[Connection | SSLConnection | UnixDomainSocketConnection]
    kind = UnixDomainSocketConnection if address.socket else SSLConnection if address.is_tls else Connection
    pool = BlockingConnectionPool(
        max_connections=connections,
        timeout=None,
        connection_class=kind,
        socket_timeout=None,
        socket_connect_timeout=None,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
        **address.options,
    )
    return Redis(connection_pool=pool)


def _text(told: Any) -> bytes:
    if isinstance(told, dict):
        return b"".join(f"{name}:{value}\n".encode() for name, value in told.items())
    return told if isinstance(told, bytes) else str(told).encode()
