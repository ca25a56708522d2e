"""
A network of the test's own: namespaces with an address each on one bridge, which may be cut off, wholly or in part.

The test is on it, too, at ``.1``. Nothing of it is seen by other tests or by the machine's own network.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_NUMBERS = count()
#: Further addresses of the test: clients are known by where they come from.
CLIENTS = range(101, 109)


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


class Place:
    """A namespace with one address; what runs in it is started behind ``wrapper``."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.wrapper: Sequence[str] = ("ip", "netns", "exec", name)
        self._hosts = Path("/etc/netns") / name / "hosts"

    def knows(self, **names: str) -> None:
        """Have names lead to these addresses; for processes that run here already, too."""
        self._hosts.parent.mkdir(parents=True, exist_ok=True)
        lines = ["127.0.0.1 localhost", *(f"{address} {name.replace('_', '.')}" for name, address in names.items())]
        self._hosts.write_text("".join(f"{line}\n" for line in lines))  # the same file: it is mounted

    def deafen(self, port: int) -> None:
        """Let nothing through to *port*, wherever, and tell nobody."""
        for chain, which in (("OUTPUT", "--dport"), ("INPUT", "--sport")):
            run(*self.wrapper, "iptables", "-A", chain, "-p", "tcp", which, str(port), "-j", "DROP")

    def heal(self) -> None:
        """Let everything through again."""
        run(*self.wrapper, "iptables", "-F")

    def unplug(self) -> None:
        """Pull the cable."""
        run("ip", "-n", self.name, "link", "set", "eth0", "down")

    def plug(self) -> None:
        """Put it back."""
        run("ip", "-n", self.name, "link", "set", "eth0", "up")

    def forget(self) -> None:
        shutil.rmtree(self._hosts.parent, ignore_errors=True)


class Network:
    """The places, by the last part of their addresses."""

    def __init__(self) -> None:
        process, number = os.getpid(), next(_NUMBERS)
        self._tag = f"sr{process % 0x10000:x}{number % 16:x}"
        self._prefix = f"10.{128 + (process >> 6) % 128}.{(process % 64) * 4 + number % 4}"
        self._hub = f"{self._tag}hub"
        self._places: list[Place] = []

    def address(self, last: int) -> str:
        return f"{self._prefix}.{last}"

    def build(self) -> None:
        hub = ("ip", "-n", self._hub)
        run("ip", "netns", "add", self._hub)
        run(*hub, "link", "add", "bridge", "type", "bridge")
        run(*hub, "link", "set", "bridge", "up")
        run("ip", "link", "add", self._tag, "type", "veth", "peer", "name", "test", "netns", self._hub)
        run(*hub, "link", "set", "test", "master", "bridge", "up")
        run("ip", "link", "set", self._tag, "up")
        for last in (1, *CLIENTS):
            run("ip", "addr", "add", f"{self.address(last)}/24", "dev", self._tag)

    def place(self, last: int) -> Place:
        """Make a place at an address of its own."""
        place = Place(f"{self._tag}-{last}", self.address(last))
        self._places.append(place)
        run("ip", "netns", "add", place.name)
        cable = ("type", "veth", "peer", "name", "eth0", "netns", place.name)
        run("ip", "-n", self._hub, "link", "add", f"to{last}", *cable)
        run("ip", "-n", self._hub, "link", "set", f"to{last}", "master", "bridge", "up")
        run("ip", "-n", place.name, "addr", "add", f"{place.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            run("ip", "-n", place.name, "link", "set", link, "up")
        return place

    def remove(self) -> None:
        """Take all of it away; what still runs in it keeps its namespace until it ends."""
        for name in (*(place.name for place in self._places), self._hub):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self._tag], capture_output=True, check=False)
        for place in self._places:
            place.forget()


@contextmanager
def network() -> Iterator[Network]:
    """
    Build a network until the block ends.

    Raises:
        PermissionError: This process may not.
    """
    made = Network()
    tried = subprocess.run(["ip", "netns", "add", f"{made._tag}try"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise PermissionError(tried.stderr.strip())
    subprocess.run(["ip", "netns", "del", f"{made._tag}try"], check=True)
    try:
        made.build()
        yield made
    finally:
        made.remove()
