"""How fresh policies at SES are to be, and what of it can be had for so many calls a second. Pure."""

from typing import Final

from relay.words.values import dataclass

#: Shares of the budget: the most that the list takes, and the least that identities get which are not in use.
LIST_SHARE: Final = 1 / 4
IDLE_SHARE: Final = 1 / 8
#: What is to be read again after an interval is read after this part of it, or up to a fifth of it later.
EARLIEST: Final = 0.75


@dataclass(frozen=True, slots=True)
class Terms:
    """How fresh policies are to be (seconds), and what that may cost (calls a second, each account and region)."""

    refresh_interval: float = 60.0
    max_stale: float = 3600.0
    budget: float = 0.5

    def list_interval(self, pages: int, rate: float, early: float = 1.0) -> float:
        """Return the seconds between two readings of a list of so many pages, at *rate* calls a second."""
        return max(self.refresh_interval * early, pages / (LIST_SHARE * rate))

    def revocation(self, in_use: int, *, pages: int = 1, rate: float | None = None) -> float:
        """
        Return the seconds in which a withdrawn permission ends, for so many identities in use: the effective interval.

        *rate*: calls a second as SES bears them now; None for the whole budget.
        """
        rate = rate or self.budget
        left = rate * (1 - IDLE_SHARE) - pages / self.list_interval(pages, rate, EARLIEST)
        return max(self.refresh_interval, in_use / left)

    def most_in_use(self, *, pages: int = 1) -> int:
        """Return how many identities may be in use before :meth:`revocation` exceeds the interval."""
        left = self.budget * (1 - IDLE_SHARE) - pages / self.list_interval(pages, self.budget, EARLIEST)
        return int(self.refresh_interval * left)
