"""What a message says that decides over it: the facts, or the rule of the strict profile that it breaks."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, NamedTuple, TypeAlias

from relay.words.addresses import Address
from relay.words.delegates import Repair
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class MessageProblem:
    """
    A message outside the strict profile.

    ``rule`` is ``P1`` .. ``P11`` (docs/reference/messages.md). The reply's text names what was found and how to mend
    it, for the developer of the sending application; it repeats bytes of the message only where they are short and
    printable ASCII. ``repair`` is the operator's repair that would help, or None.
    """

    rule: str
    reply: Reply
    reason: Reason = Reason.MESSAGE_FORM
    repair: Repair | None = None


class DisplayName(NamedTuple):
    """
    The phrase before the address in From:, in the two readings that mail software makes of it.

    ``raw``: unfolded, quotes undone (they are syntax, RFC 5322 section 3.2.4), encoded-words and blanks as written.
    ``decoded``: encoded-words decoded too (RFC 2047), runs of blanks one space. Equal for most names. What SES takes
    for ``ses:FromDisplayName`` is undocumented: judge both.
    """

    raw: str
    decoded: str


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """
    Read once from the bytes that will be sent.

    ``author`` is spelt as in the From field; ``display_name`` is None where the phrase is absent or blank.
    ``return_path`` is the address of the Return-Path field, its domain lower-cased as the envelope's is; None without
    the field. The three ARNs are the values of X-SES-SOURCE-ARN, X-SES-FROM-ARN and X-SES-RETURN-PATH-ARN, trimmed,
    one ARN by form. ``x_ses`` holds every other X-SES-* field, lower-cased name to unfolded, trimmed value (an octet
    over 127 is U+FFFD). ``received`` counts Received fields. ``traceparent`` is for the decision record alone.
    """

    author: Address
    display_name: DisplayName | None
    return_path: Address | None
    source_arn: str | None
    from_arn: str | None
    return_path_arn: str | None
    x_ses: Mapping[str, str] = field(default_factory=dict)
    received: int = 0
    traceparent: str | None = None


Reading: TypeAlias = MessageFacts | MessageProblem
XSesHeaders: TypeAlias = Literal["reject", "strip"]
