"""What keeping a message at a Redis costs: the same as bench.spool, at a server beside it that syncs each commit."""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.record import head, row
from bench.spool import commit, live, played
from relay.shared.spool_opening import open_redis_spool

#: What the relays of a fleet ask of their own accord, whatever they send.
_UPKEEP = frozenset(
    {"info", "config|get", "ping", "client|setname", "client|setinfo", "hello", "select", "eval", "set"}
)
OPTIONS = "port 0\nunixsocket {0}/redis.sock\ndir {0}\nsave ''\nappendonly yes\nappendfsync {1}\n"


@contextmanager
def server(fsync: str) -> Iterator[Path]:
    """Run a server with its log on this disk; answer its socket."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not installed")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder) / "redis.sock"
        (Path(folder) / "redis.conf").write_text(OPTIONS.format(folder, fsync))
        process = subprocess.Popen([program, f"{folder}/redis.conf"], stdout=subprocess.DEVNULL)
        try:
            while not path.exists():
                time.sleep(0.01)
            yield path
        finally:
            process.kill()
            process.wait()


def asked(path: Path, *parts: str) -> str:
    """Send one command, and return the text that is its answer."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))
        said = "".join(f"${len(part)}\r\n{part}\r\n" for part in parts)
        wire.sendall(f"*{len(parts)}\r\n{said}".encode())
        answer = wire.makefile("rb")
        first = answer.readline().decode()
        return answer.read(int(first[1:])).decode() if first.startswith("$") else first


def commands(path: Path) -> dict[str, int]:
    """How often each command came, those that scripts gave included."""
    lines = asked(path, "INFO", "commandstats").split()
    stats = [line.removeprefix("cmdstat_").split(":") for line in lines if line.startswith("cmdstat_")]
    return {name: int(told.split(",")[0].removeprefix("calls=")) for name, told in stats}


async def measured(path: Path, at_once: int, seconds: float, fsync: str) -> None:
    url = f"unix://{path}?durability={fsync}"
    spool = await open_redis_spool(url, max_bytes=1 << 34, observe=lambda _: None, lease_seconds=60)
    for life in (commit, live):
        asked(path, "CONFIG", "RESETSTAT")
        number = await played(spool, life, at_once, seconds, f"{life.__name__}, {at_once} at once, {fsync}")
        calls = commands(path)
        all_of_them = sum(count for name, count in calls.items() if name not in _UPKEEP) / number
        row("  for each", f"{calls['evalsha'] / number:.1f} scripts", f"{all_of_them:.0f} commands", "", "")
    await spool.close()


def main(seconds: float = 2.0) -> None:
    head("The spool at Redis, messages of 5 KB", "per second", "CPU here", "p50", "p99")
    for fsync in ("always", "everysec"):
        for at_once in (1, 32):
            with server(fsync) as path:
                asyncio.run(measured(path, at_once, seconds, fsync))


if __name__ == "__main__":
    main()
