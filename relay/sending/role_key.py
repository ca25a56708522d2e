"""The key of one role's session: begun and renewed behind the messages, by one call to STS at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from relay.observe.events import Incident, Noted, Observer
from relay.sending.assuming import Session
from relay.sending.keys import AccessKey, Unusable
from relay.words.roles import AssumedRole

#: A session is renewed when less than this is left, or a part of this more: many roles are not renewed in step.
AHEAD: Final = 15 * 60.0
JITTER: Final = 1 / 3
#: Pauses after a failure, in seconds; they double.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
#: What a message waits for the very first answer of STS, and no message afterwards.
FIRST_PATIENCE: Final = 2.0
#: A session that SES has denied something is begun anew when it is as old: it may have been revoked.
DOUBTED_AFTER: Final = 60.0
#: A session that SES refuses is begun anew; where that does not help, with pauses that double up to this.
LONGEST_REFUSAL: Final = 600.0

Assume = Callable[[AssumedRole], Awaitable[Session | Unusable]]


class RoleKey:
    """
    Keeps the key of one role's session; a :class:`relay.sending.keys.KeySource` while :meth:`run` runs.

    Args:
        assume: Asks STS. Never raises for what the world does.
        mended: Called with every new session: what waited for one may go.
        chance: Draws from [0, 1).

    """

    def __init__(
        self,
        role: AssumedRole,
        assume: Assume,
        observe: Observer,
        *,
        mended: Callable[[AssumedRole], None],
        chance: Callable[[], float],
    ) -> None:
        self.role = role
        self._assume = assume
        self._observe = observe
        self._mended = mended
        self._chance = chance
        self._session: Session | None = None
        self._begun_at = self._ends_at = 0.0
        self._failure: Unusable | None = None
        self._failures = self._refusals = 0
        self._told = ""
        self._tried, self._wanted = asyncio.Event(), asyncio.Event()

    @property
    def state(self) -> AccessKey | Unusable:
        """What there is to sign with now, without waiting."""
        if self._session is not None and _now() < self._ends_at:
            return self._session.key
        if self._failure is not None:
            return self._failure
        return Unusable("STS has not answered yet" if self._session is None else "its session is over")

    @property
    def is_tried(self) -> bool:
        """Whether STS was asked at all."""
        return self._tried.is_set()

    @property
    def trouble(self) -> str:
        """What is wrong, for people; empty when nothing is."""
        if isinstance(state := self.state, Unusable):
            return f"cannot be assumed: {state.why}"
        if self._failure is None:
            return ""
        return f"cannot be assumed any more, and is used for {self._ends_at - _now():.0f} s yet: {self._failure.why}"

    async def get(self) -> AccessKey | Unusable:
        """Return the key to sign with, or why there is none. Waits a little for the first answer of STS only."""
        if not self._tried.is_set():
            await self.first_try(FIRST_PATIENCE)
        return self.state

    async def first_try(self, seconds: float) -> None:
        """Wait until STS was asked once, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._tried.wait()

    def reject(self, key: AccessKey) -> None:
        """
        Take note that AWS no longer accepts *key*: the session is begun anew, behind the messages.

        It is handed out until there is another: in a region that the account has not enabled SES refuses every session.
        """
        age = _now() - self._begun_at
        if not self._may_begin_anew(key) or age < min(LONGEST_REFUSAL, 2.0**self._refusals):
            return
        self._refusals = 0 if age > LONGEST_REFUSAL else self._refusals + 1
        self._tell("warning", "role.session-refused")
        self._wanted.set()

    def doubt(self, key: AccessKey) -> None:
        """Take note that SES denied what this session asked: the role may not, or its older sessions were revoked."""
        if self._may_begin_anew(key) and _now() - self._begun_at > DOUBTED_AFTER:
            self._wanted.set()

    async def run(self, turns: asyncio.Semaphore) -> None:
        """Keep the session fresh until cancelled."""
        while True:
            async with turns:
                self._wanted.clear()
                self._take(await self._asked())
            self._tried.set()
            await asyncio.sleep(FIRST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rest()):
                    await self._wanted.wait()

    async def _asked(self) -> Session | Unusable:
        try:
            return await self._assume(self.role)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is ours, and the other roles go on
            self._observe(Incident("roles", "-", error))
            return Unusable("an incident inside the relay; the log has it", "Internal")

    def _may_begin_anew(self, key: AccessKey) -> bool:
        """Whether *key* is the one that is handed out, and nobody asks for another already."""
        is_current = self._session is not None and key == self._session.key
        return is_current and self._failure is None and not self._wanted.is_set()

    def _take(self, answer: Session | Unusable) -> None:
        if isinstance(answer, Session):
            self._session, self._failure, self._failures = answer, None, 0
            self._begun_at = _now()
            self._ends_at = self._begun_at + answer.seconds
            self._tell("info", "role.assumed")
            self._mended(self.role)
            return
        is_usable = isinstance(self.state, AccessKey)
        self._failure, self._failures = answer, self._failures + 1
        level, event = ("warning", "role.not-renewed") if is_usable else ("error", "role.not-assumed")
        self._tell(level, event, answer)

    def _rest(self) -> float:
        """Seconds until STS is asked again, beyond the first pause."""
        if self._session is None or self._failure is not None:
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10))
            return max(0.0, pause * (0.75 + self._chance() / 2) - FIRST_PAUSE)
        ahead = min(AHEAD * (1 + JITTER * self._chance()), self._session.seconds / 2)
        return max(0.0, self._ends_at - ahead - _now())

    def _tell(self, level: str, event: str, failure: Unusable | None = None) -> None:
        """Tell it once for each change: a role that stays as it is has been told of."""
        told = event if failure is None else f"{event} {failure.code}"
        if told == self._told:
            return
        self._told = told
        self._note(level, event, {} if failure is None else {"why": failure.why})

    def _note(self, level: str, event: str, why: dict[str, str]) -> None:
        details = {"role": self.role.arn, "session": self.role.session, "account": self.role.account}
        self._observe(Noted(level, event, details | why))


def _now() -> float:
    return asyncio.get_running_loop().time()
