"""Statements to be, and how they are made fewer or shorter at the price of allowing more. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from relay.owner.statements import Pattern
from relay.words.values import dataclass

#: Recipient domains that are few enough to be meant; more are taken for "anybody".
FEW_DOMAINS: Final = 5
#: Addresses of one domain that, with grouping asked for, become the whole domain.
MANY_ADDRESSES: Final = 5

Domains: TypeAlias = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Row:
    """One statement to be: these authors with these feedback addresses (None: any) to these domains (None: any)."""

    authors: frozenset[Pattern]
    feedback: frozenset[Pattern] | None
    domains: Domains


Widening: TypeAlias = Callable[[Sequence[Row]], list[Row]]


def merged(rows: Iterable[Row]) -> list[Row]:
    """Join what can be joined without allowing more: the same authors and recipients, or the same all but authors."""
    feedback_of: dict[tuple[frozenset[Pattern], Domains], set[Pattern] | None] = {}
    for row in rows:
        joined = feedback_of.setdefault((row.authors, row.domains), set())
        together = None if joined is None or row.feedback is None else joined | row.feedback
        feedback_of[row.authors, row.domains] = together
    authors_of: dict[tuple[frozenset[Pattern] | None, Domains], set[Pattern]] = defaultdict(set)
    for (authors, domains), feedback in feedback_of.items():
        authors_of[None if feedback is None else frozenset(feedback), domains] |= authors
    merged = [Row(frozenset(authors), *rest) for rest, authors in authors_of.items()]
    return sorted(merged, key=lambda row: (sorted(row.authors), sorted(row.feedback or ()), sorted(row.domains or ())))


def few(one: Domains, other: Domains) -> Domains:
    """Return the domains of both while they are few; None, for any, when they are not."""
    if one is None or other is None or len(one | other) > FEW_DOMAINS:
        return None
    return one | other


def _same_recipients(rows: Sequence[Row]) -> list[Row]:
    domains: Domains = frozenset()
    for row in rows:
        domains = few(domains, row.domains)
    return merged(Row(row.authors, row.feedback, domains) for row in rows)


def _everyone_with_everything(rows: Sequence[Row]) -> list[Row]:
    same = _same_recipients(rows)
    feedback = frozenset[Pattern]().union(*(row.feedback or () for row in same))
    return merged(Row(row.authors, feedback, row.domains) for row in same)


def _labels(rows: Sequence[Row]) -> list[Row]:
    return _folded(rows, fold_labels)


def _feedback_domains(rows: Sequence[Row]) -> list[Row]:
    return _folded(rows, whole_domains, authors=False)


def _domains(rows: Sequence[Row]) -> list[Row]:
    return _folded(rows, whole_domains)


def _any_feedback(rows: Sequence[Row]) -> list[Row]:
    return merged(Row(row.authors, None, row.domains) for row in rows)


def grouped(rows: Sequence[Row]) -> list[Row]:
    """Put patterns in the place of addresses that differ in their ``+label``, and of many of one domain."""
    return _folded(_folded(rows, fold_labels), lambda patterns: whole_domains(patterns, above=MANY_ADDRESSES))


GROUPED: Final = f"asked to group: addresses that differ in their +label, and more than {MANY_ADDRESSES} of a domain"
#: What is given up, in this order, until the policy is small enough.
WIDENINGS: Final[Sequence[tuple[str, Widening]]] = (
    ("every author may write to the recipient domains of all", _same_recipients),
    ("every author may use the feedback addresses of all", _everyone_with_everything),
    ("addresses that differ in their +label are one pattern", _labels),
    ("every feedback address of a domain that was seen is allowed", _feedback_domains),
    ("every author of a domain that was seen is allowed", _domains),
    ("every feedback address is allowed", _any_feedback),
)


Fold: TypeAlias = Callable[[Iterable[Pattern]], dict[Pattern, Pattern]]


def _folded(rows: Sequence[Row], fold: Fold, *, authors: bool = True) -> list[Row]:
    """Put patterns in the place of addresses: those of all statements together decide which."""
    of_feedback = fold(pattern for row in rows for pattern in row.feedback or ())
    of_authors = fold(pattern for row in rows for pattern in row.authors) if authors else {}
    return merged(
        Row(
            frozenset(of_authors.get(pattern, pattern) for pattern in row.authors),
            None if row.feedback is None else frozenset(of_feedback[pattern] for pattern in row.feedback),
            row.domains,
        )
        for row in rows
    )


def fold_labels(patterns: Iterable[Pattern]) -> dict[Pattern, Pattern]:
    """Return what takes the place of each: one pattern for addresses that differ in their ``+label`` only."""
    groups: dict[str, set[Pattern]] = defaultdict(set)
    for pattern in patterns:
        local, _, domain = pattern.text.rpartition("@")
        stem, plus, _ = local.partition("+")
        groups[f"{stem}+*@{domain}" if plus and not pattern.is_wild else pattern.text].add(pattern)
    return {pattern: _one_for(text, group, pattern) for text, group in groups.items() for pattern in group}


def _one_for(text: str, group: set[Pattern], pattern: Pattern) -> Pattern:
    """A literal asterisk or variable before the ``+`` could not stay literal: such an address stays as it is."""
    is_plain = text.count("*") == 1 and "?" not in text and "${" not in text
    return Pattern(text, is_wild=True) if len(group) > 1 and is_plain else pattern


def whole_domains(patterns: Iterable[Pattern], *, above: int = 0) -> dict[Pattern, Pattern]:
    """Return what takes the place of each: the whole domain, where more than *above* of them are in one."""
    groups: dict[str, set[Pattern]] = defaultdict(set)
    for pattern in patterns:
        groups[pattern.text.rpartition("@")[2]].add(pattern)
    return {
        pattern: Pattern(f"*@{domain}", is_wild=True) if len(group) > above else pattern
        for domain, group in groups.items()
        for pattern in group
    }
