"""
Whether a recipient's domain takes mail at all, asked at RCPT: most of what is refused here are typing errors.

Refused is only what DNS answers for sure: a domain that is not there, one that says it takes no mail (a null MX, RFC
7505), and one that has neither an MX nor an address (RFC 5321 section 5.1). DNS that is slow, silent, or broken refuses
nobody, nor does an MX whose host is missing: SES will find out.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from relay.dns.answers import Absent, Found, Trouble
from relay.observe.events import Noted, Observer, RecipientDomainChecked
from relay.words.replies import Reply
from relay.words.values import dataclass

Ask: TypeAlias = Callable[[str, str], Awaitable[Found | Absent | Trouble]]

NO_SUCH_DOMAIN: Final = Reply(550, (5, 1, 2), "The recipient's domain does not exist")
NO_MAIL_HOST: Final = Reply(550, (5, 1, 2), "The recipient's domain has no mail server: neither an MX nor an address")
NULL_MX: Final = Reply(556, (5, 1, 10), "The recipient's domain takes no mail: it has a null MX (RFC 7505)")

#: Domains that are remembered.
MOST_KEPT: Final = 10_000
#: Lookups under way; further domains are let through unasked meanwhile.
MOST_ASKED: Final = 200
#: Seconds that an answer is believed, whatever its TTL says: at least, and at most.
TAKEN: Final = (60.0, 3600.0)
REFUSED: Final = (10.0, 300.0)
UNANSWERED: Final = (10.0, 10.0)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a domain: the word it is counted under, what its recipients hear, and the end of it."""

    result: str
    refusal: Reply | None
    until: float


class RecipientDomains:
    """
    Remembers which domains take mail, and asks for those it does not know: each once at a time.

    Args:
        ask: Gives the records of a type; None to let every recipient through.
        observe: Hears of every domain that was checked.

    """

    def __init__(
        self,
        ask: Ask | None,
        observe: Observer,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        most: int = MOST_KEPT,
    ) -> None:
        self._ask = ask
        self._observe = observe
        self._monotonic = monotonic
        self._most = most
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[_Known]] = {}

    def renew(self, ask: Ask | None) -> None:
        """Ask others from now on, or nobody; what is known is forgotten."""
        self._ask = ask
        self._known.clear()

    def knows(self, domain: str) -> bool:
        """Whether :meth:`known_refusal` tells what is heard of *domain*, in lower case: there is nobody to wait for."""
        if self._ask is None:
            return True
        known = self._known.get(domain)
        return known is not None and known.until > self._monotonic()

    def known_refusal(self, domain: str) -> Reply | None:
        """Return what a recipient of a domain that is known hears, or None for one that is let through."""
        if self._ask is None:
            return None
        self._known.move_to_end(domain)
        return self._told(self._known[domain])

    async def refusal(self, domain: str, patience: float) -> Reply | None:
        """
        Return what a recipient of *domain* hears, or None for one that is let through.

        Args:
            domain: In lower case.
            patience: Seconds to wait for DNS; after them the recipient is let through.

        """
        if self._ask is None or self.knows(domain):
            return self.known_refusal(domain)
        return self._told(await self._look_up(domain, self._ask, patience))

    def _told(self, known: _Known | None) -> Reply | None:
        self._observe(RecipientDomainChecked("unanswered" if known is None else known.result))
        return None if known is None else known.refusal

    def close(self) -> None:
        """Give up what is being asked."""
        for lookup in self._lookups.values():
            lookup.cancel()

    async def _look_up(self, domain: str, ask: Ask, patience: float) -> _Known | None:
        lookup = self._lookups.get(domain)
        if lookup is None:
            if len(self._lookups) >= MOST_ASKED or patience <= 0:
                return None
            lookup = asyncio.create_task(self._learn(domain, ask), name="recipient-domain")
            self._lookups[domain] = lookup
            lookup.add_done_callback(lambda _done: self._lookups.pop(domain, None))
        done, _ = await asyncio.wait([lookup], timeout=max(patience, 0))
        return lookup.result() if done and not lookup.cancelled() else None

    async def _learn(self, domain: str, ask: Ask) -> _Known:
        try:
            result, refusal, ttl = await _asked(domain, ask)
        except Exception as error:  # noqa: BLE001 - whatever it is, it refuses nobody
            self._observe(Noted("error", "recipient-domain.failed", {"why": type(error).__name__}))
            result, refusal, ttl = "unanswered", None, 0
        least, most = UNANSWERED if result == "unanswered" else TAKEN if refusal is None else REFUSED
        known = _Known(result, refusal, self._monotonic() + min(max(ttl, least), most))
        if ask is self._ask:  # not of whom we no longer ask
            self._known[domain] = known
            self._known.move_to_end(domain)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return known


async def _asked(domain: str, ask: Ask) -> tuple[str, Reply | None, float]:
    """
    Return what *domain* is counted under, what is heard, and how long it holds.

    A name that is said not to be there is asked for its addresses, too: some servers say so of every type but one.
    """
    match await ask(domain, "MX"):
        case Found(values, ttl):
            return ("null-mx", NULL_MX, ttl) if _is_null(values) else ("taken", None, ttl)
        case Trouble():
            return "unanswered", None, 0
        case Absent() as absent:
            return await _by_address(domain, ask, absent)


async def _by_address(domain: str, ask: Ask, absent: Absent) -> tuple[str, Reply | None, float]:
    answers = await asyncio.gather(ask(domain, "A"), ask(domain, "AAAA"))
    found = [answer.ttl for answer in answers if isinstance(answer, Found)]
    if found:
        return "taken", None, min(found)
    lacking = [answer for answer in answers if isinstance(answer, Absent)]
    if len(lacking) < len(answers):
        return "unanswered", None, 0
    ttl = min(answer.ttl for answer in (absent, *lacking))
    exists = any(answer.name_exists for answer in (absent, *lacking))
    return ("no-mail-host", NO_MAIL_HOST, ttl) if exists else ("no-such-domain", NO_SUCH_DOMAIN, ttl)


def _is_null(values: tuple[str, ...]) -> bool:
    """One MX whose host is the root (RFC 7505 section 3); beside another one it means nothing."""
    return len(values) == 1 and values[0].partition(" ")[2] == "."
