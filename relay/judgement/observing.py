"""
Observing: what policies do not allow is forwarded and told, to adopt the relay in a house where mail already runs.

Only verdicts of policies are spared. A message still needs an identity that is known to govern each of its addresses:
the call to SES names its ARN, and there is none to name where the list of identities is not known, or where it is not
known whether what governs is verified. Such a message waits (451), as under enforce.
"""

import math
from typing import Final

from relay.judgement.choice import Governing, Ungoverned
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Mode, Verdict
from relay.words.delegates import Delegate

NEVER: Final = 0.0
ALWAYS: Final = math.inf


def observed_until(delegate: Delegate, rules: Rules) -> float:
    """
    Tell when observing *delegate* ends, in seconds since the epoch; :data:`ALWAYS` for no end, :data:`NEVER` for none.

    The delegate's own mode and end go before those of all.
    """
    if (delegate.mode or rules.mode) != "observe":
        return NEVER
    until = rules.observe_until if delegate.observe_until is None else delegate.observe_until
    return ALWAYS if until is None else until


def is_observed(delegate: Delegate, rules: Rules, now: float) -> bool:
    """Whether mail of *delegate* is only observed at *now*; at its end observing is over."""
    return (delegate.mode or rules.mode) == "observe" and now < observed_until(delegate, rules)


def mode_of(delegate: Delegate, rules: Rules, now: float) -> Mode:
    """Return the mode in which mail of *delegate* is judged at *now*."""
    return Mode.OBSERVE if is_observed(delegate, rules, now) else Mode.ENFORCE


def is_spared(verdict: Verdict, found: Governing | Ungoverned) -> bool:
    """Whether observing forwards a message in spite of this answer to one of its questions."""
    if not isinstance(found, Governing) or not found.identity.verified:
        return False
    return verdict in {Verdict.DENIED, Verdict.NOT_ALLOWED, Verdict.UNDECIDED}
