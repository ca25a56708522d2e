"""
Whether an identity is verified: at once, or once its records are found in the DNS.

SES looks for the records for 72 hours and then gives up (Amazon SES API Reference, "VerificationStatus"); an address is
verified at once either way, for nobody opens links here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

from relay.dns.answers import Absent, Found, Trouble
from relay.localses.dkim import HOSTED_ZONE, dkim_tokens, verification_token
from relay.localses.identities import Identities, Identity
from relay.words.values import dataclass

Ask: TypeAlias = Callable[[str, str], Awaitable[Found | Absent | Trouble]]

SUCCESS: Final = "SUCCESS"
PENDING: Final = "PENDING"
FAILED: Final = "FAILED"
NOT_STARTED: Final = "NOT_STARTED"

#: Seconds after which SES gives up, and between two looks at the same records.
GIVES_UP: Final = 72 * 3600.0
PAUSE: Final = 1.0
#: Identities that are looked at at a time, and the seconds that a request waits for them.
_AT_A_TIME: Final = 20
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Standing:
    """The states of an identity in the words of v2: of the domain as a whole, of DKIM, of the MAIL FROM domain."""

    identity: str = SUCCESS
    dkim: str = SUCCESS
    mail_from: str = SUCCESS

    @property
    def is_verified(self) -> bool:
        """Whether mail may be sent under it."""
        return self.identity == SUCCESS


class AtOnce:
    """Everything counts as found; ``is_at_once``: nobody needs to ask of whom."""

    is_at_once = True

    def standing(self, identity: Identity) -> Standing:  # noqa: ARG002 - one signature
        """Return the states of *identity*."""
        return Standing()

    async def look(self, identities: Identities, region: str) -> None:
        """Look for what was not found yet of the identities of a region."""


class ByDns(AtOnce):
    """
    Found is what the DNS has: DKIM's CNAMEs or key, the ``_amazonses`` TXT, the MX of the MAIL FROM domain.

    What has been found stays found; after a restart it is looked for again.

    Args:
        ask: Gives the records of a type.
        clock: Seconds since the epoch; the 72 hours are counted by it.
        monotonic: Seconds that never go back, for the pause between two looks.

    """

    is_at_once = False

    def __init__(self, ask: Ask, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._monotonic = monotonic
        self._since: dict[tuple[str, ...], float] = {}
        self._found: set[tuple[str, ...]] = set()
        self._asked: set[tuple[str, ...]] = set()
        self._next: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def standing(self, identity: Identity) -> Standing:
        """Return the states of *identity*, as far as anybody looked."""
        if identity.is_address:
            return Standing(mail_from=self._state(identity, _mail_from(identity)))
        dkim = self._state(identity, _dkim(identity)) if identity.traits.dkim else NOT_STARTED
        proven = dkim if dkim == SUCCESS else self._state(identity, _token(identity))
        return Standing(proven, dkim, self._state(identity, _mail_from(identity)))

    async def look(self, identities: Identities, region: str) -> None:
        """Look for what was not found yet of the identities of a region, at most once a second."""
        async with self._locks.setdefault(region, asyncio.Lock()):
            if self._monotonic() < self._next.get(region, 0.0):
                return
            owners = [owner for owner in identities.owners() if owner.region == region]
            known = [identities.read(owner, name) for owner in owners for name in identities.names(owner)]
            await self._look_at([each for each in known if self._is_open(each)])
            self._next[region] = self._monotonic() + PAUSE

    async def _look_at(self, known: Iterable[Identity]) -> None:
        turn = asyncio.Semaphore(_AT_A_TIME)

        async def one(identity: Identity) -> None:
            async with turn:
                await self._look_for(identity)

        looks = [asyncio.create_task(one(identity)) for identity in known]
        if looks:
            _, late = await asyncio.wait(looks, timeout=_PATIENCE)
            for look in late:
                look.cancel()

    def _is_open(self, identity: Identity) -> bool:
        """Whether something is to be looked for; what failed is looked for once more after a restart."""
        keys = _keys(identity)
        for key in keys:
            self._since.setdefault(key, self._begun(identity, key))
        asked = [key for key in keys if key not in self._found]
        return any(self._state(identity, key) != FAILED or key not in self._asked for key in asked)

    async def _look_for(self, identity: Identity) -> None:
        looks = {_dkim(identity): self._has_dkim, _token(identity): self._has_token, _mail_from(identity): self._has_mx}
        for key in _keys(identity):
            if key not in self._found and await looks[key](identity):
                self._found.add(key)
            self._asked.add(key)

    def _state(self, identity: Identity, key: tuple[str, ...]) -> str:
        if key in self._found or key not in _keys(identity):
            return SUCCESS
        since = self._since.get(key, self._begun(identity, key))
        return FAILED if self._clock() - since >= GIVES_UP else PENDING

    def _begun(self, identity: Identity, key: tuple[str, ...]) -> float:
        """When SES began to look; of what may change later, when we first heard of it."""
        return (key[0] == "token" and identity.traits.created_at) or self._clock()

    async def _has_dkim(self, identity: Identity) -> bool:
        for token in dkim_tokens(identity):
            name = f"{token}._domainkey.{identity.domain}"
            if identity.traits.dkim == "EXTERNAL":
                if not any(_has_key(value) for value in await self._values(name, "TXT")):
                    return False
            elif [each.lower() for each in await self._values(name, "CNAME")] != [f"{token}.{HOSTED_ZONE}"]:
                return False
        return True

    async def _has_token(self, identity: Identity) -> bool:
        """At ``_amazonses``, or at the domain itself, where it may say whose it is."""
        token = verification_token(identity)
        if token in await self._values(f"_amazonses.{identity.domain}", "TXT"):
            return True
        return bool({token, f"amazonses:{token}"} & set(await self._values(identity.domain, "TXT")))

    async def _has_mx(self, identity: Identity) -> bool:
        """One MX, and none but SES's; in the region or in another of its owner's."""
        values = await self._values(identity.traits.mail_from, "MX")
        hosts = [value.partition(" ")[2].lower() for value in values]
        return len(hosts) == 1 and hosts[0].startswith("feedback-smtp.") and hosts[0].endswith(".amazonses.com")

    async def _values(self, name: str, kind: str) -> tuple[str, ...]:
        answer = await self._ask(name, kind)
        return answer.values if isinstance(answer, Found) else ()


def _keys(identity: Identity) -> list[tuple[str, ...]]:
    """What is looked for, each by a key that changes when other records are wanted."""
    keys = [] if identity.is_address else [_token(identity)]
    if not identity.is_address and identity.traits.dkim:
        keys.append(_dkim(identity))
    if identity.traits.mail_from:
        keys.append(_mail_from(identity))
    return keys


def _token(identity: Identity) -> tuple[str, ...]:
    return ("token", identity.arn, str(identity.traits.created_at), identity.traits.key_length)


def _dkim(identity: Identity) -> tuple[str, ...]:
    traits = identity.traits
    return ("dkim", identity.arn, str(traits.created_at), traits.dkim, traits.selector, traits.key_length)


def _mail_from(identity: Identity) -> tuple[str, ...]:
    return ("mail-from", identity.arn, str(identity.traits.created_at), identity.traits.mail_from)


def _has_key(text: str) -> bool:
    """Whether a TXT record is a DKIM key that was not withdrawn (RFC 6376 section 3.6.1)."""
    tags = (part.partition("=") for part in text.split(";"))
    return any(name.strip() == "p" and value.strip() for name, _, value in tags)
