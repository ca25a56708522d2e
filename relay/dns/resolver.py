"""Recursive resolvers: asked one after the other until one of them knows."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from relay.dns.answers import Absent, Answer, Fault, Found, Trouble
from relay.dns.exchange import ask
from relay.dns.servers import Server

#: Seconds for one server, before the next is asked.
ONE_TRY: Final = 2.0
#: For all of them.
ALL_TRIES: Final = 6.0


class Resolver:
    """
    Asks the *servers*, first the one that answered last; each as long as ``one_try``, all as long as ``all_tries``.

    ``servers`` is asked for at every question: what the system says may change while we run.
    """

    def __init__(
        self,
        servers: Callable[[], Sequence[Server]],
        *,
        one_try: float = ONE_TRY,
        all_tries: float = ALL_TRIES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = servers
        self._one_try = one_try
        self._all_tries = all_tries
        self._monotonic = monotonic
        self._last: Server | None = None

    async def ask(self, name: str, kind: str) -> Found | Absent | Trouble:
        """Return what the first server said that knows, or the trouble of the last that was asked."""
        trouble = Trouble(Fault.UNREACHABLE, "no server is configured")
        until = self._monotonic() + self._all_tries
        for server in self._in_order():
            seconds = min(self._one_try, until - self._monotonic())
            if seconds <= 0:
                break
            answer = await ask(server, name, kind, recursive=True, seconds=seconds)
            if isinstance(answer, Found | Absent):
                self._last = server
                return answer
            trouble = _as_trouble(server, answer)
        return trouble

    def _in_order(self) -> list[Server]:
        return sorted(self._servers(), key=lambda server: server != self._last)


def _as_trouble(server: Server, answer: Answer) -> Trouble:
    if isinstance(answer, Trouble):
        return Trouble(answer.fault, f"{server}: {answer.why}")
    return Trouble(Fault.LAME, f"{server}: it does not look further")
