"""
One policy of one identity brought from what was read to what is wanted, in steps that lose nothing and hide nothing:
read again, the old text put aside, put or deleted, read back.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final

from relay.identities.accounts import Away, AwsProblem, Refused
from relay.identities.names import partition_of
from relay.identities.ses_api import SesApi
from relay.owner.backups import Backup
from relay.owner.comparing import is_same
from relay.policy.lint import MOST_POLICIES
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: How often SES is read until it says what was put: it does not promise that a reading sees the last writing.
READ_BACKS: Final = 3
#: How SES says that somebody else, or our own call whose answer was lost, made it first.
_EXISTS: Final = "AlreadyExistsException"


class Did(StrEnum):
    """What was done to a policy."""

    CREATED = "created"
    REPLACED = "replaced"
    DELETED = "deleted"
    NOTHING = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """
    One policy of one identity, by their names, from a text to a text; None for no policy.

    ``expected``: the text that was read, and shown to whoever agreed to the change.
    """

    identity: str
    name: str
    expected: str | None
    new: str | None

    def __str__(self) -> str:
        return f"policy {self.name} of {self.identity}"


@dataclass(frozen=True, slots=True)
class Put:
    """What was done, and where the old text lies now, if there was one."""

    did: Did
    backup: Path | None = None


class PuttingProblem(Exception):
    """It is not at SES as it was wanted. ``str()`` is a sentence; ``found``: the text there, None for none."""

    def __init__(self, why: str, found: str | None = None) -> None:
        super().__init__(why)
        self.found = found


class ChangedMeanwhile(PuttingProblem):
    """Somebody else changed the policy since it was read. Nothing was done."""


class NoRoom(PuttingProblem):
    """The identity has as many policies as SES takes. Nothing was done."""


class ReadBackOtherwise(PuttingProblem):
    """SES took the call, and has something else than ``wanted``. ``backup``: where the old text lies."""

    def __init__(self, why: str, found: str | None, wanted: str | None, backup: Path | None) -> None:
        super().__init__(why, found)
        self.wanted = wanted
        self.backup = backup


class Unclear(PuttingProblem):
    """SES was lost sight of in the middle: whether it did it is not known."""


def arn_at(api: SesApi, identity: str) -> IdentityArn:
    """Return the ARN of the identity of this name at *api*."""
    return IdentityArn(partition_of(api.region), api.region, api.account, identity)


def put_policy(api: SesApi, change: Change, backup: Backup) -> Put:
    """
    Make one change.

    What SES has is held against what was expected right before the call. SES has no call that does both: a change of
    somebody else's in the second between them goes unseen, unless both put a policy of a new name.

    Raises:
        ChangedMeanwhile: SES has something else than was expected by now.
        NoRoom: The identity has 20 policies.
        BackupProblem: The old text could not be put aside. In these three cases nothing was changed.
        ReadBackOtherwise: SES took it, and does not have it.
        Unclear: SES went away in the middle.
        AwsProblem: SES refused it, or was away before anything was changed.

    """
    held = api.policies(change.identity)
    old = held.get(change.name)
    if not is_same(old, change.expected):
        raise ChangedMeanwhile(f"{change} {_what_became(old, change.expected)} by somebody else meanwhile", old)
    if is_same(old, change.new):
        return Put(Did.NOTHING)
    if old is None and len(held) >= MOST_POLICIES:
        raise NoRoom(f"{change.identity} has {len(held)} policies; SES takes {MOST_POLICIES}")
    kept = None if old is None else backup.keep(arn_at(api, change.identity), change.name, old)
    _read_back(api, change, _write(api, change), kept)
    return Put(Did.DELETED if change.new is None else Did.CREATED if old is None else Did.REPLACED, kept)


def _what_became(old: str | None, expected: str | None) -> str:
    return "was deleted" if old is None else "was put" if expected is None else "was changed"


def _write(api: SesApi, change: Change) -> AwsProblem | None:
    """Make the call; return the problem of an answer that did not come, or that came to a call made twice."""
    try:
        if change.new is None:
            api.delete_policy(change.identity, change.name)
        elif change.expected is None:
            api.create_policy(change.identity, change.name, change.new)
        else:
            api.update_policy(change.identity, change.name, change.new)
    except Away as away:
        return away
    except Refused as refused:
        if refused.code != _EXISTS:
            raise
        return refused
    return None


def _read_back(api: SesApi, change: Change, lost: AwsProblem | None, kept: Path | None) -> None:
    """Look whether SES has what it was given. *lost*: what went wrong in the call; *kept*: where the old text lies."""
    found: str | None = None
    for _ in range(READ_BACKS):
        try:
            found = api.policies(change.identity).get(change.name)
        except AwsProblem as problem:
            raise Unclear(f"whether SES has changed {change} is not known: {problem}") from problem
        if is_same(found, change.new):
            return
    if isinstance(lost, Refused):
        raise ChangedMeanwhile(f"{change} was put by somebody else meanwhile", found)
    if lost is not None:
        raise lost
    says = "still has it" if change.new is None else "has none" if found is None else "has another text"
    raise ReadBackOtherwise(f"SES took the call for {change}, and {says}", found, change.new, kept)
