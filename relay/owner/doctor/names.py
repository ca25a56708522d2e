"""Whether the names of AWS's endpoints resolve, as this machine resolves them."""

import socket
from collections.abc import Iterator, Sequence

from relay.owner.doctor.findings import Finding, Look, failing, ok
from relay.sending.endpoints import SES, STS, target


def look_at_names(regions: Sequence[str], endpoint_url: str | None) -> Look:
    """Look up SES's and STS's hosts of *regions*."""
    return Look(("names",), lambda: _findings(regions, endpoint_url), asks="network")


def _findings(regions: Sequence[str], endpoint_url: str | None) -> Iterator[Finding]:
    urls = [target(service, region, endpoint_url).host for region in regions for service in (SES, STS)]
    hosts = list(dict.fromkeys(_bare(host) for host in urls))
    wrong = [(host, why) for host in hosts if (why := _trouble(host)) is not None]
    yield from (failing("names", f"{host}: {why}", "", host) for host, why in wrong)
    if not wrong:
        yield ok("names", ", ".join(hosts))


def _trouble(host: str) -> str | None:
    try:
        socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except OSError as error:
        return str(error.strerror or error)
    return None


def _bare(host: str) -> str:
    """Return a host without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
