"""What the operations work on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relay.localses.identities import Identities
from relay.localses.owners import Owner
from relay.localses.quota import Quota
from relay.localses.refusals import Refused
from relay.localses.sessions import Sessions
from relay.localses.store import Store

MOST_IDENTITIES: Final = 10_000
"""Of an account in a region (SES Developer Guide, "Service quotas in Amazon SES")."""


@dataclass(frozen=True, slots=True)
class House:
    """The accepted messages, identities, sessions of roles and counts, and the time in seconds since the epoch."""

    store: Store
    identities: Identities
    sessions: Sessions
    quota: Quota
    clock: Callable[[], float]

    def check_room(self, owner: Owner) -> None:
        """
        Check that *owner* can have one identity more.

        Raises:
            Refused: LimitExceeded.
        """
        if len(self.identities.names(owner)) >= MOST_IDENTITIES:
            raise Refused("LimitExceeded", f"There are {MOST_IDENTITIES} identities, the most there can be.")
