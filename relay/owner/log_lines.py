"""Decision records out of log files: JSON lines as ``ses-relay serve`` writes them, gzipped ones too."""

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

#: Octets of one line; ``serve`` writes none as long. The rest of a longer one is read as lines that are no records.
LONGEST_LINE: Final = 1 << 20
STDIN: Final = "-"
_GZIP: Final = b"\x1f\x8b"


class LogProblem(ValueError):
    """A log cannot be read. ``str()`` names it and says why."""


@dataclass(slots=True)
class LineCount:
    """How many lines there were, and how many of them were decision records."""

    lines: int = 0
    records: int = 0


def records_of(
    names: Sequence[str], count: LineCount, *, moved: Callable[[int], None] = lambda _octets: None
) -> Iterator[Mapping[str, Any]]:
    """
    Yield every decision record of the logs *names*, ``-`` for standard input, in order.

    Lines that are something else are passed over and counted. A prefix before the JSON, as container engines and the
    journal put there, does not matter. *moved* hears how many octets of the files have been read since it last heard.

    Raises:
        LogProblem: A file cannot be read, or is no whole gzip file.
    """
    for name in names:
        try:
            yield from _records(name, count, moved)
        except (OSError, EOFError, zlib.error) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise LogProblem(f"{name}: {why}") from error


def size_of(names: Sequence[str]) -> int | None:
    """Return the octets of all files together; None where that is not known: standard input, pipes."""
    paths = [Path(name) for name in names]
    if STDIN in names or not all(path.is_file() for path in paths):
        return None
    return sum(path.stat().st_size for path in paths)


def _records(name: str, count: LineCount, moved: Callable[[int], None]) -> Iterator[Mapping[str, Any]]:
    with _open(name) as raw:
        is_gzip = raw.peek(2)[:2] == _GZIP
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_gzip else raw
        before = 0
        while line := stream.readline(LONGEST_LINE):
            count.lines += 1
            if count.lines % 1000 == 0 and raw.seekable():
                now = raw.tell()
                moved(now - before)
                before = now
            if (record := record_in(line)) is not None:
                count.records += 1
                yield record


@contextmanager
def _open(name: str) -> Iterator["BufferedReader[Any]"]:
    """Standard input stays open."""
    if name != STDIN:
        with Path(name).open("rb") as file:
            yield file
        return
    reader = BufferedReader(cast("RawIOBase", sys.stdin.buffer))
    try:
        yield reader
    finally:
        reader.detach()


def record_in(line: bytes) -> Mapping[str, Any] | None:
    """Return the decision record in *line*; None if it holds something else. A bare record, without event, is one."""
    if b'"roles"' not in line:
        return None
    try:
        value = json.loads(line[line.index(b"{") :])
    except ValueError:
        return None
    is_record = isinstance(value, dict) and value.get("event", "message") == "message" and "roles" in value
    return value if is_record else None
