"""
Senders hear of what failed after 250: a notification goes into the spool like any other message.

It is owed on disk before it is written, so that a crash, a full disk or a missing sender only puts it off. None is ever
written about a notification, nor to the null reverse-path: two mail systems would tell each other for ever.
"""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from relay.courier.dsn import Undelivered, notification
from relay.observe.events import Incident, Noted, NoticeWritten, Observer
from relay.sending.pace.bucket import Bucket
from relay.spool.details import AGAIN, NOT_OWED, NOTICE, OWED
from relay.spool.entries import Batch, Entry, Kind, State
from relay.spool.ports import Damaged, Spool, Wanted
from relay.words.addresses import Address
from relay.words.delegates import NOTIFICATIONS
from relay.words.transactions import Envelope, Session
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

#: Notifications a second, and at once: a thousand failures of one moment are told over minutes.
RATE: Final = 1.0
AT_ONCE: Final = 20.0
#: Seconds between two looks for what is owed and could not be told.
ROUND_SECONDS: Final = 30.0
#: Seconds between two looks for what a person, in another process, made *failed*.
GLANCE: Final = 5.0
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Whose notifications these are: the configured sender, None for none, and our host name."""

    author: Address | None
    hostname: str


class Postmaster:
    """
    Writes notifications; a :class:`relay.courier.ports.Notices`.

    Args:
        feedback_of: Names the address that bounces of an entry's message go to; None when nobody is to be told.
        now: Seconds since the epoch.
        monotonic: Seconds, for the rate.
        committed: Called when there is a new entry in the spool.
    """

    def __init__(
        self,
        spool: Spool,
        letterhead: Letterhead,
        *,
        feedback_of: Callable[[Entry, bytes], Address | None],
        now: Callable[[], float],
        monotonic: Callable[[], float],
        committed: Callable[[], None],
        observe: Observer,
    ) -> None:
        self.letterhead = letterhead
        self._spool = spool
        self._feedback_of = feedback_of
        self._now = now
        self._monotonic = monotonic
        self._committed = committed
        self._observe = observe
        self._bucket = Bucket(AT_ONCE, monotonic())
        self._owed: dict[str, None] = {}  # ids in the order of their failures
        self._failed_seen = 0
        self._must_look = True  # what an earlier process owed
        self._has_debts = asyncio.Event()
        self._has_debts.set()

    async def owe(self, entry: Entry, why: str) -> None:  # noqa: ARG002 - the entry says why as well
        """Note on disk that *entry* is to be told of; :meth:`run` tells."""
        owed = entry.kind is Kind.MESSAGE and isinstance(entry.envelope.reverse_path, Address)
        await self._note(entry, OWED if owed else NOT_OWED)
        if owed:
            self._owed[entry.id] = None
            self._has_debts.set()
        else:
            self._failed_seen += 1

    async def run(self) -> None:
        """Tell what is owed until cancelled."""
        while True:
            try:
                await self._wait_for_debts()
                self._has_debts.clear()
                all_told = await self.tell()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is owed on disk
                self._observe(Incident("notices", "-", error))
                all_told = False
            if not all_told:
                await asyncio.sleep(ROUND_SECONDS)
                self._has_debts.set()

    def look(self) -> None:
        """A person made something *failed*."""
        self._must_look = True
        self._has_debts.set()

    async def _wait_for_debts(self) -> None:
        """Wait until something is owed, as far as we heard, or there are more or fewer failed entries than we saw."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(GLANCE):
                    await self._has_debts.wait()
                return
            if await self._number_failed() != self._failed_seen:
                self._must_look = True
                return

    async def _number_failed(self) -> int:
        census = await self._spool.census()
        return self._failed_seen if isinstance(census, Unavailable) else census.messages.get(State.FAILED, 0)

    async def tell(self) -> bool:
        """Write what is owed, as far as the rate allows. Returns whether nothing is owed any more."""
        self._failed_seen = await self._number_failed()
        if self._must_look:
            if not await self._look_at_all():
                return False
            self._must_look = False
        while self._owed:
            ids = tuple(self._owed)[:PAGE]
            page = await self._spool.find(Wanted(ids=ids), limit=PAGE)
            if isinstance(page, Unavailable):
                return False
            for entry in page:
                if entry.state is State.FAILED and _is_owed(entry) and not await self._write(entry):
                    return False
                self._owed.pop(entry.id, None)
            for gone in ids:
                self._owed.pop(gone, None)
        return True

    async def _look_at_all(self) -> bool:
        """Find what is owed without our having heard of it: once at start, and when the numbers do not agree."""
        after = ""
        while True:
            page = await self._spool.find(Wanted(states=(State.FAILED,)), limit=PAGE, after=after)
            if isinstance(page, Unavailable):
                return False
            self._owed.update((entry.id, None) for entry in page if _is_owed(entry))
            if len(page) < PAGE:
                return True
            after = page[-1].id

    async def _write(self, entry: Entry) -> bool:
        if self.letterhead.author is None:
            return True  # kept as failed, counted and alerted: docs/reliability.md
        now = self._monotonic()
        self._bucket.fill(RATE, AT_ONCE, now)
        if self._bucket.wait(RATE) > 0:
            return False
        raw = await self._spool.body(entry)
        if isinstance(raw, Unavailable):
            return False
        to = None if isinstance(raw, Damaged) else self._feedback_of(entry, raw)
        if isinstance(raw, Damaged) or to is None:
            await self._note(entry, NOT_OWED)
            return True
        if self._spool.is_shared and await self._is_settled(entry):
            return True
        self._bucket.take(1)
        return await self._commit(entry, raw, self.letterhead.author, to)

    async def _is_settled(self, entry: Entry) -> bool:
        """Whether another relay has told of it since we looked: what it wrote may be sent and gone by now."""
        found = await self._spool.find(Wanted(ids=(entry.id,)), limit=1)
        return not isinstance(found, Unavailable) and not any(map(_is_owed, found))

    async def _commit(self, entry: Entry, raw: bytes, author: Address, to: Address) -> bool:
        when, name, hostname = datetime.fromtimestamp(self._now(), UTC), _name_of(entry), self.letterhead.hostname
        told = undelivered(entry, raw)
        text = notification(told, name=name, author=author, to=to, hostname=hostname, now=when)
        notice = _entry_of(name, author, to, len(text), self._now())
        problem = await self._spool.commit(notice, text)
        if problem is not None and not await self._is_kept(notice.id):
            self._observe(NoticeWritten("not-kept"))
            self._observe(Noted("error", "notice.not-kept", {"queue_id": entry.id, "why": problem.why}))
            return False
        await self._note(entry, notice.id)
        self._observe(NoticeWritten("queued"))
        self._observe(Noted("info", "notice.queued", {"queue_id": entry.id, "notice": notice.id}))
        self._committed()
        return True

    async def _is_kept(self, notice: str) -> bool:
        """Whether an earlier process wrote it and died before it could note so."""
        found = await self._spool.find(Wanted(ids=(notice,)), limit=1)
        return not isinstance(found, Unavailable) and bool(found)

    async def _note(self, entry: Entry, what: str) -> None:
        """Write *what* became of the notification; a change of somebody else's in between makes no difference."""
        noted: Entry | Unavailable | None = None
        for _ in range(3):
            noted = await self._spool.change(replace(entry, details={**entry.details, NOTICE: what}))
            if noted is not None:
                break
            found = await self._spool.find(Wanted(ids=(entry.id,)), limit=1)
            if isinstance(found, Unavailable) or not found:
                break
            entry = found[0]
        if isinstance(noted, Unavailable):
            self._has_debts.set()


