"""
The three truth values as small integers, so that *and* is min, *or* is max and *not* is ``YES - x`` (Kleene's strong
logic).
"""

from typing import Final

from relay.policy.answers import Truth

NO: Final = 0
MAYBE: Final = 1
YES: Final = 2

#: The names of the three, by number.
TRUTHS: Final = (Truth.NO, Truth.UNKNOWN, Truth.YES)
