"""A relay that is to be killed, the SES before it, and what each of them says happened."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.system.relays import RunningRelay, clean_environ, http
from tests.torture.far_ses import Book, Taken, Weather

#: ``make torture``: all of it. Else as much as fits into every run of the suite.
FULL = os.environ.get("TORTURE") == "full"
#: Seconds that each client of a crowd rests between two messages: other tests of the suite want the machine, too.
REST = 0.0 if FULL else 0.1
ROOT = Path(__file__).parents[2]
DEMO = ROOT / "config" / "demo"
#: Every delegate of the field may send as billing@example.com; each is known by an address of loopback.
DELEGATES = {f"d{number}": f"127.0.0.{number}" for number in range(1, 9)}
SETTINGS = """
[server]
hostname = "relay.torture.example"
drain_timeout = "10s"

[[listener]]
address = "127.0.0.1:0"
tls = "off"
require_auth = false

{delegates}
[policies]
source = "directory"
directory = "policies"
refresh_interval = "200ms"

[[policies.owner]]
account = "888888888888"
regions = ["us-east-1"]

[ses]
endpoint_url = "{ses}"
region = "us-east-1"
read_timeout = "{read_timeout}"
{ses_options}
[delivery]
mode = "{mode}"
budget = "{budget}"

[spool]
url = "sqlite://{folder}/spool/spool.db"
{spool_options}
[limits]
connections_per_client = 1000

[admin]
address = "127.0.0.1:0"
"""
DELEGATE = """
[[delegate]]
name = "{name}"
principal = "arn:aws:iam::111111111111:user/billing"
trusted_networks = ["{address}/32"]
"""


class Ses:
    """The SES of a test, told and asked over HTTP."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.url = f"http://{host}:{port}"

    def be(self, **weather: Any) -> None:
        """Behave so from now on; nothing said is fair weather."""
        http("PUT", f"{self.url}/weather", json.dumps(asdict(Weather(**weather))).encode())

    def book(self) -> Book:
        told = json.loads(http("GET", f"{self.url}/book"))
        return Book(**{**told, "taken": [Taken(**each) for each in told["taken"]]})

    def names(self) -> list[str]:
        return [each.name for each in self.book().taken]


@contextmanager
def far_ses(seed: str, host: str = "127.0.0.1") -> Iterator[Ses]:
    """Run an SES in a process of its own, at an address of this machine, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.torture.far_ses", seed, host], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Ses(int(process.stdout.readline()), host)
    finally:
        process.kill()
        process.communicate()


class Field:
    """A folder with settings, policies and a spool that outlives the relays which are started on it."""

    def __init__(self, folder: Path, ses: Ses, mode: str = "spool", **options: Any) -> None:
        """*options*: ``budget``, ``read_timeout``, ``ses_options`` (lines of ``[ses]``), and keys of ``[spool]``."""
        self.folder, self.ses = folder, ses
        (folder / "spool").mkdir(parents=True)
        shutil.copytree(DEMO / "policies", folder / "policies")
        ses_options = options.pop("ses_options", "")
        budget = options.pop("budget", "2s")
        read_timeout = options.pop("read_timeout", "5s")
        keys = {"retry_first": "100ms", "retry_longest": "1s", "retry_unsure": "300ms", **options}
        text = SETTINGS.format(
            folder=folder,
            ses=ses.url,
            mode=mode,
            budget=budget,
            read_timeout=read_timeout,
            delegates="".join(DELEGATE.format(name=name, address=at) for name, at in DELEGATES.items()),
            ses_options=ses_options,
            spool_options="".join(f'{key} = "{value}"\n' for key, value in keys.items()),
        )
        (folder / "relay.toml").write_text(text)
        self.relays: list[RunningRelay] = []

    @property
    def spool(self) -> Path:
        return self.folder / "spool" / "spool.db"

    def edit(self, old: str, new: str) -> None:
        """Replace a piece of the settings, if it is there, for the relays to come."""
        path = self.folder / "relay.toml"
        path.write_text(path.read_text().replace(old, new))

    def launch(self, wrapper: Sequence[str] = (), environ: dict[str, str] | None = None) -> RunningRelay:
        """Start a relay, inside *wrapper*, and wait for nothing."""
        log = self.folder / f"relay{len(self.relays)}.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [*wrapper, sys.executable, "-m", "relay", "serve", "-c", str(self.folder / "relay.toml")],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=clean_environ({"PYTHONPATH": str(ROOT), **(environ or {})}),
                cwd=self.folder,
            )
        self.relays.append(RunningRelay(process, log))
        return self.relays[-1]

    def start(self, wrapper: Sequence[str] = (), environ: dict[str, str] | None = None) -> RunningRelay:
        """Start a relay and wait until it takes mail."""
        relay = self.launch(wrapper, environ)
        relay.addresses = relay.wait_for("relay.ready")
        return relay

    @contextmanager
    def running(self, wrapper: Sequence[str] = (), environ: dict[str, str] | None = None) -> Iterator[RunningRelay]:
        """Run a relay until the block ends; it must then leave in good order, unless it is dead already."""
        relay = self.start(wrapper, environ)
        try:
            yield relay
            if relay.process.poll() is None:
                assert relay.signalled(signal.SIGTERM, 40) == 0, relay.text[-3000:]
        finally:
            kill(relay)

    def states(self) -> dict[str, int]:
        """How many entries are in each state, as the database itself says; the rest of the spool is not asked."""
        with closing(sqlite3.connect(f"file:{self.spool}?mode=ro", uri=True, timeout=20)) as database:
            return dict(database.execute("SELECT state, count(*) FROM entries GROUP BY state"))

    def is_drained(self) -> bool:
        """Whether nothing is due or under way."""
        return not {"due", "sending"} & self.states().keys()

    def is_done(self) -> bool:
        """Whether no message is left in a file, either: it goes a moment after the last word about it is kept."""
        return self.is_drained() and self.large() == []

    def large(self) -> list[str]:
        """The names of the messages that lie in files."""
        return [path.name for path in self.spool.with_name("spool.db.messages").iterdir() if path.suffix]

    def drain(self, seconds: float = 60) -> RunningRelay:
        """Run a relay in fair weather until nothing is left to be sent; return it, dead."""
        self.ses.be()
        with self.running() as relay:
            relay.wait_until(self.is_drained, "empty spool", seconds)
        return relay


MakeField = Callable[..., Field]


def kill(relay: RunningRelay) -> None:
    """Kill -9, and wait for the end."""
    with suppress(ProcessLookupError):
        relay.process.kill()
    relay.process.wait(20)


def lines(relay: RunningRelay, event: str) -> list[dict[str, Any]]:
    """The log lines of *event*; of a relay that was killed the last line may be half."""
    found = []
    for line in relay.log.read_text(errors="replace").splitlines():
        with suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and told.get("event") == event:
                found.append(told)
    return found


def until_dead(relay: RunningRelay, or_else: Callable[[], bool], seconds: float = 30) -> bool:
    """Wait for the relay's death, or for *or_else*; tell whether it died."""
    try:
        relay.wait_until(lambda: is_dead(relay) or or_else(), "death", seconds)
    except (OSError, AssertionError):
        if not is_dead(relay):
            raise
    return is_dead(relay)


