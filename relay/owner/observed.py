"""A message that really happened, read from its decision record so that the judge can be asked again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from relay.judgement.verdicts import Role
from relay.mail.facts import DisplayName, MessageFacts
from relay.observe.records import SCHEMA_VERSION
from relay.words.addresses import Address, AddressProblem, parse_address
from relay.words.delegates import Delegate
from relay.words.endings import Outcome, Reason
from relay.words.transactions import Envelope

HASHED: Final = "hash:"
SEVERITY: Final = ("denied", "not-allowed", "undecided", "sealed", "allowed")

#: What the judge says where nobody verified the address: the one refusal without an identity that can be asked again.
_UNVERIFIED: Final = "no verified identity covers "
#: What it says where a policy names the delegate's account, and the delegate's settings do not let that count.
_ACCOUNT_ONLY: Final = "only the delegate's whole account is granted"
_NAMED_BY: Final = " is named by "
_AGREEING: Final = " must allow as well"
#: Rows that are remembered: most of a week's are alike.
_REMEMBERED: Final = 1 << 16
_FIELDS: Final = {
    "source_arn": "X-SES-SOURCE-ARN",
    "from_arn": "X-SES-FROM-ARN",
    "return_path_arn": "X-SES-RETURN-PATH-ARN",
}
_ORIGINS: Final = frozenset(_FIELDS.values()) | {f"default_{field}" for field in _FIELDS}
_REASONS: Final = {
    "denied": Reason.POLICY_DENIED,
    "not-allowed": Reason.POLICY_NOT_ALLOWED,
    "undecided": Reason.POLICY_UNDECIDED,
}
_JUDGED: Final = frozenset({*_REASONS.values(), Reason.IDENTITY_UNKNOWN})


class HashedAddresses(ValueError):
    """The record holds hashes where its addresses were: nothing can be judged by them."""

    def __init__(self) -> None:
        super().__init__(
            'the addresses in this log are hashed ([log] addresses = "hash"): policies speak of addresses, so such '
            'records cannot be judged again; write logs with addresses = "plain" for this'
        )


class NotReplayable(StrEnum):
    """Why a record cannot be judged again: what decided over the message was no policy."""

    FORM = "form"
    IDENTITY = "identity"
    UNASKED = "unasked"
    SEALED = "sealed"
    DELEGATE = "delegate"
    UNREADABLE = "unreadable"

    @property
    def why(self) -> str:
        """The reason in words."""
        return {
            NotReplayable.FORM: "refused for the form of the message or of an address",
            NotReplayable.IDENTITY: "answered without an identity that could be asked again",
            NotReplayable.UNASKED: "ended before a policy was asked",
            NotReplayable.SEALED: "judged by SES alone, and the folder does not hold the owner's policies",
            NotReplayable.DELEGATE: "of a delegate that the settings do not name",
            NotReplayable.UNREADABLE: "not readable as a decision record, or of a later version",
        }[self]


@dataclass(frozen=True, slots=True)
class ObservedRole:
    """
    One question that was asked: the address, the ARN of the identity that governed, None when none did.

    ``agreeing``: the ARNs of others of the same owner that had to allow it as well. ``digests``: of the policy
    texts that were read.
    """

    role: str
    address: Address
    identity: str | None
    verdict: str
    agreeing: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What was or would be answered: the verdict on the whole message, the reason, and the statements that decided.

    ``verdict``: allowed, sealed, denied, not-allowed, undecided, refused (no policy's doing), or ``heard``: not refused
    at MAIL, and what comes after is not known.
    """

    verdict: str
    reason: str
    deciding: frozenset[str] = frozenset()

    @property
    def is_allowed(self) -> bool:
        """Whether the message might go, as far as policies matter."""
        return self.verdict in {"allowed", "sealed"}


@dataclass(frozen=True, slots=True)
class Observed:
    """
    One message as it was judged.

    ``time``: seconds since the epoch. ``author`` is None for a message refused at MAIL, before anybody saw it.
    ``mail_from`` is what took MAIL FROM's place when it was judged. ``named``: the field or setting that named an
    identity, and its ARN. ``lacks_account_grant``: a grant to the delegate's whole account was seen not to count.
    """

    id: str
    time: float
    delegate: str
    principal: str | None
    author: Address | None
    feedback: Address
    mail_from: Address
    recipients: tuple[str, ...]
    display_name: DisplayName | None
    named: tuple[tuple[str, str], ...]
    roles: tuple[ObservedRole, ...]
    answer: Answer
    outcome: str
    api: str | None
    lacks_account_grant: bool = False

    @property
    def was_sent(self) -> bool:
        """Whether it went out, or lies in the spool to."""
        return self.outcome in {Outcome.ACCEPTED, Outcome.QUEUED}

    def facts(self) -> MessageFacts | None:
        """Return what the judge is told of the message; None when nobody saw it."""
        if self.author is None:
            return None
        named = dict(self.named)
        return MessageFacts(
            author=self.author,
            display_name=self.display_name,
            return_path=None if self.feedback == self.mail_from else self.feedback,
            source_arn=named.get(_FIELDS["source_arn"]),
            from_arn=named.get(_FIELDS["from_arn"]),
            return_path_arn=named.get(_FIELDS["return_path_arn"]),
        )

    def recorded_delegate(self) -> Delegate:
        """
        Return the delegate as far as the record tells.

        Whether a grant to its whole account counts is no part of it: it is taken to, unless it was seen not to.
        """
        named = dict(self.named)
        return Delegate(
            self.delegate,
            self.principal or "anonymous",
            account_grant=not self.lacks_account_grant,
            default_source_arn=named.get("default_source_arn"),
            default_from_arn=named.get("default_from_arn"),
            default_return_path_arn=named.get("default_return_path_arn"),
        )

    def envelope(self) -> Envelope:
        """
        Return the envelope that was judged.

        Raises:
            AddressProblem: A recipient is no address.
        """
        return Envelope(self.mail_from, tuple(parse_address(text) for text in self.recipients), self.id)


