"""
The street door: opens the listeners, lets clients in while there is room, and closes without losing a message.

In our own event loop, not in aiosmtpd's Controller, which has a thread of its own, cancels what is running when it
stops, and may wait for ever for an idle client (W29, W30).
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from relay.observe.events import Observer
from relay.smtp.budgets import Crowd, Guesses
from relay.smtp.dialogue import spoken_by
from relay.smtp.entrance import Entrance, bind
from relay.smtp.gossip import Gossip, Guess
from relay.smtp.held import Held
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener, ListenerProblem
from relay.smtp.ports import Delegates, MakeRecord, Reception, RecipientDomains
from relay.smtp.premises import Premises
from relay.smtp.regulars import Regulars
from relay.smtp.said import Said

#: Of the time for a drain, what is kept for telling those who still wait for SES.
LAST_WORDS_SECONDS: Final = 2.0


class Siblings(Protocol):
    """What the doors of several processes of one relay count together."""

    def crowd(self) -> Crowd:
        """Return the count of connections, as this process takes part in it."""

    def guesses(self, monotonic: Callable[[], float], gossip: Gossip) -> Guesses:
        """Return the count of wrong passwords, as this process takes part in it."""


class StreetDoor:
    """The SMTP server of this relay."""

    def __init__(  # noqa: PLR0913 - the one place where the door meets the house, all by name
        self,
        listeners: Sequence[Listener],
        *,
        limits: Limits,
        hostname: str,
        tls_context: ssl.SSLContext | None,
        reception: Reception,
        delegates: Delegates,
        observe: Observer,
        make_record: MakeRecord,
        new_id: Callable[[], str],
        recipient_domains: RecipientDomains | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        siblings: Siblings | None = None,
        held: Held | None = None,
    ) -> None:
        """
        Args:
            hostname: Our name in the greeting.
            new_id: Names sessions, messages and incidents; short, unique, letters and digits.
            recipient_domains: Says which recipients are refused for their domain; None lets all of them through.
            siblings: Other processes of this relay, with which the ports are shared (SO_REUSEPORT), and the counts of
                connections and attempts; None without any.
            held: Sockets that listen already, such as systemd's: each is taken by the listener of its address.

        Raises:
            ListenerProblem: A listener would be more open or more shut than its owner believes; all are named.
        """
        problems = [p for each in listeners for p in each.problems(has_certificate=tls_context is not None)]
        if problems:
            raise ListenerProblem("; ".join(problems))
        self._listeners = tuple(listeners)
        self._reuse_port = siblings is not None
        self._held = held
        self.gossip = Gossip()
        self._premises = Premises(
            hostname=hostname,
            limits=limits,
            tls_context=tls_context,
            reception=reception,
            delegates=delegates,
            observe=observe,
            said=Said(observe),
            make_record=make_record,
            new_id=new_id,
            monotonic=monotonic,
            guesses=Guesses(monotonic, self.gossip) if siblings is None else siblings.guesses(monotonic, self.gossip),
            regulars=Regulars(monotonic, gossip=self.gossip),
            recipient_domains=recipient_domains,
            crowd=Crowd() if siblings is None else siblings.crowd(),
        )
        self._entrances: list[Entrance] = []

    @property
    def addresses(self) -> dict[str, list[tuple[str, int]]]:
        """The addresses that are listened on, host and port, by the listener's name."""
        found: dict[str, list[tuple[str, int]]] = {}
        for entrance in self._entrances:
            found.setdefault(entrance.listener.name, []).append(entrance.address)
        return found

    @property
    def crowd(self) -> Crowd:
        """Who is inside; other doors' clients are told to it, and it tells of ours."""
        return self._premises.crowd

    def heard(self, guess: Guess, ago: float = 0.0) -> None:
        """Count a guess at another door, *ago* seconds before now; those at this one ``gossip`` tells."""
        self._premises.guesses.heard(guess, ago)
        self._premises.regulars.heard(guess, ago)

    async def open(self) -> None:
        """
        Listen on every listener, or on none.

        Raises:
            ListenerProblem: An address cannot be had; the first is named.
        """
        dialogue = spoken_by(self._premises.hostname)
        try:
            for listener in self._listeners:
                for bound in await bind(
                    listener, self._premises.limits.backlog, reuse_port=self._reuse_port, held=self._held
                ):
                    self._entrances.append(Entrance(self._premises, listener, bound, dialogue))
        except OSError as error:
            self._stop_listening()
            where = f"{listener.host}:{listener.port}"
            raise ListenerProblem(f"listener {listener.name}: cannot listen on {where}: {error.strerror}") from error
        if self._held and (left := self._held.left()):
            self._stop_listening()
            raise ListenerProblem(f"no listener has the address of a socket that was handed over: {', '.join(left)}")
        for entrance in self._entrances:
            entrance.open()

    def renew(self, *, limits: Limits | None = None, tls_context: ssl.SSLContext | None = None) -> None:
        """Use other limits or another certificate for connections to come; running sessions keep theirs."""
        self._premises.limits = limits or self._premises.limits
        self._premises.tls_context = tls_context or self._premises.tls_context

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - the deadline is this method's promise
        """
        Close in order: no new client; idle sessions hear 421 4.3.2; open transactions finish and hear it then.

        Args:
            timeout: Seconds for all of it. Near their end whoever is not inside the reception hears 421 4.3.2 too.

        Returns:
            Whether all is quiet. If not, some message is still inside the reception: :meth:`close` leaves it there.
        """
        self._premises.draining = True
        self._stop_listening()
        for visitor in tuple(self._premises.visitors):
            visitor.wind_down()
        leave = min(self._premises.limits.linger_seconds, timeout / 4)
        if await self._is_empty_within(timeout - leave):
            return True
        for visitor in tuple(self._premises.visitors):
            visitor.cut_short()
        return await self._is_empty_within(leave)

    async def close(self) -> None:
        """Close now. Messages inside the reception run on and are counted when they end."""
        self._premises.draining = True
        self._stop_listening()
        for visitor in tuple(self._premises.visitors):
            visitor.cut_short()
            visitor.cut()
        await asyncio.sleep(0)
        self._premises.said.tell()

    async def drain_or_close(self, patience: float, break_off: Callable[[], Awaitable[None]]) -> bool:
        """
        Drain in *patience* seconds; return whether all came to its own end.

        If it does not, *break_off* ends what the reception waits for: who waits there is told, and counted, as one
        whose message may have been sent. Then the door is closed.
        """
        reserve = min(LAST_WORDS_SECONDS, patience / 4)
        if await self.drain(patience - reserve):
            return True
        await break_off()
        await self.drain(reserve)
        await self.close()
        return False

    async def _is_empty_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._premises.emptied(), seconds)
        except TimeoutError:
            return False
        return True

    def _stop_listening(self) -> None:
        for entrance in self._entrances:
            entrance.close()
        self._entrances.clear()
