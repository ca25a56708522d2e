"""
Where the time of a message goes, by room of the house: ``python -m bench.rooms``.

A relay is looked at after each millisecond of its CPU (``bench.sampled``); what a room calls that is nobody's room,
such as TLS, JSON or SQLite, counts as its own. Looks before the load, which are of the start, are taken away: two
relays are run, one of which takes few messages only.
"""

import json
from collections import Counter
from typing import Final

from bench.contenders import relay
from bench.machine import REST, on
from bench.messages import Load, size_of, smtp_source
from bench.record import head, row
from bench.ses import Stage, stage

TIMES: Final = {5_000: 3000, 100_000: 1500, 1_000_000: 200}
FEW: Final = 50
LEAST: Final = 0.01
OTHERS: Final = "all others"


def shares(all_of_them: Counter[str], before: Counter[str]) -> dict[str, float]:
    """The share of each room in what was added, largest first; small ones together."""
    added = {room: max(0, count - before[room]) for room, count in all_of_them.items()}
    total = sum(added.values())
    found = {room: count / total for room, count in sorted(added.items(), key=lambda item: -item[1]) if count}
    large = {room: share for room, share in found.items() if share >= LEAST}
    rest = sum(found.values()) - sum(large.values())
    return large | ({OTHERS: rest} if rest else {})


def looks(on_it: Stage, octets: int, times: int) -> Counter[str]:
    file = on_it.folder / f"rooms-{octets}-{times}.json"
    with relay(on_it, file.stem, program=("-m", "bench.sampled", str(file))) as (_, _, port):
        smtp_source(port, Load(octets), times, on_it.folder)
    return Counter(json.loads(file.read_text()))


def main() -> None:
    with stage() as on_it, on(REST):
        found = {size: shares(looks(on_it, size, times), looks(on_it, size, FEW)) for size, times in TIMES.items()}
    head("of the time of a message", *map(size_of, found))
    rooms = {room for each in found.values() for room in each}
    for room in sorted(rooms, key=lambda room: (room == OTHERS, -max(each.get(room, 0) for each in found.values()))):
        row(room, *(f"{each[room]:.0%}" if room in each else "" for each in found.values()))


if __name__ == "__main__":
    main()
