"""
What the relay knows of SES's identities, in a file: so that a restart decides at once, by policies whose age is told.

One JSON value a line: a head, then each account and region followed by its identities, then the SHA-256 of all octets
before it. A file that was cut short, changed, or written for others is not used at all.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from relay.identities.known import KnownIdentity, KnownPlace
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass, replace

FORMAT: Final = "ses-relay policies"
VERSION: Final = 1
UNFINISHED: Final = ".new"


class SnapshotProblem(ValueError):
    """A file that cannot be used. ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The file at ``path``.

    ``endpoint``: of the SES that it tells of, ``aws`` for AWS's own: what one SES knows is not so at another.
    """

    path: Path
    endpoint: str = "aws"

    def write(self, places: Sequence[KnownPlace], now: float) -> Unavailable | None:
        """
        Put *places* into the file, for its owner alone: all of it or none, whenever the process or the machine ends.

        *now*: seconds since the epoch. Returns why it could not be done.
        """
        unfinished = self.path.with_name(f"{self.path.name}{UNFINISHED}")
        try:
            with suppress(FileNotFoundError):
                unfinished.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
                for line in _signed(_lines(places, self.endpoint, now)):
                    file.write(line)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(self.path)
            _sync(self.path.parent)
        except OSError as error:
            return Unavailable(f"{self.path}: {error.strerror or type(error).__name__}")
        return None

    def read(self, now: float, max_stale: float) -> tuple[KnownPlace, ...]:
        """
        Read the file; an empty tuple where there is none.

        Args:
            now: Seconds since the epoch. What was written after it is of unknown age: the clock was set back.
            max_stale: Lists older than this are left out.

        Raises:
            SnapshotProblem: It cannot be used.

        """
        try:
            with self._opened() as file:
                saved_at, places = _read(file, self.endpoint)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise SnapshotProblem(f"{self.path}: {error.strerror or type(error).__name__}") from None
        except SnapshotProblem as problem:
            raise SnapshotProblem(f"{self.path}: {problem}") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise SnapshotProblem(f"{self.path}: its lines are not those of a snapshot") from None
        if saved_at > now:
            raise SnapshotProblem(f"{self.path}: it was written {saved_at - now:.0f} s after now: its age is not known")
        young = tuple(_as_of(place, now) for place in places if 0 <= now - place.listed_at <= max_stale)
        if places and not young:
            raise SnapshotProblem(f"{self.path}: it is too old, written {now - saved_at:.0f} s ago")
        return young

    def _opened(self) -> IO[bytes]:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        opened = os.open(self.path, flags)
        try:
            _check_owner(os.fstat(opened))
            return os.fdopen(opened, "rb")
        except BaseException:
            os.close(opened)
            raise


def _as_of(place: KnownPlace, now: float) -> KnownPlace:
    """Leave out readings that are younger than now: the clock was set back, and nobody knows their age."""
    identities = (
        KnownIdentity(each.name, each.may_send) if each.read_at is not None and each.read_at > now else each
        for each in place.identities
    )
    allowed_at = {name: moment for name, moment in place.allowed_at.items() if moment <= now}
    return replace(place, identities=tuple(identities), allowed_at=allowed_at)


def _lines(places: Sequence[KnownPlace], endpoint: str, now: float) -> Iterator[Mapping[str, Any]]:
    yield {"format": FORMAT, "version": VERSION, "endpoint": endpoint, "saved_at": now}
    for place in places:
        listed = {"listed_at": place.listed_at, "pages": place.pages, "identities": len(place.identities)}
        yield {"account": place.account, "region": place.region, **listed}
        for each in place.identities:
            told = {"name": each.name, "may_send": each.may_send, "read_at": each.read_at, "verified": each.verified}
            yield {**told, "allowed_at": place.allowed_at.get(each.name), "policies": dict(each.policies)}


def _signed(values: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    """Line by line: in one piece, ten thousand policies would hold up the event loop for their encoding."""
    sum_ = hashlib.sha256()
    for value in values:
        line = json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
        sum_.update(line)
        yield line
    yield json.dumps({"sha256": sum_.hexdigest()}).encode("ascii") + b"\n"


def _checked(file: IO[bytes]) -> Iterator[Any]:
    """
    Read each value of the file but the last, which is the checksum.

    Raises:
        SnapshotProblem: At the end: the sum is of something else.

    """
    sum_, held = hashlib.sha256(), b""
    for line in file:
        if held:
            sum_.update(held)
            yield json.loads(held)
        held = line
    if held != json.dumps({"sha256": sum_.hexdigest()}).encode("ascii") + b"\n":
        raise SnapshotProblem("it was cut short or changed: its checksum is of something else")


def _read(file: IO[bytes], endpoint: str) -> tuple[float, tuple[KnownPlace, ...]]:
    values = _checked(file)
    head: Any = next(values, None)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise SnapshotProblem("it is no snapshot of policies")
    if head.get("version") != VERSION:
        raise SnapshotProblem(f"it is of version {head.get('version')}, and this is {VERSION}")
    if head["endpoint"] != endpoint:
        raise SnapshotProblem("it tells of another SES than ses.endpoint_url")
    places = tuple(_place(value, tuple(islice(values, value["identities"]))) for value in values)
    return float(head["saved_at"]), places


def _place(head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> KnownPlace:
    identities = tuple(
        KnownIdentity(row["name"], row["may_send"], row["read_at"], row["verified"], row["policies"]) for row in rows
    )
    allowed_at = {row["name"]: row["allowed_at"] for row in rows if row["allowed_at"] is not None}
    return KnownPlace(head["account"], head["region"], head["listed_at"], head["pages"], identities, allowed_at)


def _check_owner(found: os.stat_result) -> None:
    """Whoever can write the file can allow mail by it."""
    if not stat.S_ISREG(found.st_mode):
        raise SnapshotProblem("it is not a regular file")
    if found.st_uid not in (os.geteuid(), 0):
        raise SnapshotProblem("it belongs to another user, who could allow mail by it")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SnapshotProblem("other users can write it, and so allow mail: chmod 600")


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
