"""What was promised against what SES has: the figures of the kill matrix."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.system.relays import RunningRelay
from tests.torture.clients import Answers, digest_of
from tests.torture.far_ses import Book
from tests.torture.field import lines


@dataclass(frozen=True, slots=True)
class Reckoning:
    """
    The end of a torture.

    ``unsettled``: calls under way at a kill, as the next start found them; ``answers_lost``: messages that SES took and
    hung up on, by its own count. ``windows``: seconds from SES's answer to the durable mark, of every delivery.
    """

    kills: int
    handed_over: int
    accepted: int
    delivered: int
    lost: set[str]
    changed: set[str]
    duplicated: int
    unmarked: int
    unsettled: int
    answers_lost: int
    quarantined: int
    windows: list[float]

    def check(self, *, poisons: int = 0) -> None:
        """What must be true of every torture."""
        assert not self.lost, sorted(self.lost)[:10]
        assert not self.changed, sorted(self.changed)[:10]
        assert self.duplicated <= self.unsettled + self.answers_lost
        assert self.unmarked == 0, "a second copy says that it may be one"
        assert self.quarantined == poisons

    def rows(self) -> Iterator[tuple[str, str]]:
        """Figures by name, for the report."""
        yield "kills", str(self.kills)
        yield "messages handed over", str(self.handed_over)
        yield "answered 250", str(self.accepted)
        yield "at SES", str(self.delivered)
        yield "lost", str(len(self.lost))
        yield "sent twice", f"{self.duplicated}, each marked"
        yield "calls under way at a kill + answers lost", f"{self.unsettled} + {self.answers_lost}"
        yield "quarantined", str(self.quarantined)
        yield "from SES's answer to the mark, p50 / p99", milliseconds(self.windows)


def reckon(kills: int, answers: Answers, book: Book, relays: Sequence[RunningRelay]) -> Reckoning:
    """Compare what clients heard, what SES has, and what the relays told."""
    times = Counter(each.name for each in book.taken)
    deliveries = [line for relay in relays for line in lines(relay, "delivery")]
    return Reckoning(
        kills=kills,
        handed_over=answers.handed_over,
        accepted=len(answers.accepted),
        delivered=len(times),
        lost=set(answers.accepted) - set(times),
        changed={each.name for each in book.taken if each.digest != digest_of(each.name)},
        duplicated=sum(times.values()) - len(times),
        unmarked=_unmarked(book),
        unsettled=sum(line["count"] for relay in relays for line in lines(relay, "spool.attempts-found")),
        answers_lost=book.dropped_after,
        quarantined=sum(line["result"] == "quarantined" for line in deliveries),
        windows=list(_windows(book, deliveries)),
    )


def _unmarked(book: Book) -> int:
    """Count second copies without the field that says so."""
    first: set[str] = set()
    unmarked = 0
    for each in book.taken:
        unmarked += each.name in first and not each.marked
        first.add(each.name)
    return unmarked


def _windows(book: Book, deliveries: Iterable[dict[str, Any]]) -> Iterator[float]:
    """From the answer's leaving SES to the line that follows the commit of the mark: more than the window itself."""
    answered = {each.id: each.at for each in book.taken if each.at is not None}
    for line in deliveries:
        for message_id in line.get("ses_ids", ()):
            if message_id in answered:
                yield datetime.fromisoformat(line["time"]).timestamp() - answered[message_id]


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def milliseconds(values: Sequence[float]) -> str:
    """The middle and the hundredth longest, in words."""
    return f"{1000 * quantile(values, 0.5):.1f} / {1000 * quantile(values, 0.99):.1f} ms" if values else "none"
