"""What is known of identities at SES, as it is kept over a restart and handed to the judge."""

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from relay.identities.names import partition_of
from relay.judgement.catalog import Identity
from relay.policy.document import Policy, UnreadablePolicy
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

NOT_READ: Final = "it was not read from SES yet"
VERIFIED_SINCE: Final = "it was verified after it had been read from SES"


@dataclass(frozen=True, slots=True)
class KnownIdentity:
    """
    One identity of a list.

    ``may_send``: what the list says, or the reading if it is younger. ``read_at``: when status and policies were read,
    in seconds since the epoch, None if never. ``verified`` and ``policies``, texts by name, are what was read then.
    ``refused``: why the last reading failed, if SES said no.
    """

    name: str
    may_send: bool
    read_at: float | None = None
    verified: bool = False
    policies: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""

    @property
    def matters(self) -> bool:
        """Whether it can matter to mail: what is not verified neither grants nor takes precedence."""
        return self.may_send or self.verified

    @property
    def decides(self) -> bool:
        """Whether what was read of it can decide over mail, if it is young enough."""
        return self.read_at is not None and self.verified


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """
    One account in one region. ``listed_at`` in seconds since the epoch, ``pages``: of the list; ``allowed_at``: when
    mail was allowed last by each identity in use.
    """

    account: str
    region: str
    listed_at: float
    pages: int = 1
    identities: tuple[KnownIdentity, ...] = ()
    allowed_at: Mapping[str, float] = field(default_factory=dict)


def identity_of(
    known: KnownIdentity, account: str, region: str, policies: tuple[Policy | UnreadablePolicy, ...]
) -> Identity:
    """Return what the judge is handed; *policies* are those of *known*, read."""
    arn = IdentityArn(partition_of(region), region, account, known.name)
    read_at = known.read_at or 0.0
    if not known.matters:
        return Identity(arn, verified=False, read_at=read_at)
    if known.decides:
        return Identity(arn, verified=True, policies=policies, read_at=read_at)
    why = known.refused or (NOT_READ if known.read_at is None else VERIFIED_SINCE)
    return Identity(arn, verified=True, read_at=read_at, problem=why)
