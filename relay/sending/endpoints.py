"""Where SES and STS are, by region (AWS General Reference, "Service endpoints"), or at one address for all."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from botocore.loaders import Loader

from relay.sending.signing import Target

#: Host prefix to signing name.
SES: Final = ("email", "ses")
STS: Final = ("sts", "sts")

_REGION = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9/._~-]*", re.ASCII)
_ORDINARY_PORT: Final = {"http": 80, "https": 443}


@lru_cache(maxsize=256)
def target(service: tuple[str, str], region: str, endpoint_url: str | None) -> Target:
    """
    Return where to send requests for *service* in *region*: *endpoint_url* when given, else AWS's own endpoint.

    Raises:
        ValueError: *region* or *endpoint_url* is none. Both come from checked settings.

    """
    prefix, name = service
    if not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is no AWS region")
    parts = urlsplit(endpoint_url or f"https://{prefix}.{region}.{_dns_suffix(region)}")
    if parts.scheme not in _ORDINARY_PORT or not parts.hostname or parts.query or not _PATH.fullmatch(parts.path):
        raise ValueError("an endpoint is http(s)://HOST[:PORT][/PATH], nothing else")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port not in (None, _ORDINARY_PORT[parts.scheme]):
        host = f"{host}:{parts.port}"
    path = parts.path or "/"
    return Target(f"{parts.scheme}://{host}{path}", host, path, region, name)


def _dns_suffix(region: str) -> str:
    partitions = Loader().load_data("partitions")["partitions"]
    for partition in partitions:
        if region in partition["regions"] or re.match(partition["regionRegex"], region):
            return str(partition["outputs"]["dnsSuffix"])
    return str(partitions[0]["outputs"]["dnsSuffix"])
