"""How much more than in the suite: ``make fuzz`` asks for many times the examples, and for others each time."""

import os
import random
from typing import Any, Final

from hypothesis import settings

TIMES: Final = int(os.environ.get("FUZZ_TIMES", "1"))


def bounded(examples: int, **more: Any) -> settings:
    """So many examples, the same ones each time; in full, TIMES as many and new ones."""
    return settings(max_examples=examples * TIMES, derandomize=TIMES == 1, **more)


def chance_of(seed: int) -> random.Random:
    """The same chance each time; in full, another each time."""
    return random.Random(seed if TIMES == 1 else None)
