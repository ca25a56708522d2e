"""Request bodies between being hashed, for the signature, and being sent."""

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from relay.sending.encoding import Pieces
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

    Whoever makes one owes :meth:`put_away`.
    """

    __slots__ = ("_held", "_shelf", "digest", "pieces", "size")

    def __init__(self, mail: Mail, shelf: Shelf) -> None:
        self.pieces: Iterable[bytes] = Pieces(mail)
        self.size = 0
        self.digest = ""
        self._shelf = shelf
        self._held = 0

    async def read(self) -> None:
        """Encode and hash all of it, and let others have the loop from time to time."""
        digest, held, shelf = sha256(), list[bytes](), self._shelf
        for nth, piece in enumerate(self.pieces):
            if nth and nth % AT_A_TIME == 0:
                await asyncio.sleep(0)
            digest.update(piece)
            self.size += len(piece)
            if len(piece) <= shelf.free:
                shelf.free -= len(piece)
                self._held += len(piece)
                held.append(piece)
        self.digest = digest.hexdigest()
        if self._held == self.size:
            self.pieces = held
        else:
            self.put_away()

    def put_away(self) -> None:
        """Make room for others. The pieces may still be walked over."""
        self._shelf.free += self._held
        self._held = 0
