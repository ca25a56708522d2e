"""The reader: exactly one author, cut from the bytes that are sent."""

from functools import lru_cache
from typing import Final

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.fields import Section, check_received, read_section, unfolded
from relay.mail.mailboxes import check_same_author, read_mailbox, read_return_path
from relay.mail.mime import check_mime, content_type, has_parts
from relay.mail.octets import check_lines, check_octets
from relay.mail.problems import Broken, broken_form, without_offer
from relay.mail.profile import DEFAULT, SAME_AUTHOR, TRACE, X_SES, Profile
from relay.mail.repairs_lines import shortening_helps
from relay.mail.tracing import read_traceparent
from relay.words.arns import ArnProblem, check_arn_text
from relay.words.values import dataclass

_ARNS: Final = (b"x-ses-source-arn", b"x-ses-from-arn", b"x-ses-return-path-arn")


def read_facts(raw: bytes, profile: Profile = DEFAULT) -> MessageFacts | MessageProblem:
    """
    Read the facts of one message by the strict profile, or say which rule it breaks.

    Args:
        raw: The message as after DATA: CRLF line ends, dots unstuffed, the final dot line removed.

    Never raises, whatever the octets. Every message that is accepted has one author, whichever of the common parsers
    reads it; the body is looked at for its octets, line lengths and MIME bounds only.
    """
    head = read_message(raw, profile)
    return head if isinstance(head, MessageProblem) else head.facts


@dataclass(frozen=True, slots=True)
class Head:
    """The header section of a message, and the facts in it; the octets and lines of the body were looked at, too."""

    section: Section
    facts: MessageFacts

    @property
    def has_parts(self) -> bool:
        """Whether the body has a MIME structure."""
        field = self.section.value(b"content-type")
        return field is not None and has_parts(content_type(field))


def read_message(raw: bytes, profile: Profile = DEFAULT, *, is_checked: bool = False) -> Head | MessageProblem:
    """Read as :func:`read_facts`, and return what its head is; ``is_checked`` as in :func:`read_head`."""
    head = read_head(raw, profile, is_checked=is_checked)
    if isinstance(head, MessageProblem) or not head.has_parts:
        return head
    return check_body(raw, head, profile) or head


def read_head(raw: bytes, profile: Profile = DEFAULT, *, is_checked: bool = False) -> Head | MessageProblem:
    """
    Do the first half of :func:`read_facts`.

    ``is_checked``: whoever read *raw*, as the street door did, knows that :func:`check_octets` would pass it; then
    what is left jumps from line end to line end.
    """
    try:
        if not is_checked:
            check_octets(raw)
        section = read_section(raw, profile)
        _check_lines(raw, section, profile)
        return Head(section, facts_of(section, profile))
    except Broken as broken:
        return broken.problem


def check_body(raw: bytes, head: Head, profile: Profile = DEFAULT) -> MessageProblem | None:
    """Do the other half: the MIME structure."""
    try:
        check_mime(raw, head.section.body_start, head.section.value(b"content-type"), profile)
    except Broken as broken:
        return broken.problem
    return None


def _check_lines(raw: bytes, section: Section, profile: Profile) -> None:
    try:
        check_lines(raw, profile.line_octets, section.body_start)
    except Broken as broken:
        raise broken if shortening_helps(raw, section) else without_offer(broken) from None


def facts_of(section: Section, profile: Profile) -> MessageFacts:
    """
    Read the facts from a header section.

    Raises:
        Broken: A rule P3 to P8 of the profile, or the loop check, fails.
    """
    received = check_received(section, profile)
    author = section.value(b"from")
    if author is None:
        raise broken_form(
            "P3", "The message has no From field: name its author there; it is never taken from MAIL FROM"
        )
    if section.is_plain:
        return _plain_facts(unfolded(author), received)
    return _whole_facts(section, unfolded(author), received)


@lru_cache(maxsize=512)
def _plain_facts(author: bytes, received: int) -> MessageFacts:
    """Return the facts of a message of which nothing else decides: an application writes the same ones for hours."""
    mailbox = read_mailbox(author, "From")
    return MessageFacts(mailbox.address, mailbox.name, None, None, None, None, received=received)


def _whole_facts(section: Section, author: bytes, received: int) -> MessageFacts:
    mailbox = read_mailbox(author, "From")
    x_ses = {}
    for _, name, value in section.fields:
        if name in SAME_AUTHOR:
            check_same_author(unfolded(value), SAME_AUTHOR[name], mailbox.address)
        elif name.startswith(X_SES) and name not in _ARNS:
            x_ses[name.decode()] = _text(value)
    return_path = section.value(b"return-path")
    source_arn, from_arn, return_path_arn = (_arn(section, name) for name in _ARNS)
    return MessageFacts(
        mailbox.address,
        mailbox.name,
        None if return_path is None else read_return_path(unfolded(return_path)),
        source_arn,
        from_arn,
        return_path_arn,
        x_ses,
        received,
        read_traceparent(section.values(TRACE)),
    )


def _arn(section: Section, name: bytes) -> str | None:
    """Read a steering ARN by form; which identity it may name is the judge's question."""
    value = section.value(name)
    if value is None:
        return None
    text, field = _text(value), name.decode().upper()
    if not value.isascii():
        raise broken_form("P8", f"{field} has 8-bit octets: an ARN is printable ASCII", status=(5, 6, 7))
    try:
        check_arn_text(text)
    except ArnProblem as problem:
        raise broken_form("P8", f"{field} is not one ARN: {problem}; nothing may stand around it") from None
    return text


def _text(value: bytes) -> str:
    return unfolded(value).decode("ascii", "replace")
