"""
The catalog of identities on its way to the workers: whole at first, then what changed. A hundred thousand identities
are not told again because one of them was read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from itertools import islice
from typing import Final, TypeAlias

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.words.values import dataclass

Place: TypeAlias = tuple[str, str]
Group: TypeAlias = tuple[Identity, ...]

#: Groups of identities in one message: reading it holds up a worker for a few milliseconds.
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Part:
    """Some groups of identities of one place, by folded name; None for one that is gone."""

    place: Place
    groups: Mapping[str, Group | None]


@dataclass(frozen=True, slots=True)
class Aged:
    """Identities of a place that were found unchanged at another time: when, and their folded names."""

    place: Place
    read_at: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """The end of a telling: every place there is, with the time and the problem of its list; and the catalog's own."""

    places: Mapping[Place, tuple[float, str | None]]
    problem: str | None


Piece: TypeAlias = Part | Aged | Whole


def differences(old: Catalog, new: Catalog) -> Iterator[Piece]:
    """Tell what makes *new* of *old*; the last piece is the Whole."""
    for place, owned in new.owners.items():
        before = old.owners.get(place, _NOTHING)
        if owned.by_folded_name is not before.by_folded_name:
            yield from _changed(place, before.by_folded_name, owned.by_folded_name)
    yield Whole({place: (owned.listed_at, owned.problem) for place, owned in new.owners.items()}, new.problem)


def _changed(place: Place, old: Mapping[str, Group], new: Mapping[str, Group]) -> Iterator[Piece]:
    changed: dict[str, Group | None] = {name: None for name in old if name not in new}
    aged: dict[float, list[str]] = {}
    for name, group in new.items():
        before = old.get(name)
        if group is before:
            continue
        if before is not None and (read_at := _only_aged(before, group)) is not None:
            aged.setdefault(read_at, []).append(name)
        else:
            changed[name] = group
    for read_at, names in aged.items():
        rest = iter(names)
        while some := tuple(islice(rest, 10 * AT_ONCE)):
            yield Aged(place, read_at, some)
    left = iter(changed.items())
    while part := dict(islice(left, AT_ONCE)):
        yield Part(place, part)


def _only_aged(old: Group, new: Group) -> float | None:
    """Return when all of a group was read, where that is all that is new; None otherwise."""
    if len(old) != len(new) or any(each.read_at != new[0].read_at for each in new):
        return None
    pairs = zip(old, new, strict=True)
    return new[0].read_at if all(_is_same(before, after) for before, after in pairs) else None


def _is_same(old: Identity, new: Identity) -> bool:
    return (
        (old.policies is new.policies or old.policies == new.policies)
        and old.arn == new.arn
        and old.verified == new.verified
        and old.problem == new.problem
    )


@dataclass(slots=True)
class Gathered:
    """A worker's catalog, and what is on its way to become it."""

    catalog: Catalog = field(default_factory=Catalog)
    _changed: dict[Place, dict[str, Group | None]] = field(default_factory=dict)

    def take(self, piece: Piece) -> None:
        """Take the next piece; with the Whole all of them count, at once."""
        if isinstance(piece, Part):
            self._changed.setdefault(piece.place, {}).update(piece.groups)
        elif isinstance(piece, Aged):
            known = self._known(piece.place)
            changed = self._changed.setdefault(piece.place, {})
            for name in piece.names:
                changed[name] = tuple(replace(each, read_at=piece.read_at) for each in known[name])
        else:
            owners = {place: self._owned(place, *told) for place, told in piece.places.items()}
            self.catalog, self._changed = Catalog(owners, piece.problem), {}

    def _known(self, place: Place) -> Mapping[str, Group]:
        return self.catalog.owners.get(place, _NOTHING).by_folded_name

    def _owned(self, place: Place, listed_at: float, problem: str | None) -> OwnedIdentities:
        known, changed = self._known(place), self._changed.get(place)
        if changed is not None:
            merged = {**known, **changed}
            known = {name: group for name, group in merged.items() if group is not None}
        return OwnedIdentities(known, listed_at, problem)


_NOTHING: Final = OwnedIdentities()
