"""
The words that labels may hold. Whatever is not among them becomes ``other``: no client and no library ever adds a
time series.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from relay.judgement.verdicts import Mode, Role, Verdict
from relay.words.values import dataclass

OTHER: Final = "other"
NOBODY: Final = "-"

COMMANDS: Final = frozenset(
    {"connect", "EHLO", "HELO", "AUTH", "STARTTLS", "MAIL", "RCPT", "DATA", "data-end", "BDAT"}
    | {"RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP"}
)
CODES: Final = frozenset(
    {211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 421, 432, 450, 451, 452, 454, 455}
    | {500, 501, 502, 503, 504, 521, 523, 530, 534, 535, 538, 550, 551, 552, 553, 554, 555, 556}
)
MECHANISMS: Final = frozenset({"PLAIN", "LOGIN", "EXTERNAL", "OAUTHBEARER", "XOAUTH2"})
AUTH_RESULTS: Final = frozenset(
    {"ok", "bad-credentials", "form", "aborted", "unavailable", "throttled", "plaintext"},
)
ROLES: Final = frozenset(role.value for role in Role)
VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)
MODES: Final = frozenset(mode.value for mode in Mode)
SES_RESULTS: Final = frozenset({"sent", "throttled", "refused", "unavailable", "ambiguous", "credentials"})
DISAGREEMENTS: Final = frozenset({"access-denied", "not-verified"})
RECIPIENT_DOMAINS: Final = frozenset({"taken", "no-such-domain", "no-mail-host", "null-mx", "unanswered"})
REPAIRS: Final = frozenset({"bare-lf", "8bit-names", "long-lines", "missing-headers"})
CHECKS: Final = frozenset(
    {"credentials", "roles", "policies", "delegates", "spool", "certificate", "listeners", "feedback", "journal"}
    | {"policy-events", "workers", "shared"}
)
#: What SES tells of mail: ``bounce`` is permanent, and what SES's limits are about.
FEEDBACK: Final = frozenset(
    {"send", "delivery", "delivery-delay", "bounce", "transient-bounce", "complaint", "reject", "rendering-failure"}
)
QUEUES: Final = ("feedback", "policies")
POLLS: Final = ("ok", "failed")
LETTERS: Final = ("taken", "known", "ignored", "malformed")
NOTICES: Final = frozenset({"queued", "not-kept", "sent", "deferred", "ambiguous"} | {"failed"})
POLICY_CHANGES: Final = frozenset(
    {"added", "changed", "removed", "identity-added", "identity-removed", "verified", "unverified"}
)
REFRESHES: Final = frozenset({"ok", "problems", "failed"})

USES: Final = frozenset({"shared", "spool"})
DELIVERIES: Final = frozenset(
    {"sent", "deferred", "ambiguous", "refused", "withdrawn", "expired", "quarantined"},
)
STATES: Final = ("due", "sending", "held", "failed", "quarantined")

LONGEST_NAME: Final = 64
MOST_REGIONS: Final = 64
MOST_ACCOUNTS: Final = 200
#: An account before STS told it.
UNKNOWN: Final = "unknown"
MOST_OPERATIONS: Final = 64

_Child = TypeVar("_Child")


class Children(dict[tuple[str, ...], _Child]):
    """
    The children of one metric by label values, each bound once: asking the metric every time costs three times as much.

    ``bind`` is the metric's ``labels``.
    """

    def __init__(self, bind: Callable[..., _Child]) -> None:
        super().__init__()
        self._bind = bind

    def __missing__(self, values: tuple[str, ...]) -> _Child:
        child = self[values] = self._bind(*values)
        return child

    def show(self, *each: tuple[str, ...]) -> None:
        """Have these on the page before they count: rate() sees no first appearance."""
        for values in each:
            if values not in self:
                self.__missing__(values)


class Heard(dict[tuple[Any, ...], _Child]):
    """
    Children by what an event says, before *read* makes labels of it, and *find* what they stand for: the common case is
    one look-up.

    Only what became itself, and not ``other``, is remembered by its own words: there are no more of those than series.
    *read* must stand by a name that it has let through.
    """

    def __init__(self, find: Callable[[tuple[str, ...]], _Child], read: Callable[..., tuple[str, ...]]) -> None:
        super().__init__()
        self._read = read
        self._find = find

    def __missing__(self, said: tuple[Any, ...]) -> _Child:
        values = self._read(*said)
        child = self._find(values)
        if OTHER not in values:
            self[said] = child
        return child


def among(words: Iterable[str]) -> Callable[[str], str]:
    """Return a reading of a word: itself when it is one of *words*, else ``other``."""
    known = frozenset(words)
    return lambda word: word if word in known else OTHER


class DelegateNames:
    """The label ``delegate``: a name of the configuration, which may get more, ``-`` for none, or ``other``."""

    def __init__(self, names: Iterable[str]) -> None:
        self._known = {NOBODY, *names}

    def admit(self, names: Iterable[str]) -> list[str]:
        """Let *names* through from now on; return those that are new."""
        new = [name for name in names if name not in self._known]
        self._known.update(new)
        return new

    def label(self, name: str) -> str:
        """Return *name* or ``other``."""
        return name if name in self._known else OTHER


class FirstNames:
    """
    Names of the configuration that this room does not know beforehand: the first *most* of them, then ``other``.

    A name is 1 to 64 of ``[A-Za-z0-9_.-]``.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: set[str] = set()

    def label(self, name: str) -> str:
        """Return *name* or ``other``."""
        if name in self._names:
            return name
        if len(self._names) >= self._most or not _is_name(name):
            return OTHER
        self._names.add(name)
        return name


def _is_name(name: str) -> bool:
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return 0 < len(name) <= LONGEST_NAME and plain.isascii() and plain.isalnum()


class IdentityNames:
    """
    The label ``identity``: at most *most* identities by name, all others together as ``other``.

    Only identities that a policy source has listed, or the configuration names (``always``), have a name here, whatever
    a client writes into its headers. The first that mail asks for keep theirs until the end of the process: a series
    that has been shown costs for as long.
    """

    def __init__(self, most: int, always: Iterable[str] = ()) -> None:
        self._most = most
        self._always = frozenset(always)
        self._listed = self._always
        self._named: dict[str, None] = {}

    def list_all(self, identities: Iterable[str]) -> None:
        """Take *identities* (ARNs), and those that are always there, for all that there are."""
        self._listed = self._always.union(identities)

    def admit(self, identities: Iterable[str]) -> None:
        """Let *identities* of the configuration through from now on."""
        self._always = self._always.union(identities)
        self._listed = self._listed | self._always

    def label(self, identity: str) -> str:
        """Return *identity*, ``-`` for none, or ``other``."""
        if identity in self._named or identity == NOBODY:
            return identity
        if len(self._named) >= self._most or identity not in self._listed:
            return OTHER
        self._named[identity] = None
        return identity

    def spread(self, identities: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Pair each identity with its name in a gauge of them all: those that mail asked for first, then in order."""
        identities = list(identities)
        named = self._named.copy()
        wanted = [name for name in identities if name in named] + [name for name in identities if name not in named]
        shown = set(wanted[: self._most])
        return ((name, name if name in shown else OTHER) for name in identities)


@dataclass(frozen=True, slots=True)
class Names:
    """What several metrics read names by; the first names of accounts and regions are the same to all."""

    delegates: DelegateNames
    listener: Callable[[str], str]
    identities: IdentityNames
    accounts: FirstNames
    regions: FirstNames
