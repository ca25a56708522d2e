"""
Everything that is measured, one part after the other; or this tree beside a revision of it.

``python -m bench`` measures all parts in about ten minutes; ``--quick``: whole relays, in less than one;
``--full``: the whole product of modes, ways in and sizes, an hour; ``--write``: into docs/performance.md.
``python -m bench --compare REV``: exit 1 when this tree is slower.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from bench import compare, decisions, goals, growth, latency, page, relays, rooms, rows, spool, start
from bench.machine import REST, described, loopback
from bench.record import head, recording, row
from bench.trees import ROOT, prove, revision

ROUNDS, SECONDS = 5, 0.5
QUICK_ROUNDS, QUICK_SECONDS = 3, 0.3
#: What each part of the page is measured by, given the turns of each row where there are rows.
PARTS: Final[dict[str, Callable[[int], None]]] = {
    "judge": lambda _: decisions.main(),
    "spool": lambda _: spool.main(),
    "relays": lambda rounds: relays.main(rows.sensible(), rounds, SECONDS),
    "rooms": lambda _: rooms.main(),
    "latency": lambda _: latency.main(),
    "growth": lambda _: growth.main(),
    "start": lambda _: start.main(),
}


def main(arguments: list[str] | None = None) -> int:
    asked = parsed(arguments)
    os.sched_setaffinity(0, REST)
    print(f"{described()}; {revision(ROOT)}")
    if asked.compare:
        chosen = [each for each in rows.sensible() if wanted(each.name, each.load.octets, asked)]
        return compare.compare(ROOT, asked.compare, chosen, asked.rounds or ROUNDS, SECONDS)
    if asked.quick:
        relays.main(rows.quick(), asked.rounds or QUICK_ROUNDS, QUICK_SECONDS)
        return 0
    if asked.full:
        relays.main(rows.full(), asked.rounds or QUICK_ROUNDS, SECONDS)
        return 0
    contents = measured(asked.part or list(PARTS), asked.rounds or ROUNDS)
    if asked.write:
        page.write(contents)
    return 0


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="whole relays only, in less than a minute")
    kind.add_argument("--full", action="store_true", help="whole relays, the whole product: an hour")
    kind.add_argument("--compare", metavar="REV", help="beside a revision; exit 1 when slower")
    kind.add_argument("--part", action="append", choices=list(PARTS), help="this part only; may be repeated")
    parser.add_argument("--write", action="store_true", help="write what was measured into docs/performance.md")
    parser.add_argument("--rounds", type=int, help="turns of each row")
    parser.add_argument("--octets", type=int, action="append", help="with --compare: of this size (5000)")
    parser.add_argument("--only", action="append", help="with --compare: rows whose name has this in it")
    asked = parser.parse_args(arguments)
    if asked.write and (asked.quick or asked.full or asked.compare):
        parser.error("--write is for the parts of the page")
    return asked


def wanted(name: str, octets: int, asked: argparse.Namespace) -> bool:
    """Whether a row is among those to be compared."""
    return octets in (asked.octets or [5_000]) and any(word in name for word in asked.only or [""])


def measured(parts: list[str], rounds: int) -> dict[str, str]:
    """Measure parts; return what the page is to say about each, and with all of them about machine and goals."""
    prove(ROOT)
    contents, figures, busy = {}, dict[str, float](), os.getloadavg()[1]
    today = f"{datetime.now(UTC):%Y-%m-%d}, revision {revision(ROOT) or 'unknown'}"
    for name in parts:
        with recording() as record:
            PARTS[name](rounds)
        often = f", {rounds} rounds" if name == "relays" else ""
        contents[name] = f"Measured on {today}{often}.\n\n{record.markdown}"
        figures |= record.figures
    if set(parts) == set(PARTS):
        contents["machine"] = machine(busy)
        contents["goals"] = f"Measured on {today}.\n\n{goals.table(figures).markdown}"
        tell_goals(figures)
    return contents


def machine(busy: float) -> str:
    """What it was measured on, and how busy that was before."""
    took = " and ".join(f"{loopback(octets) * 1e6:.0f} us for {octets // 1000} KB" for octets in (5_000, 100_000))
    return (
        f"{described()}. Loopback by itself, sent and received in one process: {took}. "
        f"Processes that wanted a core in the five minutes before it began, on average: {busy:.1f}."
    )


def tell_goals(figures: dict[str, float]) -> None:
    found = goals.table(figures)
    head("goals", *found.heading[1:])
    for line in found.rows:
        row(*line)


if __name__ == "__main__":
    sys.exit(main())
