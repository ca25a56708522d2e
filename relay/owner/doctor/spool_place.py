"""The place of the spool: its folder, the room there, its file system, who has it open. Nothing is written."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.owner.doctor.setup import SpoolPlace

CHECKS: Final = ("spool.folder", "spool.room", "spool.filesystem", "spool.lock")
_VOLATILE: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_DISTANT: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs"}
)
_UNITS: Final = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))


def look_at_spool(spool: SpoolPlace | None, *, proc: Path = Path("/proc")) -> Look:
    """Look at where mail is kept; *proc* tells of file systems and locks."""
    return Look(CHECKS, lambda: _findings(spool, proc))


def _findings(spool: SpoolPlace | None, proc: Path) -> Iterator[Finding]:
    if spool is None:
        yield ok("spool.folder", 'nothing is kept: delivery.mode = "direct"')
        yield from (not_checked(check, "there is no spool") for check in CHECKS[1:])
        return
    if spool.path is None:
        yield from (not_checked(check, f"the spool is at {spool.server}, no file of this machine") for check in CHECKS)
        return
    folder, there = spool.path.parent, _nearest(spool.path.parent)
    yield _folder(spool.path, folder, there)
    yield _room(spool, there)
    yield _filesystem(there, proc)
    yield _lock(spool.path, proc)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there: in it the relay would make what lacks."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _folder(path: Path, folder: Path, there: Path) -> Finding:
    user = f"user {os.geteuid()}"
    if not there.is_dir():
        return failing("spool.folder", f"{there} is no folder", "Name another path in spool.url.")
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=True):
        fix = f"install -d -o USER -m 700 {folder}, USER being the relay's; or name another path in spool.url."
        return failing("spool.folder", f"{there} cannot be written by {user}", fix)
    if path.exists() and not path.is_file():
        return failing("spool.folder", f"{path} is no file", "Name another path in spool.url.")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return failing("spool.folder", f"{path} cannot be written by {user}", f"chown it to the relay's user: {path}")
    how = "can be written at the start" if there == folder else "is made at the start"
    return ok("spool.folder", f"{folder} {how}; whether it can be synced shows then: nothing is written here")


def _room(spool: SpoolPlace, there: Path) -> Finding:
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize
    inodes = f", {found.f_favail:,} inodes" if found.f_files else ""
    told = f"{_octets(free)} free{inodes}; spool.max_bytes is {_octets(spool.max_bytes)}"
    if free < 2 * spool.message_bytes or (found.f_files and found.f_favail * 100 < found.f_files):
        return failing("spool.room", told, "")
    if free < spool.max_bytes or (found.f_files and found.f_favail * 20 < found.f_files):
        return warning("spool.room", told, "")
    return ok("spool.room", told)


def _filesystem(there: Path, proc: Path) -> Finding:
    kind = _kind(there, proc)
    if kind is None:
        return not_checked("spool.filesystem", f"{proc / 'self/mountinfo'} does not tell")
    if kind in _VOLATILE:
        return warning("spool.filesystem", f"{there} is on {kind}: in memory, gone at a restart of the machine", "")
    if kind in _DISTANT:
        return warning("spool.filesystem", f"{there} is on {kind}: over a network, where locks and logs may fail", "")
    return ok("spool.filesystem", f"{there} is on {kind}")


def _kind(folder: Path, proc: Path) -> str | None:
    """Return the type of the file system, by the deepest mount point above *folder*, the last of several (proc(5))."""
    try:
        rows = [line.split(" ") for line in (proc / "self" / "mountinfo").read_text().splitlines()]
    except OSError:
        return None
    real = folder.resolve()
    mounts = [(row[4].encode().decode("unicode_escape"), row[row.index("-") + 1]) for row in rows]
    under = [(len(point), number, kind) for number, (point, kind) in enumerate(mounts) if real.is_relative_to(point)]
    return max(under)[2] if under else None


def _lock(path: Path, proc: Path) -> Finding:
    """Tell who holds the lock, from the kernel's list: to try it would keep a relay from starting at this moment."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        inode = lock.stat(follow_symlinks=False)
        rows = [line.split() for line in (proc / "locks").read_text().splitlines()]
    except FileNotFoundError:
        return ok("spool.lock", "nobody has the spool open")
    except OSError as error:
        return not_checked("spool.lock", f"{lock}: {error.strerror}")
    if not stat.S_ISREG(inode.st_mode):
        return failing("spool.lock", f"{lock} is no file", f"Move it away: {lock}")
    holders = [row[4] for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode.st_ino)]
    if not holders:
        return ok("spool.lock", "nobody has the spool open")
    return ok("spool.lock", f"process {holders[0]} has the spool open: the relay that runs")


def _octets(number: int) -> str:
    unit, name = next((unit, name) for unit, name in _UNITS if number >= unit or unit == 1)
    return f"{number / unit:.3g} {name}"
