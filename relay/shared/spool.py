"""
The spool of a fleet: entries at one Redis, which any number of relays take from.

The commit point is the server's acknowledgement of one script, after its log was synced (spool_promise.py looks whether
it is). Every change is one script that looks at the version of the entry first. docs/reliability.md has the table of
states.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from relay.shared import spool_bodies, spool_promise
from relay.shared import spool_scripts as scripts
from relay.shared.answers import Away
from relay.shared.engine import Engine, Part
from relay.shared.scripts import Script
from relay.shared.spool_lease import Lease
from relay.shared.spool_promise import Wish
from relay.shared.spool_room import ServerRoom
from relay.shared.spool_rows import ServerRows
from relay.spool.bound import BESIDE
from relay.spool.entries import Entry, Kind, State
from relay.spool.message_files import is_id
from relay.spool.ports import Census, Damaged, Full, Wanted
from relay.spool.rows import row_of
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

_T = TypeVar("_T")

#: Seconds for which what is due is named to one relay only; it looks more often than that.
RESERVED_SECONDS: Final = 6.0
#: Seconds for which a write whose answer never came is looked for: it may lie in a connection that hangs.
DOUBT_SECONDS: Final = 60.0
#: Parts of a lease: between two looks at all that is being sent; and of what we do not know, before it is tried again.
_LOOKS: Final = 0.25
_PATIENCE: Final = 0.75
_REMOVED: Final = 8192  # ids of entries removed lately
_PAGE: Final = 500  # entries in an answer, at most
_FAR: Final = 2000  # entries that one script looks at, at most
_MOST_SWEPT: Final = 500
_REPLICAS_MS: Final = 2000
_TO_BE_SENT: Final = (State.DUE, State.SENDING)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A write that may have been done although nobody heard so; ``undo`` tells whether it was, and was undone."""

    until: float
    undo: Callable[[], Awaitable[bool]]


