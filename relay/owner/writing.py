"""Policies into a folder that a relay may be reading: whole or not at all, and never over another."""

import os
import tempfile
from pathlib import Path

from relay.words.arns import IdentityArn


class PolicyExists(Exception):
    """There is a policy of this name already. ``str()`` is its path."""


def path_in(root: Path, identity: IdentityArn, name: str) -> Path:
    """Return where a policy of *identity* lies in the folder *root*."""
    return root / identity.account / identity.region / identity.name / f"{name}.json"


def write_policy(root: Path, identity: IdentityArn, name: str, text: str) -> Path:
    """
    Write a new policy, durably; its folders are made where they are missing.

    A reader sees all of it or nothing: it is written beside, under a name that is passed over, and linked into place.

    Raises:
        PolicyExists: Nothing was changed.
        OSError: It could not be written.
    """
    path = path_in(root, identity, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", suffix=".tmp", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            raise PolicyExists(str(path)) from None
    return path
