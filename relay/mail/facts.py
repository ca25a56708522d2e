"""What a message says that decides over it: the facts, or the rule of the strict profile that it breaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

from relay.words.addresses import Address
from relay.words.endings import Reason
from relay.words.replies import Reply


class NullReturnPath(Enum):
    """``Return-Path: <>``: a feedback address SES does not have."""

    NULL = "<>"


@dataclass(frozen=True, slots=True)
class MessageProblem:
    """
    A message outside the strict profile.

    ``rule`` is ``P1`` .. ``P11`` (docs/reference/messages.md); ``text`` names what was found and how to mend it, for
    the developer of the sending application; ``repair`` is the operator's repair that would help, or None.
    """

    rule: str
    reply: Reply
    reason: Reason = Reason.MESSAGE_FORM
    repair: str | None = None


@dataclass(frozen=True, slots=True)
class DisplayName:
    """
    The phrase before the address in From: ``raw`` as written (unfolded), ``decoded`` with RFC 2047 words and quotes
    undone.
    """

    raw: str
    decoded: str


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """
    Read once from the bytes that will be sent.

    ``author`` is spelt as in the From field. The three ARNs are the values of X-SES-SOURCE-ARN, X-SES-FROM-ARN and
    X-SES-RETURN-PATH-ARN, trimmed, one ARN by form. ``x_ses`` holds every other X-SES-* field, lower-cased name to
    trimmed value. ``received`` counts Received fields.
    """

    author: Address
    display_name: DisplayName | None
    return_path: Address | None
    source_arn: str | None
    from_arn: str | None
    return_path_arn: str | None
    x_ses: Mapping[str, str] = field(default_factory=dict)
    received: int = 0


Reading: TypeAlias = MessageFacts | MessageProblem
XSesHeaders: TypeAlias = Literal["reject", "strip"]