class RedisSpool:
    """
    An engine of the spool (relay/spool/ports.py), from ``open_redis_spool`` to ``close``.

    Args:
        engine: Started.
        wish: What is asked of the server.
        max_bytes: Bounds what all relays keep there together.
        lease_seconds: How long the relay may be silent before others take over what it sends; 0 for a visitor, who
            makes nothing.
    """

    is_shared: Final = True

    def __init__(self, engine: Engine, *, wish: Wish, max_bytes: int, lease_seconds: float) -> None:
        self._engine = engine
        self._root = root_of(engine)
        self._room = ServerRoom(max_bytes)
        self._rows = ServerRows(engine, self._root)
        self._run = self._rows.run
        self.lease = Lease(
            engine,
            self._root,
            makes=lease_seconds > 0,
            seconds=lease_seconds,
            wish=wish,
            room=self._room,
            found=self._rows.note,
            tidy=self._settle_doubts,
        )
        self._wish = wish
        self._last_delegate = ""
        self._doubts: dict[str, _Doubt] = {}
        self._undoing = asyncio.Lock()
        self._unacknowledged: set[str] = set()
        self._look_at_all_from = self._look_at_ours_from = float("-inf")
        self._unattended: dict[tuple[str, int], float] = {}
        self._removed: OrderedDict[str, None] = OrderedDict()
        self._is_closed = False
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def promise(self) -> str:
        """What 250 rests on, in a clause."""
        return self.lease.promise

    def wall(self) -> float:
        """Tell the time for stamps: the server's, so that relays whose clocks differ agree on what is due."""
        return self.lease.wall()

    def knows_time(self) -> bool:
        """Tell whether the server has told it; until then it is our own."""
        return self.lease.knows_time

    # ---- what is kept ----

    def room(self, octets: int) -> Full | None:
        """Tell, at no cost, whether a message of *octets* could be committed now."""
        if not self._engine.state.is_up:
            return Full(f"the spool's server: {self._engine.state.why}")
        if (problem := self._not_known_yet()) is not None:
            return Full(problem.why)
        return self._room.for_message(octets)

    async def commit(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        """Keep *entry* and its message. Cancelled: it is kept, or not, whole."""
        if not is_id(entry.id) or len(raw) != entry.size:
            raise ValueError("an entry has an id of letters and digits, and the size of its message")
        if self._is_closed or not self._engine.state.is_up:
            return _unavailable(Away("closed" if self._is_closed else self._engine.state.why))
        if (full := self._room.for_message(len(raw))) is not None:
            return full
        self._room.bound.promise(len(raw))
        self._unacknowledged.add(entry.id)
        try:
            return await self._commit(entry, raw)
        finally:
            self._room.bound.fulfil(len(raw))
            if entry.id not in self._doubts:
                self._unacknowledged.discard(entry.id)

    async def _commit(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        digest = await _sha256(raw)
        brought = None
        if len(raw) > spool_bodies.PIECE:
            found = await spool_bodies.bring(self._engine, self._root, raw)
            if isinstance(found, Away):
                return _refusal(found)
            brought, raw = found, b""
        pieces: tuple[Part, ...] = ("", 0) if brought is None else (brought.token, brought.number)
        reserved = RESERVED_SECONDS if self._wish.replicas else 0  # others see it before a replica has it
        args = [entry.id, self._room.bound.max_bytes, BESIDE, self.lease.holder, reserved, *pieces, raw]
        answer = await self._acknowledged(scripts.COMMIT, [*args, *scripts.fields_of(row_of(entry, digest))])
        if isinstance(answer, Away):
            if answer.maybe and entry.kind is Kind.MESSAGE:  # a notification is looked for by whoever writes it
                self._doubt(entry, lambda: self._forgotten(entry.id, "0"))
            return _refusal(answer)
        outcome, octets, messages = answer
        self._room.bound.count(octets, messages)
        if outcome == b"kept":
            self._rows.remember(entry.id, digest)
            return None
        if brought is not None:
            await spool_bodies.drop(self._engine, self._root, brought)
        if outcome == b"full":
            return Full(f"spool.max_bytes: {octets} octets of {messages} messages are kept")
        return Unavailable(
            f"the spool: {'an entry ' + entry.id + ' is kept already' if outcome == b'taken' else 'late'}"
        )

    async def _acknowledged(self, script: Script, args: Sequence[Part]) -> Any | Away:
        """Run a script, and wait until as many replicas have what it wrote as the operator wants."""
        waiting = spool_promise.waiting_of(self._wish, self._engine.state.server, _REPLICAS_MS)
        if waiting is None:
            return await self._run(script, *args)
        told = await self._engine.pipeline([("EVALSHA", script.digest, 1, self._root, *args), waiting])
        if not isinstance(told, Away) and isinstance(told[0], Away) and told[0].code == "NOSCRIPT":
            told = await self._engine.pipeline([("EVAL", script.text, 1, self._root, *args), waiting])
        if isinstance(told, Away):
            return told
        answer, replicas = told
        if isinstance(answer, Away):
            return answer
        if isinstance(replicas, Away):
            return replace(replicas, maybe=True)
        number = spool_promise.replicas_of(replicas)
        short = Away(f"{number} of {self._wish.replicas} replicas have it", maybe=True)
        return answer if number >= self._wish.replicas or answer[0] != b"kept" else short

    async def remove(self, entry: Entry) -> Unavailable | None:
        """Forget an entry and its message, whoever has it now: SES took it. Absent already is well."""

        async def forget() -> Unavailable | None:
            removed = await self._run(scripts.REMOVE, entry.id, "")
            if isinstance(removed, Away):
                return _unavailable(removed)
            self._room.bound.count(*removed[1:])
            self._rows.forget(entry.id)
            self._removed[entry.id] = None
            if len(self._removed) > _REMOVED:
                self._removed.popitem(last=False)
            return None

        return await self._whole(forget())

    async def _forgotten(self, entry_id: str, version: str) -> bool:
        removed = await self._run(scripts.REMOVE, entry_id, version)
        return not isinstance(removed, Away) and removed[0] == 1

    # ---- attempts ----

    async def recover(self) -> Sequence[Entry] | Unavailable:
        """Take over what one relay whose lease has ended left *sending*; other relays do not find it any more."""
        if (problem := self._not_known_yet()) is not None:
            return problem
        began = time.monotonic()
        how = "1" if began >= self._look_at_all_from else ""
        found = await self._run(scripts.RECOVER, self.lease.holder, self.lease.seconds, how)
        if isinstance(found, Away):
            return _unavailable(found)
        self.lease.renewed_at(began)
        if how and not found:
            self._look_at_all_from = began + self.lease.seconds * _LOOKS
        return await self._rows.readable(found)

    async def unattended(self, busy: Collection[str]) -> Sequence[Entry] | Unavailable:
        """
        Name what the server says we are sending, although we are not: nobody heard that we took it over, or a server
        that was promoted does not know how it ended. What we know to be sent is removed once more.
        """
        began = time.monotonic()
        if began < self._look_at_ours_from:
            return ()
        found = await self._run(scripts.UNATTENDED, self.lease.holder, *busy)
        if isinstance(found, Away):
            return _unavailable(found)
        self._look_at_ours_from = began + self.lease.seconds * _LOOKS
        entries = await self._rows.readable(found)
        since, self._unattended = self._unattended, {}
        left = []
        for entry in entries:
            at = since.get((entry.id, entry.version), began)
            if entry.id in self._removed:
                await self.remove(entry)
            elif began - at >= self.lease.seconds * _PATIENCE:
                left.append(entry)
            else:
                self._unattended[entry.id, entry.version] = at
        return left

    def _not_known_yet(self) -> Unavailable | None:
        """What is found would be stamped by our own clock."""
        return None if self.lease.knows_time else Unavailable("the spool's server has not told its time yet")

    async def due(
        self, now: float, *, limit: int, per_delegate: int, busy: Collection[str] = ()
    ) -> Sequence[Entry] | Unavailable:
        """Name what is due, fairly among delegates, in the order of ``due_at``; nothing that another relay just had."""
        if (problem := self._not_known_yet()) is not None:
            return problem
        asked = (repr(now), limit, per_delegate, self._last_delegate, self.lease.holder, RESERVED_SECONDS)
        found = await self._run(scripts.DUE, *asked, *busy, *self._unacknowledged)
        if isinstance(found, Away):
            return _unavailable(found)
        self._last_delegate = found[0].decode(errors="surrogateescape")
        return await self._rows.readable(found[1:])

    async def next_due(self, now: float) -> float | Unavailable | None:
        """Tell when the next entry that is not due yet becomes so."""
        found = await self._run(scripts.NEXT_DUE, repr(now))
        if isinstance(found, Away):
            return _unavailable(found)
        return None if found is None else float(found)

    async def begin(self, entry: Entry, now: float) -> Entry | Unavailable | None:  # noqa: ARG002  # leases are in the server's time
        """Register an attempt: *sending*, ``attempts`` one more, ours until our lease ends."""
        if entry.id not in self._doubts:
            return await self._begin(entry)
        async with self._undoing:  # or what undoes the attempt before would undo this one
            return await self._begin(entry)

    async def _begin(self, entry: Entry) -> Entry | Unavailable | None:
        begun = replace(entry, state=State.SENDING, attempts=entry.attempts + 1)
        began = time.monotonic()
        written = await self._rows.write(begun, _TO_BE_SENT, by=self.lease.holder, lease=self.lease.seconds)
        if isinstance(written, Entry):
            self._doubts.pop(entry.id, None)
            self.lease.renewed_at(began)
        elif isinstance(written, Away) and written.maybe:
            waits = replace(begun, state=State.DUE, version=begun.version + 1)
            self._doubt(entry, lambda: self._put_back(waits))
        return _unavailable(written) if isinstance(written, Away) else written

    async def _put_back(self, waits: Entry) -> bool:
        """Undo the registration of an attempt that nobody makes, if it is ours: a promoted server may lack it."""
        return isinstance(await self._rows.write(waits, (State.SENDING,), by=self.lease.holder), Entry)

    async def change(self, entry: Entry) -> Entry | Unavailable | None:
        """Write *entry* as it stands, if its ``version`` is still the stored one."""
        written = await self._rows.write(entry)
        return _unavailable(written) if isinstance(written, Away) else written

    async def body(self, entry: Entry) -> bytes | Damaged | Unavailable:
        """Read the message, checked against its digest; what fails the check is quarantined."""
        if entry.state is State.SENDING and self.lease.holder and not self.lease.is_held:
            return Unavailable("the spool: our lease has ended, and another relay may be sending it")
        found = await self._engine.command("HMGET", f"{self._root}:e:{entry.id}", "digest", "raw")
        if isinstance(found, Away):
            return _unavailable(found)
        digest, raw = found
        if digest is None:
            return Damaged(f"{entry.id} is kept no longer")
        if raw is None:
            raw = await spool_bodies.read(self._engine, self._root, entry.id)
            if isinstance(raw, Away):
                return _unavailable(raw)
        if await _sha256(raw) != digest:
            return await self._rows.quarantined(entry.id, "its message is not what was committed")
        return bytes(raw)

    # ---- for people ----

    async def find(self, wanted: Wanted, *, limit: int, after: str = "") -> Sequence[Entry] | Unavailable:
        """List entries by id; a blank stands in for each that cannot be read."""
        found: list[Entry] = []
        for some in _asked_for(wanted, after):
            place = after
            while len(found) < limit:
                most = min(limit - len(found), _PAGE)
                told = await self._run(scripts.FIND, place, most, _FAR, json.dumps(some))
                if isinstance(told, Away):
                    return _unavailable(told)
                found += [await self._rows.found(row) for row in told[1:]]
                place = told[0].decode()
                if not place:
                    break
                if "ids" in some:
                    some["ids"] = [name for name in some["ids"] if name > place]
        return found

    async def census(self) -> Census | Unavailable:
        """Count, from what every script keeps."""
        found = await self._run(scripts.CENSUS)
        if isinstance(found, Away):
            return _unavailable(found)
        octets, oldest, *numbers = found
        self._room.bound.count(octets, sum(numbers))
        return Census(dict(zip(State, numbers, strict=True)), octets, float(oldest) if oldest else None)

    async def sweep(self, now: float) -> Sequence[str | Damaged]:
        """Remove *failed* entries past their retention, or too many; tell of that and of what was found damaged."""
        told: list[str | Damaged] = [Damaged(why) for why in self._rows.findings]
        self._rows.findings.clear()
        swept = await self._run(scripts.SWEEP, repr(now), self._room.bound.max_bytes // 4, _MOST_SWEPT)
        if isinstance(swept, Away):
            return [*told, Damaged(_unavailable(swept).why)]
        expired, crowded = ([name.decode() for name in names] for names in swept)
        told += [f"{name}: removed, its retention has ended" for name in expired]
        why = "failed mail may take a quarter of spool.max_bytes, and it is the oldest"
        return told + [f"{name}: removed, {why}" for name in crowded]

    async def close(self) -> None:
        """Finish what runs, give the lease back, let go of the server. Closed already is well."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._running:
            await asyncio.wait(self._running)
        await self.lease.end()
        await self._engine.close()

    # ---- calls ----

    def _doubt(self, entry: Entry, undo: Callable[[], Awaitable[bool]]) -> None:
        """A write that was not acknowledged is no write: look for it, as long as it may yet arrive, and undo it."""
        self._doubts[entry.id] = _Doubt(time.monotonic() + DOUBT_SECONDS, undo)

    async def _settle_doubts(self) -> None:
        for name in tuple(self._doubts):
            async with self._undoing:
                doubt = self._doubts.get(name)
                if doubt is not None and (await doubt.undo() or time.monotonic() > doubt.until):
                    self._doubts.pop(name, None)
                    self._unacknowledged.discard(name)

    async def _whole(self, several: Coroutine[Any, Any, _T]) -> _T:
        """Do it to its end, whether or not who asked is cancelled."""
        task = asyncio.ensure_future(several)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)


def root_of(engine: Engine) -> str:
    """Name the key that all of the spool's begin with."""
    return engine.key("spool")


def _asked_for(wanted: Wanted, after: str) -> list[dict[str, Any]]:
    """Say what is wanted as the script reads it: what is not given is not there; ids in parts and in their order."""
    said: dict[str, Any] = {}
    if wanted.states:
        said["states"] = [state.value for state in wanted.states]
    if wanted.delegate is not None or wanted.delegates is not None:
        said["delegates"] = _both(wanted.delegate, wanted.delegates)
    if wanted.reason:
        said["reason"] = wanted.reason
    if wanted.older_than is not None:
        said["older_than"] = wanted.older_than
    if not wanted.ids:
        return [said]
    names = sorted({name for name in wanted.ids if name > after})
    return [{**said, "ids": names[start : start + _PAGE]} for start in range(0, len(names), _PAGE)]


def _both(one: str | None, several: tuple[str, ...] | None) -> list[str]:
    if one is None:
        return list(several or ())
    return [one] if several is None or one in several else []


async def _sha256(raw: bytes) -> bytes:
    if len(raw) < spool_bodies.PIECE:
        return hashlib.sha256(raw).digest()
    return await asyncio.to_thread(lambda: hashlib.sha256(raw).digest())


def _unavailable(away: Away) -> Unavailable:
    return Unavailable(f"the spool's server: {away.why}")


def _refusal(away: Away) -> Full | Unavailable:
    """Say why a message is not kept: a server without memory is full, whatever else is wrong may be over soon."""
    return Full(f"the spool's server: {away.why}") if away.code == "OOM" else _unavailable(away)
