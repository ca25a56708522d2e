"""
Large messages, in pieces: Redis does one thing at a time, and nobody else's call should wait for 40 MiB.

Pieces are brought under a name of their own, which expires; the commit renames them, at the moment that makes the entry
count. So an entry never lacks its message, and what a crash leaves half brought is gone after ten minutes.
"""

import secrets
from typing import Final

from relay.shared.answers import Away
from relay.shared.engine import Engine
from relay.words.values import dataclass

#: Octets of a piece; a smaller message goes with its entry.
PIECE: Final = 512 * 1024
_EXPIRES_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Brought:
    """Pieces that lie at the server and belong to no entry yet."""

    token: str
    number: int


async def bring(engine: Engine, root: str, raw: bytes) -> Brought | Away:
    """Bring *raw* to the server, piece by piece."""
    token = secrets.token_hex(16)
    name, number = f"{root}:new:{token}", 0
    for start in range(0, len(raw), PIECE):
        piece = raw[start : start + PIECE]
        answers = await engine.pipeline([("RPUSH", name, piece), ("PEXPIRE", name, _EXPIRES_MS)])
        failed = answers if isinstance(answers, Away) else next((each for each in answers if _is_away(each)), None)
        if failed is not None:
            await drop(engine, root, Brought(token, number))
            return failed
        number += 1
    return Brought(token, number)


async def drop(engine: Engine, root: str, brought: Brought) -> None:
    """Forget pieces that no entry has; if that fails they expire."""
    await engine.command("UNLINK", f"{root}:new:{brought.token}")


async def read(engine: Engine, root: str, entry_id: str) -> bytes | Away:
    """Read the pieces of an entry's message, as many as there are, one after the other."""
    pieces: list[bytes] = []
    while True:
        piece = await engine.command("LINDEX", f"{root}:b:{entry_id}", len(pieces))
        if isinstance(piece, Away):
            return piece
        if piece is None:
            return b"".join(pieces)
        pieces.append(piece)


def _is_away(answer: object) -> bool:
    return isinstance(answer, Away)
