"""The htpasswd file: read again when it changes; a broken one keeps what the last good one said, and is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from relay.delegates.credentials import signature_of
from relay.delegates.crypts import missing
from relay.observe.events import Noted
from relay.words.hashes import crypt_form, read_htpasswd
from relay.words.unavailable import Unavailable

LARGEST: Final = 1 << 20
_TOLD: Final = 20


class HtpasswdFile:
    """What an htpasswd file says. ``look`` blocks and belongs into a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hashes: Mapping[str, tuple[str, ...]] | None = None
        self._seen: object = None
        self.trouble = ""

    def of(self, name: str) -> tuple[str, ...] | Unavailable:
        """Return the hashes of *name*; Unavailable while there has been no good file yet."""
        if self._hashes is None:
            return Unavailable("the htpasswd file cannot be used")
        return self._hashes.get(name, ())

    def look(self) -> Noted | None:
        """Read the file if it has changed. Returns what is worth telling: that it did, or why it was not taken."""
        try:
            signature: object = signature_of(self.path)
            if signature == self._seen:
                return None
            hashes, problems = self._read()
        except (OSError, ValueError) as error:
            signature = type(error)
            if signature == self._seen:
                return None
            hashes, problems = {}, [_why(error)]
        self._seen, self.trouble = signature, problems[0] if problems else ""
        if problems:
            told = {"file": str(self.path), "problems": problems[:_TOLD], "kept": self._hashes is not None}
            return Noted("error", "htpasswd.refused", told)
        self._hashes = hashes
        return Noted("info", "htpasswd.read", {"file": str(self.path), "names": len(hashes)})

    def _read(self) -> tuple[Mapping[str, tuple[str, ...]], list[str]]:
        with self.path.open("rb") as file:
            octets = file.read(LARGEST + 1)
        if len(octets) > LARGEST:
            return {}, [f"larger than {LARGEST} octets"]
        read = read_htpasswd(octets.decode())
        forms = {crypt_form(hashed) for hashes in read.hashes.values() for hashed in hashes}
        wanted = sorted({missing(form) for form in forms if form} - {""})
        return read.hashes, [*map(str, read.problems), *(f"it needs {each}" for each in wanted)]


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or type(error).__name__}"
    return "it is no UTF-8 text"
