"""One account in one region: what SES told of its identities, and what becomes of it with its next answer."""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

from relay.identities.accounts import Away, AwsProblem
from relay.identities.fellows import Fellows, Nobody
from relay.identities.known import KnownIdentity, KnownPlace
from relay.identities.rounds import Look, NextPage, Rounds, Step, Wait
from relay.identities.ses_answers import OPERATIONS, Asked, Clocks, Looked, Page, ask, told
from relay.identities.ses_api import Listed, SesApi
from relay.identities.shelf import Policies, Shelf
from relay.judgement.verdicts import Decision, Verdict
from relay.observe.events import Observer, PoliciesRefreshed, SesCalled
from relay.words.freshness import Terms
from relay.words.values import replace

NOT_LISTED: Final = "its identities were not listed yet"
THROTTLED: Final = "SES throttles the calls made here: others make many, too"
#: How many things of a kind are named in a line of the log.
_MOST_NAMED: Final = 5
#: While another relay asks, the plan is looked at again after so many seconds.
_FOLLOWING: Final = 60.0


class Place:
    """
    What was read, and the plan of what to read next.

    :meth:`ask` may be called in any thread, one call at a time; all else belongs to whoever owns the place. ``texts``:
    of policies that were read, by digest, until somebody takes them; none where it is not ``collecting``, for nobody
    does. ``woken``: something happened that the plan may want to act upon. ``fellows``: other relays that read it, too;
    ``leads``: SES is asked here, not by one of them.
    """

    def __init__(self, api: SesApi, rounds: Rounds, observe: Observer, clocks: Clocks) -> None:
        self.account, self.region = api.account, api.region
        self.rounds = rounds
        self.shelf = Shelf(api.account, api.region, NOT_LISTED)
        self.texts: dict[str, str] = {}
        self.woken = asyncio.Event()
        self.fellows: Fellows = Nobody()
        self.leads = True
        self.collecting = True
        self._api = api
        self._observe = observe
        self._clocks = clocks
        self._pages: list[tuple[float, Page]] = []
        self._passed_over: tuple[str, ...] = ()
        self._list_trouble = ""
        self._away = ""
        self._looking = ""
        self._is_overtaken = False
        self._flights: dict[str, asyncio.Future[bool]] = {}

    # --- asking -------------------------------------------------------------------------------------------------------

    def next_step(self) -> Step:
        """Return what to ask now, or how long to wait."""
        return self.rounds.take(self._clocks.monotonic()) if self.leads else Wait(_FOLLOWING)

    def lead(self, terms: Terms | None) -> None:
        """Ask SES on these terms from now on; None leaves it to another relay."""
        if terms is not None and not self.leads:
            self._pages = []
        if terms is not None and (not self.leads or terms != self.rounds.terms):
            self.rounds.renew(terms, self._clocks.monotonic())
        self.leads = terms is not None
        self._is_overtaken = self._is_overtaken or not self.leads
        self.woken.set()

    def begin(self, step: NextPage | Look) -> None:
        """Learn that *step* is about to be asked."""
        self._looking, self._is_overtaken = step.name if isinstance(step, Look) else "", False

    def ask(self, step: NextPage | Look) -> Asked:
        """Make the call of *step*. Never raises for what is wrong with SES."""
        token = self._pages[-1][1].token if self._pages else None
        return ask(self._api, step, self._clocks, token=token, known=self.shelf.known)

    def take_over(self, step: NextPage | Look, asked: Asked) -> None:
        """Make of an answer what is known from now on, and tell the observer."""
        self._looking, answer = "", asked.answer
        self._observe(SesCalled(self.region, OPERATIONS[type(step)], asked.result, asked.seconds))
        if isinstance(step, NextPage) and self._is_overtaken:
            self._pages = []
            self.rounds.page_read(is_last=True)
            return
        if isinstance(answer, Away):
            self._take_absence(step, answer)
        elif isinstance(answer, AwsProblem):
            self._take_refusal(step, told(answer))
        elif isinstance(answer, Page):
            self._take_page(answer, asked.at)
        elif isinstance(step, Look):
            self._take_identity(step.name, answer, asked.at)
        if not (isinstance(answer, Away) and answer.is_throttled):  # that happens, and is counted as a call
            self.tell(has_failed=isinstance(answer, AwsProblem))

    def _take_absence(self, step: NextPage | Look, problem: Away) -> None:
        if not self.rounds.is_listed:
            self.shelf.doubt(str(problem))
        if problem.is_throttled:
            self.rounds.throttled(step)
            return
        self._away = str(problem)
        self.rounds.away(step, self._clocks.monotonic())
        self.give_up()
        self.fellows.gave_up()
        if isinstance(step, NextPage):
            self._pages = []

    def _take_refusal(self, step: NextPage | Look, why: str) -> None:
        self._away = ""
        self.rounds.refused(step, self._clocks.monotonic())
        if isinstance(step, NextPage):
            self._list_trouble, self._pages = why, []
            if not self.rounds.is_listed:
                self.shelf.doubt(why)
            return
        if (known := self.shelf.known.get(step.name)) is not None:
            self.shelf.put(replace(known, refused=why))
            self.fellows.learned([step.name])
        self.land(step.name)

    def _take_page(self, page: Page, at: float) -> None:
        self._away = ""
        self._pages.append((at, page))
        self.rounds.page_read(is_last=page.token is None)
        if page.token is None:
            pages, self._pages = self._pages, []
            self._take_list(pages)

    def _take_list(self, pages: list[tuple[float, Page]]) -> None:
        """The list is whole: what is not in it is not there, what is new in it is to be read."""
        self._list_trouble = ""
        self._passed_over = tuple(name for _, page in pages for name in page.passed_over)
        before = self.shelf.known
        now = [_relisted(each, before.get(each.name)) for _, page in pages for each in page.listed]
        self.rounds.pages = len(pages)
        self.rounds.listed((each.name for each in now if each.matters), self._clocks.monotonic())
        for each in now:
            if each.read_at is not None and each is not before[each.name]:
                self.rounds.force(each.name)
        self.shelf.put_all(now, pages[0][0])
        changed = [each.name for each in now if each is not before.get(each.name)]
        gone = [name for name in before if name not in self.shelf.known]
        self.fellows.learned([*changed, *gone], is_listed=True)
        for name in [name for name in self._flights if name not in self.shelf.known]:
            self.land(name)

    def _take_identity(self, name: str, looked: Looked, at: float) -> None:
        self._away, held = "", looked.held
        if held is None:
            self.rounds.not_there(name, self._clocks.monotonic())
            self.shelf.drop(name)
        else:
            self.rounds.looked(name, self._clocks.monotonic())
            known = KnownIdentity(name, held.verified, at, held.verified, held.policies)
            policies = self.shelf.policies_of(name, held.policies)
            self.shelf.put(known, policies)
            self.keep_texts(known, policies)
        self.fellows.learned([name])
        self.land(name)

    def keep_texts(self, known: KnownIdentity, policies: Policies) -> None:
        """Keep the texts of the policies of *known* until somebody takes them."""
        if self.collecting:
            self.texts |= zip((p.digest for p in policies), (known.policies[p.name] for p in policies), strict=True)

    # --- over a restart, and at a reload ------------------------------------------------------------------------------

    def known(self) -> KnownPlace | None:
        """Return all as it is kept over a restart; None before the list was read."""
        if not self.rounds.is_listed:
            return None
        ago = self._clocks.wall() - self._clocks.monotonic()
        allowed = {name: moment + ago for name, moment in self.rounds.allowed.items()}
        identities = tuple(self.shelf.known.values())
        return KnownPlace(self.account, self.region, self.shelf.owned.listed_at, self.rounds.pages, identities, allowed)

    def remember(self, kept: KnownPlace) -> None:
        """Begin with what another run knew."""
        ago = self._clocks.wall() - self._clocks.monotonic()
        self.rounds.remember_list(kept.listed_at - ago, kept.pages)
        for each in sorted(kept.identities, key=lambda known: kept.allowed_at.get(known.name, 0.0)):
            if each.matters:
                allowed_at = kept.allowed_at.get(each.name)
                read_at = None if each.read_at is None else each.read_at - ago
                self.rounds.remember(each.name, read_at, None if allowed_at is None else allowed_at - ago)
        self.shelf.put_all(kept.identities, kept.listed_at)

    def inherit(self, before: "Place") -> None:
        """Share all that *before* has, the same place under older settings, until it ends."""
        before.rounds.renew(self.rounds.terms, self._clocks.monotonic())
        self.rounds, self.shelf, self.texts = before.rounds, before.shelf, before.texts

    # --- other relays -------------------------------------------------------------------------------------------------

    def listed_elsewhere(self, listed_at: float, pages: int) -> None:
        """Learn that another relay read the whole list, known here by now, at that time in seconds since the epoch."""
        self.rounds.remember_list(listed_at - (self._clocks.wall() - self._clocks.monotonic()), pages)
        self.shelf.relist(listed_at)
        self._list_trouble = self._away = ""

    def invalidate(self, name: str | None, moment: float | None = None) -> None:
        """
        Let *name*, or everything and the list, be read again as the budget allows; for an unknown one the list.

        *moment*: everything is to be newer than that, in monotonic seconds; None for now.
        """
        if name is None:
            self.rounds.invalidate(self._clocks.monotonic() if moment is None else moment)
        elif not self.rounds.force(name):
            self.rounds.relist()
        self.woken.set()

    def want(self, name: str, delegate: str) -> bool:
        """Let *name* be read soon, for a delegate of another relay; whether it will be."""
        is_coming = name == self._looking or self.rounds.want(name, delegate, self._clocks.monotonic())
        self.woken.set()
        return is_coming

    @property
    def awaited(self) -> Collection[str]:
        """The names that messages wait for."""
        return self._flights.keys()

    # --- mail ---------------------------------------------------------------------------------------------------------

    def used(self, delegate: str, decision: Decision) -> None:
        """
        Learn that mail was judged: what allowed it is in use; what refused it is read again, if it was read long ago.

        Identities that bear on the address without policies count as well: they may have some by now.
        """
        now = self._clocks.monotonic()
        bearing = self.shelf.owned.bearing_on(decision.address)
        for identity in (*((bearing.exact,) if bearing.exact else ()), *bearing.spellings, *bearing.domains):
            if decision.verdict is Verdict.ALLOWED:
                self.rounds.use(identity.arn.name, now)
                self.fellows.used(identity.arn.name)
            elif decision.verdict is not Verdict.UNDECIDED and self.rounds.want(identity.arn.name, delegate, now):
                self.fellows.wanted(identity.arn.name, delegate)

    def flight(self, name: str, delegate: str) -> "asyncio.Future[bool] | None":
        """
        Return what ends with the next answer about *name*, True, or without one, False: one for all who wait.

        None where nobody needs to wait, because what is known decides, or because there will be no answer soon.
        """
        if not self.is_doubtful(name):
            return None
        flight = self._flights.get(name)
        if flight is None:
            is_coming = name == self._looking or self.rounds.want(name, delegate, self._clocks.monotonic())
            if not is_coming:
                return None
            flight = self._flights[name] = asyncio.get_running_loop().create_future()
            self.fellows.wanted(name, delegate)
            self.woken.set()
        return flight

    def give_up(self) -> None:
        """Nobody needs to wait any longer."""
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            if not flight.done():
                flight.set_result(False)

    def is_doubtful(self, name: str) -> bool:
        """Whether *name* is there, and what is known of it cannot decide: nothing, or too old."""
        known = self.shelf.known.get(name)
        if known is None or not known.matters:
            return False
        age = abs(self._clocks.wall() - (known.read_at or 0.0))
        return not known.decides or age > self.rounds.terms.max_stale

    def land(self, name: str, *, is_wiser: bool = True) -> None:
        """Nobody needs to wait for *name* any longer: it was read, or will not be."""
        flight = self._flights.pop(name, None)
        if flight is not None and not flight.done():
            flight.set_result(is_wiser)

    # --- telling ------------------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """What the observer calls it."""
        return f"ses {self.account} {self.region}"

    @property
    def troubles(self) -> list[str]:
        """Say what keeps the list or identities from being read, as sentences."""
        refused = self.shelf.refused
        told = [self._list_trouble, self._away, THROTTLED if self.rounds.is_slowed else ""]
        told += [f"{len(refused)} identities cannot be read: {next(iter(refused.values()))}"] if refused else []
        return [why for why in told if why]

    def tell(self, *, has_failed: bool = False) -> None:
        """Tell the observer how all stands."""
        whys = self.troubles
        whys += [f"{name} is passed over: mail cannot be sent under it" for name in self._passed_over[:_MOST_NAMED]]
        whys += [f"{arn}: a policy cannot be read" for arn in _first(self.shelf.unread)]
        result = "failed" if has_failed else "problems" if whys else "ok"
        ages, unread = dict(self.shelf.ages), dict(self.shelf.unread)
        self._observe(PoliciesRefreshed(result, ages, unread, "; ".join(whys), self.source))


def _relisted(listed: Listed, old: KnownIdentity | None) -> KnownIdentity:
    """Return what is known of an identity that is in the list; the same if the list brings nothing new."""
    may_send = listed.may_send or listed.status == "SUCCESS"
    if old is None:
        return KnownIdentity(listed.name, may_send)
    return old if old.may_send == may_send else replace(old, may_send=may_send)


def _first(names: Iterable[str]) -> list[str]:
    return [name for name, _ in zip(names, range(_MOST_NAMED), strict=False)]
