"""
What must be asked for one message: whose addresses it carries, and which identity is named for each.

The author's address, the feedback address, and MAIL FROM where it is neither (SES Developer Guide, "Sending
authorization": the sender must be authorised for the From address and the Return-Path address).
"""

from relay.judgement.rules import Rules
from relay.judgement.verdicts import Role
from relay.mail.facts import MessageFacts
from relay.words.addresses import Address, NullPath, ReversePath
from relay.words.delegates import Delegate
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """
    The ARN that was named for an address. ``origin``: the field or the setting that names it.

    ``strict``: it was named for this very role, so it must cover the address; a SOURCE's that does not is passed over.
    """

    text: str
    origin: str
    by_client: bool
    strict: bool


@dataclass(frozen=True, slots=True)
class Question:
    """
    Whether mail of this author, with bounces to ``feedback``, may use the identity that governs ``address``.

    ``names``: the ARNs named for it, the first that applies decides; none left = inferred.
    """

    role: Role
    address: Address
    feedback: Address
    names: tuple[Named, ...]


def reverse_path_of(reverse_path: ReversePath, author: Address, delegate: Delegate, rules: Rules) -> Address | None:
    """Return the address that takes MAIL FROM's place before anything is judged; None when ``<>`` is refused."""
    if reverse_path is NullPath.NULL and rules.null_reverse_path == "refuse":
        return None
    match delegate.return_path:
        case Address() as configured:
            return configured.with_domain_lowered()
        case "envelope" if isinstance(reverse_path, Address):
            return reverse_path.with_domain_lowered()
        case _:
            return author.with_domain_lowered()


def questions_of(facts: MessageFacts, mail_from: Address, delegate: Delegate) -> tuple[Question, ...]:
    """
    Every question of one message; all of them must be answered with ALLOWED.

    *mail_from* comes from :func:`reverse_path_of`. A Return-Path field is the feedback address, its domain lowered
    once: that string is judged and sent as Source.
    """
    feedback = mail_from if facts.return_path is None else facts.return_path.with_domain_lowered()
    source = _named(facts.source_arn, "X-SES-SOURCE-ARN", delegate.default_source_arn, "default_source_arn")
    of_from = _named(facts.from_arn, "X-SES-FROM-ARN", delegate.default_from_arn, "default_from_arn", strict=True)
    of_return = _named(
        facts.return_path_arn,
        "X-SES-RETURN-PATH-ARN",
        delegate.default_return_path_arn,
        "default_return_path_arn",
        strict=True,
    )
    asked = [
        Question(Role.FROM, facts.author, feedback, of_from + source),
        Question(Role.FEEDBACK, feedback, feedback, of_return + source),
    ]
    if mail_from != feedback:
        asked.append(Question(Role.ENVELOPE, mail_from, mail_from, of_return + source))
    return tuple(asked)


def _named(
    field: str | None, field_name: str, default: str | None, setting: str, *, strict: bool = False
) -> tuple[Named, ...]:
    if field is not None:
        return (Named(field, field_name, by_client=True, strict=strict),)
    if default is not None:
        return (Named(default, setting, by_client=False, strict=strict),)
    return ()
