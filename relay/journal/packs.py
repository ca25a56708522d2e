"""Records read out of the packs that they lie in."""

from collections.abc import Iterable
from typing import Any, Final

from relay.journal.packing import unpack

#: To select from: a decision with its pack, of which a record that was spoiled may have none.
DECISIONS: Final = (
    "decision LEFT JOIN pack ON pack.last = (SELECT min(later.last) FROM pack AS later WHERE later.last >= number)"
)
#: What to select last, for :class:`Unpacking` and :func:`shared`.
PACK: Final = "last, first, records"


class Unpacking:
    """Unpacks records one after the other; those of a pack that follow each other, at once."""

    def __init__(self) -> None:
        self._last = 0
        self._texts: list[str] = []

    def text(self, number: int, last: int | None, first: int | None, packed: bytes | None) -> str:
        """
        Return the JSON of the decision *number*, with what was selected of its pack.

        Raises:
            ValueError: It is damaged, or of a later release.
        """
        if last is None or first is None or packed is None or number < first:
            raise ValueError("a damaged record: its pack is missing")
        if last != self._last:
            texts = unpack(packed)
            if len(texts) != last - first + 1:
                raise ValueError("a damaged record: its pack has others")
            self._texts, self._last = texts, last
        return self._texts[number - first]


def shared(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Let *rows* that follow each other, and end with the same pack, have one copy of it."""
    kept: list[tuple[Any, ...]] = []
    for row in rows:
        is_of_the_last = kept and kept[-1][-3] == row[-3]
        kept.append((*row[:-1], kept[-1][-1]) if is_of_the_last else row)
    return kept
