"""A spool without a disk, true to the protocol: for tests of whoever uses one."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from relay.spool.entries import Entry, State
from relay.spool.ports import Census, Damaged, Full, Wanted
from relay.words.unavailable import Unavailable

_UNSETTLED = (State.DUE, State.SENDING, State.HELD)


class MemorySpool:
    """
    Keeps entries in a dictionary.

    ``trouble`` set: every coroutine answers with it, as when the disk fails. ``full`` set: there is no room.
    ``crashed()`` is what the next start finds. ``steps`` names the coroutines that changed something, in their order.
    """

    def __init__(self, *, max_bytes: int = 1 << 30, max_failed_bytes: int = 1 << 28) -> None:
        self._entries: dict[str, Entry] = {}
        self._bodies: dict[str, bytes] = {}
        self._max_bytes, self._max_failed = max_bytes, max_failed_bytes
        self._last_delegate = ""
        self._has_recovered = False
        self.trouble: Unavailable | None = None
        self.full: Full | None = None
        self.steps: list[tuple[str, str]] = []

    def crashed(self) -> "MemorySpool":
        """The spool of the next start, with all that was kept."""
        other = MemorySpool(max_bytes=self._max_bytes, max_failed_bytes=self._max_failed)
        other._entries, other._bodies = dict(self._entries), dict(self._bodies)
        return other

    def damage(self, name: str) -> None:
        """Change the message of an entry behind the spool's back."""
        del self._bodies[name]

    def room(self, octets: int) -> Full | None:
        held = sum(one.size for one in self._entries.values())
        return self.full or (Full("max_bytes") if held + octets > self._max_bytes else None)

    async def commit(self, entry: Entry, raw: bytes) -> Full | Unavailable | None:
        if self.trouble or (full := self.room(len(raw))):
            return self.trouble or full
        if entry.id in self._entries:
            return Unavailable(f"{entry.id} is kept already")
        self._entries[entry.id], self._bodies[entry.id] = entry, raw
        self.steps.append(("commit", entry.id))
        return None

    is_shared = False
    promise = ""

    def wall(self) -> float:
        return time.time()

    def knows_time(self) -> bool:
        return True

    async def recover(self) -> Sequence[Entry] | Unavailable:
        if self.trouble or self._has_recovered:
            return self.trouble or ()
        self._has_recovered = True
        return self._sorted(lambda one: one.state is State.SENDING)

    async def unattended(self, busy: Collection[str]) -> Sequence[Entry] | Unavailable:
        return ()

    async def due(
        self, now: float, *, limit: int, per_delegate: int, busy: Collection[str] = ()
    ) -> Sequence[Entry] | Unavailable:
        if self.trouble:
            return self.trouble
        due = self._sorted(lambda one: one.state is State.DUE and one.due_at <= now and one.id not in busy)
        heads = {name: [one for one in due if one.delegate == name] for name in sorted({one.delegate for one in due})}
        order = [name for name in heads if name > self._last_delegate]
        order += [name for name in heads if name <= self._last_delegate]
        turns = [heads[name][turn] for turn in range(per_delegate) for name in order if turn < len(heads[name])]
        taken = turns[:limit]
        self._last_delegate = taken[-1].delegate if taken else ""
        return sorted(taken, key=_due)

    async def next_due(self, now: float) -> float | Unavailable | None:
        later = [one.due_at for one in self._entries.values() if one.state is State.DUE and one.due_at > now]
        return self.trouble or min(later, default=None)

    async def begin(self, entry: Entry, now: float) -> Entry | Unavailable | None:
        if entry.state not in {State.DUE, State.SENDING}:
            return self.trouble
        return self._write("begin", replace(entry, state=State.SENDING, attempts=entry.attempts + 1))

    async def body(self, entry: Entry) -> bytes | Damaged | Unavailable:
        if self.trouble:
            return self.trouble
        if (raw := self._bodies.get(entry.id)) is not None:
            return raw
        if (stored := self._entries.get(entry.id)) is not None:
            self._entries[entry.id] = replace(stored, state=State.QUARANTINED, version=stored.version + 1)
        return Damaged(f"the message of {entry.id} is gone")

    async def change(self, entry: Entry) -> Entry | Unavailable | None:
        return self._write("change", entry)

    def _write(self, step: str, entry: Entry) -> Entry | Unavailable | None:
        if self.trouble:
            return self.trouble
        stored = self._entries.get(entry.id)
        if stored is None or stored.version != entry.version:
            return None
        self._entries[entry.id] = written = replace(entry, version=entry.version + 1)
        self.steps.append((step, entry.id))
        return written

    async def remove(self, entry: Entry) -> Unavailable | None:
        if self.trouble:
            return self.trouble
        self._entries.pop(entry.id, None)
        self._bodies.pop(entry.id, None)
        self.steps.append(("remove", entry.id))
        return None

    async def find(self, wanted: Wanted, *, limit: int, after: str = "") -> Sequence[Entry] | Unavailable:
        if self.trouble:
            return self.trouble
        named = sorted(name for name in self._entries if name > after)
        return [self._entries[name] for name in named if _is_wanted(self._entries[name], wanted)][:limit]

    async def census(self) -> Census | Unavailable:
        if self.trouble:
            return self.trouble
        states = [one.state for one in self._entries.values()]
        oldest = min((one.accepted_at for one in self._entries.values() if one.state in _UNSETTLED), default=None)
        octets = sum(one.size for one in self._entries.values())
        return Census({state: states.count(state) for state in State}, octets, oldest)

    async def sweep(self, now: float) -> Sequence[str | Damaged]:
        if self.trouble:
            return [Damaged(self.trouble.why)]
        failed = self._sorted(lambda one: one.state is State.FAILED)
        removed = []
        for one in failed:
            kept = sum(other.size for other in self._entries.values() if other.state is State.FAILED)
            if one.due_at <= now or kept > self._max_failed:
                await self.remove(one)
                removed.append(f"{one.id} failed and was kept long enough")
        return removed

    async def close(self) -> None:
        self.steps.append(("close", ""))

    def _sorted(self, is_one: Callable[[Entry], bool]) -> list[Entry]:
        return sorted(filter(is_one, self._entries.values()), key=_due)


def _due(entry: Entry) -> tuple[float, str]:
    return entry.due_at, entry.id


def _is_wanted(entry: Entry, wanted: Wanted) -> bool:
    reasons = (entry.reason.value, entry.last)
    return (
        (not wanted.ids or entry.id in wanted.ids)
        and wanted.delegate in {None, entry.delegate}
        and (wanted.delegates is None or entry.delegate in wanted.delegates)
        and (not wanted.states or entry.state in wanted.states)
        and (wanted.reason is None or any(wanted.reason in text for text in reasons))
        and (wanted.older_than is None or entry.accepted_at < wanted.older_than)
    )
