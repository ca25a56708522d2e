"""One turn of one contender: so many messages, what they cost, how fast they went, and how long each waited."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import uvloop

from bench.contenders import NAIVE, Contender, Ours
from bench.machine import MEASURED, cpu_of, forget_peak, on, peak_of, wait_until
from bench.messages import Load, hand_over, smtp_source
from bench.ses import Stage
from bench.trees import ROOT, environ_of
from tests.system.relays import clean_environ

USER: Final = ("billing", "demo-billing-secret")
#: Messages of a turn, whatever they cost.
FEWEST, MOST = 4, 5000


@dataclass(frozen=True)
class Row:
    """A line of the table: who it is, and how its mail comes."""

    name: str
    of: Ours | str
    load: Load


@dataclass
class Measured:
    """What the turns of a row were: CPU seconds a message, messages a second, peaks in octets, all waits in seconds."""

    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)


class Turns:
    """
    The turns of one row.

    Args:
        row: What is measured.
        contender: The process; none for the bound, which is a new one each time.
        stage: Where it sends to.
        seconds: About how long a turn takes.

    """

    def __init__(self, row: Row, contender: Contender | None, stage: Stage, seconds: float) -> None:
        self._row = row
        self._contender = contender
        self._stage = stage
        self.measured = Measured()
        self._times = self._tried(seconds)

    def _tried(self, seconds: float) -> int:
        """Log in, connect, warm up; return how many messages take about so many seconds."""
        load = self._row.load
        few = max(FEWEST, load.clients, min(50, 5_000_000 // load.octets))
        if self._contender is None:
            cpu, _ = self._bound(few)
            return _between(seconds / cpu)
        self._in_full(self._by_own_client, few)
        began = time.monotonic()
        taken = self._in_full(self._by_own_client, few) - began
        self.measured.waits.clear()
        return max(load.clients, _between(seconds * few / taken))

    def take(self) -> None:
        """Measure once more."""
        if self._contender is None:
            cpu, peak = self._bound(self._times)
            self.measured.cpu.append(cpu)
            self.measured.peak.append(peak)
            return
        pid = self._contender.pid
        bring = self._by_smtp_source if self._row.load.is_plain else self._by_own_client
        self._warm_up(bring)
        forget_peak(pid)
        before, began = cpu_of(pid), time.monotonic()
        taken = self._in_full(bring, self._times)
        self.measured.rate.append(self._times / (taken - began))
        self.measured.cpu.append((cpu_of(pid) - before) / self._times)
        self.measured.peak.append(peak_of(pid))
        if self._row.load.is_plain:  # smtp-source has no clock
            self._in_full(self._by_own_client, max(FEWEST, self._row.load.clients, self._times // 4))

    def _warm_up(self, bring: Callable[[int], None]) -> None:
        """Let it connect to SES anew, as it must after a pause: while others had their turns it had no mail."""
        measured = len(self.measured.waits)
        self._in_full(bring, max(1, self._times // 4))
        del self.measured.waits[measured:]

    def _in_full(self, bring: Callable[[int], None], times: int) -> float:
        """Bring messages, and wait until the far side has them all; return the time at which it had."""
        assert self._contender is not None
        before = self._calls()
        bring(times)
        self._contender.settle()
        if self._is_counted:
            wait_until(lambda: self._calls() - before >= times, f"{self._row.name} to send all")
        done, sent = time.monotonic(), self._calls() - before
        if self._is_counted and sent > times:
            raise SystemExit(f"bench: {self._row.name}: {times} messages came, {sent} were sent")
        return done

    def _by_smtp_source(self, times: int) -> None:
        assert self._contender is not None
        smtp_source(self._contender.port, self._row.load, times, self._stage.folder)

    def _by_own_client(self, times: int) -> None:
        assert self._contender is not None
        load = self._row.load
        port = self._contender.port if load.user is None else self._contender.port_with_auth
        try:
            self.measured.waits += uvloop.run(hand_over(port, load, times))
        except (AssertionError, TimeoutError) as wrong:
            raise SystemExit(f"bench: {self._row.name}: {wrong!r}") from wrong

    @property
    def _is_counted(self) -> bool:
        return isinstance(self._row.of, Ours) or self._row.of == NAIVE

    def _calls(self) -> int:
        """Calls that the far side took so far."""
        return self._stage.far_side.taken() if self._is_counted and self._stage.far_side else 0

    def _bound(self, times: int) -> tuple[float, int]:
        command = [sys.executable, "-m", "bench.bound", self._stage.endpoint, str(self._row.load.octets), str(times)]
        environ = clean_environ(self._stage.environ | environ_of(ROOT))
        with on(MEASURED):
            done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
        cpu, peak = done.stdout.split()
        return float(cpu), int(peak)


def _between(times: float) -> int:
    return max(FEWEST, min(MOST, round(times)))
