"""
The roles that mail is sent as, each on its own: what keeps one from being assumed touches nobody else.

There is no way from here to the relay's own key. Mail of a role goes with that role's session, or waits.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final

from relay.observe.events import Observer
from relay.sending.keys import AccessKey, KeySource, Unusable
from relay.sending.role_key import Assume, RoleKey
from relay.words.roles import AssumedRole

#: Calls to STS at once.
AT_ONCE: Final = 16


class NoRole:
    """Whose role is not kept: a reload took it away while the message was on its way."""

    async def get(self) -> AccessKey | Unusable:
        """Return why there is none."""
        return Unusable("no delegate has this role any more", "NoRole")

    def reject(self, key: AccessKey) -> None:
        """Do nothing: there is no key."""


class Roles:
    """
    All roles. ``mended``: called with a role that has a new session.

    Nothing is asked of STS before :meth:`start`; what is wanted later is begun at once.
    """

    def __init__(self, assume: Assume, observe: Observer, *, chance: Callable[[], float] = random.random) -> None:
        self.mended: Callable[[AssumedRole], None] = lambda _: None
        self._assume = assume
        self._observe = observe
        self._chance = chance
        self._keys: dict[AssumedRole, RoleKey] = {}
        self._keepers: dict[AssumedRole, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._is_running = False

    def want(self, roles: Iterable[AssumedRole]) -> set[AssumedRole]:
        """Keep these roles and no others, and return the others; those that are kept already go on as they are."""
        wanted = dict.fromkeys(roles)
        gone = self._keys.keys() - wanted.keys()
        for role in gone:
            del self._keys[role]
            if (keeper := self._keepers.pop(role, None)) is not None:
                keeper.cancel()
        for role in wanted:
            if role not in self._keys:
                key = RoleKey(role, self._assume, self._observe, mended=self._tell_mended, chance=self._chance)
                self._keys[role] = key
        if self._is_running:
            self._begin()
        return gone

    async def start(self, patience: float) -> None:
        """Begin, and wait until each role was tried once, at most *patience* seconds in all."""
        self._is_running = True
        self._begin()
        await asyncio.gather(*(key.first_try(patience) for key in self._keys.values()))

    async def close(self) -> None:
        """Renew nothing any more."""
        self._is_running = False
        keepers = tuple(self._keepers.values())
        self._keepers.clear()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    def of(self, role: AssumedRole) -> KeySource:
        """Return who keeps the key of *role*, and of nobody else."""
        return self._keys.get(role, _NO_ROLE)

    def doubt(self, role: AssumedRole, key: AccessKey) -> None:
        """SES denied what *key*, of *role*, asked."""
        if (kept := self._keys.get(role)) is not None:
            kept.doubt(key)

    def of_account(self, account: str) -> list[RoleKey]:
        """Return who keeps keys of *account*, those that can be used first."""
        found = [key for role, key in self._keys.items() if role.account == account]
        return sorted(found, key=lambda key: isinstance(key.state, Unusable))

    def states(self) -> dict[AssumedRole, AccessKey | Unusable]:
        """Return what there is to sign with now, of each role of which STS was asked."""
        return {role: key.state for role, key in self._keys.items() if key.is_tried}

    def trouble_of(self, role: AssumedRole) -> str | None:
        """Say why *role* cannot be assumed now, or not be renewed; None where it can, or nobody has tried."""
        return None if (key := self._keys.get(role)) is None else key.trouble or None

    def troubles(self) -> dict[str, str]:
        """Return the roles that cannot be assumed now, or not be renewed, each with why."""
        found = ((key.role, key.trouble) for key in self._keys.values())
        return {f"{role.arn} as {role.session}": trouble for role, trouble in found if trouble}

    def _tell_mended(self, role: AssumedRole) -> None:
        self.mended(role)

    def _begin(self) -> None:
        for role, key in self._keys.items():
            if role not in self._keepers:
                self._keepers[role] = asyncio.create_task(key.run(self._turns), name=f"role {role.session}")


_NO_ROLE: Final = NoRole()