def _is_owed(entry: Entry) -> bool:
    """Also where a crash came between the failure and the note of it."""
    return entry.kind is Kind.MESSAGE and entry.details.get(NOTICE, OWED) == OWED


def undelivered(entry: Entry, raw: bytes) -> Undelivered:
    """Return what is to be told of *entry*: the recipients whom SES did not take, and why."""
    recipients = [
        (recipient, batch.refused or entry.last or "4.4.7 given up")
        for batch in entry.batches
        if batch.ses_id is None
        for recipient in batch.recipients
    ]
    arrived_at = datetime.fromtimestamp(entry.accepted_at, UTC)
    return Undelivered(entry.id, arrived_at, tuple(recipients), entry.maybe > 0, raw)


def _name_of(entry: Entry) -> str:
    """
    Name the notification about *entry*. The name follows from the failure, so that no crash makes two notifications of
    one; a message that a person retried and that failed again is another failure.
    """
    return hashlib.sha256(f"notification {entry.id} {entry.details.get(AGAIN, '')}".encode()).hexdigest()[:16]


def _entry_of(notice: str, author: Address, to: Address, size: int, now: float) -> Entry:
    """Make the notification's own entry. SES takes no null reverse-path, so its bounces go to its author."""
    session = Session(notice, "-", "127.0.0.1", "localhost", "ESMTP", NOTIFICATIONS)
    envelope = Envelope(author.with_domain_lowered(), (to.with_domain_lowered(),), notice)
    return Entry(notice, session, envelope, now, size, (Batch((str(to),)),), kind=Kind.NOTIFICATION, due_at=now)
