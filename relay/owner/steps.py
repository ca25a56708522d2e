"""One change of one policy, and for whom it opens or closes something. Pure."""

import json
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from relay.policy.document import Policy, parse_policy
from relay.policy.lint.ses_actions import SENDING
from relay.policy.statements import Statement
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: Accounts, and whatever else a caller may be; :data:`EVERYBODY` in it is everybody.
People: TypeAlias = frozenset[str]
EVERYBODY: Final = "*"
NOBODY: Final[People] = frozenset()
ALL: Final[People] = frozenset({EVERYBODY})
#: What a hold is known by, for whoever finds it in the console of SES.
HOLD_SID: Final = "SesRelayApplyUnderWay"
#: Accounts that a hold names one by one; of more it is for everybody.
_MOST_NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Step:
    """
    One policy of one identity, from the text that SES has to another; None for no policy.

    ``is_hold``: the text is neither of the two ends, but a Deny until the other policies are in place.
    """

    identity: IdentityArn
    name: str
    before: str | None
    after: str | None
    is_hold: bool = False

    @property
    def verb(self) -> str:
        """What is done: add, change or delete; hold."""
        if self.is_hold:
            return "hold"
        return "add" if self.before is None else "delete" if self.after is None else "change"


@dataclass(frozen=True, slots=True)
class Bearing:
    """Whom the statements are about that a step brings and takes; nobody where there are none."""

    adds_denies: People
    drops_denies: People
    adds_allows: People
    drops_allows: People

    @property
    def tightens(self) -> People:
        """For whom less may be allowed after it."""
        return self.adds_denies | self.drops_allows

    @property
    def loosens(self) -> People:
        """For whom more may be allowed after it."""
        return self.adds_allows | self.drops_denies


def meet(some: People, others: People) -> bool:
    """Whether one caller may be among both."""
    if not (some and others):
        return False
    return EVERYBODY in some or EVERYBODY in others or not some.isdisjoint(others)


def bearing_of(step: Step) -> Bearing:
    """Compare the statements of both texts. One that cannot be read may hold anything."""
    old, new = _read(step.before), _read(step.after)
    if old is None or new is None:
        dropped, added = (ALL if text is not None else NOBODY for text in (step.before, step.after))
        return Bearing(added, dropped, added, dropped)
    here, there = {_key(statement) for statement in old}, {_key(statement) for statement in new}
    comes = [statement for statement in new if _key(statement) not in here]
    goes = [statement for statement in old if _key(statement) not in there]
    return Bearing(_people(comes, "Deny"), _people(goes, "Deny"), _people(comes, "Allow"), _people(goes, "Allow"))


def concerned_by(step: Step) -> People:
    """Whom the two texts of *step* are about at all."""
    found = NOBODY
    for text in (step.before, step.after):
        statements = _read(text)
        found |= ALL if statements is None else _people(statements, "Allow") | _people(statements, "Deny")
    return found


def hold_text(identity: IdentityArn, people: People) -> str:
    """Return a policy that denies *people* all sending under *identity*."""
    are_accounts = len(people) <= _MOST_NAMED and all(len(one) == 12 and one.isdecimal() for one in people)
    statement = {
        "Sid": HOLD_SID,
        "Effect": "Deny",
        "Principal": {"AWS": sorted(people)} if people and are_accounts else "*",
        "Action": list(SENDING),
        "Resource": str(identity),
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def is_hold_text(text: str) -> bool:
    """Whether *text* is a hold, left by a run that ended early."""
    statements = _read(text) or ()
    return len(statements) == 1 and statements[0].ref.sid == HOLD_SID and statements[0].effect == "Deny"


def _read(text: str | None) -> tuple[Statement, ...] | None:
    policy = None if text is None else parse_policy("", text)
    return () if policy is None else policy.statements if isinstance(policy, Policy) else None


def _key(statement: Statement) -> tuple[object, ...]:
    """What a statement says, wherever it stands and whatever it is called."""
    return (
        statement.effect,
        statement.principals,
        statement.actions,
        statement.resources,
        statement.conditions,
    )


def _people(statements: Iterable[Statement], effect: str) -> People:
    return frozenset(one for s in statements if s.effect == effect for one in _named_by(s))


def _named_by(statement: Statement) -> Iterator[str]:
    """The accounts of users, roles and sessions, whatever else is named; everybody where that says too little."""
    named = statement.principals
    if named.negated or named.everyone or named.any_text:
        yield EVERYBODY
        return
    yield from named.members_of
    yield from (account for _, account in named.accounts)
    yield from (f"text {text}" for text in named.texts)
