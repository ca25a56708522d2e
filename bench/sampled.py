"""
``python -m bench.sampled FILE ARGUMENTS``: the relay, looked at after each millisecond of CPU time.

FILE is told at the end of which room the code was that ran, or was waited for by what ran.
"""

import atexit
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import relay

_HOUSE = str(Path(relay.__file__).parent) + "/"
#: They call the loop, and are under everything.
_GROUND = {"__main__", "cli", "assembly"}
_LOOP = "event loop and libraries"


def room_of(frame: FrameType | None) -> str:
    """The innermost room of the house in a stack."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_HOUSE):
            room = name.removeprefix(_HOUSE).partition("/")[0].removesuffix(".py")
            return _LOOP if room in _GROUND else room
        frame = frame.f_back
    return _LOOP


def sample(path: Path, every: float = 0.001) -> None:
    """Look from now on, until the process ends."""
    rooms: Counter[str] = Counter()
    signal.signal(signal.SIGPROF, lambda _number, frame: rooms.update((room_of(frame),)))
    signal.setitimer(signal.ITIMER_PROF, every, every)
    atexit.register(lambda: path.write_text(json.dumps(rooms)))


if __name__ == "__main__":
    sample(Path(sys.argv.pop(1)))
    from relay.cli import main

    main()
