"""Where the street door stands open, and the combinations in which it must not."""

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Listener:
    """
    One address that is listened on; ``name`` labels metrics. Port 0 lets the system choose.

    ``tls``: ``off``, ``starttls`` (offered; RFC 3207) or ``implicit`` (from the first octet; RFC 8314).
    ``allow_plaintext_auth`` lets passwords travel in clear. ``proxy_protocol_from``: the balancers, whose connections
    begin with a PROXY header and count as those of the clients that it names; from nobody else is one read.
    """

    name: str
    host: str
    port: int
    tls: Literal["off", "starttls", "implicit"] = "starttls"
    require_auth: bool = True
    allow_plaintext_auth: bool = False
    proxy_protocol_from: tuple[IPv4Network | IPv6Network, ...] = ()

    def problems(self, *, has_certificate: bool) -> list[str]:
        """Say why this listener must not open: each would be more open, or more shut, than its owner believes."""
        found = []
        if self.tls != "off" and not has_certificate:
            found.append(f"listener {self.name}: tls = {self.tls!r} needs a certificate and a key")
        if self.tls == "off" and self.require_auth and not self.allow_plaintext_auth:
            found.append(f"listener {self.name}: AUTH is required but never offered: tls is off and plain text refused")
        if any(network.prefixlen == 0 for network in self.proxy_protocol_from):
            found.append(f"listener {self.name}: proxy_protocol_from is everybody: anyone could choose an address")
        return found


class ListenerProblem(ValueError):
    """The street door must not or cannot open. ``str()`` names every listener and what is wrong with it."""
