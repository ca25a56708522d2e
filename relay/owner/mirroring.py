"""
The folder of policies brought to what SES has, identity by identity, under the eyes of relays that read it.

Each file is there whole or not at all. Where several policies of an identity change, a reader must not judge by some
of the old and some of the new, so a file that is no policy lies beside them meanwhile: it makes the identity undecided
(451), for the moment, or after a crash until the next run.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from relay.identities.names import POLICY_NAME, Meaning, is_identity, is_ignored, meaning_of
from relay.owner.backups import sync_folder
from relay.owner.writing import path_in
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: Lies beside the policies of an identity while several of them change.
MARK: Final = "being-replaced"
_PREFIX: Final = ".ses-relay-"
_FOLDER_MODE: Final = 0o755
_FILE_MODE: Final = 0o644


class MirrorProblem(Exception):
    """The folder cannot be brought to what SES has. ``str()`` says where and why."""


class NoPlace(MirrorProblem):
    """A name that no reader of the folder would find."""


@dataclass(frozen=True, slots=True)
class Brought:
    """
    What was done for one identity: names of policies.

    ``kept``: they are gone at SES and were to be kept. ``strangers``: files there that are no policies, or all that
    keeps the folder of an identity that is gone.
    """

    identity: IdentityArn
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    is_new: bool = False
    is_gone: bool = False

    @property
    def is_change(self) -> bool:
        """Whether anything in the folder is otherwise than before."""
        return bool(self.written or self.removed or self.is_new or self.is_gone)


class Mirror:
    """The folder *root*; with *keep* nothing in it is removed."""

    def __init__(self, root: Path, *, keep: bool = False) -> None:
        self._root = root
        self._keep = keep

    @contextmanager
    def alone(self) -> Iterator[None]:
        """
        Keep others like us away while inside.

        Raises:
            MirrorProblem: Somebody else is at it, or there can be no such folder.
        """
        with _told(self._root):
            self._root.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            door = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise MirrorProblem(f"{self._root} is being written by another run") from error
            yield
        finally:
            os.close(door)

    def region(self, account: str, region: str) -> "RegionFolder":
        """Return the folder of one place."""
        return RegionFolder(self._root / account / region)

    def bring(self, identity: IdentityArn, policies: Mapping[str, str]) -> Brought:
        """
        Make the folder of *identity* hold *policies*, texts by name; what is so already is not touched.

        Raises:
            NoPlace: Relays would not find it there.
            MirrorProblem: It cannot be written; another run goes on where this one ended.
        """
        return self._bring(identity, policies, removes=not self._keep)

    def add(self, identity: IdentityArn, policies: Mapping[str, str]) -> Brought:
        """Put *policies* beside the others, of which nothing is known. Raises as :meth:`bring`."""
        return replace(self._bring(identity, policies, removes=False), kept=())

    def _bring(self, identity: IdentityArn, policies: Mapping[str, str], *, removes: bool) -> Brought:
        folder = _folder_of(self._root, identity, policies)
        with _told(folder):
            is_new = not folder.exists()
            folder.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
            if is_new:
                sync_folder(folder.parent)
            there, strangers = _contents(folder)
            texts = {name: text.encode(errors="surrogatepass") for name, text in policies.items()}
            wanted = {name: data for name, data in texts.items() if there.get(name) != data}
            more = tuple(name for name in there if name not in policies)
            _replace(folder, wanted, more if removes else ())
        gone, kept = (more, ()) if removes else ((), more)
        return Brought(identity, tuple(wanted), gone, kept, strangers, is_new=is_new)

    def take_away(self, identity: IdentityArn) -> Brought:
        """
        Remove the folder of an identity that SES does not have, or does not hold for verified, with its policies.

        Files that are no policies are left, and then their folder.

        Raises:
            MirrorProblem: It cannot be removed.
        """
        folder = _folder_of(self._root, identity, {})
        with _told(folder):
            if not folder.exists():
                return Brought(identity)
            there, strangers = _contents(folder)
            if self._keep:
                return Brought(identity, kept=tuple(there), strangers=strangers)
            _replace(folder, {}, tuple(there))
            left = tuple(sorted(path.name for path in folder.iterdir()))
            if not left:
                folder.rmdir()
                sync_folder(folder.parent)
        return Brought(identity, removed=tuple(there), strangers=left, is_gone=not left)


@dataclass(frozen=True, slots=True)
class RegionFolder:
    """The folder of one account and region, and where a run through it that ended early is gone on with."""

    path: Path

    def make(self) -> None:
        """
        See that it is there: it says that its identities are known, be there none.

        Raises:
            MirrorProblem: It cannot be.
        """
        with _told(self.path):
            self.path.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)

    def identities(self) -> list[str]:
        """Return the identities that have a folder. Raises as :meth:`make`."""
        with _told(self.path):
            return sorted(path.name for path in self.path.iterdir() if is_identity(path.name) and path.is_dir())

    def in_order(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return *names* beginning where the last run ended early; all of them, the others are a run older."""
        try:
            first = self._next.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return names
        later = tuple(name for name in names if name >= first)
        return (*later, *names[: len(names) - len(later)])

    def note(self, name: str) -> None:
        """Remember that *name* is the next one. Raises as :meth:`make`."""
        with _told(self._next):
            self._next.write_text(name, "utf-8")

    def forget(self) -> None:
        """The run is complete: the next begins at the beginning."""
        with _told(self._next):
            self._next.unlink(missing_ok=True)

    @property
    def _next(self) -> Path:
        return self.path / f"{_PREFIX}next"


