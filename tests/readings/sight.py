"""What one reader sees of a message, as far as it decides over it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

#: Header fields by which software shows or verifies another author than From's.
BESIDE_FROM: Final = frozenset({"sender", "resent-from", "resent-sender"})

#: One field: its name as this reader spells it, its value as this reader hands it to its address parser.
Field: TypeAlias = tuple[str, str]
Addresses: TypeAlias = Callable[[str], Iterable[str]]


class Unreadable(ValueError):
    """This reader gives up: it names nobody."""


@dataclass(frozen=True, slots=True)
class Sight:
    """
    Who is named where. ``authors`` holds every address of every From field, in order; ``beside`` those of Sender,
    Resent-From and Resent-Sender; ``return_paths`` the text of each Return-Path field without its brackets;
    ``steering`` name (lower case) and value of every X-SES field; ``bcc`` whether there is one.
    """

    authors: tuple[str, ...]
    beside: tuple[str, ...]
    return_paths: tuple[str, ...]
    steering: tuple[tuple[str, str], ...]
    bcc: bool


Reading: TypeAlias = Callable[[bytes], Sight]


def sight_of(fields: Iterable[Field], addresses: Addresses) -> Sight:
    """Sort what a reader found."""
    found = [(name.lower(), value) for name, value in fields]
    return Sight(
        tuple(_named({"from"}, found, addresses)),
        tuple(_named(BESIDE_FROM, found, addresses)),
        tuple(value.strip(" \t").removeprefix("<").removesuffix(">") for name, value in found if name == "return-path"),
        tuple((name, value.strip(" \t")) for name, value in found if name.startswith("x-ses-")),
        any(name in ("bcc", "resent-bcc") for name, _ in found),
    )


def _named(names: Iterable[str], fields: Iterable[Field], addresses: Addresses) -> Iterator[str]:
    for name, value in fields:
        if name in names:
            yield from addresses(value)
