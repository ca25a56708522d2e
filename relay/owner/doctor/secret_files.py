"""Who may read the files with secrets. Their contents are never read."""

import os
import stat
from collections.abc import Iterator, Sequence

from relay.owner.doctor.findings import Finding, Look, failing, ok, warning
from relay.owner.doctor.setup import SecretFile

CHECK = "files.secrets"


def look_at_secrets(files: Sequence[SecretFile]) -> Look:
    """Look at the modes of *files*."""
    return Look((CHECK,), lambda: _findings(files))


def _findings(files: Sequence[SecretFile]) -> Iterator[Finding]:
    wrong = [finding for finding in map(_look, files) if finding is not None]
    yield from wrong
    if not wrong:
        number = f"{len(files)} file{'s' if len(files) > 1 else ''}"
        yield ok(CHECK, f"{number}, none open to everybody" if files else "no secret is in a file")


def _look(file: SecretFile) -> Finding | None:
    named, path = file.named_by, file.path
    try:
        found = path.stat()
    except OSError as error:
        return failing(
            CHECK, f"{path}: {error.strerror}", f"Put it there, for the relay's user to read ({named}).", named
        )
    if not os.access(path, os.R_OK):
        return failing(CHECK, f"{path} is not ours to read", f"chown it to the relay's user: {path}", named)
    mode = stat.S_IMODE(found.st_mode)
    if mode & stat.S_IROTH:
        return warning(
            CHECK, f"{path}: everybody on this machine can read it (mode {mode:04o})", f"chmod o-r {path}", named
        )
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        return warning(CHECK, f"{path}: others can write it (mode {mode:04o})", f"chmod go-w {path}", named)
    return None
