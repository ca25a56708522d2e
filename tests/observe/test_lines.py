"""Whatever becomes of the log's reader: mail goes on, and what was lost is counted."""

import asyncio
import fcntl
import os
import threading
import time
from collections.abc import Iterator

import pytest

from relay.observe.lines import Lines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe of four pages: its reading and its writing end."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 16384)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue  # the test closed it


def read_all(fd: int) -> bytes:
    os.set_blocking(fd, False)
    pieces = []
    try:
        while piece := os.read(fd, 65536):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


def test_lines_go_through_whole_and_in_order(pipe):
    """
    The simple case.
    """
    lines = Lines(pipe[1])

    for number in range(20):
        assert lines.write(b"line %d\n" % number) == 0

    assert read_all(pipe[0]) == b"".join(b"line %d\n" % number for number in range(20))


def test_a_reader_that_sleeps_holds_nobody_up(pipe):
    """
    A full pipe never blocks the writer: lines wait up to the bound, more are dropped and told once it goes on.
    """
    lines = Lines(pipe[1], most_pending=10_000)

    assert {lines.write(b"%05d " % number + b"x" * 93 + b"\n") for number in range(1000)} == {0}

    got, lost = b"", 0
    while piece := read_all(pipe[0]):
        got += piece
        lost += lines.write(b"")
    arrived = got.splitlines()
    assert lost == 1000 - len(arrived)
    assert all(len(line) == 99 for line in arrived)
    assert [int(line[:5]) for line in arrived] == list(range(len(arrived)))


def test_lines_are_written_together(pipe):
    """
    At the end of the block, in their order; what a program dies of within loses no more than what was told in it.
    """
    lines = Lines(pipe[1])

    with lines.together():
        for number in range(20):
            assert lines.write(b"line %d\n" % number) == 0
        assert read_all(pipe[0]) == b""

    assert read_all(pipe[0]) == b"".join(b"line %d\n" % number for number in range(20))
    assert lines.write(b"alone\n") == 0
    assert read_all(pipe[0]) == b"alone\n"


def test_more_than_is_gathered_is_written_meanwhile(tmp_path):
    """
    However much is told at once: none of it is dropped where the descriptor takes it.
    """
    file = tmp_path / "log"
    long = b"y" * 50_000 + b"\n"
    with file.open("wb") as log:
        lines = Lines(log.fileno(), most_pending=200_000)
        with lines.together():
            assert [lines.write(long) for _ in range(20)] == [0] * 20

    assert file.read_bytes() == 20 * long


def test_who_gathers_hears_of_what_was_lost(pipe):
    """
    Once lines get through again.
    """
    lines, lost = Lines(pipe[1], most_pending=10_000), 0
    for number in range(1000):
        assert lines.write(b"%05d " % number + b"x" * 93 + b"\n") == 0

    got = b""
    while piece := read_all(pipe[0]):
        got += piece
        for _ in range(2):
            with lines.together():
                lost += lines.write(b"")

    assert lost == 1000 - len(got.splitlines())


def test_a_line_longer_than_the_pipe_arrives_whole(pipe):
    """
    A decision record of many recipients is longer than what a pipe takes at once.
    """
    lines = Lines(pipe[1])
    long = b"y" * 50_000 + b"\n"

    lines.write(long)

    got = b""
    while len(got) < len(long):
        got += read_all(pipe[0])
        lines.write(b"")
    assert long == got


async def test_what_waits_is_tried_again_without_a_further_line(pipe):
    """
    In a quiet hour the last lines arrive too.
    """
    lines = Lines(pipe[1])
    lines.write(b"z" * 20_000 + b"\n")
    got = read_all(pipe[0])
    assert len(got) == 16384

    async with asyncio.timeout(10):
        while not got.endswith(b"\n"):
            await asyncio.sleep(0.02)
            got += read_all(pipe[0])

    assert got == b"z" * 20_000 + b"\n"


def test_a_reader_that_left_harms_nobody(pipe):
    """
    EPIPE is neither an exception nor a signal.
    """
    lines = Lines(pipe[1])
    os.close(pipe[0])

    assert {lines.write(b"line\n") for _ in range(100)} == {0}


