"""The relays that read one account and region, as one of them: by lease one asks SES, and all know what it was told."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from relay.identities.rounds import IN_USE
from relay.identities.ses_answers import Clocks
from relay.identities.ses_place import Place
from relay.observe.events import Noted, Observer
from relay.shared.answers import Away
from relay.shared.engine import Engine, Part
from relay.shared.outbox import EVERYTHING, Outbox, Parcel
from relay.shared.policy_book import PolicyBook
from relay.shared.scripts import script_of
from relay.shared.server_clock import ServerClock
from relay.words.freshness import Terms
from relay.words.values import dataclass

#: Seconds without a word of the relay that asks SES until another does, and of Redis until each asks for itself.
LEASE: Final = 4.0
#: Seconds between two turns of the relay that asks, and of the others.
LEADING_TURN: Final = 1.0
FOLLOWING_TURN: Final = 1.5
#: News are gathered for so many seconds.
GATHERING: Final = 0.02
#: Of a message between relays: octets and names; and delegates of other relays that are told apart.
LONGEST_MESSAGE: Final = 65_536
MOST_NAMED: Final = 200
MOST_DELEGATES: Final = 1000

_HOLD, _LEAVE = script_of("policies_hold"), script_of("policies_leave")
_MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """What a turn answers. Moments are those of the server, in seconds since the epoch."""

    now: float
    is_mine: bool
    relays: int
    epoch: str
    last: int
    used: Mapping[str, float]
    asked: Mapping[str, float]


class Fellowship:
    """
    One place among fellows.

    Args:
        tag: Names the account and region, and the SES they are of; the same at all relays.
        terms: How fresh policies are to be, and what it may cost the relay that asks.
        changed: Called when the place knows more than before.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        *,
        tag: str,
        terms: Terms,
        clocks: Clocks,
        observe: Observer,
        changed: Callable[[Place], None],
    ) -> None:
        self.place = place
        self.trouble = ""
        self._me = secrets.token_hex(8)
        self._engine = engine
        self._tag = tag
        self._terms = terms
        self._clocks = clocks
        self._observe = observe
        self._stirred = asyncio.Event()
        self._outbox = place.fellows = Outbox(clocks.monotonic, self._stir)
        self._server = ServerClock(clocks)
        self._book = PolicyBook(
            engine,
            place,
            self._outbox,
            me=self._me,
            tag=tag,
            server=self._server,
            clocks=clocks,
            observe=observe,
            changed=changed,
        )
        self._is_leading = False
        self._has_news = self._is_due = False
        self._heard_at = clocks.monotonic()
        self.relays = 1
        self._since_used = self._since_asked = 0.0
        self._vain: list[str] = []
        self._delegates: set[str] = set()

    @property
    def is_settled(self) -> bool:
        """Whether it is known who asks, and, where it is another, what that one knows."""
        return self.place.leads or self.place.rounds.is_listed

    @property
    def is_unheard(self) -> bool:
        """Whether no turn had an answer yet."""
        return not self._book.epoch

    # --- turns --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Take turns until cancelled, and leave."""
        leave = self._engine.subscribe(self._tag, self._hear, self._stir)
        try:
            while True:
                await self.turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LEADING_TURN if self._is_leading else FOLLOWING_TURN):
                        await self._rest()
        finally:
            leave()
            await self.leave()

    async def leave(self) -> None:
        """Let another ask from now on."""
        self._is_leading = False
        keys = [self._book.key(name) for name in ("lease", "relays")]
        await self._engine.run(_LEAVE, keys, [self._me, self._engine.channel(self._tag)])

    async def _rest(self) -> None:
        """Come back when there is something to tell; read meanwhile what others tell."""
        while True:
            await self._stirred.wait()
            await asyncio.sleep(GATHERING)
            self._stirred.clear()
            if self._is_due:
                return
            if self._has_news and not self._is_leading:
                self._has_news = False
                await self._book.read_on()

    async def turn(self) -> None:
        """Say that we are there and what we want, hear what others want, and tell or read what is new."""
        self._is_due = False
        parcel = self._outbox.take()
        held = await self._hold(parcel)
        if held is None:
            self._outbox.put_back(parcel)
            return
        if held.epoch != self._book.epoch:
            self._book.begin(held.epoch)
            self._is_leading = False
        self.relays = max(1, held.relays)
        self._hear_used(held.used)
        if parcel.asked and not held.is_mine:
            await self._engine.publish(self._tag, "asked")
        is_more = False
        if not held.is_mine:
            self._follow()
            await self._book.read_on(held.last)
            await self._tell_wants()
        elif self._is_leading or await self._book.read_on(held.last):
            self._lead()
            self._hear_asked(held.asked)
            is_more = await self._book.write()
            await self._tell_vain()
        if is_more or not self._outbox.is_empty:
            self._stir()

    async def _hold(self, parcel: Parcel) -> Held | None:
        """Take the lease or learn that it is another's; None without an answer."""
        keys = [self._book.key(name) for name in ("lease", "relays", "used", "asked", "meta", "known", "order")]
        since = [_micros(self._since_used), _micros(self._since_asked if self._is_leading else 0.0)]
        told: list[Part] = [len(parcel.used), *parcel.used, len(parcel.asked), *parcel.asked]
        asked_at = self._clocks.monotonic()
        parts: list[Part] = [self._me, int(LEASE * 1000), *since, secrets.token_hex(8), _micros(IN_USE), *told]
        answer = await self._engine.run(_HOLD, keys, parts)
        if isinstance(answer, Away):
            self._miss(answer.why)
            return None
        try:
            held = _held(answer)
        except (ValueError, TypeError, IndexError):
            self._miss("what is kept there of policies is not what relays write")
            return None
        self._server.heard(held.now, asked_at)
        self._heard_at, self.trouble = asked_at, ""
        return held

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _miss(self, why: str) -> None:
        """Go on alone when nothing was heard for so long that the lease is another's, or nothing ever."""
        if self.is_unheard or self._clocks.monotonic() - self._heard_at >= LEASE:
            self.go_alone(why)

    def go_alone(self, why: str) -> None:
        """Ask SES with a share of what all may ask: nobody can be heard."""
        share = "" if self.relays == 1 else f", at 1/{self.relays} of policies.api_rate"
        if not self.trouble:
            self._note("warning", "policies.alone", why=why, relays=self.relays)
        self.trouble = f"other relays cannot be heard ({why}): this one asks SES by itself{share}"
        self._is_leading = False
        self._outbox.wants.clear()
        self.place.lead(replace(self._terms, budget=self._terms.budget / self.relays))

    def _lead(self) -> None:
        if not self._is_leading:
            self._is_leading = True
            self._note("info", "policies.leading", relays=self.relays)
            if not self._book.has_list and self.place.rounds.is_listed:
                self._outbox.learned(self.place.shelf.known, is_listed=True)
        self.place.lead(self._terms)

    def _follow(self) -> None:
        self._is_leading = False
        if self.place.leads:
            self._note("info", "policies.following", relays=self.relays)
            self.place.lead(None)

    def _note(self, level: str, event: str, **details: object) -> None:
        self._observe(Noted(level, event, {"account": self.place.account, "region": self.place.region, **details}))

    # --- what others want ---------------------------------------------------------------------------------------------

    def _hear_used(self, used: Mapping[str, float]) -> None:
        """Count what is in use anywhere as in use here."""
        allowed = self.place.rounds.allowed if used else {}
        for name, moment in used.items():
            self._outbox.heard_used(name)
            self._since_used = max(self._since_used, moment)
            if (at := self._server.monotonic(moment)) > allowed.get(name, at - 1):
                self.place.rounds.use(name, at)

    def _hear_asked(self, asked: Mapping[str, float]) -> None:
        """Have read again what anybody wants to be, unless that was done."""
        for name, moment in asked.items():
            self._since_asked = max(self._since_asked, moment)
            known = self.place.shelf.known.get(name)
            read_at = None if known is None or known.read_at is None else self._server.theirs(known.read_at)
            if name == EVERYTHING:
                self.place.invalidate(None, self._server.monotonic(moment))
            elif read_at is None or read_at < moment:
                self.place.invalidate(name)

    async def _tell_wants(self) -> None:
        """Tell what messages wait for; as long as they do, for it may not have been heard."""
        wants = dict(islice(self._outbox.wants.items(), MOST_NAMED))
        for name in wants:
            if name not in self.place.awaited:
                del self._outbox.wants[name]
        if wants:
            await self._engine.publish(self._tag, json.dumps({"wanted": wants}))

    async def _tell_vain(self) -> None:
        """Tell for what nobody needs to wait."""
        message = {"vain": self._vain, "over": self._outbox.has_given_up}
        self._vain, self._outbox.has_given_up = [], False
        self._outbox.wants.clear()
        if any(message.values()):
            await self._engine.publish(self._tag, json.dumps(message))

    def _hear(self, payload: bytes) -> None:
        """Hear another relay. What makes no sense is passed over: it may be of another version."""
        if payload == b"rows":
            self._has_news = True
            self._stirred.set()
        elif payload in {b"asked", b"free"}:
            self._stir()
        elif len(payload) <= LONGEST_MESSAGE:
            with suppress(ValueError, TypeError, AttributeError, RecursionError):
                self._hear_message(json.loads(payload))

    def _hear_message(self, message: dict[str, Any]) -> None:
        if self._is_leading:
            wanted = islice(message.get("wanted", {}).items(), MOST_NAMED)
            self._vain += [name for name, delegate in wanted if not self.place.want(name, self._delegate(delegate))]
            self._stir()
        elif message.get("over"):
            self.place.give_up()
        else:
            for name in message.get("vain", ()):
                self.place.land(name, is_wiser=False)

    def _delegate(self, name: str) -> str:
        """Return under which name a delegate of another relay has its share; of too many it is one for all."""
        if len(self._delegates) < MOST_DELEGATES:
            self._delegates.add(name)
        return name if name in self._delegates else ""

    def _stir(self) -> None:
        """Let the next turn be soon."""
        self._is_due = True
        self._stirred.set()


def _held(answer: Any) -> Held:
    """
    Raises:
        ValueError, TypeError, IndexError: It is not what the script answers.
    """
    now, is_mine, relays, epoch, last, used, asked = answer
    return Held(now / _MICRO, is_mine == 1, int(relays), epoch.decode(), int(last), _moments(used), _moments(asked))


def _moments(pairs: list[bytes]) -> dict[str, float]:
    names = (name.decode(errors="replace") for name in pairs[::2])
    return {name: float(moment) / _MICRO for name, moment in zip(names, pairs[1::2], strict=True)}


def _micros(moment: float) -> int:
    return int(moment * _MICRO)
