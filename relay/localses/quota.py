"""Sending quota and rate of each account and region: counted always, enforced when asked."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from relay.localses.refusals import Refused

DAY: Final = 86_400.0
_BUCKET: Final = 60.0
_CALL: Final = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What every account may send, in recipients: a second, and in a rolling day (-1 is unlimited).

    Not ``enforced``, it is only told (GetSendQuota) and never refuses anything. A ``realistic`` one minds what laptops
    like to forget: owners ask once a second, and nobody sends from an address that nobody verified.
    """

    max_send_rate: float = 1_000.0
    max_24_hour_send: float = 1_000_000.0
    enforced: bool = False
    realistic: bool = False


@dataclass(slots=True)
class _Account:
    room: float
    at: float
    minutes: deque[tuple[float, int]] = field(default_factory=deque)
    sent: int = 0


class Quota:
    """Counts recipients by account and region, and refuses what is over the allowance when it is enforced."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._asked: dict[tuple[str, str], float] = {}

    def sent_in_24_hours(self, account: tuple[str, str], now: float) -> int:
        """Return the recipients of the last 24 hours, by the minute."""
        return self._of(account, now).sent

    def check(self, account: tuple[str, str], recipients: int, now: float) -> None:
        """
        Check that *recipients* more fit.

        A message of more recipients than a second holds passes when the whole second is free, and is paid off after.

        Raises:
            Refused: Throttling.
        """
        if not self.allowance.enforced:
            return
        state = self._of(account, now)
        rate, day = self.allowance.max_send_rate, self.allowance.max_24_hour_send
        if day >= 0 and state.sent + recipients > day:
            raise Refused("Throttling", "Daily message quota exceeded.")
        state.room = min(rate, state.room + (now - state.at) * rate)
        state.at = now
        if state.room < min(recipients, rate):
            raise Refused("Throttling", "Maximum sending rate exceeded.")

    def check_call(self, account: tuple[str, str], now: float) -> None:
        """
        Check that a second passed since the last call that was no sending, where the allowance is realistic.

        Raises:
            Refused: Throttling (SES Developer Guide, "Service quotas in Amazon SES": one call a second).
        """
        if not self.allowance.realistic:
            return
        if now - self._asked.get(account, -_CALL) < _CALL:
            raise Refused("Throttling", "Rate exceeded")
        self._asked[account] = now

    def count(self, account: tuple[str, str], recipients: int, now: float) -> None:
        """Count *recipients* as sent."""
        state = self._of(account, now)
        state.room -= recipients
        minute = now - now % _BUCKET
        earlier = state.minutes.pop()[1] if state.minutes and state.minutes[-1][0] == minute else 0
        state.minutes.append((minute, earlier + recipients))
        state.sent += recipients

    def _of(self, account: tuple[str, str], now: float) -> _Account:
        state = self._accounts.setdefault(account, _Account(self.allowance.max_send_rate, now))
        while state.minutes and state.minutes[0][0] <= now - DAY:
            state.sent -= state.minutes.popleft()[1]
        return state
