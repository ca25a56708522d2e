"""What the relay wants to be, beside what a run found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bench.record import Table


@dataclass(frozen=True)
class Goal:
    """One goal: the figure that tells (``bench.record.figure``), its limit and unit, and which side of it is good."""

    words: str
    figure: str
    limit: float
    unit: str = ""
    at_least: bool = False

    def is_reached(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit

    def row(self, value: float | None) -> tuple[str, str, str, str]:
        """The goal as a line of the table; no value: not measured."""
        wanted = f"{'at least' if self.at_least else 'at most'} {self.limit:g}{self.unit}"
        if value is None:
            return self.words, wanted, "", "not measured"
        return self.words, wanted, f"{value:.3g}{self.unit}", "reached" if self.is_reached(value) else "**not reached**"


def _cpu(words: str, name: str, limit: float) -> Goal:
    return Goal(f"CPU of a message, {words}", f"cpu {name}", limit, " ms")


def _naive(words: str, name: str, times: float) -> Goal:
    return Goal(f"the naive relay's CPU over ours, {words}", f"ratio {name}", times, at_least=True)


GOALS: Final = (
    _naive("5 KB, sessions reused", "sessions reused 5 KB", 7),
    _naive("5 KB, a session for each", "session for each message 5 KB", 7),
    _naive("100 KB", "session for each message 100 KB", 18),
    _naive("1 MB", "session for each message 1 MB", 24),
    _cpu("5 KB, sessions reused", "sessions reused 5 KB", 0.25),
    _cpu("5 KB, a session for each", "session for each message 5 KB", 0.35),
    _cpu("100 KB", "session for each message 100 KB", 0.7),
    _cpu("1 MB", "session for each message 1 MB", 5),
    Goal("what AUTH PLAIN adds, 5 KB", "AUTH adds", 0.05, " ms"),
    Goal("what the journal in memory costs, of a relay without", "journal over none", 1.05),
    Goal("messages for each CPU-second with 2 workers, of one process", "2 workers", 0.9, at_least=True),
    Goal("messages for each CPU-second in mode spool, of mode direct", "spool", 0.7, at_least=True),
    Goal("added to SES's answer at half load, p50", "added p50", 1, " ms"),
    Goal("added to SES's answer at half load, p99", "added p99", 5, " ms"),
    Goal("the loop busy at a stretch, with 1 MB in the mix, p99 by the clock", "loop p99", 5, " ms"),
    Goal("CPU of a message with 10,000 delegates, of that with 10", "10,000 delegates", 1.1),
    Goal("CPU of a message with 100,000 identities, of that with 10", "100,000 identities", 1.1),
    Goal("an idle connection", "idle connection", 30, " KiB"),
    Goal("200 calls at once of 100 ms each: of 2,000 messages a second", "200 calls", 0.9, at_least=True),
    Goal("one decision of the judge, three statements, p50", "judge p50", 10, " us"),
    Goal("CPU until ready, of the imports alone", "start", 1.3),
    Goal("resident while idle, over the imports", "resident", 15, " MiB"),
    Goal("`healthcheck`, CPU", "healthcheck", 0.15, " s"),
    Goal("the option `--version`, CPU", "--version", 0.15, " s"),
)


def table(figures: Mapping[str, float]) -> Table:
    """All goals beside what was found."""
    return Table(("", "goal", "found", ""), [goal.row(figures.get(goal.figure)) for goal in GOALS])
