"""
The looks, made side by side: each in a thread and a time of its own, none able to hold up or break others.

Turns of SES are waited for in the thread that wants one, and that wait does not count: a look at the fiftieth identity
is not late because SES takes one call a second.
"""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from relay.identities.accounts import Pace
from relay.owner.doctor.findings import Finding, Key, Look, Status, failing, not_checked

#: Seconds that one look may take.
SECONDS: Final = 10.0
#: Looks at once.
MOST: Final = 8
_TICK: Final = 0.05

_own = threading.local()


class Stopwatch:
    """Seconds since it was made, but for pauses. Paused by its own thread, read by others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._paused_at: float | None = None
        self._lock = threading.Lock()

    def seconds(self) -> float:
        """Return how long it ran."""
        with self._lock:
            return (self._clock() if self._paused_at is None else self._paused_at) - self._began

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time inside not count."""
        with self._lock:
            self._paused_at = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._began += self._clock() - (self._paused_at or 0.0)
                self._paused_at = None


def seconds_of_this_look() -> float:
    """Return how long the look of the calling thread has run, but for its waits for turns."""
    stopwatch: Stopwatch | None = getattr(_own, "stopwatch", None)
    return 0.0 if stopwatch is None else stopwatch.seconds()


class PatientPace:
    """A pace whose waits do not count as time of the look that waits."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def __call__(self, account: str, region: str) -> None:
        """Wait for a turn."""
        stopwatch: Stopwatch | None = getattr(_own, "stopwatch", None)
        if stopwatch is None:
            self._pace(account, region)
            return
        with stopwatch.paused():
            self._pace(account, region)


class Rounds:
    """
    Makes looks, and gathers what they come to.

    Args:
        seconds: Of one look; one that takes longer is left alone, and told.
        most: Looks at once.
        offline: Look at this machine only.
        advance: Told each time that a look is over.

    """

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        most: int = MOST,
        offline: bool = False,
        advance: Callable[[int], None] = lambda _by: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._offline = offline
        self._advance = advance
        self._clock = clock
        self._waiting: deque[Look] = deque()
        self._running: dict[Look, _Run] = {}
        self._ended: dict[Key, Status] = {}
        self._over: queue.SimpleQueue[Look] = queue.SimpleQueue()
        self._findings: list[Finding] = []
        self._wanted: Callable[[Look], bool] = lambda _look: True

    def make(self, looks: Iterable[Look], wanted: Callable[[Look], bool] = lambda _look: True) -> list[Finding]:
        """Make all *looks*, and those of which they lead to that are *wanted*; return what they come to."""
        self._waiting.extend(looks)
        self._wanted = wanted
        while self._waiting or self._running:
            self._begin_what_can()
            if self._waiting and not self._running:
                raise RuntimeError(f"looks wait for each other: {[look.checks[0] for look in self._waiting]}")
            with suppress(queue.Empty):
                self._end(self._over.get(timeout=_TICK))
            for look in [look for look, run in self._running.items() if run.stopwatch.seconds() > self._seconds]:
                self._give_up(look)
        return self._findings

    def _begin_what_can(self) -> None:
        """Begin what waits for nothing; what cannot be made at all is over at once, which may free others."""
        freed = True
        while freed:
            freed = False
            open_keys = Counter(
                (check, each.about) for each in (*self._waiting, *self._running) for check in each.checks
            )
            for look in tuple(self._waiting):
                own = {(check, look.about) for check in look.checks}
                if any(open_keys[key] > (key in own) for key in (*look.needs, *look.after)):
                    continue
                why = self._why_not(look)
                if why is None and len(self._running) >= self._most:
                    continue
                self._waiting.remove(look)
                if why is None:
                    self._running[look] = _Run(look, self._over, Stopwatch(self._clock))
                else:
                    freed = True
                    self._settle(look, [not_checked(check, why, look.about) for check in look.checks])

    def _why_not(self, look: Look) -> str | None:
        if self._offline and look.asks != "here":
            return "--offline: nobody but this machine is asked"
        for key in look.needs:
            if self._ended.get(key, Status.OK) in {Status.FAILING, Status.NOT_CHECKED}:
                return f"it needs {' '.join(filter(None, key))}, which {_standing(self._ended[key])}"
        return None

    def _end(self, look: Look) -> None:
        run = self._running.pop(look, None)
        if run is None:  # given up before
            return
        self._settle(look, [*run.findings, *_unsaid(look, run)])
        self._waiting.extend(filter(self._wanted, run.looks))

    def _give_up(self, look: Look) -> None:
        run = self._running.pop(look)
        first = failing(look.checks[0], f"no answer within {self._seconds:g} s", "", look.about)
        rest = [not_checked(check, "no answer in time", look.about) for check in look.checks[1:]]
        said = list(run.findings)
        known = {finding.check for finding in said}
        self._settle(look, [*said, first, *(each for each in rest if each.check not in known)])

    def _settle(self, look: Look, findings: list[Finding]) -> None:
        for check in look.checks:
            statuses = [each.status for each in findings if each.check == check]
            self._ended[check, look.about] = max(statuses, key=_BADNESS.index, default=Status.OK)
        self._findings += findings
        self._advance(1)


_BADNESS: Final = (Status.OK, Status.WARNING, Status.NOT_CHECKED, Status.FAILING)


class _Run:
    """A look that is being made. Its thread is nobody's to wait for: a program that ends does not."""

    def __init__(self, look: Look, over: "queue.SimpleQueue[Look]", stopwatch: Stopwatch) -> None:
        self.findings: list[Finding] = []
        self.looks: list[Look] = []
        self.crash: Exception | None = None
        self.stopwatch = stopwatch
        self._look, self._over = look, over
        threading.Thread(target=self._work, name=f"doctor {look.checks[0]}", daemon=True).start()

    def _work(self) -> None:
        _own.stopwatch = self.stopwatch
        try:
            for each in self._look.work():
                if isinstance(each, Look):
                    self.looks.append(each)
                else:
                    self.findings.append(each)
        except Exception as error:  # noqa: BLE001 - a look that breaks is a finding, and no other look's trouble
            self.crash = error
        self._over.put(self._look)


def _unsaid(look: Look, run: _Run) -> Iterator[Finding]:
    """Say that a look broke: of whatever is wrong in it only the kind is told, for its text may be anything."""
    if run.crash is None:
        return
    kind = type(run.crash).__name__
    why = f"the check itself failed: {kind}"
    yield failing(look.checks[0], why, "Tell the makers of ses-relay, with the line above.", look.about)
    known = {finding.check for finding in run.findings}
    yield from (not_checked(check, why, look.about) for check in look.checks[1:] if check not in known)


def _standing(status: Status) -> str:
    return "fails" if status is Status.FAILING else "was not checked"
