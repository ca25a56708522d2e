"""
A small internet of names on loopback addresses, at free ports.

Two authoritative servers (knot): A at 127.0.0.1 and ::1, B at 127.0.0.2, which also serves ``test.``, the parent of
all zones. A validating resolver (unbound) asks them. 127.0.0.3 is a server that takes its time, at 127.0.0.9 is
nobody.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dns.message
import dns.query

from relay.dns.servers import Server, read_server
from relay.dns.zones import Net
from tests.ports import free_port

A, A6, B, SLOW, NOBODY = "127.0.0.1", "::1", "127.0.0.2", "127.0.0.3", "127.0.0.9"
HOSTS: Final = {"ns-a": (A, A6), "ns-b": (B,), "ns-slow": (SLOW,), "ns-nobody": (NOBODY,)}
SOA: Final = "@ 60 SOA ns-a.lab.test. hostmaster.lab.test. {serial} 60 60 86400 7\n"


@dataclass
class Site:
    """
    One zone: what it is delegated to, and its records, as a zone file has them, at the servers that serve it.

    ``None`` for a server: it is told to serve the zone and has no file to do so.
    """

    hosts: tuple[str, ...] = ("ns-a", "ns-b")
    records: Mapping[str, str | None] = field(default_factory=dict)
    is_bogus: bool = False


def everywhere(records: str) -> Site:
    return Site(records={"A": records, "B": records})


@dataclass
class Lab:
    """The running servers: ``port`` of the authoritative ones, ``resolver`` and ``stale`` as an option has them."""

    port: int
    resolver: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]
    slow: "SlowServer"
    serial: int = 1

    @property
    def resolvers(self) -> tuple[Server, ...]:
        return (read_server(self.resolver),)

    def net(self, *resolvers: str, seconds: float = 2.0) -> Net:
        """The lab as :class:`relay.dns.zones.Net`, by the validating resolver unless others are named."""
        return Net(tuple(map(read_server, resolvers)) or self.resolvers, seconds=seconds, port=self.port)

    @property
    def stale(self) -> str:
        """A server that is asked as a resolver and knows what B serves."""
        return f"{B}:{self.port}"

    def publish(self, zone: str, site: Site) -> None:
        """Put other records in place of a zone's, at the servers that have it; answered once they answer so."""
        self.serial += 1
        for letter in site.records:
            write_zone(self.folder / letter, zone, site, self.serial, letter)
            self.processes[letter].send_signal(signal.SIGHUP)
        for letter in site.records:
            self._await_serial(zone, A if letter == "A" else B)

    def _await_serial(self, zone: str, address: str) -> None:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            said = dns.query.udp(dns.message.make_query(zone, "SOA"), address, 2, self.port)
            if said.answer and said.answer[0][0].serial == self.serial:
                return
            time.sleep(0.02)
        raise TimeoutError(zone)


def write_zone(folder: Path, zone: str, site: Site, serial: int, letter: str) -> None:
    records = site.records[letter]
    if records is None:
        return
    hosts = site.hosts if any(each in site.hosts for each in HOSTS) else ("ns-a",)
    servers = "".join(f"@ 60 NS {host}.lab.test.\n" for host in hosts)
    origin = zone if zone == "." else f"{zone}."
    (folder / f"{zone}.zone").write_text(f"$ORIGIN {origin}\n$TTL 60\n{SOA.format(serial=serial)}{servers}{records}\n")


def above(sites: Mapping[str, Site]) -> dict[str, Site]:
    """The zones that delegate to *sites*: ``test.`` to all below it, the root to the others."""
    lines = [(name, f"{name}. 60 NS {host}.lab.test.") for name, site in sites.items() for host in site.hosts]
    test = [line for name, line in lines if name.endswith(".test")]
    root = ["test. 60 NS ns-b.lab.test.", *(line for name, line in lines if not name.endswith(".test"))]
    hosts = list(addresses("lab.test."))
    return {
        name: Site(("ns-b",), {"B": "\n".join([*delegated, *hosts])})
        for name, delegated in ((".", root), ("test", test))
    }


def addresses(under: str) -> Iterator[str]:
    for host, known in HOSTS.items():
        for address in known:
            yield f"{host}.{under} 60 {'AAAA' if ':' in address else 'A'} {address}"


class SlowServer:
    """Passes each question on to server A after ``seconds``, a thread for each; UDP only."""

    def __init__(self, port: int) -> None:
        self.seconds = 0.2
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((SLOW, port))

    def __enter__(self) -> "SlowServer":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                question, client = self._socket.recvfrom(4096)
                threading.Timer(self.seconds, self._pass_on, (question, client)).start()

    def _pass_on(self, question: bytes, client: Any) -> None:
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as passed:
            passed.settimeout(2)
            passed.sendto(question, (A, self._port))
            self._socket.sendto(passed.recv(4096), client)


