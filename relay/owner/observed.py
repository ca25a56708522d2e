"""A message that really happened, as far as the judge must know it to be asked again. Pure."""

from enum import StrEnum
from typing import Final

from relay.mail.facts import DisplayName, MessageFacts
from relay.words.addresses import Address, parse_address
from relay.words.delegates import Delegate
from relay.words.endings import Outcome
from relay.words.transactions import Envelope
from relay.words.values import dataclass

SEVERITY: Final = ("denied", "not-allowed", "undecided", "sealed", "allowed")

#: The field of a message that names an identity, by its name in :class:`MessageFacts`.
FIELDS: Final = {
    "source_arn": "X-SES-SOURCE-ARN",
    "from_arn": "X-SES-FROM-ARN",
    "return_path_arn": "X-SES-RETURN-PATH-ARN",
}


class HashedAddresses(ValueError):
    """The record holds hashes where its addresses were: nothing can be judged by them."""

    def __init__(self) -> None:
        super().__init__(
            'the addresses in these records are hashed ([log] addresses = "hash", which the journal follows): policies '
            'speak of addresses, so such records cannot be judged again; keep them with addresses = "plain" for this'
        )


class RedactedRecord(HashedAddresses):
    """The record was kept without what policies ask for."""

    def __init__(self) -> None:
        ValueError.__init__(
            self,
            "these records were kept without recipients or display names ([journal] redact): policies ask for them, so "
            "they cannot be judged again; the log has them whole",
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
    ``spared``: it was not refused only because its delegate is observed. ``octets``: its size, 0 where nobody told.
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
    spared: bool = False
    octets: int = 0

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
            source_arn=named.get(FIELDS["source_arn"]),
            from_arn=named.get(FIELDS["from_arn"]),
            return_path_arn=named.get(FIELDS["return_path_arn"]),
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
