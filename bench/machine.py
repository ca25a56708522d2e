"""The machine: which cores are whose, what processes have used, and what the machine itself takes."""

import os
import platform
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CORES: Final = frozenset(os.sched_getaffinity(0))
#: One core for what is measured, and the others for all else: clients, SES, the bench.
MEASURED: Final = frozenset({min(CORES)})
REST: Final = CORES - MEASURED or CORES
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_CUTIME, _CSTIME, _PARENT = 13, 14, 1


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """Run the block on *cores*; a process that is started in it stays there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, all its threads and all its children, those that ended too."""
    family = list(_family(pid))
    ended = sum(int(field) for one in family for field in _stat(one)[_CUTIME : _CSTIME + 1])
    return sum(_own_cpu(one) for one in family) + ended / _TICKS


def _own_cpu(pid: int) -> float:
    """To the nanosecond, see clock_getcpuclockid(3)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # ended meanwhile
        return 0.0


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["Z", *"0" * 20]


def _family(pid: int) -> Iterator[int]:
    """A process and its children, and theirs."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


def forget_peak(pid: int) -> None:
    """Let the peak of memory begin anew at what is resident now."""
    for one in _family(pid):
        Path(f"/proc/{one}/clear_refs").write_text("5")


def peak_of(pid: int) -> int:
    """The most octets that were resident since, of the process and its children together."""
    return sum(_status(one, "VmHWM") for one in _family(pid))


def resident_of(pid: int) -> int:
    """Octets that a process has resident."""
    return _status(pid, "VmRSS")


def _status(pid: int, key: str) -> int:
    try:
        found = Path(f"/proc/{pid}/status").read_text().partition(f"{key}:")[2].split()
    except OSError:
        return 0
    return int(found[0]) * 1024 if found else 0


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something; exit when it does not come."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"bench: waited {seconds:.0f} s for {what}")
        time.sleep(0.01)


def wait_for_calm(pid: int) -> None:
    """Wait until a process uses next to nothing, twice: a folder that changes meanwhile is read again."""
    before = -1.0
    while cpu_of(pid) - before > 0.02:
        before = cpu_of(pid)
        time.sleep(1)


def described() -> str:
    """The processor, its cores, the system and the Python, in one line."""
    cpu = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    kind = subprocess.run(["systemd-detect-virt"], capture_output=True, text=True, check=False) if _has_virt() else None
    virtual = f" (virtual, {kind.stdout.strip()})" if kind and kind.stdout.strip() not in ("", "none") else ""
    python = f"Python {platform.python_version()}"
    return f"{len(CORES)} cores of {cpu}{virtual}, {platform.system()} {platform.release()}, {python}"


def _has_virt() -> bool:
    return Path("/usr/bin/systemd-detect-virt").exists()


def loopback(octets: int, times: int = 2000) -> float:
    """CPU seconds that the kernel takes to bring so many octets over loopback, sent in one piece and received."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sending = socket.create_connection(server.getsockname())
        receiving, _ = server.accept()
        data, room = bytes(octets), bytearray(octets)
        took = []
        for _ in range(5):
            began = time.process_time()
            for _ in range(times // 5):
                sending.sendall(data)
                left = octets
                while left:
                    left -= receiving.recv_into(room)
            took.append((time.process_time() - began) / (times // 5))
        sending.close()
        receiving.close()
    return statistics.median(took)
