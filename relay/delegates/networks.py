"""Which delegate a client's address belongs to."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

ClientAddress: TypeAlias = IPv4Address | IPv6Address
ClientNetwork: TypeAlias = IPv4Network | IPv6Network


def plain(client: ClientAddress) -> ClientAddress:
    """Return an IPv4 client that came over an IPv6 socket as the IPv4 address it is (RFC 4291 section 2.5.5.2)."""
    return (client.ipv4_mapped or client) if isinstance(client, IPv6Address) else client


class Neighbourhoods:
    """Trusted networks of all delegates. A look-up costs the number of different prefix lengths."""

    def __init__(self, homes: Iterable[tuple[ClientNetwork, str]]) -> None:
        found: dict[tuple[int, int], dict[int, set[str]]] = {}
        for network, name in homes:
            length = (network.version, network.prefixlen)
            found.setdefault(length, {}).setdefault(int(network.network_address), set()).add(name)
        longest_first = sorted(found.items(), reverse=True)
        self._of_4, self._of_6 = (
            [(bits - length, networks) for (of_version, length), networks in longest_first if of_version == version]
            for version, bits in ((4, 32), (6, 128))
        )

    def of(self, client: ClientAddress) -> str | None:
        """Name the delegate with the longest prefix around *client*; None when there is none, or more than one."""
        address = plain(client)
        number = int(address)
        for host_bits, networks in self._of_4 if isinstance(address, IPv4Address) else self._of_6:
            if names := networks.get(number >> host_bits << host_bits):
                return next(iter(names)) if len(names) == 1 else None
        return None