def _folder_of(root: Path, identity: IdentityArn, policies: Mapping[str, str]) -> Path:
    """Names become a path; an address may have a slash in it, and a reader passes over what editors leave."""
    bad = [name for name in policies if not POLICY_NAME.fullmatch(name)]
    if bad or "/" in identity.name or is_ignored(identity.name):
        what = f"a policy named {bad[0]!r}" if bad else "an identity of this name"
        raise NoPlace(f"{identity.name}: {what} cannot lie in a folder where relays find it")
    return path_in(root, identity, "").parent


def _contents(folder: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The policies there by name, and what else might be meant as one."""
    there, strangers = {}, []
    for path in sorted(folder.iterdir()):
        meaning = meaning_of(path.name)
        if meaning is Meaning.POLICY:
            there[path.stem] = path.read_bytes()
        elif meaning is Meaning.MISTAKE and path.name != MARK:
            strangers.append(path.name)
    return there, tuple(strangers)


def _replace(folder: Path, wanted: Mapping[str, bytes], removed: tuple[str, ...]) -> None:
    """Write first, then put all in place, then remove; what was left of a run that died goes too."""
    mark = folder / MARK
    is_marked = mark.exists() or len(wanted) + len(removed) > 1
    if not (wanted or removed or is_marked):
        return
    _sweep(folder)
    staged = {name: _stage(folder, data) for name, data in wanted.items()}
    if is_marked:
        mark.touch()
        sync_folder(folder)
    for name, path in staged.items():
        path.replace(folder / f"{name}.json")
    for name in removed:
        (folder / f"{name}.json").unlink(missing_ok=True)
    sync_folder(folder)
    if is_marked:
        mark.unlink()
        sync_folder(folder)


def _stage(folder: Path, data: bytes) -> Path:
    with tempfile.NamedTemporaryFile("wb", dir=folder, prefix=_PREFIX, suffix=".tmp", delete=False) as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), _FILE_MODE)
        os.fsync(file.fileno())
    return Path(file.name)


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*.tmp"):
        with suppress(FileNotFoundError):
            path.unlink()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell of what the file system says no to."""
    try:
        yield
    except OSError as error:
        raise MirrorProblem(f"{error.filename or path}: {error.strerror or error}") from error