def is_dead(relay: RunningRelay) -> bool:
    """Whether it was killed; a tracer may keep one of its threads from ending."""
    if relay.process.poll() is not None:
        return True
    return "\nState:\tZ" in Path(f"/proc/{relay.process.pid}/status").read_text()


def peak_memory(relay: RunningRelay) -> float:
    """The most memory the relay ever had, in MiB."""
    status = Path(f"/proc/{relay.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def with_few_files(number: int) -> list[str]:
    """Wrap a command so that it has *number* files at most."""
    return ["sh", "-c", f'ulimit -n {number}; exec "$@"', "sh"]


def strace(tool: str, *options: str, trace: Path | None = None) -> list[str]:
    """Wrap a command so that it runs under strace; it stays the process that is started, strace stands beside it."""
    shown = "120" if trace is None else "4200"  # a page of the spool, to find an entry in
    return [tool, "-D", "-f", "-qq", "-y", "-s", shown, "-o", str(trace or os.devnull), *options]


@contextmanager
def tampered(relay: RunningRelay, tool: str, calls: str, how: str) -> Iterator[None]:
    """Let system calls of a running relay fail, wait or kill, as strace's ``inject=CALLS:HOW`` does, from now on."""
    expressions = ["-e", f"trace={calls}", "-e", f"inject={calls}:{how}"]
    tracer = subprocess.Popen([tool, "-f", "-qq", "-o", os.devnull, *expressions, "-p", str(relay.process.pid)])
    try:
        relay.wait_until(lambda: all(map(is_traced, threads_of(relay.process.pid))), "tracer")
        yield
    finally:
        if is_dead(relay):  # it may wait for a thread that died beside the one it killed
            tracer.kill()
        else:
            tracer.terminate()
        tracer.wait(20)


def threads_of(process: int) -> list[Path]:
    """The threads of a process, none if it is dead: it may die of its first call while it is looked at."""
    try:
        return list(Path(f"/proc/{process}/task").iterdir())
    except OSError:
        return []


def is_traced(thread: Path) -> bool:
    """Whether somebody traces a thread of ``/proc``; one that has ended needs nobody."""
    try:
        return "TracerPid:\t0\n" not in (thread / "status").read_text()
    except OSError:
        return True
