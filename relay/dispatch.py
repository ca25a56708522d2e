"""Spool and courier, put together: opened before the street door, closed after it."""

import asyncio
import random
import time

from relay.background import call_off
from relay.console.readiness import Check
from relay.courier.attempts import Attempts, Backdoor, Chances
from relay.courier.clock import Steady
from relay.courier.courier import Courier
from relay.courier.intake import PromptIntake
from relay.courier.notices import Letterhead, Postmaster
from relay.courier.schedule import Schedule
from relay.courier.slots import Bounds
from relay.courier.upkeep import Upkeep
from relay.observe.events import Noted, Observer
from relay.reception import Keeping, Mode
from relay.spool.desk import Desk
from relay.spool.ports import Spool
from relay.spool.problems import SpoolProblem
from relay.spools import Place, spool_at
from relay.walk import Walk
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """
    How messages are kept. ``place``: of the spool, None for none. ``is_asked_for``: a spool that cannot be used keeps
    the relay from starting; else it goes on as ``direct``, and says so. ``budget`` in seconds.
    """

    mode: Mode
    place: Place | None
    is_asked_for: bool
    budget: float
    schedule: Schedule
    bounds: Bounds
    letterhead: Letterhead


class Dispatch:
    """
    What goes on with a message after 250.

    Stamps follow the clock of the spool, but without its jumps.
    """

    def __init__(self, options: DispatchOptions, walk: Walk, door: Backdoor, observe: Observer) -> None:
        self._options = options
        self._walk = walk
        self._door = door
        self._observe = observe
        self._chances = Chances(time.time, random.random)
        self._spool: Spool | None = None
        self._courier: Courier | None = None
        self._upkeep: Upkeep | None = None
        self._postmaster: Postmaster | None = None
        self.desk: Desk | None = None  # for people, while the spool is open
        self._background: list[asyncio.Task[None]] = []

    async def start(self) -> Keeping | None:
        """
        Open the spool and begin with what is in it.

        Returns:
            What reception keeps messages with; None when it is to keep none.

        Raises:
            SpoolProblem, OSError: The spool cannot be used.

        """
        options = self._options
        self._spool = await self._opened()
        mode = options.mode if self._spool is not None else "direct"
        told = {"mode": mode, "spool": None if self._spool is None else str(options.place)}
        self._observe(Noted("info" if mode == options.mode else "warning", "delivery.mode", told))
        if self._spool is None:
            return None
        clock = Steady(self._spool.wall, time.monotonic, self._observe, self._spool.knows_time)
        self._chances = Chances(clock.now, random.random)
        self.desk = Desk(self._spool, now=self._chances.now, keep_failed=options.schedule.keep_failed)
        self._postmaster = postmaster = self._make_postmaster(self._spool)
        self._courier = self._make_courier(self._spool, postmaster)
        self._upkeep = Upkeep(
            self._spool,
            schedule=options.schedule,
            chances=self._chances,
            monotonic=time.monotonic,
            observe=self._observe,
        )
        await self._upkeep.count()  # or an empty spool would be told until it is counted
        await self._courier.start()
        self._background = [
            asyncio.create_task(self._upkeep.run(), name="upkeep"),
            asyncio.create_task(postmaster.run(), name="notices"),
        ]
        if mode == "direct":
            return None
        now, budget, longest = self._chances.now, options.budget, options.schedule.longest
        if mode == "spool" and not self._spool.is_shared:  # or a relay could send what was taken over from it
            intake = PromptIntake(self._spool, self._courier)
            return Keeping(mode, intake, intake, now, budget, longest, is_prompt=True)
        return Keeping(mode, self._spool, self._courier, now, budget, longest)

    def halt(self) -> None:
        """Take nothing more from the spool."""
        if self._courier is not None:
            self._courier.halt()

    async def stop(self, seconds: float) -> bool:
        """Let attempts end, *seconds* at most, and close the spool; tell whether all ended. Also half started."""
        self.desk = None
        quiet = self._courier is None or await self._courier.stop(seconds)
        await call_off(*self._background)
        if self._spool is not None:
            await self._spool.close()
        return quiet

    def look(self) -> None:
        """A person changed something in the spool."""
        self._look()
        if self._postmaster is not None:
            self._postmaster.look()

    @property
    def notifies(self) -> bool:
        """Whether anybody is notified of what fails."""
        return self._options.letterhead.author is not None

    def check(self) -> tuple[Check, ...]:
        """Whether messages can be kept, and what that rests on where it can differ; nothing where none are."""
        if self._upkeep is None or self._spool is None:
            return ()
        problem = self._upkeep.problem
        # Or one Redis would take every relay of a fleet out of service, though SES takes nearly all their mail at once.
        mode = self._options.mode
        goes_on = mode == "direct" or (self._spool.is_shared and mode != "spool")
        return (Check("spool", problem is None or goes_on, problem or "", self._spool.promise),)

    async def _opened(self) -> Spool | None:
        options = self._options
        if options.place is None:
            return None
        try:
            return await spool_at(options.place, self._observe)
        except SpoolProblem as problem:
            if options.is_asked_for:
                raise
            self._observe(Noted("warning", "spool.not-used", {"why": str(problem)}))
            return None

    def _make_postmaster(self, spool: Spool) -> Postmaster:
        return Postmaster(
            spool,
            self._options.letterhead,
            feedback_of=lambda entry, raw: self._walk.bounces_to(entry.session, entry.envelope, raw),
            now=self._chances.now,
            monotonic=time.monotonic,
            committed=self._look,
            observe=self._observe,
        )

    def _look(self) -> None:
        if self._courier is not None:
            self._courier.look()

    def _make_courier(self, spool: Spool, postmaster: Postmaster) -> Courier:
        options, chances = self._options, self._chances
        attempts = Attempts(
            self._walk, self._door, spool, schedule=options.schedule, chances=chances, observe=self._observe
        )
        return Courier(
            spool,
            attempts,
            door=self._door,
            schedule=options.schedule,
            chances=chances,
            monotonic=time.monotonic,
            observe=self._observe,
            notices=postmaster,
            bounds=options.bounds,
        )
