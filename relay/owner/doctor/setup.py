"""What the doctor is shown: the relay's settings, as plain values."""

from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from relay.dns.servers import Server
from relay.identities.accounts import Accounts
from relay.judgement.catalog import Catalog
from relay.spools import Place as SpoolServer
from relay.words.delegates import Delegate
from relay.words.roles import AssumedRole
from relay.words.values import dataclass

#: An account and a region.
Place: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Listening:
    """A listener. ``is_proxied``: it speaks to none but balancers that use the PROXY protocol."""

    host: str
    port: int
    tls: Literal["off", "starttls", "implicit"]
    is_proxied: bool = False

    @property
    def address(self) -> str:
        """Host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that listeners show, with what signs it, and its key."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where the spool is: its file, or else a ``server``. Octets: of its bound, and of the largest message."""

    path: Path | None
    max_bytes: int
    message_bytes: int
    server: SpoolServer | None = None


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with a secret in it. ``named_by``: the key of the settings; its text is never read here."""

    named_by: str
    path: Path


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner of identities, as [[policies.owner]] has it. ``source``: where its policies come from."""

    account: str
    regions: tuple[str, ...]
    role_arn: str | None
    external_id: str | None = field(repr=False)
    source: Literal["ses", "directory", "sealed"]


@dataclass(frozen=True, slots=True)
class DelegateAtAws:
    """
    A delegate, and what of it concerns AWS.

    ``role``: what its mail is sent as; None for the relay's own identity. ``identities``: names or ARNs of those that
    the settings say it uses.
    """

    delegate: Delegate
    role: AssumedRole | None = None
    identities: tuple[str, ...] = ()
    configuration_sets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The delegate's name."""
        return self.delegate.name


@dataclass(frozen=True, slots=True)
class Setup:
    """
    A relay's settings.

    ``region`` is ``ses.region`` or what the environment says. ``spool`` is None where nothing is ever kept,
    ``policies`` (the folder) where policies come from SES. Seconds: ``refresh_interval``, ``max_stale``. ``resolvers``:
    who is asked about records. ``api_rate``: calls a second to read policies by. ``shared_url``: of the Redis that
    relays share; it may hold a password.
    """

    hostname: str
    region: str | None
    endpoint_url: str | None
    listeners: tuple[Listening, ...]
    certificate: Certificate | None
    spool: SpoolPlace | None
    admin: tuple[str, int]
    secrets: tuple[SecretFile, ...]
    delegates: tuple[DelegateAtAws, ...]
    owners: tuple[Owner, ...]
    policies: Path | None
    refresh_interval: float
    max_stale: float
    resolvers: tuple[Server, ...] = ()
    api_rate: float = 0.5
    shared_url: str | None = field(default=None, repr=False)

    @property
    def asks_aws_itself(self) -> bool:
        """Whether SES and STS are AWS's own, and not an embedded one."""
        host = urlsplit(self.endpoint_url or "").hostname or ""
        return self.endpoint_url is None or host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))

    def regions(self) -> tuple[str, ...]:
        """Every region that is named: that of the settings first, then those of the owners."""
        named = [self.region, *(region for owner in self.owners for region in owner.regions)]
        return tuple(dict.fromkeys(region for region in named if region is not None))

    def places(self) -> Iterator[tuple[Owner, str]]:
        """Every owner with each of its regions; one without any is asked about in ours."""
        for owner in self.owners:
            for region in owner.regions or self.regions()[:1]:
                yield owner, region


@dataclass(slots=True)
class Caller:
    """Whom AWS takes us for."""

    account: str
    arn: str


@dataclass(slots=True)
class Means:
    """
    With what the doctor asks AWS, and what it has learnt that others need.

    ``own``: by the relay's own credentials; ``owners``: through the roles that owners lend; ``lent``: as a role that a
    delegate's mail is sent as. ``now`` tells seconds since the epoch. ``caller``: known once the credentials have been
    looked at; ``folder``: once the folder of policies has been read; ``with_events``: the configuration sets of
    delegates that were seen to publish events.
    """

    own: Accounts
    owners: Accounts
    now: Callable[[], float]
    lent: Callable[[AssumedRole], Accounts]
    caller: Caller | None = None
    folder: Catalog | None = None
    with_events: set[str] = field(default_factory=set)

    def known_caller(self) -> Caller:
        """Return the caller, in looks that need the credentials."""
        if self.caller is None:
            raise LookupError("a look at credentials comes first")
        return self.caller
