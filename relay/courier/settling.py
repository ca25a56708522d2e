"""The end of an attempt: first on disk, then told; and whoever must hear that a message failed for good."""

from collections.abc import Callable

from relay.courier.books import Books
from relay.courier.ports import Notices
from relay.courier.reports import Report, Result
from relay.observe.events import Incident, Observer
from relay.spool.entries import Entry, State


class Settling:
    """Settles attempts; ``now`` tells seconds since the epoch."""

    def __init__(self, books: Books, notices: Notices, *, now: Callable[[], float], observe: Observer) -> None:
        self._books = books
        self._notices = notices
        self._now = now
        self._observe = observe

    async def settle(self, report: Report) -> None:
        """Make durable what came of an attempt, and tell."""
        written: Entry | None = report.entry
        if report.result is Result.SENT:
            await self._books.remove(report.entry)
        elif report.result is not Result.QUARANTINED:  # which is on disk already
            written = await self._books.write(report.entry)
            if report.result is Result.EXPIRED and written is not None and written.state is not State.FAILED:
                return  # a person came first: nothing has failed
        self._observe(report.event(self._now()))
        if written is not None and written.state is State.FAILED:
            await self._owe(written, report.why)

    async def _owe(self, entry: Entry, why: str) -> None:
        try:
            await self._notices.owe(entry, why)
        except Exception as error:  # noqa: BLE001 - the message is kept, and can be told of later
            self._observe(Incident(entry.id, entry.session.id, error))
