"""Which policies ``ses-relay policy lint`` is asked about: files, folders and standard input, by identity."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import BinaryIO, Final

from relay.identities.names import Meaning, is_identity, is_ignored, is_region, meaning_of, partition_of
from relay.policy.lint import RULES, Finding, identity_told_by
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

STDIN: Final = "<stdin>"

_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_LONGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """
    One policy: where it is (as it was named), its name, its text.

    ``identity``: whose folder it lies in, None outside of such folders; ``told``: that, or what its text says it is of.
    """

    file: str
    name: str
    text: str
    identity: IdentityArn | None
    told: IdentityArn | None


@dataclass(frozen=True, slots=True)
class FileFinding:
    """A finding, and the file it is in; ``text`` is what the file holds, as far as that is known."""

    file: str
    finding: Finding
    text: str = ""
    identity: IdentityArn | None = None


@dataclass(slots=True)
class Gathered:
    """The policies that were found, and what is wrong with files that hold none."""

    policies: list[PolicyFile] = field(default_factory=list)
    findings: list[FileFinding] = field(default_factory=list)

    def by_identity(self, identity: IdentityArn | None) -> Iterator[tuple[IdentityArn | None, list[PolicyFile]]]:
        """
        The policies of each identity together, and the identity, None when only the policies themselves tell it.

        *identity*: the identity of all of them, whatever else tells one. Files of different folders are never put
        together: they may be two states of one policy.
        """
        groups: dict[object, dict[str, PolicyFile]] = {}
        for number, policy in enumerate(self.policies):
            named = identity or policy.told
            key: object = (named, Path(policy.file).parent, policy.file == STDIN)
            if named is None or policy.name in groups.get(key, ()):  # "a" beside "a.json", each named by itself
                key = number
            groups.setdefault(key, {})[policy.name] = policy
        for group in groups.values():
            yield identity or next(iter(group.values())).identity, list(group.values())


def gather(names: Iterable[str], stdin: BinaryIO) -> Gathered:
    """Read the files, the folders' files, and *stdin* for ``-``. What cannot be read is among the findings."""
    gathered = Gathered()
    seen = set()
    for name in names:
        for path in [None] if name == "-" else list(_files(Path(name), gathered)):
            if path is None:
                _add(STDIN, "stdin", stdin.read(_LONGEST + 1), None, gathered)
            elif path not in seen:
                seen.add(path)
                _add_file(path, gathered)
    return gathered


def _files(path: Path, gathered: Gathered) -> Iterator[Path]:
    """The files under *path* that are policies, or that may be meant as such."""
    if not path.is_dir():
        yield path
        return
    found = list(_walk(path, gathered))
    laid_out = {file for file in found if identity_of(file) is not None}
    for file in found:
        if file in laid_out:
            if file.suffix == ".json" or meaning_of(file.name) is not Meaning.MISTAKE:
                yield file
            else:
                message = f"{file.name} is in the folder of an identity, and no policy by its name."
                gathered.findings.append(_of_file("stray-file", str(file), message))
        elif file.suffix == ".json":
            if laid_out:
                message = "No identity is known by the folders around this policy."
                gathered.findings.append(_of_file("stray-folder", str(file), message))
            yield file


def _walk(folder: Path, gathered: Gathered) -> Iterator[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if not is_ignored(path.name))
    except OSError as error:
        gathered.findings.append(_of_file("unreadable-file", str(folder), _why(error)))
        return
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, gathered)
        else:
            yield path


def identity_of(path: Path) -> IdentityArn | None:
    """The identity in whose folder *path* lies, if it lies so: ACCOUNT/REGION/IDENTITY/POLICY-NAME.json."""
    parts = Path(os.path.abspath(path)).parts  # noqa: PTH100 - resolve() would follow the links of a mounted ConfigMap
    if len(parts) < 5:
        return None
    account, region, name = parts[-4:-1]
    if not (_ACCOUNT.fullmatch(account) and is_region(region) and is_identity(name)):
        return None
    return IdentityArn(partition_of(region), region, account, name)


def _add_file(path: Path, gathered: Gathered) -> None:
    if path.exists() and not path.is_file():  # a pipe would make the reader wait for ever
        gathered.findings.append(_of_file("unreadable-file", str(path), "It is no regular file."))
        return
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
    except OSError as error:
        gathered.findings.append(_of_file("unreadable-file", str(path), _why(error)))
        return
    _add(str(path), path.name.removesuffix(".json"), data, identity_of(path), gathered)


def _add(file: str, name: str, data: bytes, identity: IdentityArn | None, gathered: Gathered) -> None:
    if len(data) > _LONGEST:
        gathered.findings.append(_of_file("unreadable-file", file, f"It is larger than {_LONGEST:,} bytes."))
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"Byte {error.start:,} (0x{data[error.start]:02x}) is not UTF-8."
        gathered.findings.append(_of_file("not-utf8", file, message, (line, column)))
        return
    gathered.policies.append(PolicyFile(file, name, text, identity, identity or identity_told_by(text)))


def _of_file(code: str, file: str, message: str, place: tuple[int, int] = (1, 1)) -> FileFinding:
    rule, name = RULES[code], Path(file).name.removesuffix(".json")
    line, column = place
    return FileFinding(file, Finding(code, rule.severity, name, "$", line, column, line, column, message, rule.fix))


def _why(error: OSError) -> str:
    return f"It cannot be read: {error.strerror or type(error).__name__}."