@contextmanager
def laboratory(folder: Path, sites: Mapping[str, Site], tool: Mapping[str, str]) -> Iterator[Lab]:
    """Run the servers for *sites*; ``tool`` names knotd and unbound."""
    for attempt in range(5):
        port, resolver = free_port((A, A6, B, SLOW)), free_port()
        try:
            with running(folder / str(attempt), sites, tool, (port, resolver)) as lab:
                yield lab
        except PortTaken:
            continue
        return
    raise PortTaken("five times")


class PortTaken(Exception):
    """Somebody was quicker, on this machine of many."""


@contextmanager
def running(folder: Path, sites: Mapping[str, Site], tool: Mapping[str, str], ports: tuple[int, int]) -> Iterator[Lab]:
    port, resolver = ports
    below = {**sites, "lab.test": everywhere("\n".join(addresses("lab.test.")))}
    everything = {**below, **above(below)}
    processes = {}
    try:
        for letter, listen in (("A", (A, A6)), ("B", (B,))):
            conf = knot_conf(folder / letter, everything, letter, [f"{each}@{port}" for each in listen])
            processes[letter] = start([tool["knotd"], "-c", str(conf)], folder / f"{letter}.log")
        conf = unbound_conf(folder, everything, port, resolver)
        processes["resolver"] = start([tool["unbound"], "-d", "-c", str(conf)], folder / "unbound.log")
        for name, (address, at) in {"A": (A, port), "B": (B, port), "resolver": (A, resolver)}.items():
            await_answer(processes[name], address, at)
        with SlowServer(port) as slow:
            yield Lab(port, f"{A}:{resolver}", folder, processes, slow)
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGTERM)
        for process in processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def knot_conf(folder: Path, sites: Mapping[str, Site], letter: str, listen: Iterable[str]) -> Path:
    folder.mkdir(parents=True)
    served = [name for name, site in sites.items() if letter in site.records]
    for name in served:
        write_zone(folder, name, sites[name], 1, letter)
    zones = "".join(f"  - domain: {name}\n    file: {folder}/{name}.zone\n" for name in served)
    conf = folder / "knot.conf"
    conf.write_text(
        f"server:\n  rundir: {folder}\n  listen: [{', '.join(listen)}]\n"
        "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
        f"database:\n  storage: {folder}\n  journal-db-max-size: 1M\n  timer-db-max-size: 1M\n"
        "log:\n  - target: stderr\n    any: warning\n"
        "template:\n  - id: default\n    journal-content: none\n    zonefile-load: whole\n    zonefile-sync: -1\n"
        f"zone:\n{zones}"
    )
    return conf


def unbound_conf(folder: Path, sites: Mapping[str, Site], port: int, resolver: int) -> Path:
    stubs = []
    for name, site in sites.items():
        asked = [address for host in site.hosts for address in HOSTS[host] if address not in {A6, NOBODY}]
        where = "".join(f"  stub-addr: {address}@{port}\n" for address in asked)
        stubs.append(f'stub-zone:\n  name: "{name if name == "." else name + "."}"\n{where}')
    anchors = "".join(
        f'  trust-anchor: "{name}. DS 1 8 2 {"ab" * 32}"\n' for name, site in sites.items() if site.is_bogus
    )
    conf = folder / "unbound.conf"
    conf.write_text(
        f'server:\n  interface: {A}@{resolver}\n  port: {resolver}\n  directory: "{folder}"\n  chroot: ""\n'
        '  username: ""\n  pidfile: ""\n  use-syslog: no\n  logfile: ""\n  verbosity: 0\n  do-daemonize: no\n'
        "  num-threads: 1\n  do-not-query-localhost: no\n  ede: yes\n  val-log-level: 0\n"
        '  module-config: "validator iterator"\n  local-zone: "test." nodefault\n'
        "  outbound-msg-retry: 2\n  unknown-server-time-limit: 200\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n"
        f"{anchors}remote-control:\n  control-enable: no\n{''.join(stubs)}"
    )
    return conf


def start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as written:
        return subprocess.Popen(command, stdout=written, stderr=written, env={"PATH": os.environ.get("PATH", "")})


def await_answer(process: subprocess.Popen[bytes], address: str, port: int) -> None:
    until = time.monotonic() + 20
    question = dns.message.make_query("lab.test", "SOA")
    while time.monotonic() < until:
        if process.poll() is not None:
            raise PortTaken(str(process.args))
        with suppress(Exception):
            if dns.query.udp(question, address, 0.5, port).answer:
                return
        time.sleep(0.02)
    raise TimeoutError(str(process.args))
