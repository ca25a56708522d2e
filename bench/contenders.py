"""Those that are measured: our relay as it can be set up, and its peers, each a process of its own on one core."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import postfix
from bench.machine import CORES, MEASURED, on
from bench.ses import Stage, listening
from bench.trees import ROOT, environ_of
from tests.system.houses import House
from tests.system.relays import RunningRelay, spawn, split

NAIVE, ALONE, POSTFIX, BOUND = "naive", "alone", "Postfix", "bound"
_OPEN: Final = """
[[listener]]
address = "127.0.0.1:0"
tls = "off"
require_auth = false
"""
_JOURNALS: Final = {"none": "entries = 0", "memory": "", "disk": 'path = "{folder}/journal.db"\nentries = 5000'}


@dataclass(frozen=True)
class Ours:
    """
    Our relay: how mail is kept, how SES is called, where the journal is, how many workers, and if on all cores.

    ``number``: which of those that are set up alike. What one has served leaves its trace in it.
    """

    mode: str = "direct"
    api: str = "v1"
    journal: str = "memory"
    workers: int = 1
    is_everywhere: bool = False
    number: int = 1

    @property
    def name(self) -> str:
        place = "-everywhere" * self.is_everywhere
        return f"{self.mode}-{self.api}-{self.journal}-{self.workers}{place}-{self.number}"


@dataclass(frozen=True)
class Contender:
    """A process that takes mail at ``port``, with AUTH at another; ``settle`` waits until all is sent."""

    pid: int
    port: int
    port_with_auth: int
    settle: Callable[[], None]


def _settled() -> None:
    """All is done when the last reply was heard."""


@contextmanager
def started(which: Ours | str, stage: Stage, tree: Path = ROOT) -> Iterator[Contender]:
    """Start one of them; of ours the one of *tree*."""
    if isinstance(which, Ours):
        with _ours(which, stage, tree) as (pid, port_with_auth, port):
            yield Contender(pid, port, port_with_auth, _settled)
    elif which == POSTFIX:
        with postfix.postfix() as peer:
            yield Contender(peer.pid, peer.port, peer.port, peer.wait_until_empty)
    else:
        endpoint = stage.endpoint if which == NAIVE else "-"
        with on(MEASURED), listening("bench.naive", "us-east-1", endpoint, environ=stage.environ) as (pid, port):
            yield Contender(pid, port, port, _settled)


@contextmanager
def _ours(which: Ours, stage: Stage, tree: Path) -> Iterator[tuple[int, int, int]]:
    with relay(
        stage,
        f"{which.name}-{tree.parent.name}",
        which.mode,
        journal=_JOURNALS[which.journal].format(folder=stage.folder),
        delegate='tenant = "bench"' if which.api == "v2" else "",  # v2 alone has a word for a tenant
        server=f"workers = {which.workers}" if which.workers > 1 else "",
        tree=tree,
        cores=CORES if which.is_everywhere else MEASURED,
    ) as found:
        yield found


@contextmanager
def relay(  # noqa: PLR0913 - what differs between those that are compared, all but three by name
    stage: Stage,
    name: str,
    mode: str = "direct",
    *,
    journal: str = "",
    delegate: str = "",
    server: str = "",
    limits: str = "",
    furnish: Callable[[House], None] = lambda _: None,
    program: Sequence[str] = ("-m", "relay"),
    tree: Path = ROOT,
    cores: frozenset[int] = MEASURED,
) -> Iterator[tuple[int, int, int]]:
    """
    Run our relay of *tree*; yield its process id, and the ports with and without AUTH.

    *journal*, *delegate*, *server* and *limits* are for its settings, *furnish* for all else its folder is to have.
    """
    house = House(stage.folder / name, (stage.folder / "c.pem", stage.folder / "k.pem"), ses=stage.endpoint)
    house.edit('refresh_interval = "100ms"', 'refresh_interval = "60s"')
    house.edit('name = "newsletter"', 'name = "newsletter"\nrate = "1000000/s"')
    house.edit('region = "us-east-1"', 'region = "us-east-1"\nmax_send_rate = 1000000')
    house.edit("[server]\n", f"[server]\n{server}\n")
    text = house.settings.read_text().replace("[[delegate]]", f"{_OPEN}\n[[delegate]]", 1)
    text = text.replace('name = "billing"', 'name = "billing"\ntrusted_networks = ["127.0.0.1/32"]\n' + delegate, 1)
    house.settings.write_text(f"{text}\n[limits]\nconnections_per_client = 0\n{limits}\n\n[journal]\n{journal}\n")
    if mode != "direct":
        house.keep(mode)
    furnish(house)
    log = house.folder / "relay.log"
    with on(cores):
        process = spawn(["serve", "-c", str(house.settings)], log, stage.environ | environ_of(tree), program=program)
    try:
        listeners = RunningRelay(process, log).wait_for("relay.ready")["listeners"]
        yield process.pid, split(listeners[0])[1], split(listeners[1])[1]
    finally:
        process.terminate()
        process.wait()
