"""What is sent: the message without its steering fields, with our Received field, read once more."""

import re
from sys import maxsize
from typing import Final

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.fields import Section, read_section, unfolded
from relay.mail.mailboxes import read_mailbox
from relay.mail.problems import Broken, broken_form
from relay.mail.profile import DEFAULT, Profile, is_steering
from relay.mail.reading import facts_of

#: The message met its bounds before our field came, which names us, rightly.
_BOUNDS_MET: Final = Profile(
    header_bytes=maxsize, fields=maxsize, folds=maxsize, received=maxsize, one_field=maxsize, own_name=""
)
_RECEIVED = re.compile(rb"Received:[ \t][!-~ \t]{1,980}(?:\r\n[ \t]+[!-~][!-~ \t]{0,980})*\r\n")


def rewrite(raw: bytes, facts: MessageFacts, received: str, profile: Profile = DEFAULT) -> bytes | MessageProblem:
    """
    Return *raw* with *received* before it and without every X-SES-*, Return-Path and Bcc field.

    Args:
        raw, facts: A message and what :func:`relay.mail.reading.read_facts` read from it.
        received: One whole Received field, its final CRLF included.

    Returns:
        The octets to send; or the problem, when they would not be read as they were judged.

    Raises:
        ValueError: *received* is not one Received field.
    """
    try:
        section = read_section(raw, profile)
    except Broken as broken:
        return broken.problem
    head = rewrite_head(section, facts, received)
    return head if isinstance(head, MessageProblem) else head + raw[section.body_start :]


def rewrite_head(section: Section, facts: MessageFacts, received: str) -> bytes | MessageProblem:
    """
    Return the header section that is sent, with its empty line; the body stays as it is.

    Whole fields go, their folds with them; all others stay octet for octet. What is sent must name the same author
    (rule P11): where a field may have gone it is read by the same scanner once more.

    Args:
        section, facts: A message's header section, and what was read from it.
        received: One whole Received field, its final CRLF included.

    Returns:
        The octets; or the problem, when they would not be read as they were judged.

    Raises:
        ValueError: *received* is not one Received field.
    """
    trace = received.encode("ascii")
    if not _RECEIVED.fullmatch(trace):
        raise ValueError("not one Received field")
    try:
        if not section.is_plain:
            kept = [whole for whole, name, _ in section.fields if not is_steering(name)]
            head = b"".join((trace, *kept, b"\r\n"))
            _check_same_reading(head, facts)
        else:
            head = b"".join((trace, section.octets, b"\r\n"))
            _check_same_author(section, facts)
    except Broken as broken:
        return broken.problem
    return head


def _check_same_reading(head: bytes, facts: MessageFacts) -> None:
    section = read_section(head, _BOUNDS_MET)
    _check_same_author(section, facts)
    received = facts_of(section, _BOUNDS_MET).received
    if any(map(is_steering, section.names)) or received != facts.received + 1 or section.body_start != len(head):
        raise _read_otherwise()


def _check_same_author(section: Section, facts: MessageFacts) -> None:
    """Enough where nothing was taken out: behind one whole field more, every octet is read as it was."""
    author = read_mailbox(unfolded(section.value(b"from") or b""), "From")
    if (author.address, author.name) != (facts.author, facts.display_name):
        raise _read_otherwise()


def _read_otherwise() -> Broken:
    return broken_form("P11", "Without the fields that steer SES, the message would be read otherwise than judged")
