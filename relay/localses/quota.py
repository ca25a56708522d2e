"""Sending quota and rate of each account and region: counted always, enforced when asked."""

from collections import deque
from dataclasses import field, replace
from typing import Final

from relay.localses.owners import Owner
from relay.localses.refusals import Refused
from relay.localses.standing import SANDBOX_QUOTA, SANDBOX_RATE, Standing, Standings
from relay.words.values import dataclass

DAY: Final = 86_400.0
_BUCKET: Final = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """
    What every account may send, in recipients: a second, and in a rolling day (-1 is unlimited).

    Not ``enforced``, it is only told (GetSendQuota) and never refuses anything. A ``realistic`` one minds what laptops
    like to forget: other calls than sending are ``calls_per_second`` (SES Developer Guide, "Service quotas in Amazon
    SES"), and nobody sends from an address that nobody verified. ``sandbox``: every account is in it.
    """

    max_send_rate: float = 1_000.0
    max_24_hour_send: float = 1_000_000.0
    enforced: bool = False
    realistic: bool = False
    calls_per_second: float = 1.0
    sandbox: bool = False


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
        self.standings = Standings(Standing(sandbox=allowance.sandbox))
        self._accounts: dict[Owner, _Account] = {}
        self._asked: dict[Owner, float] = {}

    def allowance_of(self, account: Owner) -> Allowance:
        """Return what the account may send: in the sandbox, not more than that has, and it is enforced."""
        if not self.standings.of(account).sandbox:
            return self.allowance
        day = self.allowance.max_24_hour_send
        return replace(
            self.allowance,
            max_send_rate=min(self.allowance.max_send_rate, SANDBOX_RATE),
            max_24_hour_send=min(day, SANDBOX_QUOTA) if day >= 0 else SANDBOX_QUOTA,
            enforced=True,
        )

    def sent_in_24_hours(self, account: Owner, now: float) -> int:
        """Return the recipients of the last 24 hours, by the minute."""
        return self._of(account, now).sent

    def check(self, account: Owner, recipients: int, now: float, *, counted: int | None = None) -> None:
        """
        Check that *recipients* more fit; *counted* of them (else all) are for the day: those of the simulator are not.

        A message of more recipients than a second holds passes when the whole second is free, and is paid off after.

        Raises:
            Refused: Throttling.
        """
        allowance = self.allowance_of(account)
        if not allowance.enforced:
            return
        state = self._of(account, now)
        rate, day = allowance.max_send_rate, allowance.max_24_hour_send
        for_the_day = recipients if counted is None else counted
        if day >= 0 and for_the_day and state.sent + for_the_day > day:
            raise Refused("Throttling", "Daily message quota exceeded.")
        state.room = min(rate, state.room + (now - state.at) * rate)
        state.at = now
        if state.room < min(recipients, rate):
            raise Refused("Throttling", "Maximum sending rate exceeded.")

    def check_call(self, account: Owner, now: float) -> None:
        """
        Check that the time between two calls passed since the last that was no sending, where that is realistic.

        Raises:
            Refused: Throttling.
        """
        if not self.allowance.realistic:
            return
        between = 1 / self.allowance.calls_per_second
        if now - self._asked.get(account, -between) < between:
            raise Refused("Throttling", "Rate exceeded")
        self._asked[account] = now

    def count(self, account: Owner, recipients: int, now: float, *, counted: int | None = None) -> None:
        """Count *recipients* as sent, *counted* (else all) of them for the day."""
        state = self._of(account, now)
        state.room -= recipients
        minute = now - now % _BUCKET
        earlier = state.minutes.pop()[1] if state.minutes and state.minutes[-1][0] == minute else 0
        for_the_day = recipients if counted is None else counted
        state.minutes.append((minute, earlier + for_the_day))
        state.sent += for_the_day

    def _of(self, account: Owner, now: float) -> _Account:
        state = self._accounts.setdefault(account, _Account(self.allowance_of(account).max_send_rate, now))
        while state.minutes and state.minutes[0][0] <= now - DAY:
            state.sent -= state.minutes.popleft()[1]
        return state