def test_a_closed_descriptor_harms_nobody(pipe):
    """
    Nor does a descriptor that is none.
    """
    os.close(pipe[1])

    assert Lines(pipe[1]).write(b"line\n") == 0


def test_a_full_disk_harms_nobody():
    """
    ENOSPC at every write: dropped, counted, told when there is room again.
    """
    full = os.open("/dev/full", os.O_WRONLY)
    room, reader = None, None
    try:
        lines = Lines(full)
        assert {lines.write(b"line\n") for _ in range(7)} == {0}
        reader, room = os.pipe()
        os.dup2(room, full)

        assert lines.write(b"there is room\n") == 7
        assert lines.write(b"again\n") == 0
        assert read_all(reader) == b"there is room\nagain\n"
    finally:
        for fd in (full, room, reader):
            if fd is not None:
                os.close(fd)


def test_a_line_torn_by_an_error_does_not_spoil_the_next(pipe, monkeypatch):
    """
    After half a line and an error the next one begins on a line of its own.
    """
    lines = Lines(pipe[1])
    write = os.write
    script: Iterator[int | OSError] = iter([3, OSError(28, "No space left on device")])

    def scripted(fd: int, octets: bytes) -> int:
        step = next(script, None)
        if isinstance(step, OSError):
            raise step
        return write(fd, octets[:step])

    monkeypatch.setattr("relay.observe.lines.os.write", scripted)
    lines.write(b"torn\n")

    assert lines.write(b"whole\n") == 1
    assert read_all(pipe[0]) == b"tor\nwhole\n"


def test_a_file_takes_lines_at_once(tmp_path):
    """
    Standard output redirected into a file.
    """
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines = Lines(fd)

    lines.write(b"a" * 100_000 + b"\n")
    lines.write(b"b\n")
    os.close(fd)

    assert path.read_bytes() == b"a" * 100_000 + b"\nb\n"


def test_lines_of_threads_do_not_mix(pipe):
    """
    Libraries log from threads of their own.
    """
    lines = Lines(pipe[1])
    threads = [
        threading.Thread(target=lambda mark=mark: [lines.write(mark * 200 + b"\n") for _ in range(100)])
        for mark in (b"a", b"b")
    ]
    for thread in threads:
        thread.start()
    got = b""
    while len(got) < 2 * 100 * 201:
        got += read_all(pipe[0])
        lines.write(b"")
    for thread in threads:
        thread.join()

    assert {b"a" * 200, b"b" * 200} == set(got.splitlines())


def test_close_waits_for_a_reader_that_reads(pipe):
    """
    The last lines of a process are not lost to a moment's delay.
    """
    lines = Lines(pipe[1])
    lines.write(b"x" * 20_000 + b"\n")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(os.read(pipe[0], 65536)))
    reader.start()

    lines.close(patience=5)

    reader.join()
    assert b"".join([*got, read_all(pipe[0])]) == b"x" * 20_000 + b"\n"


def test_close_waits_for_a_reader_that_takes_its_time(pipe):
    """
    As long as it has patience: a reader takes no more at once than the pipe holds.
    """
    lines = Lines(pipe[1])
    lines.write(b"x" * 100_000 + b"\n")
    got: list[bytes] = []

    def read() -> None:
        while not b"".join(got).endswith(b"\n"):
            time.sleep(0.002)
            got.append(os.read(pipe[0], 4096))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    lines.close(patience=5)

    reader.join(1)
    assert b"".join(got) == b"x" * 100_000 + b"\n"


def test_close_has_patience_once(pipe):
    """
    However little its reader takes each time.
    """
    lines = Lines(pipe[1])
    lines.write(b"x" * 1_000_000 + b"\n")
    enough = threading.Event()

    def read() -> None:
        while not enough.wait(0.02):
            os.read(pipe[0], 4096)

    reader = threading.Thread(target=read)
    reader.start()
    began = time.monotonic()

    lines.close(patience=0.3)

    assert 0.2 < time.monotonic() - began < 2
    enough.set()
    reader.join()
