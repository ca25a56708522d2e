"""A wire to a server that can be made slow, or silent: every octet waits, in both directions."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class SlowWire:
    """Listens at *here* and carries everything to *there*; ``delay`` in seconds, each way."""

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        self.delay = 0.0
        self._here, self._there = here, there
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()

    @contextmanager
    def up(self) -> Iterator["SlowWire"]:
        """Carry, in a thread of its own, until the block ends."""
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        thread.start()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join()
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._join, *self._here)
        await self._ended.wait()
        server.close()
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(*self._there)
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Octets leave in order, each so long after it came."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, octets = await under_way.get()
                await asyncio.sleep(max(0.0, due - self._loop.time()))
                if not octets:
                    return
                writer.write(octets)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            with suppress(OSError):
                while octets := await reader.read(1 << 16):
                    under_way.put_nowait((self._loop.time() + self.delay, octets))
                under_way.put_nowait((self._loop.time(), b""))
                await delivering
        finally:
            delivering.cancel()
            writer.close()
