"""Entries at the server: written over their version, read back, and set aside where they are not what was written."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from relay.shared import spool_scripts as scripts
from relay.shared.answers import Away
from relay.shared.engine import Engine, Part
from relay.shared.scripts import Script
from relay.spool import rows
from relay.spool.entries import Entry, State
from relay.spool.ports import Damaged
from relay.spool.rows import Unreadable, row_of

_DIGESTS: Final = 8192  # of messages seen lately
_FINDINGS: Final = 1000  # kept to be told, at most


class ServerRows:
    """
    The rows of a spool.

    ``findings``: what was out of order, in words, until somebody takes it from there.
    """

    def __init__(self, engine: Engine, root: str) -> None:
        self._engine, self._root = engine, root
        self._digests: OrderedDict[str, bytes] = OrderedDict()
        self.findings: list[str] = []

    async def run(self, script: Script, *args: Part) -> Any | Away:
        """Run a script of the spool."""
        return await self._engine.run(script, [self._root], args)

    async def write(
        self, entry: Entry, states: Sequence[State] = (), *, by: str = "", lease: float = 0.0
    ) -> Entry | Away | None:
        """
        Write *entry* over its version, if that is the stored one and in one of *states*, where some are given.

        *by*: who begins an attempt with it, and makes its lease as long as *lease* with that.
        """
        written = replace(entry, version=entry.version + 1)
        allowed = f" {' '.join(states)} " if states else ""
        while True:
            digest = await self._digest(entry.id)
            if digest is None or isinstance(digest, Away):
                return digest
            fields = scripts.fields_of(row_of(written, digest))
            answer = await self.run(scripts.WRITE, entry.id, entry.version, allowed, by, lease, digest, *fields)
            if isinstance(answer, Away):
                return answer
            if not isinstance(answer, list):
                return None if answer else written
            self.remember(entry.id, answer[0])  # another message under the same id, since we saw it

    async def readable(self, told: Sequence[Sequence[Any]]) -> list[Entry]:
        """Read rows, in the order of ``due_at``, and set those aside that cannot be read."""
        found = [await self.found(each) for each in told]
        return sorted((one for one in found if one.version >= 0), key=lambda one: (one.due_at, one.id))

    async def found(self, told: Sequence[Any]) -> Entry:
        """Read a row; a blank stands in for one that cannot be read."""
        row = scripts.columns_of(told)
        entry = rows.read(row)
        if isinstance(entry, Unreadable):
            await self.quarantined(entry.id, entry.why)
            return rows.stand_in(row, entry.why)
        self.remember(entry.id, row[-2])
        return entry

    async def quarantined(self, entry_id: str, why: str) -> Damaged:
        """Set an entry aside, readable or not."""
        told = await self.run(scripts.FIND, "", 1, 1, json.dumps({"ids": [entry_id]}))
        if isinstance(told, Away) or len(told) < 2:
            return Damaged(why)
        entry = rows.read(scripts.columns_of(told[1]))
        if isinstance(entry, Unreadable):
            done = await self.run(scripts.SET_ASIDE, entry_id, why) == 1
        else:
            aside = replace(entry, state=State.QUARANTINED, last=why)
            done = entry.state is not State.QUARANTINED and isinstance(await self.write(aside), Entry)
        if done:
            self.note(f"{entry_id}: quarantined, {why}")
        return Damaged(why)

    def note(self, finding: str) -> None:
        """Keep *finding*, to be told."""
        if len(self.findings) < _FINDINGS:
            self.findings.append(finding)

    def remember(self, entry_id: str, digest: bytes) -> None:
        """Keep the SHA-256 of a message: the seal of its row covers it, and no entry carries it."""
        self._digests[entry_id] = digest
        self._digests.move_to_end(entry_id)
        if len(self._digests) > _DIGESTS:
            self._digests.popitem(last=False)

    def forget(self, entry_id: str) -> None:
        """The entry is gone."""
        self._digests.pop(entry_id, None)

    async def _digest(self, entry_id: str) -> bytes | Away | None:
        known = self._digests.get(entry_id)
        if known is not None:
            return known
        found: Any = await self._engine.command("HGET", f"{self._root}:e:{entry_id}", "digest")
        if isinstance(found, bytes):
            self.remember(entry_id, found)
        answer: bytes | Away | None = found
        return answer
