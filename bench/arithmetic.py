"""Medians, quartiles, ratios of turns that were taken side by side, and when one is slower than the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

#: A difference below this is the machine's, however often it is measured.
SLOWER: Final = 1.03


@dataclass(frozen=True)
class Spread:
    """The median of a figure, and its quartiles."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(low, median(values), high)

    def text(self, form: str = ".1f", times: float = 1) -> str:
        """The median, and the quartiles in brackets."""
        return f"{self.middle * times:{form}} ({self.low * times:{form}} - {self.high * times:{form}})"


def ratios(these: Sequence[float], those: Sequence[float]) -> Spread:
    """How many times *those* each of *these* is, turn by turn."""
    return Spread.of([one / other for one, other in zip(these, those, strict=True)])


def is_slower(ratio: Spread) -> bool:
    """Whether what cost so many times the other is slower by more than the machine and the spread of turns explain."""
    return ratio.middle > SLOWER and ratio.low > 1


def at(ordered: Sequence[float], share: int) -> float:
    """The value below which *share* of a hundred lie."""
    return ordered[len(ordered) * share // 100]
