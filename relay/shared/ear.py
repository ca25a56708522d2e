"""What others publish: one connection for all channels, made again as often as it is lost."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Redis

Hear = Callable[[bytes], None]
#: Silence after which the connection is asked whether it lives; after as much again it is taken for dead.
SILENCE_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.2


class Ear:
    """
    Listens to channels, while the engine is there.

    Args:
        client: Makes connections.
        failed: Told of what a listener raised.
    """

    def __init__(self, client: Redis, failed: Callable[[Exception], None]) -> None:
        self._client = client
        self._failed = failed
        self._channels: dict[str, list[tuple[Hear, Callable[[], None]]]] = {}
        self._stirred = asyncio.Event()
        self._found = asyncio.Event()

    def subscribe(self, channel: str, hear: Hear, resubscribed: Callable[[], None]) -> Callable[[], None]:
        """Let *hear* have what is published; *resubscribed* is called whenever something may have been missed."""
        listener = (hear, resubscribed)
        is_known = channel in self._channels
        self._channels.setdefault(channel, []).append(listener)
        if is_known:  # this one hears from now on, and missed what came before
            self._guard(resubscribed)
        self._stirred.set()

        def leave() -> None:
            listeners = self._channels.get(channel, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._channels.pop(channel, None)
            self._stirred.set()

        return leave

    def found(self) -> None:
        """Listen: the engine is there."""
        self._found.set()
        self._stirred.set()

    def lost(self) -> None:
        """Drop the connection: the engine is away."""
        self._found.clear()
        self._stirred.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            await self._found.wait()
            if not self._channels:
                await self._stirred.wait()
                self._stirred.clear()
                continue
            with suppress(exceptions.RedisError, OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._listen()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _listen(self) -> None:
        """Listen on one connection until it is lost or nobody listens any more."""
        async with self._client.pubsub() as talk:
            known = await self._agree(talk, set())
            reading = asyncio.create_task(self._read(talk))
            reading.add_done_callback(lambda _: self._stirred.set())
            try:
                while self._channels and self._found.is_set() and not reading.done():
                    await self._stirred.wait()
                    self._stirred.clear()
                    known = await self._agree(talk, known)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _agree(self, talk: Any, known: set[str]) -> set[str]:
        wanted = set(self._channels)
        async with asyncio.timeout(SILENCE_SECONDS):
            if gone := known - wanted:
                await talk.unsubscribe(*gone)
            if new := wanted - known:
                await talk.subscribe(*new)
        return wanted

    async def _read(self, talk: Any) -> None:
        """Pass on what comes, until the connection is lost or answers no more."""
        silences = 0
        while silences < 2:
            message = await talk.get_message(timeout=SILENCE_SECONDS)
            if message is not None:
                silences = 0
                self._tell(message)
            else:
                silences += 1
                async with asyncio.timeout(SILENCE_SECONDS):
                    await talk.ping()

    def _tell(self, message: dict[str, Any]) -> None:
        if message["type"] not in {"message", "subscribe"}:
            return
        for hear, resubscribed in tuple(self._channels.get(message["channel"].decode(errors="replace"), ())):
            if message["type"] == "message":
                self._guard(hear, message["data"])
            else:
                self._guard(resubscribed)

    def _guard(self, tell: Callable[..., None], *payload: bytes) -> None:
        """Keep one listener's fault from the others."""
        try:
            tell(*payload)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and the rest go on
            self._failed(error)
