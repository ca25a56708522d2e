"""The trace that a message belongs to: its ``traceparent`` field, by the form of W3C Trace Context."""

from collections.abc import Sequence
from typing import Final

from relay.mail.fields import unfolded
from relay.words.patterns import on_demand

# Version 00 ends with the flags; a later one may go on after a dash. Section 3.2.2: lower case only, ff is no version.
_FORM: Final = on_demand(
    rb"(?:00-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-[0-9a-f]{2}"
    rb"|(?!00|ff)[0-9a-f]{2}-(?P<later>[0-9a-f]{32})-(?P<its>[0-9a-f]{16})-[0-9a-f]{2}(?:-[!-~]{1,200})?)"
)


def read_traceparent(values: Sequence[bytes]) -> str | None:
    """
    Return the trace context among the *values* of all ``traceparent`` fields; None unless there is exactly one, of the
    right form.

    A message with another one is as good as one without: nothing is decided by it (W3C Trace Context, section 3.2).
    """
    if len(values) != 1:
        return None
    value = unfolded(values[0])
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    trace, parent = found["trace"] or found["later"], found["parent"] or found["its"]
    is_nobody = not trace.strip(b"0") or not parent.strip(b"0")
    return None if is_nobody else value.decode("ascii")
