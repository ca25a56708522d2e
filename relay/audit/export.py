"""What an auditor needs of a span of time, out of the journal's file, a line at a time."""

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeAlias

from relay.audit.book import CHANGE, entries_between
from relay.journal.packs import DECISIONS, PACK, Unpacking, shared
from relay.journal.queries import has_decisions
from relay.words.values import dataclass

DECISION: Final = "decision"
POLICY_CHANGE: Final = "policy-change"
ACTION: Final = "action"
POLICY_TEXT: Final = "policy-text"
GAP: Final = "gap"
UNREADABLE: Final = "unreadable"

#: Decisions that are read at once, so that the writer's log can be brought home meanwhile.
_SLICE: Final = 500

_DECISIONS: Final = f"""SELECT time, delegate, number, {PACK} FROM {DECISIONS}
    WHERE number > ? AND time >= ? AND time < ? ORDER BY number LIMIT ?"""  # noqa: S608  ours
_PLACES: Final = "SELECT identity, name, first_seen, last_seen FROM policy_period WHERE digest = ? ORDER BY first_seen"

Line: TypeAlias = tuple[str, Mapping[str, Any]]
_Timed: TypeAlias = tuple[float, str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """
    What is wanted: from ``since`` until ``until``, not included, in seconds since the epoch.

    ``delegate`` and ``identity`` (an ARN or a name) leave out decisions and changes of others.
    """

    since: float
    until: float
    delegate: str | None = None
    identity: str | None = None

    def wants_identity(self, arn: str | None) -> bool:
        """Whether *arn* is the identity, or any is wanted."""
        wanted = self.identity
        return wanted is None or (arn is not None and (arn == wanted or arn.endswith(f":identity/{wanted}")))


@dataclass(slots=True)
class Count:
    """What was exported, by kind; ``missing``: decisions that somebody took out of the journal's middle."""

    kinds: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    spoiled: int = 0
    altered: int = 0


def lines_of(file: sqlite3.Connection, span: Span, count: Count) -> Iterator[Line]:
    """
    Yield what happened in the order of its time: decisions, changes, actions; each policy text before what names it.

    Memory: a digest for each policy text.
    """
    told: set[str] = set()
    for _, kind, what in heapq.merge(_decisions(file, span, count), _entries(file, span), key=lambda one: one[0]):
        for digest in _digests(kind, what):
            if digest not in told:
                told.add(digest)
                text = _text(file, digest, count)
                count.kinds[POLICY_TEXT] = count.kinds.get(POLICY_TEXT, 0) + 1
                yield POLICY_TEXT, text
        count.kinds[kind] = count.kinds.get(kind, 0) + 1
        yield kind, what


def oldest_decision(file: sqlite3.Connection) -> float | None:
    """Return when the oldest decision that is kept ended: of earlier ones the journal knows nothing any more."""
    if not has_decisions(file):
        return None
    row = file.execute("SELECT time FROM decision ORDER BY number LIMIT 1").fetchone()
    return None if row is None else float(row[0])


def date_of(seconds: float) -> str:
    """Write a moment as lines have it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _decisions(file: sqlite3.Connection, span: Span, count: Count) -> Iterator[_Timed]:
    if not has_decisions(file):
        return
    unpacking = Unpacking()
    last, before = 0, None
    while rows := shared(file.execute(_DECISIONS, (last, span.since, span.until, _SLICE))):
        for time, delegate, number, *pack in rows:
            if before is None:
                before = _number(file, "SELECT max(number) FROM decision WHERE number < ?", number)
            if before is not None and number != before + 1:
                yield from _gap(file, before, number, time, count)
            before = last = number
            if span.delegate is None or delegate == span.delegate:
                yield from _decision(number, time, partial(unpacking.text, number, *pack), span, count)
    yield from _gap_at_the_end(file, before, span, count)


def _gap_at_the_end(file: sqlite3.Connection, last: int | None, span: Span, count: Count) -> Iterator[_Timed]:
    """What was taken out between two spans is in neither: look at what follows, whenever that ended."""
    if last is None:
        last = _number(file, "SELECT max(number) FROM decision WHERE time < ?", span.since)
    following = _number(file, "SELECT min(number) FROM decision WHERE number > ?", last)
    if last is not None and following is not None and following != last + 1:
        yield from _gap(file, last, following, span.until, count)


def _number(file: sqlite3.Connection, query: str, value: float | None) -> int | None:
    (number,) = file.execute(query, (value,)).fetchone()
    return None if number is None else int(number)


def _gap(file: sqlite3.Connection, before: int, number: int, time: float, count: Count) -> Iterator[_Timed]:
    """Numbers grow by one, and the oldest go first: what is neither here nor at another time was taken out by hand."""
    elsewhere, oldest = file.execute(
        "SELECT (SELECT count(*) FROM decision WHERE number > ? AND number < ?), (SELECT min(number) FROM decision)",
        (before, number),
    ).fetchone()
    missing, was_let_go = number - before - 1 - elsewhere, oldest > before
    if missing > 0:
        count.missing += 0 if was_let_go else missing
        why = "let go of while this was written" if was_let_go else "taken out of the journal"
        yield time, GAP, {"after": before, "before": number, "missing": missing, "why": why}


def _decision(number: int, time: float, text: Callable[[], str], span: Span, count: Count) -> Iterator[_Timed]:
    try:
        record = json.loads(text())
    except ValueError as problem:
        count.spoiled += 1
        yield time, UNREADABLE, {"number": number, "time": date_of(time), "why": str(problem)}
        return
    arns = [arn for row in record.get("roles", ()) for arn in (row.get("identity"), *row.get("agreeing", ()))]
    if span.identity is None or any(span.wants_identity(arn) for arn in arns):
        yield time, DECISION, {"number": number, "record": record}


def _entries(file: sqlite3.Connection, span: Span) -> Iterator[_Timed]:
    for entry in entries_between(file, span.since, span.until):
        what = {"time": date_of(entry.time), **entry.what}
        if entry.kind != CHANGE:
            yield entry.time, ACTION, what
        elif span.wants_identity(what["identity"]) and _concerns(what, span.delegate):
            yield entry.time, POLICY_CHANGE, what


def _concerns(change: Mapping[str, Any], delegate: str | None) -> bool:
    """Whether a change may mean something for *delegate*: what it means was not asked, or is told of it."""
    effects = change["effects"]
    return delegate is None or effects is None or any(effect["delegate"] == delegate for effect in effects)


def _digests(kind: str, what: Mapping[str, Any]) -> list[str]:
    if kind == DECISION:
        return [digest for row in what["record"].get("roles", ()) for digest in row.get("digests", ())]
    if kind == POLICY_CHANGE:
        return [digest for each in what["policies"] for digest in (each["old"], each["new"]) if digest is not None]
    return []


def _text(file: sqlite3.Connection, digest: str, count: Count) -> dict[str, Any]:
    """Return a policy text with all that it was attached to; ``text`` is null where it is not kept, or another one."""
    row = file.execute("SELECT text FROM policy_text WHERE digest = ?", (digest,)).fetchone()
    text = None if row is None else str(row[0])
    is_altered = text is not None and sha256(text.encode(errors="surrogatepass")).hexdigest() != digest
    count.altered += is_altered
    places = file.execute(_PLACES, (digest,))
    return {
        "digest": digest,
        "text": None if is_altered else text,
        "is_altered": is_altered,
        "attached": [
            {"identity": identity, "name": name, "first_seen": date_of(first), "last_seen": date_of(last)}
            for identity, name, first, last in places
        ],
    }
