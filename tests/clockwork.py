"""An event loop in which time passes only while nobody has anything to do: an hour of waiting takes no time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class Clockwork(asyncio.SelectorEventLoop):
    """Whenever nothing is ready, it is the time of the next timer. Not for what other threads or sockets do."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = 0.0

    def time(self) -> float:
        return self._seconds

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]  # CPython's own loop, since 3.4
            self._seconds = max(self._seconds, self._scheduled[0]._when)  # type: ignore[attr-defined]  # the same
        super()._run_once()  # type: ignore[misc]  # the same


def clockwork(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run *work* to its end in such a loop."""
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        return runner.run(work)
