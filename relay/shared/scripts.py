"""Lua that Redis runs in one piece, by the digest of its text."""

import hashlib
from dataclasses import field
from importlib.resources import files

from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Script:
    """One script. All keys of a call share a hash tag, so that a cluster finds them in one place."""

    text: str = field(repr=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def script_of(name: str) -> Script:
    """Return the script in the file *name*.lua next to this module."""
    return Script((files("relay.shared") / "lua" / f"{name}.lua").read_text(encoding="utf-8"))
