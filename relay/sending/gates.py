"""
The gates before SES: one for each account and region, one for each role, one for each identity. A gate that is shut
lets one message through from time to time, to see; all others wait without being tried.

Outages shut after several failures in a row, and are tried again within a minute. What a person must mend, or midnight,
shuts at the first word, and is tried rarely. Opened again a gate lets few through at once, then more with each success:
an outage ends without a stampede.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from relay.sending.outcomes import Outcome, Refused, Sent
from relay.sending.troubles import Lane, Trouble, trouble_of
from relay.words.endings import Reason
from relay.words.values import dataclass

#: Failures in a row that make an outage.
OUTAGE_FAILURES: Final = 5
#: Calls at once when nothing is known yet; each success allows one more.
FIRST_WINDOW: Final = 4
#: Seconds to the first probe, and the longest between two; they double.
PAUSES: Final = {
    Trouble.OUTAGE: (1.0, 60.0),
    Trouble.CREDENTIALS: (5.0, 120.0),
    Trouble.PAUSED: (10.0, 600.0),
    Trouble.NOT_LET: (10.0, 600.0),
    Trouble.QUOTA: (60.0, 1800.0),
}
#: A probe that nobody ever told the end of is given up after so long.
PROBE_SECONDS: Final = 180.0

REASONS: Final = {
    Trouble.OUTAGE: Reason.SES_UNAVAILABLE,
    Trouble.RATE: Reason.SES_THROTTLED,
    Trouble.QUOTA: Reason.SES_THROTTLED,
    Trouble.CREDENTIALS: Reason.SES_CREDENTIALS,
    Trouble.PAUSED: Reason.SES_REFUSED,
    Trouble.NOT_LET: Reason.SES_REFUSED,
}


@dataclass(frozen=True, slots=True)
class Gate:
    """
    How it stands with one account and region, or one identity. Times are monotonic seconds.

    ``window``: calls at once. ``failures``: in a row. ``trouble``: why it is shut, None when open; ``probes`` failed
    since. ``probed_at``: when the probe under way began.
    """

    window: int = FIRST_WINDOW
    failures: int = 0
    trouble: Trouble | None = None
    shut_at: float = 0.0
    opens_at: float = 0.0
    probes: int = 0
    probed_at: float | None = None

    def admits(self, now: float) -> bool:
        """Whether a message may go: the gate is open, or it is time to probe and nobody does."""
        if self.trouble is None:
            return True
        is_probed = self.probed_at is not None and now < self.probed_at + PROBE_SECONDS
        return now >= self.opens_at and not is_probed


def after_success(gate: Gate, most: int, times: int = 1) -> Gate:
    """SES took one, or so many: open, and for each one more at once, up to *most*."""
    is_as_good = gate.window == most and gate.trouble is None and not gate.failures
    return gate if is_as_good else Gate(window=min(gate.window + times, most))


def after_word(gate: Gate) -> Gate:
    """SES answered about one message, for good or ill: it is there and knows us."""
    return gate if gate.trouble is None and not gate.failures else replace(Gate(), window=gate.window)


def after_trouble(gate: Gate, trouble: Trouble, now: float, chance: float) -> Gate:
    """
    Something is wrong with more than one message.

    Args:
        chance: In [0, 1): many relays do not probe in step.
    """
    failures = gate.failures + 1
    if trouble is Trouble.RATE:  # SES is there, knows us, and has had enough for the moment
        return Gate(window=max(1, gate.window // 2))
    if trouble is Trouble.OUTAGE and gate.trouble is None and failures < OUTAGE_FAILURES:
        return replace(gate, failures=failures)
    first, longest = PAUSES[trouble]
    is_probe = gate.trouble is not None and gate.probed_at is not None
    probes = gate.probes + 1 if is_probe else gate.probes
    pause = min(longest, first * 2.0 ** min(probes, 30)) * (0.75 + chance / 2)
    if gate.trouble is not None and not is_probe:  # a call that began before the gate was shut
        return replace(gate, failures=failures)
    return Gate(
        window=1,
        failures=failures,
        trouble=trouble,
        shut_at=now if gate.trouble is None else gate.shut_at,
        opens_at=now + pause,
        probes=probes,
    )


Key: TypeAlias = tuple[str, ...]


class Gates:
    """
    All gates. ``most`` calls at once in each account and region; ``now`` is monotonic; ``chance`` draws from [0, 1).

    Who was admitted owes :meth:`told`, or :meth:`leave` when no call was made.
    """

    def __init__(self, *, most: int, now: Callable[[], float], chance: Callable[[], float]) -> None:
        self._most = most
        self._now = now
        self._chance = chance
        self._gates: dict[Key, Gate] = {}
        self._are_shut: set[Key] = set()  # as long as it is empty, no message has to ask for each gate of its own

    def admit(self, lane: Lane) -> bool:
        """Whether a message may be tried on *lane* now. At a shut gate whoever is admitted is the probe."""
        if not self._are_shut:
            return True
        shut = [key for key in keys_of(lane) if key in self._are_shut]
        now = self._now()
        if not all(self._gates[key].admits(now) for key in shut):
            return False
        for key in shut:
            self._gates[key] = replace(self._gates[key], probed_at=now)
        return True

    def leave(self, lane: Lane) -> None:
        """Nothing was tried after all: the next may be the probe."""
        for key in keys_of(lane):
            if key in self._gates:
                self._gates[key] = replace(self._gates[key], probed_at=None)

    def told(self, lane: Lane, outcome: Outcome, times: int = 1) -> None:
        """Learn from what came of a call; of those that went well, from so many *times* the same at once."""
        account, *others = keys = keys_of(lane)
        if isinstance(outcome, Sent):
            self._gates[account] = after_success(self._gates.get(account, _UNKNOWN), self._most, times)
            self._open(account, others)
            return
        trouble = trouble_of(outcome)
        match outcome:
            case Refused():
                self._gates[account] = after_word(self._gate(account))
                self._open(account, others)
            case _ if trouble is None:
                self.leave(lane)
            case _ if trouble is Trouble.NOT_LET:
                self._gates[account] = after_word(self._gate(account))
                self._open(account, others[:-1])
                self._shut(lane, keys[-1], trouble)
            case _:
                self._shut(lane, keys[-2] if trouble is Trouble.CREDENTIALS else account, trouble)

    def mended(self, session: str) -> None:
        """The role of *session* can be assumed again: what waits for that may be tried at once."""
        for key, gate in self._gates.items():
            if key[0] == session and gate.trouble is Trouble.CREDENTIALS:
                self._gates[key] = replace(gate, opens_at=self._now(), probed_at=None)

    def forget(self, session: str) -> None:
        """Nobody calls as *session* any more: what waited for it goes another way."""
        for key in [key for key in self._gates if key[0] == session]:
            del self._gates[key]
        self._are_shut &= self._gates.keys()

    def window(self, lane: Lane) -> int:
        """How many calls at once its account and region bear."""
        return self._gate((lane.account, lane.region)).window

    def trouble(self, lane: Lane) -> Trouble | None:
        """What shuts *lane*, if anything."""
        return next((gate.trouble for gate in map(self._gate, keys_of(lane)) if gate.trouble is not None), None)

    def reason(self, lane: Lane) -> Reason:
        """Why *lane* is shut, as it is counted."""
        trouble = self.trouble(lane)
        return Reason.NONE if trouble is None else REASONS[trouble]

    def wait(self, lane: Lane) -> float:
        """Seconds until *lane* may be probed; 0 when it is open or may be probed now."""
        return max(0.0, *(gate.opens_at - self._now() for gate in map(self._gate, keys_of(lane)) if gate.trouble), 0.0)

    def shut_for(self, lane: Lane) -> float:
        """Seconds for which *lane* has been shut; 0 when it is open."""
        return max((self._now() - gate.shut_at for gate in map(self._gate, keys_of(lane)) if gate.trouble), default=0.0)

    def troubles(self) -> dict[str, Trouble]:
        """Every gate that is shut, by account and region, or identity; for people."""
        return {" ".join(key): gate.trouble for key, gate in self._gates.items() if gate.trouble is not None}

    def shut(self) -> dict[Key, Reason]:
        """Every gate that is shut, with why."""
        return {key: REASONS[gate.trouble] for key, gate in self._gates.items() if gate.trouble is not None}

    def _gate(self, key: Key) -> Gate:
        return self._gates.get(key, _UNKNOWN)

    def _open(self, account: Key, others: Sequence[Key]) -> None:
        """Open the gate of *account*, of which more is known than that, and forget the *others*: all is well there."""
        for key in others:
            self._gates.pop(key, None)
        if self._are_shut:
            self._are_shut.difference_update((account, *others))

    def _shut(self, lane: Lane, key: Key, trouble: Trouble) -> None:
        """Shut one gate of *lane*; of the others the probe has told nothing."""
        gate = self._gate(key)
        self.leave(lane)
        gate = self._gates[key] = after_trouble(gate, trouble, self._now(), self._chance())
        if gate.trouble is None:  # throttled: whoever says so is there
            self._are_shut.discard(key)
        else:
            self._are_shut.add(key)


_UNKNOWN: Final = Gate()


def keys_of(lane: Lane) -> tuple[Key, ...]:
    """
    Name the gates of *lane*: its account's first, its identity's for whoever calls last, and before that one the
    caller's: of a role; the relay's own key stands for its account.
    """
    account = (lane.account, lane.region)
    if not lane.session:
        return account, (lane.identity,)
    return account, (lane.session, lane.region), (lane.session, lane.identity)
