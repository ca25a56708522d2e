"""What relays that read the same account and region tell each other, as one place sees it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from relay.identities.known import KnownIdentity
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """
    One identity as another relay knows it. All times in seconds since the epoch, by the clock of this relay.

    ``as_of``: when it was known last that SES has it.
    """

    known: KnownIdentity
    as_of: float


@dataclass(frozen=True, slots=True)
class News:
    """
    What others read. ``gone``: names, and when SES did not have them any more; ``listed``: when the list was read whole
    and how many pages it has, once all that it brought was told.
    """

    told: Sequence[Told] = ()
    gone: Mapping[str, float] = field(default_factory=dict)
    listed: tuple[float, int] | None = None


class Fellows(Protocol):
    """The other relays, to be told what happens at this one. Nothing here waits."""

    def learned(self, names: Iterable[str], *, is_listed: bool = False) -> None:
        """SES told of *names*, or does not know them any more; *is_listed*: by a list that is whole now."""

    def used(self, name: str) -> None:
        """Mail was allowed by *name*."""

    def wanted(self, name: str, delegate: str) -> None:
        """Mail of *delegate* wants *name* to be read soon."""

    def invalidated(self, name: str | None) -> None:
        """*name*, or everything, is to be read again."""

    def gave_up(self) -> None:
        """SES is away: nobody needs to wait for it."""


class Nobody:
    """A relay by itself."""

    def learned(self, names: Iterable[str], *, is_listed: bool = False) -> None:
        """Tell nobody."""

    def used(self, name: str) -> None:
        """Tell nobody."""

    def wanted(self, name: str, delegate: str) -> None:
        """Tell nobody."""

    def invalidated(self, name: str | None) -> None:
        """Tell nobody."""

    def gave_up(self) -> None:
        """Tell nobody."""
