"""Decision records are found in whatever a log is wrapped in."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from relay.owner.log_lines import LONGEST_LINE, LineCount, LogProblem, record_in, records_of, size_of

RECORD = {"event": "message", "schema": 1, "id": "x", "roles": []}
LINE = json.dumps(RECORD).encode()


def found(*names: Path | str) -> tuple[list[Any], LineCount]:
    count = LineCount()
    return list(records_of([str(name) for name in names], count)), count


async def test_every_message_of_a_log_of_serve_is_found(week, tmp_path):
    log = week.write(tmp_path / "week.log")

    records, count = found(log)

    assert [
        {key: value for key, value in one.items() if key not in {"level", "event"}} for one in records
    ] == week.records
    assert (count.lines, count.records) == (301, 300)


def test_gzipped_and_plain_logs_one_after_the_other(tmp_path):
    (tmp_path / "a.log.1").write_bytes(gzip.compress(LINE + b"\n" + LINE))
    (tmp_path / "b.log").write_bytes(LINE)

    records, count = found(tmp_path / "a.log.1", tmp_path / "b.log")

    assert records == [RECORD] * 3
    assert count.records == 3


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_standard_input_is_read_and_stays_open(monkeypatch, wrap):
    stdin = io.TextIOWrapper(io.BytesIO(wrap(LINE + b"\n")))
    monkeypatch.setattr(sys, "stdin", stdin)

    assert found("-")[0] == [RECORD]
    assert not stdin.buffer.closed


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (LINE, RECORD),
        (b"relay-1  | " + LINE, RECORD),
        (json.dumps({"schema": 1, "roles": []}).encode(), {"schema": 1, "roles": []}),
        (json.dumps({**RECORD, "event": "judged"}).encode(), None),
        (b'{"event": "message", "roles": [', None),
        (b'["roles"]', None),
        (b'{"x": "\\"roles\\""}', None),
        (b'"roles" without a brace', None),
        (b'{"roles": "\xff"}', None),
        (b"", None),
    ],
)
def test_a_line_is_a_record_or_is_passed_over(line, record):
    assert record_in(line) == record


def test_a_line_without_end_costs_no_memory(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"x" * (3 * LONGEST_LINE) + b"\n" + LINE + b"\n")

    records, count = found(log)

    assert records == [RECORD]
    assert count.lines == 5  # three pieces, their end, and the record


def test_what_cannot_be_read_is_named(tmp_path):
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(LINE * 1000)[:60])

    with pytest.raises(LogProblem, match=r"broken\.gz: "):
        found(broken)
    with pytest.raises(LogProblem, match="gone: No such file"):
        found(tmp_path / "gone")


def test_progress_is_told_in_octets(tmp_path):
    log = tmp_path / "log"
    log.write_bytes((LINE + b"\n") * 5000)
    moved: list[int] = []

    list(records_of([str(log)], LineCount(), moved=moved.append))

    assert len(moved) == 5
    assert 0 < sum(moved) <= log.stat().st_size == size_of([str(log)])


def test_the_size_of_a_pipe_is_not_known(tmp_path):
    assert size_of(["-"]) is None
    assert size_of([str(tmp_path)]) is None
