"""A message that is being read, and its room in memory."""

from typing import Final

from relay.smtp.budgets import Ledger
from relay.smtp.content import Content
from relay.smtp.limits import Limits
from relay.smtp.transaction import Transaction

#: Of a message in memory: the octets that came, for the spool and the judge, and those that go to SES.
_COPIES: Final = 2


class Held:
    """The room in memory that one message takes: that of two messages, as it came and as it goes."""

    __slots__ = ("_ledger", "_most", "_octets")

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._ledger = ledger
        self._most = max(limits.inflight_bytes, _COPIES * limits.message_bytes)
        self._octets = 0

    def reaches(self, octets: int) -> bool:
        """Whether there is room for a message of *octets*; it is taken then."""
        more = _COPIES * octets - self._octets
        if more > 0:
            if not self._ledger.take(self, more, most=self._most):
                return False
            self._octets += more
        return True

    def give_back(self) -> None:
        """Return the room."""
        self._ledger.give_back(self, self._octets)
        self._octets = 0


class Arriving:
    """A message that is being read: whose it is, its octets, their room, and since when, by the loop's clock."""

    __slots__ = ("content", "held", "since", "transaction")

    def __init__(self, transaction: Transaction, content: Content, held: Held, since: float) -> None:
        self.transaction = transaction
        self.content = content
        self.held = held
        self.since = since
