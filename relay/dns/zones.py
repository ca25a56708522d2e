"""
Who serves a name: the zone it is in, and the addresses of all servers of that zone.

The servers are those that the parent zone delegates to and those that the zone itself names: where the two differ,
some of the world asks servers that others never see (RFC 1034 section 4.2.2).
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from relay.dns.answers import Absent, Answer, Fault, Found, Referral, Trouble
from relay.dns.exchange import ask
from relay.dns.names import ROOT, is_within, parent_of
from relay.dns.servers import PORT, Server
from relay.words.values import dataclass

#: Addresses of one zone that are asked; a zone of more has its first ones asked.
MOST_SERVERS: Final = 20
_DEEPEST: Final = 12
_NOT_THERE: Final = frozenset({Fault.SILENT, Fault.UNREACHABLE, Fault.NO_ROUTE})


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone and its servers, each address once. ``remarks``: what is odd about them, in sentences for people."""

    apex: str
    servers: tuple[Server, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sight:
    """What one server says about a name and type; ``is_authoritative``: one of the zone's own, else a resolver."""

    server: Server
    is_authoritative: bool
    answer: Answer


class Net:
    """
    The DNS as several *resolvers* and the servers of each zone see it. What it learns of zones it keeps.

    Args:
        resolvers: Asked one by one, and for the way to each zone the first that knows.
        seconds: For each question to each server.
        port: Of the zones' servers.

    """

    def __init__(self, resolvers: Sequence[Server], *, seconds: float = 3.0, port: int = PORT) -> None:
        self.resolvers = tuple(resolvers)
        self._seconds = seconds
        self._port = port
        self._silent: set[Server] = set()  # they are asked last
        self._zones: dict[str, Zone | Trouble] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def ask(self, name: str, kind: str) -> Answer:
        """Ask the resolvers in turn; return the first answer that says anything, or the last trouble."""
        answer: Answer = Trouble(Fault.UNREACHABLE, "no resolver is configured")
        for server in sorted(self.resolvers, key=self._silent.__contains__):
            answer = await self._recursive(server, name, kind)
            if isinstance(answer, Found | Absent):
                break
            if isinstance(answer, Trouble) and answer.fault in _NOT_THERE:
                self._silent.add(server)
        return answer

    async def sights(self, name: str, kind: str) -> tuple[Sight, ...]:
        """Ask all servers of the name's zone, and all resolvers, at the same time."""
        zone = await self.zone_of(name)
        own = zone.servers if isinstance(zone, Zone) else ()
        answers = await asyncio.gather(
            *(self._own(server, name, kind) for server in own),
            *(self._recursive(server, name, kind) for server in self.resolvers),
        )
        servers = [*((server, True) for server in own), *((server, False) for server in self.resolvers)]
        return tuple(Sight(server, is_own, said) for (server, is_own), said in zip(servers, answers, strict=True))

    async def zone_of(self, name: str) -> Zone | Trouble:
        """Return the zone that holds *name* and its servers; Trouble where no way leads there."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            if name not in self._zones:
                self._zones[name] = await self._find_zone(name)
            return self._zones[name]

    async def _find_zone(self, name: str) -> Zone | Trouble:
        apex, troubled = await self._apex_of(name)
        if apex is None:
            return troubled or Trouble(Fault.UNREACHABLE, "no zone above it answers")
        async with self._locks.setdefault(f"zone {apex}", asyncio.Lock()):
            known = self._zones.get(f"zone {apex}")
            zone = known or await self._zone_at(apex)
            self._zones[f"zone {apex}"] = zone
        if troubled is not None and isinstance(zone, Zone):
            return await self._follow(zone, name)
        return zone

    async def _apex_of(self, name: str) -> tuple[str | None, Trouble | None]:
        """
        The nearest zone above *name* that resolvers know, and the trouble that they had below it.

        Asked for is the CNAME: it alone makes no resolver look for what an alias leads to.
        """
        trouble: Trouble | None = None
        at = name
        while at != ROOT:
            answer = await self.ask(at, "CNAME")
            if isinstance(answer, Absent) and answer.zone and is_within(at, answer.zone):
                return answer.zone, trouble
            if isinstance(answer, Trouble):
                trouble = answer
            at = parent_of(at)
        return None, trouble

    async def _zone_at(self, apex: str) -> Zone | Trouble:
        listed = await self.ask(apex, "NS")
        if not isinstance(listed, Found):
            return listed if isinstance(listed, Trouble) else Trouble(Fault.LAME, f"{apex} names no servers")
        own = {host.lower() for host in listed.values}
        delegated = await self._delegated(apex)
        remarks = []
        if delegated and delegated != own:
            remarks += [
                f"{host}: the parent zone delegates {apex} to it, the zone does not name it"
                for host in sorted(delegated - own)
            ]
            remarks += [
                f"{host}: {apex} names it, the parent zone does not delegate to it" for host in sorted(own - delegated)
            ]
        servers, lost = await self._addresses(sorted(own | delegated))
        return Zone(apex, servers, (*remarks, *lost))

    async def _delegated(self, apex: str) -> set[str]:
        """The hosts that the parent zone delegates to; none where it cannot be asked."""
        if apex == ROOT or (above := parent_of(apex)) == ROOT:
            return set()
        parent, _ = await self._apex_of(above)
        hosts = await self.ask(parent, "NS") if parent else None
        if not isinstance(hosts, Found):
            return set()
        servers, _ = await self._addresses(sorted(host.lower() for host in hosts.values)[:2])
        for server in servers:
            answer = await self._own(server, apex, "NS")
            if isinstance(answer, Referral) and answer.zone == apex:
                return set(answer.hosts)
            if isinstance(answer, Found):  # it serves both zones
                return {host.lower() for host in answer.values}
        return set()

    async def _follow(self, zone: Zone, name: str) -> Zone:
        """Follow the delegations from *zone* down to where nobody answers, for there the trouble is."""
        for _ in range(_DEEPEST):
            referral = await self._deeper(zone, name)
            if referral is None or referral.zone == zone.apex or not is_within(name, referral.zone):
                return zone
            servers, lost = await self._addresses(referral.hosts, referral)
            zone = Zone(referral.zone, servers, lost)
        return zone

    async def _deeper(self, zone: Zone, name: str) -> Referral | None:
        """Where the servers of *zone* pass on to for *name*; they may serve the zone below, too, and answer for it."""
        for server in zone.servers:
            answer = await self._own(server, name, "CNAME")
            if isinstance(answer, Referral):
                return answer
            if isinstance(answer, Absent) and answer.zone:
                hosts = await self._own(server, answer.zone, "NS")
                known = hosts.values if isinstance(hosts, Found) else ()
                return Referral(answer.zone, tuple(host.lower() for host in known))
        return None

    async def _addresses(
        self, hosts: Iterable[str], glue: Referral | None = None
    ) -> tuple[tuple[Server, ...], tuple[str, ...]]:
        """The servers of these hosts, each address once, and what is to be said of hosts without one."""
        hosts = list(dict.fromkeys(hosts))
        found = await asyncio.gather(*(self._addresses_of(host) for host in hosts))
        servers: dict[str, Server] = {}
        lost = []
        for host, resolved in zip(hosts, found, strict=True):
            addresses = resolved or (glue.addresses.get(host, ()) if glue is not None else ())
            if not addresses:
                lost.append(f"{host}: a server of the zone without an address")
            for address in addresses:
                servers.setdefault(address, Server(address, self._port, host))
        return tuple(servers.values())[:MOST_SERVERS], tuple(lost)

    async def _addresses_of(self, host: str) -> tuple[str, ...]:
        answers = await asyncio.gather(self.ask(host, "A"), self.ask(host, "AAAA"))
        return tuple(value for answer in answers if isinstance(answer, Found) for value in answer.values)

    async def _own(self, server: Server, name: str, kind: str) -> Answer:
        return await ask(server, name, kind, recursive=False, seconds=self._seconds)

    async def _recursive(self, server: Server, name: str, kind: str) -> Answer:
        answer = await ask(server, name, kind, recursive=True, seconds=self._seconds, explains=True)
        return Trouble(Fault.LAME, "it does not look further") if isinstance(answer, Referral) else answer
