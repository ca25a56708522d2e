"""``explain --batch``: one case a line in, one answer a line out, in order, however many there are."""

import json
from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol, TextIO

from relay.policy.batch import answer, refusal

#: No case is as long by far (octets or characters); a longer line is answered without being held.
LONGEST_LINE: Final = 8 << 20


class Sink(Protocol):
    """Where the answers go."""

    def write(self, text: str, /) -> object:
        """Take one line."""

    def flush(self) -> object:
        """Let the reader have it: whoever asks case by case waits for it."""


def run(source: TextIO | BinaryIO, sink: Sink) -> int:
    """
    Answer every line of *source*; blank lines are no cases. Holds one line at a time.

    Returns:
        0: whatever was asked, it was answered; what could not be read says so in its own answer.
    """
    for line in _lines(source):
        told = refusal(f"longer than {LONGEST_LINE} octets") if line is None else answer(line)
        sink.write(json.dumps(told, separators=(",", ":")) + "\n")
        sink.flush()
    return 0


def _lines(source: TextIO | BinaryIO) -> Iterator[str | None]:
    """The lines that are not blank; None for one that is too long."""
    while raw := source.readline(LONGEST_LINE):
        if _is_whole(raw):
            line = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
            if line.strip():
                yield line
            continue
        while not _is_whole(source.readline(LONGEST_LINE)):
            pass
        yield None


def _is_whole(raw: str | bytes) -> bool:
    """Whether what was read reached the end of its line, or of the source."""
    return len(raw) < LONGEST_LINE or raw[-1:] in ("\n", b"\n")