def read_observed(record: Mapping[str, Any]) -> Observed | NotReplayable:
    """
    Read a decision record.

    Raises:
        HashedAddresses: Its addresses are hashed.
    """
    version = record.get("schema", SCHEMA_VERSION)
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        return NotReplayable.UNREADABLE
    try:
        _refuse_hashes(record)
        return _without_questions(record) if not record["roles"] else _read(record)
    except (KeyError, TypeError, AttributeError, AddressProblem):
        return NotReplayable.UNREADABLE
    except ValueError as error:
        if isinstance(error, HashedAddresses):
            raise
        return NotReplayable.UNREADABLE


def _refuse_hashes(record: Mapping[str, Any]) -> None:
    addresses = [record.get("reverse_path"), *record["recipients"], *(row["address"] for row in record["roles"])]
    if any(isinstance(address, str) and address.startswith(HASHED) for address in addresses):
        raise HashedAddresses


def _without_questions(record: Mapping[str, Any]) -> NotReplayable:
    if record.get("rule") is not None or record["reason"] in {Reason.MESSAGE_FORM, Reason.ADDRESS_FORM}:
        return NotReplayable.FORM
    return NotReplayable.IDENTITY if record["reason"] == Reason.IDENTITY_UNKNOWN else NotReplayable.UNASKED


def _read(record: Mapping[str, Any]) -> Observed | NotReplayable:
    rows = record["roles"]
    if any(row["identity"] is None and not str(row.get("why")).startswith(_UNVERIFIED) for row in rows):
        return NotReplayable.IDENTITY
    roles = tuple(_role(row) for row in rows)
    addresses = {role.role: role.address for role in roles}
    feedback = addresses[Role.FEEDBACK]
    recipients = record["recipients"]
    if not all(isinstance(text, str) for text in recipients):
        return NotReplayable.UNREADABLE
    return Observed(
        id=str(record["id"]),
        time=datetime.fromisoformat(record["time"]).timestamp(),
        delegate=str(record["delegate"]),
        principal=record["principal"],
        author=addresses.get(Role.FROM),
        feedback=feedback,
        mail_from=addresses.get(Role.ENVELOPE, feedback),
        recipients=tuple(recipients),
        display_name=_display_name(record),
        named=_named(rows),
        roles=roles,
        answer=_answer(record),
        outcome=record["outcome"],
        api=record.get("api"),
        lacks_account_grant=any(_ACCOUNT_ONLY in str(row.get("why")) for row in rows),
    )


def _role(row: Mapping[str, Any]) -> ObservedRole:
    digests = tuple(row.get("digests", ()))
    return _role_of(row["role"], row["address"], row["identity"], row["verdict"], row.get("chosen", ""), digests)


@lru_cache(maxsize=_REMEMBERED)
def _role_of(
    role: str, address: str, identity: str | None, verdict: str, chosen: str, digests: tuple[str, ...]
) -> ObservedRole:
    """Make one row; that others had to agree, the record says in words."""
    parts = chosen.split("; ")
    names = [name for part in parts if part.endswith(_AGREEING) for name in part.removesuffix(_AGREEING).split(", ")]
    owner = None if identity is None else identity.partition("identity/")[0]
    agreeing = tuple(f"{owner}identity/{name}" for name in names) if owner else ()
    return ObservedRole(role, parse_address(address), identity, verdict, agreeing, digests)


def _display_name(record: Mapping[str, Any]) -> DisplayName | None:
    decoded, raw = record.get("display_name"), record.get("display_name_raw")
    return None if decoded is None else DisplayName(decoded if raw is None else raw, decoded)


def _named(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """
    The identities that were named, each with the field or setting that named it.

    The record says which identity governed and what named it. Where an address's own policies took precedence over the
    named domain, the domain is the shorter name, and covers both.
    """
    named: dict[str, str] = {}
    for row in rows:
        origin = row.get("chosen", "").partition(_NAMED_BY)[2].partition(";")[0]
        if origin in _ORIGINS and row["identity"] is not None:
            named[origin] = min(row["identity"], named.get(origin, row["identity"]), key=len)
    return tuple(sorted(named.items()))


def _answer(record: Mapping[str, Any]) -> Answer:
    """
    Read the worst of the verdicts, with its reason.

    The record's own reason is of what became of the message: observed mail was sent all the same, and allowed mail may
    have been refused for something else. It is the judge's where it is one that only the judge gives.
    """
    rows = record["roles"]
    verdict = min((row["verdict"] for row in rows), key=SEVERITY.index)
    worst = [row for row in rows if row["verdict"] == verdict]
    deciding = frozenset(text for row in worst for text in row.get("deciding", ()))
    if verdict in _REASONS:
        own = Reason.IDENTITY_UNKNOWN if worst[0]["identity"] is None else _REASONS[verdict]
        return Answer(verdict, record["reason"] if record["reason"] in _JUDGED else own, deciding)
    if record["reason"] == Reason.IDENTITY_UNKNOWN:
        return Answer("refused", Reason.IDENTITY_UNKNOWN, deciding)
    return Answer(verdict, Reason.NONE, deciding)
