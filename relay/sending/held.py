"""Request bodies between being hashed, for the signature, and being sent."""

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from relay.sending.encoding import Pieces, is_small, piece_of
from relay.sending.outcomes import Mail

#: Octets of bodies held at once: twenty messages of a megabyte. Far below what the messages themselves may take.
MOST_HELD: Final = 32 << 20


#: Pieces read in one go, in some 0.3 ms: to give way to others has its price, too.
AT_A_TIME: Final = 4


class Shelf:
    """Room for bodies: as long as there is some they are held, otherwise encoded a second time when they are sent."""

    def __init__(self, octets: int = MOST_HELD) -> None:
        self.free = octets


class Encoded:
    """
    One body. Its ``pieces`` may be walked over again and again; ``size`` and ``digest`` (SHA-256) are those of all.

    ``is_read``: a small one is from the beginning, and others by :meth:`read`. Whoever makes one owes :meth:`put_away`.
    """

    __slots__ = ("_held", "_shelf", "digest", "is_read", "pieces", "size")

    def __init__(self, mail: Mail, shelf: Shelf) -> None:
        self.pieces: Iterable[bytes]
        self._shelf = shelf
        self._held = 0
        if is_small(mail):
            piece = piece_of(mail)
            self.size, self.digest, self.is_read = len(piece), sha256(piece).hexdigest(), True
            self.pieces = [piece] if self._has_room(piece) else Pieces(mail)
        else:
            self.size, self.digest, self.is_read = 0, "", False
            self.pieces = Pieces(mail)

    async def read(self) -> None:
        """Encode and hash all of it, and let others have the loop from time to time."""
        if self.is_read:
            return
        digest, held = sha256(), list[bytes]()
        for nth, piece in enumerate(self.pieces):
            if nth and nth % AT_A_TIME == 0:
                await asyncio.sleep(0)
            digest.update(piece)
            self.size += len(piece)
            if self._has_room(piece):
                held.append(piece)
        self.digest, self.is_read = digest.hexdigest(), True
        if self._held == self.size:
            self.pieces = held
        else:
            self.put_away()

    def _has_room(self, piece: bytes) -> bool:
        """Take room on the shelf, if there is any."""
        octets, shelf = len(piece), self._shelf
        if octets > shelf.free:
            return False
        shelf.free -= octets
        self._held += octets
        return True

    def put_away(self) -> None:
        """Make room for others. The pieces may still be walked over."""
        self._shelf.free += self._held
        self._held = 0
