"""DNS servers: where they are, read from settings and from what the system says."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final

from relay.words.values import dataclass

PORT: Final = 53
SYSTEM: Final = Path("/etc/resolv.conf")
#: What a system without a word about it asks (resolv.conf(5)).
_AT_HOME: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """A server at an IP address; ``name`` is the host name that led to it, empty where there was none."""

    address: str
    port: int = PORT
    name: str = ""

    def __str__(self) -> str:
        where = self.address if self.port == PORT else _with_port(self.address, self.port)
        return f"{self.name} ({where})" if self.name else where

    @property
    def is_ipv6(self) -> bool:
        """Whether it is asked over IPv6."""
        return ":" in self.address


def read_server(text: str) -> Server:
    """
    Read ``192.0.2.1``, ``2001:db8::1``, ``192.0.2.1:5353`` or ``[2001:db8::1]:5353``.

    Raises:
        ValueError: No such address; the text says how to write one.
    """
    address, port = text, str(PORT)
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest else port
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    if (
        ("[" in text) == ("]" in text)
        and _is_address(address)
        and port.isascii()
        and port.isdigit()
        and 0 < int(port[:6]) <= 65535
    ):
        return Server(str(ip_address(address)), int(port))
    raise ValueError(f"{text!r} is no name server: write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53")


def system_servers(path: Path = SYSTEM) -> tuple[Server, ...]:
    """Return whom the system asks, in its order (resolv.conf(5)); the machine itself where it says nothing."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    named = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return tuple(Server(address) for address in named if _is_address(address)) or (Server(_AT_HOME),)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
