"""Where messages are kept, as settings say it, and the engine for it, opened."""

from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from relay.observe.events import Observer
from relay.spool.ports import Spool
from relay.spool.problems import SpoolProblem
from relay.spool.sqlite import open_spool
from relay.spool.sqlite_opening import path_of
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """
    A file of this machine, or a Redis by its ``url``, which may hold a password.

    ``max_bytes`` bounds what is kept there. ``lease_seconds``: how long a relay that shares the Redis may be silent
    before others take over what it sends.
    """

    path: Path | None
    url: str = field(default="", repr=False)
    max_bytes: int = 1 << 30
    lease_seconds: float = 60.0

    def __str__(self) -> str:
        """Say where, without user and password."""
        if self.path is not None:
            return str(self.path)
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def place_of(url: str, *, max_bytes: int, lease_seconds: float) -> Place:
    """
    Read ``spool.url``.

    Raises:
        SpoolProblem: It names neither a file of this host nor a Redis.
    """
    if url.partition("://")[0] in {"redis", "rediss", "unix"}:
        return Place(None, url, max_bytes, lease_seconds)
    return Place(path_of(url), max_bytes=max_bytes)


async def spool_at(place: Place, observe: Observer, *, visiting: bool = False) -> Spool:
    """
    Open the spool, or make it. *visiting*: for people, next to relays that have it open.

    Raises:
        SpoolProblem: It cannot be used; what is there is left as it is.
    """
    if place.path is not None:
        return await open_spool(place.path, max_bytes=place.max_bytes, visiting=visiting)
    try:
        from relay.shared.spool_opening import open_redis_spool  # noqa: PLC0415  # an extra that few need
    except ModuleNotFoundError:
        raise SpoolProblem(f"spool.url: {place} needs an extra: pip install 'ses-relay[redis]'") from None
    return await open_redis_spool(
        place.url,
        max_bytes=place.max_bytes,
        observe=observe,
        lease_seconds=place.lease_seconds,
        visiting=visiting,
    )
