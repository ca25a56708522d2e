"""What a peer's settings say, in words of ours, and what there is to tell of it."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Literal

from relay.owner.statements import Pattern
from relay.words.values import dataclass

Tls = Literal["off", "starttls", "implicit"]


class Kind(StrEnum):
    """What became of something the peer did."""

    KEPT = "kept"
    STRICTER = "stricter"
    DIFFERENT = "different"
    LEFT = "left behind"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True)
class Note:
    """One difference: ``subject``, as the peer spells it; why; ``place``, file and line, where there is one."""

    kind: Kind
    subject: str
    why: str
    place: str = ""

    def __str__(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.subject}{where}: {self.why}"


class CannotMigrate(ValueError):
    """The peer's settings cannot be carried over. ``problems``: every reason, with its place, and what helps."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Door:
    """A listener: ``host:port``, how TLS begins, whether everybody must AUTH."""

    address: str
    tls: Tls = "off"
    require_auth: bool = True

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        host = self.address.rpartition(":")[0]
        return host.startswith("127.") or host in {"[::1]", "localhost"}


@dataclass(frozen=True, slots=True)
class Client:
    """
    Who could send through the peer, a delegate to be.

    ``addresses``: what it might send as; None: anything. ``recipients``: to whom, all of them; empty: anybody.
    ``not_as``, ``not_to``: what it might not, whatever the others say. ``hashes``: of its password; no repr shows them.
    ``arns``: identities for ``default_source_arn`` and its neighbours. ``called``: its name at the peer.
    """

    name: str
    called: str = ""
    addresses: tuple[Pattern, ...] | None = None
    authors: tuple[Pattern, ...] | None = None
    recipients: tuple[Pattern, ...] = ()
    not_as: tuple[Pattern, ...] = ()
    not_to: tuple[Pattern, ...] = ()
    hashes: tuple[str, ...] = field(default=(), repr=False)
    password: str = field(default="", repr=False)
    has_password: bool = True
    allowed_networks: tuple[str, ...] = ()
    trusted_networks: tuple[str, ...] = ()
    arns: Mapping[str, str] = field(default_factory=dict)
    configuration_set: str = ""
    return_path: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a peer's settings say.

    ``keys``: further keys of relay.toml by section, as TOML values. ``is_large``: messages may be too large for
    ``SendRawEmail``, so that policies must allow ``ses:SendEmail`` as well.
    """

    peer: str
    doors: tuple[Door, ...]
    clients: tuple[Client, ...]
    certificate: str = ""
    key: str = ""
    region: str = ""
    is_large: bool = False
    mode: Literal["direct", "spool"] = "direct"
    keys: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    What only the operator knows.

    ``account``: the owner of the identities. ``delegate``: the name of those who need no AUTH. ``principal``: an ARN in
    which ``{name}`` stands for the delegate's. ``trust``: networks whose clients need no AUTH, where the peer let in
    everybody. The patterns take the place of the peer's regular expressions.
    """

    account: str = ""
    region: str = ""
    identities: tuple[str, ...] = ()
    principal: str = ""
    delegate: str = ""
    trust: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    authors: tuple[Pattern, ...] = ()
    recipients: tuple[Pattern, ...] = ()
    not_to: tuple[Pattern, ...] = ()
