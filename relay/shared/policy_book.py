"""
What is known of one account and region, as Redis keeps it: rows by name, each with a number that grows at every change.

A relay that starts, one that was cut off and one that is told of news all read on from the last number they know. Only
the relay that asks SES writes.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from relay.identities.fellows import News, Told
from relay.identities.hearing import hear
from relay.identities.known import KnownIdentity
from relay.identities.ses_answers import Clocks
from relay.identities.ses_place import Place
from relay.observe.events import Noted, Observer
from relay.shared.answers import Away
from relay.shared.engine import Engine, Part
from relay.shared.outbox import EVERYTHING, Outbox
from relay.shared.policy_rows import LONGEST, Gone, Listed, Row, RowProblem, read, write
from relay.shared.scripts import script_of
from relay.shared.server_clock import ServerClock

#: Of one reading or writing: rows and octets, and of one where everything is read; and the seconds it may take.
ROWS: Final = 64
OCTETS: Final = 64 * 1024
ROWS_OF_ALL: Final = 256
OCTETS_OF_ALL: Final = 256 * 1024
PATIENCE: Final = 1.0
#: Seconds of one writing: a lease is to be renewed in time.
WRITING: Final = 1.0
#: Seconds for which it is kept that an identity is gone; who was cut off for as long reads everything again.
GONE_KEPT: Final = 3600.0
#: Seconds between two lines of the log about rows that cannot be read.
DAMAGE_TOLD: Final = 60.0
#: The name of the row that is the list.
LIST: Final = EVERYTHING

TOO_LONG: Final = "its policies are too long to be shared with other relays"

_PUT, _SINCE = script_of("policies_put"), script_of("policies_since")
_MICRO: Final = 1_000_000


class PolicyBook:
    """
    Args:
        me: Names this relay.
        tag: Names the account and region, and the SES they are of.
        outbox: What was read here.
        changed: Called when the place knows more than before.
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        engine: Engine,
        place: Place,
        outbox: Outbox,
        *,
        me: str,
        tag: str,
        server: ServerClock,
        clocks: Clocks,
        observe: Observer,
        changed: Callable[[Place], None],
    ) -> None:
        self.epoch = ""
        self.has_list = False
        self._engine = engine
        self._place = place
        self._outbox = outbox
        self._me = me
        self._tag = tag
        self._server = server
        self._clocks = clocks
        self._observe = observe
        self._changed = changed
        self._last = 0
        self._read_at = clocks.monotonic()
        self._list: Listed | None = None
        self._seen: set[str] | None = set()  # while everything is read: what there is
        self._gone: dict[str, float] = {}
        self._damage_told_at = -DAMAGE_TOLD

    def key(self, name: str) -> str:
        """Name one of its keys."""
        return self._engine.key(self._tag, name)

    def begin(self, epoch: str) -> None:
        """Read everything: it was begun anew."""
        self.epoch, self.has_list, self._last, self._seen, self._list = epoch, False, 0, set(), None

    # --- reading ------------------------------------------------------------------------------------------------------

    async def read_on(self, upto: int | None = None) -> bool:
        """Read what is new, as far as the number *upto* if that is known; whether all was read."""
        if self._clocks.monotonic() - self._read_at > GONE_KEPT:
            self.begin(self.epoch)
        is_new = False
        while upto is None or self._last < upto:
            asked_at = self._clocks.monotonic()
            keys = [self.key(name) for name in ("meta", "known", "order")]
            most = (ROWS, OCTETS) if self._seen is None else (ROWS_OF_ALL, OCTETS_OF_ALL)
            answer = await self._engine.run(_SINCE, keys, [self._last, *most], deadline=PATIENCE)
            if isinstance(answer, Away):
                return False
            now, epoch, upto, reached, found = answer
            if epoch.decode(errors="replace") != self.epoch:
                return False
            self._server.heard(now / _MICRO, asked_at)
            self._take(found)
            is_new, self._last = is_new or bool(found), int(reached)
            await asyncio.sleep(0)
        self._read_at = self._clocks.monotonic()
        self._hear_list()
        if is_new:
            self._changed(self._place)
        return True

    def _take(self, found: list[bytes]) -> None:
        """Let the place hear of rows."""
        told: list[Told] = []
        gone: dict[str, float] = {}
        for name, row in self._rows(found):
            if isinstance(row, Listed):
                self._list = row
            elif isinstance(row, Gone):
                gone |= {} if (at := self._server.ours(row.at)) is None else {name: at}
                self._gone[name] = self._clocks.monotonic()
            else:
                told += [] if (ours := self._ours(row)) is None else [ours]
                self._gone.pop(name, None)
        if self._seen is not None:
            self._seen.update(each.known.name for each in told)
        hear(self._place, News(told, gone), self._clocks)

    def _hear_list(self) -> None:
        """Let the place hear of the list, now that all that it has was read; what is not among all is gone."""
        listed, self._list = self._list, None
        at = None if listed is None else self._server.ours(listed.at)
        if listed is not None and at is not None:
            gone = [] if self._seen is None else [name for name in self._place.shelf.known if name not in self._seen]
            hear(self._place, News((), dict.fromkeys(gone, at), (at, listed.pages)), self._clocks)
            self.has_list, self._seen = True, None

    def _rows(self, found: list[bytes]) -> Iterator[tuple[str, Row]]:
        """Read rows; those that are damaged are to be read from SES again, and written."""
        for octets, row in zip(found[::2], found[1::2], strict=True):
            name = octets.decode(errors="replace")
            try:
                yield name, read(self._tag, name, row)
            except RowProblem as problem:
                self._outbox.invalidated(name or None)
                self._outbox.learned([name] if name else [], is_listed=not name)
                self._tell_of_damage(str(problem))

    def _tell_of_damage(self, why: str) -> None:
        now = self._clocks.monotonic()
        if now - self._damage_told_at >= DAMAGE_TOLD:
            self._damage_told_at = now
            place = {"account": self._place.account, "region": self._place.region}
            self._observe(Noted("error", "policies.damaged", {**place, "why": f"a row that relays share: {why}"}))

    def _ours(self, told: Told) -> Told | None:
        """Return it with times of our own clock. A reading that is yet to come here is of unknown age: it is none."""
        known, as_of = told.known, self._server.ours(told.as_of)
        if known.read_at is not None and (read_at := self._server.ours(known.read_at)) is None:
            known = KnownIdentity(known.name, known.may_send)
        elif known.read_at is not None:
            known = replace(known, read_at=read_at)
        return None if as_of is None else Told(known, as_of)

    # --- writing ------------------------------------------------------------------------------------------------------

    async def write(self) -> bool:
        """
        Tell what was read here, the list when all that it brought was told; of very much, some.

        Returns whether there is more that will be taken.
        """
        names, began = self._outbox.learned_names, self._clocks.monotonic()
        while names:
            some = list(islice(names, ROWS))
            for name in some:
                del names[name]
            if not await self._put([self._written(name) for name in some]):
                names |= dict.fromkeys(some)
                return False
            if names and self._clocks.monotonic() - began > WRITING:
                return True
        if self._outbox.has_list:
            self._outbox.has_list = False
            self.has_list = await self._put([self._written_list()])
            self._outbox.has_list = self._outbox.has_list or not self.has_list
        await self._clear()
        return False

    async def _put(self, rows: Sequence[tuple[str, int, bytes]]) -> bool:
        parts: list[Part] = [self._me, self.epoch, self._engine.channel(self._tag)]
        for row in rows:
            parts += row
        keys = [self.key(name) for name in ("lease", "meta", "known", "order", "asked")]
        return await self._engine.run(_PUT, keys, parts, deadline=PATIENCE) == 1

    def _written(self, name: str) -> tuple[str, int, bytes]:
        known, now = self._place.shelf.known.get(name), self._clocks.wall()
        if known is None:
            self._gone[name] = self._clocks.monotonic()
            return name, _micros(at := self._theirs(now)), write(self._tag, name, Gone(at))
        self._gone.pop(name, None)
        read_at = None if known.read_at is None else self._server.theirs(known.read_at)
        if known.read_at is not None and read_at is None:
            known = KnownIdentity(name, known.may_send)
        as_of = self._theirs(max(self._place.shelf.owned.listed_at, known.read_at or 0.0))
        octets = write(self._tag, name, Told(replace(known, read_at=read_at), as_of))
        if len(octets) > LONGEST:
            octets = write(self._tag, name, Told(KnownIdentity(name, known.may_send, refused=TOO_LONG), as_of))
        return name, _micros(read_at or 0.0), octets

    def _written_list(self) -> tuple[str, int, bytes]:
        at = self._theirs(self._place.shelf.owned.listed_at)
        return LIST, _micros(at), write(self._tag, LIST, Listed(at, self._place.rounds.pages))

    def _theirs(self, moment: float) -> float:
        """Return a moment by the server's clock; the age of one yet to come is not known: it is as old as can be."""
        return self._server.theirs(min(moment, self._clocks.wall())) or 0.0

    async def _clear(self) -> None:
        """Let go of what is gone for long."""
        until = self._clocks.monotonic() - GONE_KEPT
        old = [name for name, at in islice(self._gone.items(), ROWS) if at < until]
        if old and await self._put([(name, 0, b"") for name in old]):
            for name in old:
                del self._gone[name]


def _micros(moment: float) -> int:
    return int(moment * _MICRO)
