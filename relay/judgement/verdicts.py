"""The judge's answers: one decision per question, one judgement per message."""

from enum import StrEnum

from relay.policy.answers import Evaluation
from relay.words.addresses import Address
from relay.words.apis import Api
from relay.words.arns import IdentityArn
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass


class Role(StrEnum):
    """What an address is in a message, and thus which identity must permit it."""

    FROM = "from"
    FEEDBACK = "feedback"
    ENVELOPE = "envelope"


class Verdict(StrEnum):
    """The answers. UNDECIDED is temporary and never an allow; SEALED is no allow of ours: SES alone judges."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOT_ALLOWED = "not-allowed"
    UNDECIDED = "undecided"
    SEALED = "sealed"


class Mode(StrEnum):
    """Whether what the policies do not allow is refused, or only told."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    One question, answered.

    ``identity`` governs ``address`` (None when no identity does); ``chosen`` says in words why this one and what took
    precedence over what. ``evaluations``: what each identity's policies said, one per identity and alternative reading
    that mattered, the deciding one first. ``digests``: SHA-256 of every policy text that was read. ``why``: one
    sentence for people. ``advice``: what would make it pass, sentences. ``refusal`` and ``reason``: what this question
    alone would answer the client under enforce; None and ``none`` when ALLOWED or SEALED. ``named``: the field or
    setting that named an identity for the address, and the ARN it named; None where it was inferred. ``agreeing``: the
    other identities that had to allow it as well.
    """

    role: Role
    address: Address
    identity: IdentityArn | None
    chosen: str
    verdict: Verdict
    evaluations: tuple[tuple[IdentityArn, str, Evaluation], ...] = ()
    digests: tuple[str, ...] = ()
    why: str = ""
    advice: tuple[str, ...] = ()
    refusal: Reply | None = None
    reason: Reason = Reason.NONE
    named: tuple[str, str] | None = None
    agreeing: tuple[IdentityArn, ...] = ()


@dataclass(frozen=True, slots=True)
class Permit:
    """
    The message may go, exactly so: the parameters of the call to SES, from the same values that were judged.

    ``account`` owns the identity of the author's address. ``tenant`` is None unless the operator granted one:
    SendRawEmail has no parameter for it, so a sender that cannot pass it on must not send. ``sealed``: SES is the judge
    of some of it, and its no is final. ``api``: the call that takes it, whose actions were judged.
    """

    region: str
    account: str
    source: Address
    source_arn: str
    from_arn: str
    return_path_arn: str
    configuration_set: str | None
    tags: tuple[tuple[str, str], ...]
    tenant: str | None = None
    sealed: bool = False
    api: Api = Api.RAW


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    The answer to one message. Exactly one of ``permit`` and ``reply`` is set.

    ``reply`` carries no decision id yet; ``reason`` is ``none`` when permitted. ``unenforced``: what enforce would have
    answered to a message that is permitted only because its delegate is observed.
    """

    decisions: tuple[Decision, ...]
    permit: Permit | None
    reply: Reply | None
    reason: Reason
    mode: Mode = Mode.ENFORCE
    unenforced: Reply | None = None
