"""How much more than in the suite: ``make fuzz`` asks for many times the examples."""

import os
from typing import Final

TIMES: Final = int(os.environ.get("FUZZ_TIMES", "1"))
