"""The names of an entry's details: what the courier and people note beside its state."""

from typing import Final

#: The seconds of its last pause, which the next one is drawn from.
PAUSE: Final = "pause"
#: Of an entry that was stamped by a clock that was wrong: when it was found, in place of ``accepted_at``.
SINCE: Final = "since"
#: When a person gave it another chance: it is no older than that.
AGAIN: Final = "again"
#: Of an entry that a crash found *sending*: it is tried while nothing else is.
ALONE: Final = "alone"
#: A person wants it held, said while it is *sending*: it is once the attempt is over.
HOLD: Final = "hold"
#: Of a failed entry: ``OWED``, the queue id of its notification, or why there is none.
NOTICE: Final = "notice"
OWED: Final = "owed"
NOT_OWED: Final = "none"
