"""
CPU of whole relays for each message, beside what others take on the same machine in the same run.

Every relay is a process of its own on one core; clients (smtp-source; an own client for AUTH and TLS) and the far side
(nginx, under TLS) are on the others. Its CPU time, of all threads and children, is read before and after. The rows take
turns, so that what else the machine does meets all of them alike; figures are medians of the rounds with quartiles, and
ratios are of turns of the same round. What is sent is counted at the far side: every message, once.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import Final, TypeVar

from bench import postfix
from bench.arithmetic import Spread, at, ratios
from bench.contenders import ALONE, BOUND, NAIVE, POSTFIX, Contender, Ours, started
from bench.messages import size_of
from bench.record import figure, head, row
from bench.ses import Stage, stage
from bench.trees import ROOT, prove
from bench.turns import Row, Turns

#: Columns of ratios: how often the CPU of this peer is that of the row.
PEERS: Final = (NAIVE, ALONE, POSTFIX)


def main(rows: Sequence[Row], rounds: int, seconds: float) -> None:
    """Measure all rows, and tell a table for each size."""
    prove(ROOT)
    rows = [each for each in rows if each.of != POSTFIX or postfix.is_possible()]
    for octets, some in groupby(rows, key=lambda each: each.load.octets):
        tell(octets, side_by_side(list(some), rounds, seconds))


def side_by_side(rows: Sequence[Row], rounds: int, seconds: float) -> dict[Row, Turns]:
    """Let rows take turns."""
    with ExitStack() as stack:
        on_it = stack.enter_context(stage())
        contenders: dict[Ours | str, Contender] = {}
        for each in rows:
            if each.of != BOUND and each.of not in contenders:
                contenders[each.of] = stack.enter_context(started(each.of, on_it))
        return taking_turns({each: _turns(each, contenders, on_it, seconds) for each in rows}, rounds)


def _turns(row: Row, contenders: dict[Ours | str, Contender], on_it: Stage, seconds: float) -> Turns:
    return Turns(row, contenders.get(row.of), on_it, seconds)


Key = TypeVar("Key")


def taking_turns(all_of_them: dict[Key, Turns], rounds: int) -> dict[Key, Turns]:
    """Let each take a turn, so many times."""
    for _ in range(rounds):
        for turns in all_of_them.values():
            turns.take()
    return all_of_them


def tell(octets: int, taken: dict[Row, Turns]) -> None:
    """Tell what each cost for a message of so many octets."""
    cpu = {each.of: turns.measured.cpu for each, turns in taken.items() if isinstance(each.of, str)}
    peers = [each for each in PEERS if each in cpu]
    columns = ("CPU ms", "a second", "p50 ms", "p99 ms", "peak MiB")
    head(f"messages of {size_of(octets)}", *columns, *(f"{each} / this" for each in peers), "this / bound")
    for each, turns in taken.items():
        found = turns.measured
        shown = [Spread.of(found.cpu).text(".2f", 1e3), *_speed(turns), f"{max(found.peak) / (1 << 20):,.0f}"]
        shown += [ratios(cpu[peer], found.cpu).text() for peer in peers]
        shown += [ratios(found.cpu, cpu[BOUND]).text()] if BOUND in cpu else []
        row(each.name, *shown)
        keep(each, octets, found.cpu, cpu)
    compared(octets, taken)


def _speed(turns: Turns) -> tuple[str, str, str]:
    """Messages a second, and what half and all but a hundredth waited at most."""
    found = turns.measured
    if not found.rate:
        return "", "", ""
    waits = sorted(found.waits)
    return f"{Spread.of(found.rate).middle:,.0f}", f"{at(waits, 50) * 1e3:.1f}", f"{at(waits, 99) * 1e3:.1f}"


def keep(each: Row, octets: int, spent: Sequence[float], cpu: dict[str, list[float]]) -> None:
    """Keep the figures that goals are about."""
    name = f"{each.name.removeprefix('ses-relay, ')} {size_of(octets)}"
    figure(f"cpu {name}", Spread.of(spent).middle * 1e3)
    if NAIVE in cpu:
        figure(f"ratio {name}", ratios(cpu[NAIVE], spent).middle)


#: What is set against what: the name of the figure, a row, another.
_COMPARED: Final = (
    ("journal over none", "session for each message", "no journal"),
    ("2 workers", "sessions reused", "2 workers, sessions reused"),
    ("spool", "32 clients", "mode spool, 32 clients"),
)


def compared(octets: int, taken: dict[Row, Turns]) -> None:
    """Keep what one row costs over another, turn by turn."""
    cpu = {each.name.removeprefix("ses-relay, "): turns.measured.cpu for each, turns in taken.items()}
    for name, one, other in _COMPARED:
        if octets == 5_000 and one in cpu and other in cpu:
            figure(name, ratios(cpu[one], cpu[other]).middle)
    if "AUTH PLAIN" in cpu and octets == 5_000:
        pairs = zip(cpu["AUTH PLAIN"], cpu["the client that can AUTH, without"], strict=True)
        figure("AUTH adds", Spread.of([one - other for one, other in pairs]).middle * 1e3)
