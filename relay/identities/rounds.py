"""
What to ask SES next, in one account and region. Pure: time and chance come from outside.

SES tells nobody when a policy changes; it can only be asked again, once a second by all of an owner's tools together
(Amazon SES Developer Guide, "Service quotas in Amazon SES"). So the budget is divided: identities that mail was allowed
by lately come round first, since a permission can be withdrawn only from them; what a message waits for comes before,
with at most half of the budget; the list of identities takes a quarter at most; all others share what is left, and an
eighth in any case.
"""

import math
from collections.abc import Callable, Collection, Iterable
from typing import Final, TypeAlias

from relay.identities.budget import Bucket, Budget
from relay.identities.oldest import Oldest
from relay.words.freshness import EARLIEST, IDLE_SHARE, Terms
from relay.words.values import dataclass

#: Seconds for which an identity is in use after mail was allowed by it.
IN_USE: Final = 3600.0
#: Seconds for which nobody asks again for an identity that SES does not know.
NOT_THERE: Final = 300.0
#: Shares of the budget: the most that is spent on what messages wait for, in all and for one delegate.
WANTED_SHARE: Final = 1 / 2
DELEGATE_SHARE: Final = 1 / 4
#: Lookups that one delegate, and all together, may want at once after a pause.
DELEGATE_BURST: Final = 4.0
WANTED_BURST: Final = 4.0
#: The longest pause after SES did not answer, in seconds.
LONGEST_PAUSE: Final = 60.0
#: The shortest wait, in seconds.
SHORTEST_WAIT: Final = 0.001

_NEVER: Final = -math.inf


@dataclass(frozen=True, slots=True)
class NextPage:
    """Ask for the next page of the list; the first, unless a listing is under way."""


