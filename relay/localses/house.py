"""What the operations work on."""

from collections import deque
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Final

from relay.localses.identities import Identities
from relay.localses.owners import Owner
from relay.localses.publishing import Publisher
from relay.localses.quota import Quota
from relay.localses.refusals import Refused
from relay.localses.sessions import Sessions
from relay.localses.store import Store
from relay.localses.verification import AtOnce
from relay.words.values import dataclass

if TYPE_CHECKING:
    from relay.localses.judging import Judged

MOST_IDENTITIES: Final = 10_000
"""Of an account in a region (SES Developer Guide, "Service quotas in Amazon SES")."""

MOST_JUDGED: Final = 1_000


@dataclass(frozen=True, slots=True)
class House:
    """
    The accepted messages, identities, sessions of roles, counts, and whoever hears of events; the time in seconds
    since the epoch; what is verified; the newest questions that were put to policies.
    """

    store: Store
    identities: Identities
    sessions: Sessions
    quota: Quota
    publisher: Publisher
    clock: Callable[[], float]
    verification: AtOnce = field(default_factory=AtOnce)
    judged: "deque[Judged]" = field(default_factory=lambda: deque(maxlen=MOST_JUDGED))

    def check_room(self, owner: Owner) -> None:
        """
        Check that *owner* can have one identity more.

        Raises:
            Refused: LimitExceeded.
        """
        if len(self.identities.names(owner)) >= MOST_IDENTITIES:
            raise Refused("LimitExceeded", f"There are {MOST_IDENTITIES} identities, the most there can be.")

    def is_in_sandbox(self, owner: Owner) -> bool:
        """Whether the account may send to verified recipients only."""
        return self.quota.standings.of(owner).sandbox

    def must_be_verified(self, owner: Owner) -> bool:
        """Whether an address that belongs to no known identity counts as not verified."""
        return self.quota.allowance.realistic or self.is_in_sandbox(owner)
