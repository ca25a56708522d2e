"""
One reading of a folder of policies: ``ROOT/ACCOUNT/REGION/IDENTITY/POLICY-NAME.json``.

The layout mirrors ``arn:aws:ses:REGION:ACCOUNT:identity/IDENTITY``. What cannot be read is a problem of the
identity, the owner or the whole, as far up as it reaches and no further.
"""

import stat
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path

from relay.identities.files import PolicyFiles, Read, unreadable
from relay.identities.names import Meaning, is_about, is_identity, is_ignored, is_region, meaning_of, partition_of
from relay.identities.ports import Owner
from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.policy.document import UnreadablePolicy
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

Place = tuple[int, int, int]


@dataclass(slots=True)
class Scan:
    """
    What was found so far. ``notes``: sentences about what was passed over; ``places``: every folder that was listed,
    with what would differ if anything in it came or went meanwhile.
    """

    files: PolicyFiles
    now: float
    owners: dict[tuple[str, str], OwnedIdentities] = field(default_factory=dict)
    problem: str | None = None
    notes: list[str] = field(default_factory=list)
    places: dict[Path, Place] = field(default_factory=dict)

    def catalog(self) -> Catalog:
        """Return what was found as a value."""
        return Catalog(self.owners, self.problem)

    def is_torn(self) -> bool:
        """Whether a folder changed since it was listed, so that this is a picture of no one moment."""
        return any(_place(path) != place for path, place in self.places.items())

    def listing(self, folder: Path) -> list[str]:
        """
        List *folder*, without what is hidden, left by editors, or a file about the folder.

        Raises:
            OSError: It is no folder, or closed to us.
        """
        place = _place(folder)
        names = sorted(path.name for path in folder.iterdir() if not is_ignored(path.name) and not _is_about(path))
        if place is not None:
            self.places[folder] = place
        return names


def read_folder(root: Path, owners: Sequence[Owner], files: PolicyFiles, now: float) -> Scan:
    """
    Read the whole folder; for no *owners*, of every account found. *now*: the age of what is read, seconds since the
    epoch.

    Raises:
        OSError: The root itself cannot be listed. Nothing is known then.
    """
    scan = Scan(files, now)
    names = scan.listing(root)
    for owner in owners or [Owner(name) for name in names if _is_folder(root / name, scan)]:
        _read_owner(root / owner.account, owner, scan)
    return scan


def not_read_yet(owners: Sequence[Owner]) -> Catalog:
    """Return the catalog of before the first reading: whatever is asked of it is undecided."""
    why = "the folder of policies was not read yet"
    unread = {(o.account, region): OwnedIdentities(problem=why) for o in owners for region in o.regions}
    is_all = bool(owners) and all(owner.regions for owner in owners)
    return Catalog(unread, None if is_all else why)


def _read_owner(folder: Path, owner: Owner, scan: Scan) -> None:
    try:
        regions = owner.regions or _regions(folder, scan)
    except OSError as error:
        # Which regions the owner has is not known, so neither is what an address would be inferred to.
        scan.problem = f"the folder of account {owner.account} cannot be read: {_why(error)}"
        return
    for region in regions:
        scan.owners[owner.account, region] = _read_region(folder / region, owner.account, region, scan)


def _regions(folder: Path, scan: Scan) -> list[str]:
    names = scan.listing(folder)
    scan.notes += [f"{folder / name} is passed over: not the name of a region" for name in names if not is_region(name)]
    return [name for name in names if is_region(name)]


def _read_region(folder: Path, account: str, region: str, scan: Scan) -> OwnedIdentities:
    identities = []
    try:
        names = scan.listing(folder)
    except OSError as error:
        return OwnedIdentities(listed_at=scan.now, problem=f"{folder} cannot be read: {_why(error)}")
    for name in names:
        if not is_identity(name):
            scan.notes.append(f"{folder / name} is passed over: mail cannot be sent under an identity of this name")
        elif _is_folder(folder / name, scan):
            arn = IdentityArn(partition_of(region), region, account, name)
            identities.append(_read_identity(folder / name, arn, scan))
    return OwnedIdentities.of(identities, scan.now)


def _read_identity(folder: Path, arn: IdentityArn, scan: Scan) -> Identity:
    try:
        names = scan.listing(folder)
    except OSError as error:
        return Identity(arn, verified=True, read_at=scan.now, problem=f"{folder} cannot be read: {_why(error)}")
    policies = tuple(_read_policy(folder, name, scan) for name in names)
    return Identity(arn, verified=True, policies=policies, read_at=scan.now)


def _read_policy(folder: Path, file_name: str, scan: Scan) -> Read | UnreadablePolicy:
    if meaning_of(file_name) is Meaning.MISTAKE:
        return unreadable(
            file_name, "a policy is a file NAME.json, NAME of 1 to 64 letters, digits, - and _; hide what is none"
        )
    return scan.files.read(folder / file_name, file_name.removesuffix(".json"), scan.now)


def _is_folder(path: Path, scan: Scan) -> bool:
    """Whether to look into *path*. What cannot be told (a broken link, a loop of links) is, and fails there."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return True
    if not is_folder:
        scan.notes.append(f"{path} is passed over: a file where a folder is expected")
    return is_folder


def _is_about(path: Path) -> bool:
    return is_about(path.name) and (path.name == "lost+found" or path.is_file())


def _place(path: Path) -> Place | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
