"""Texts that are made again and again, made once."""

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

MOST: Final = 1024

_Key = TypeVar("_Key", bound=Hashable)


class Remembered(dict[_Key, str]):
    """What *make* makes of a key; with one more than MOST, all are forgotten."""

    def __init__(self, make: Callable[[_Key], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: _Key) -> str:
        if len(self) >= MOST:
            self.clear()
        made = self[key] = self._make(key)
        return made