@dataclass(frozen=True, slots=True)
class Look:
    """
    Ask for one identity. ``before``: when it was asked for last, which counts again if SES does not answer.
    ``is_wanted``: somebody asked for it to be read soon.
    """

    name: str
    before: float = _NEVER
    is_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to ask for so many seconds, unless something happens."""

    seconds: float


Step: TypeAlias = NextPage | Look | Wait


class Rounds:
    """
    The plan for one account and region. All times are monotonic seconds.

    :meth:`take` tells what to ask, and exactly one of :meth:`page_read`, :meth:`looked`, :meth:`not_there`,
    :meth:`refused`, :meth:`throttled` and :meth:`away` is told of each call what became of it.
    """

    def __init__(self, terms: Terms, now: float, chance: Callable[[], float]) -> None:
        self.terms = terms
        self.pages = 1
        self._chance = chance
        self._budget = Budget(terms.budget, now)
        self._wanted: dict[str, None] = {}
        self._forced: dict[str, None] = {}
        self._idle = Oldest()
        self._used = Oldest()
        self._allowed: dict[str, float] = {}  # when mail was allowed by each last, in this order
        self._not_there: dict[str, float] = {}
        self._wanted_bucket = Bucket(WANTED_BURST, WANTED_BURST, now)
        self._delegates: dict[str, Bucket] = {}
        self._listed_at = _NEVER
        self._list_not_before = _NEVER
        self._is_listing = False
        self._was_page = False
        self._invalid_before = _NEVER
        self._list_invalid = False
        self._without_idle = 0
        self._without_forced = 0
        self._failures = 0
        self._early = self._new_early()

    # --- what there is ------------------------------------------------------------------------------------------------

    def listed(self, names: Iterable[str], now: float) -> None:
        """Take *names* for all that are to be read; those that are gone are forgotten."""
        self._listed_at, self._list_invalid = now, False
        self._not_there = {name: until for name, until in self._not_there.items() if now < until}
        wanted = set(names)
        for name in [*self._idle.names(), *self._used.names()]:
            if name not in wanted:
                self.forget(name)
        for name in wanted:
            if name not in self._idle and name not in self._used and name not in self._not_there:
                self._idle.put(name, _NEVER)

    def remember(self, name: str, read_at: float | None, allowed_at: float | None) -> None:
        """Take over what another run of the relay knew of *name*; in the order of ``allowed_at``."""
        tried = _NEVER if read_at is None else read_at
        self._idle.put(name, tried)
        if allowed_at is not None:
            self._allowed[name] = allowed_at
            self._settle(name, tried)

    def renew(self, terms: Terms, now: float) -> None:
        """Go on under other terms."""
        if terms.budget != self.terms.budget:
            self._budget = Budget(terms.budget, now)
        self.terms = terms
        self._is_listing = False

    def remember_list(self, listed_at: float, pages: int) -> None:
        """Take the list for read at a time before now."""
        self._listed_at, self.pages = listed_at, pages
        self._list_invalid = self._list_invalid and listed_at < self._invalid_before

    def heard(self, name: str, read_at: float) -> None:
        """Another relay looked at *name*, which is to be read again when that is long ago; -inf for never."""
        tried = self._tried(name)
        if tried is None:
            self._not_there.pop(name, None)
            self._idle.put(name, read_at)
        self._wanted.pop(name, None)
        self._forced.pop(name, None)
        self._settle(name, read_at if tried is None else max(tried, read_at))

    @property
    def is_listed(self) -> bool:
        """Whether the list was read whole at least once."""
        return self._listed_at > _NEVER

    @property
    def is_slowed(self) -> bool:
        """Whether SES throttles so much that less than a quarter of the budget is left."""
        return self._budget.rate < self._budget.whole / 4

    @property
    def in_use(self) -> Collection[str]:
        """The identities that mail was allowed by lately."""
        return self._used.names()

    @property
    def allowed(self) -> dict[str, float]:
        """When mail was allowed last by each identity in use."""
        return dict(self._allowed)

    def revocation(self, now: float) -> float:
        """Return in how many seconds a withdrawn permission ends, as things are: never better than they are."""
        stated = self.terms.revocation(len(self._used), pages=self.pages, rate=self._budget.rate)
        oldest = self._used.first()
        return stated if oldest is None else max(stated, now - oldest[0])

    # --- what is asked for --------------------------------------------------------------------------------------------

    def use(self, name: str, now: float) -> None:
        """Mail was allowed by *name*: it is in use, and comes round first if it was read long ago."""
        if self._tried(name) is None:
            return
        self._allowed.pop(name, None)
        self._allowed[name] = now
        if (read_at := self._idle.get(name)) is not None and read_at > _NEVER:
            self._settle(name, read_at)

    def want(self, name: str, delegate: str, now: float) -> bool:
        """
        Let *name* be read soon, for *delegate*: a message waits for it, or was refused by what may have changed since.

        Returns False where it will not be: unknown, looked for in vain a moment ago, SES away, or the delegate's share
        is used up.
        """
        if name in self._wanted:
            return True
        tried = self._tried(name)
        if tried is None or self._budget.is_paused(now):
            return False
        if now - tried < self.terms.refresh_interval and name not in self._forced:
            return False
        bucket = self._delegates.setdefault(delegate, Bucket(DELEGATE_BURST, DELEGATE_BURST, now))
        if not bucket.has(now, self._budget.rate * DELEGATE_SHARE):
            return False
        bucket.spend()
        self._wanted[name] = None
        return True

    def force(self, name: str) -> bool:
        """Let *name* be read again soon, however young it is; False if it is not known."""
        if self._tried(name) is None:
            return False
        self._forced[name] = None
        return True

    def invalidate(self, now: float) -> None:
        """Let all be read again as the budget allows, those in use first, and the list."""
        self._invalid_before = max(self._invalid_before, now)
        self._list_invalid = self._list_invalid or self._listed_at <= now

    def relist(self) -> None:
        """Let the list be read again soon."""
        self._list_invalid = True

    # --- the next step ------------------------------------------------------------------------------------------------

    def take(self, now: float) -> Step:
        """Return what to ask now, and count it as asked; or how long to wait."""
        ready = self._budget.ready_at(now)
        if ready > now:
            return Wait(max(SHORTEST_WAIT, (ready - now) * (1 + self._chance() / 4)))  # what is saved meanwhile stays
        step = self._next(now)
        if not isinstance(step, Wait):
            self._budget.spend(now)
        return step

    def _next(self, now: float) -> Step:
        list_due = self._list_due_at()
        if list_due <= now and not self.is_listed:
            return self._page()
        look = None if list_due <= now and not self._was_page else self._look(now)
        if look is not None:
            return look
        if list_due <= now:
            return self._page()
        return Wait(max(SHORTEST_WAIT, min(list_due, self._look_due_at(now)) - now))

    def _page(self) -> NextPage:
        self._is_listing = self._was_page = True
        return NextPage()

    def _look(self, now: float) -> Look | None:
        """Return the identity to ask for, if one is due."""
        self._expire(now)
        name = self._wanted_one(now)
        is_wanted = name is not None
        if name is None and self._without_idle >= 1 / IDLE_SHARE - 1:
            name = self._due(self._idle, now, self._idle_age)
        if name is None and self._forced and self._without_forced:
            name = next(iter(self._forced))
        if name is None:
            name = self._due(self._used, now, self._used_age)
        if name is None and self._forced:
            name = next(iter(self._forced))
        if name is None:
            name = self._due(self._idle, now, self._idle_age)
        return None if name is None else self._begun(name, now, is_wanted=is_wanted)

    def _begun(self, name: str, now: float, *, is_wanted: bool) -> Look:
        before = self._tried(name)
        self._was_page = False
        self._without_idle = 0 if name in self._idle else self._without_idle + 1
        self._without_forced = 0 if name in self._forced else self._without_forced + 1
        self._wanted.pop(name, None)
        self._forced.pop(name, None)
        self._settle(name, now)
        self._early = self._new_early()
        return Look(name, _NEVER if before is None else before, is_wanted)

    def _wanted_one(self, now: float) -> str | None:
        if not self._wanted or not self._wanted_bucket.has(now, self._budget.rate * WANTED_SHARE):
            return None
        self._wanted_bucket.spend()
        return next(iter(self._wanted))

    def _due(self, names: Oldest, now: float, age: float) -> str | None:
        first = names.first()
        if first is None or (now - first[0] < age and first[0] >= self._invalid_before):
            return None
        return first[1]

    @property
    def _used_age(self) -> float:
        """The age at which one in use is read again: before the interval is over, and not with all other relays."""
        return self.terms.refresh_interval * self._early

    @property
    def _idle_age(self) -> float:
        """
        The age at which one that is not in use is read again.

        As its share of the budget allows where they are few; where they are many, before it decides nothing any more.
        """
        share = len(self._idle) / (self._budget.rate * IDLE_SHARE)
        latest = max(self.terms.max_stale / 2, self.terms.refresh_interval)
        return min(latest, max(self.terms.refresh_interval, share)) * self._early

    def _list_due_at(self) -> float:
        if self._is_listing or self._list_invalid or not self.is_listed:
            return self._list_not_before
        due = self._listed_at + self.terms.list_interval(self.pages, self._budget.rate, self._early)
        return max(due, self._list_not_before)

    def _look_due_at(self, now: float) -> float:
        """Return when something will be due; *now*, something is not."""
        due = math.inf
        if self._wanted:
            missing = 1 - self._wanted_bucket.fill(now, self._budget.rate * WANTED_SHARE)
            due = now + max(0.0, missing) / (self._budget.rate * WANTED_SHARE)
        for names, age in ((self._used, self._used_age), (self._idle, self._idle_age)):
            if (first := names.first()) is not None:
                due = min(due, first[0] + age)
        return due

    def _new_early(self) -> float:
        return EARLIEST + self._chance() / 5

    # --- what became of it --------------------------------------------------------------------------------------------

    def page_read(self, *, is_last: bool) -> None:
        """A page came; after the last one :meth:`listed` is told all."""
        self._answered()
        self._is_listing = not is_last

    def looked(self, name: str, now: float) -> None:
        """An identity was read."""
        self._answered()
        self._settle(name, now)

    def not_there(self, name: str, now: float) -> None:
        """SES does not know it: nobody asks again for a while, whatever the list says."""
        self._answered()
        self.forget(name)
        self._not_there[name] = now + NOT_THERE

    def refused(self, step: NextPage | Look, now: float) -> None:
        """SES said no. An identity has its turn again when its turn comes; the list after a pause."""
        self._answered()
        if isinstance(step, NextPage):
            self._is_listing = False
            self._list_not_before = now + min(LONGEST_PAUSE, self.terms.refresh_interval) * (0.5 + self._chance())

    def throttled(self, step: NextPage | Look) -> None:
        """SES had too many calls: the step is due again, and the budget is less."""
        self._budget.throttled()
        self._again(step)

    def away(self, step: NextPage | Look, now: float) -> None:
        """SES did not answer: pause, longer each time. Who waits need not."""
        self._failures += 1
        pause = min(LONGEST_PAUSE, 2.0 ** min(self._failures, 10) / (4 * self._budget.whole))
        self._budget.pause(now, pause * (0.5 + self._chance()))
        self._again(step)
        self._wanted.clear()
        if isinstance(step, NextPage):
            self._is_listing = False

    def _again(self, step: NextPage | Look) -> None:
        if isinstance(step, NextPage):
            self._was_page = False
        elif self._tried(step.name) is not None:
            self._settle(step.name, step.before)
            if step.is_wanted:
                self._wanted[step.name] = None

    def _answered(self) -> None:
        self._failures = 0
        self._budget.answered()

    # --- sets -----------------------------------------------------------------------------------------------------

    def _tried(self, name: str) -> float | None:
        """Return when *name* was asked for last, None if it is not known."""
        read_at = self._used.get(name)
        return self._idle.get(name) if read_at is None else read_at

    def _settle(self, name: str, tried: float) -> None:
        """Put *name* among those in use, or the others."""
        if name not in self._idle and name not in self._used:
            return
        is_used = name in self._allowed and tried > _NEVER
        self._idle.drop(name)
        self._used.drop(name)
        (self._used if is_used else self._idle).put(name, tried)

    def forget(self, name: str) -> None:
        """*name* is not there any more."""
        self._idle.drop(name)
        self._used.drop(name)
        self._wanted.pop(name, None)
        self._forced.pop(name, None)
        self._allowed.pop(name, None)

    def _expire(self, now: float) -> None:
        """Let go of identities that no mail was allowed by for long."""
        while self._allowed and now - (first := next(iter(self._allowed.items())))[1] > IN_USE:
            del self._allowed[first[0]]
            if (tried := self._used.drop(first[0])) is not None:
                self._idle.put(first[0], tried)
