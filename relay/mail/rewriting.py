"""What is sent: the message without its steering fields, with our Received field, read once more."""

import re
from sys import maxsize
from typing import Final

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.fields import read_section
from relay.mail.problems import Broken, broken_form
from relay.mail.profile import DEFAULT, Profile, is_steering
from relay.mail.reading import Head, facts_of, read_head

#: The message met its bounds before our field came, which names us, rightly.
_BOUNDS_MET: Final = Profile(
    header_bytes=maxsize, fields=maxsize, folds=maxsize, received=maxsize, one_field=maxsize, own_name=""
)
_READ_OTHERWISE: Final = broken_form(
    "P11", "Without the fields that steer SES, the message would be read otherwise than judged"
).problem
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
    head = read_head(raw, profile)
    if isinstance(head, MessageProblem):
        return head
    if not _is_by_the_same(head.facts, facts):
        return _READ_OTHERWISE
    sent = rewrite_head(head, received)
    return sent if isinstance(sent, MessageProblem) else sent + raw[head.section.body_start :]


def rewrite_head(head: Head, received: str) -> bytes | MessageProblem:
    """
    Return the header section that is sent, with its empty line; the body stays as it is.

    Whole fields go, their folds with them; all others stay octet for octet. What is sent must name the author of
    *head* (rule P11): where a field may have gone it is read by the same scanner once more. Else it is what was read,
    octet for octet, behind one whole field, and read so again.

    Args:
        head: What was read of the message.
        received: One whole Received field, its final CRLF included.

    Returns:
        The octets; or the problem, when they would not be read as they were judged.

    Raises:
        ValueError: *received* is not one Received field.
    """
    trace = received.encode("ascii")
    if not _RECEIVED.fullmatch(trace):
        raise ValueError("not one Received field")
    if head.section.is_plain:
        return b"".join((trace, head.section.octets, b"\r\n"))
    kept = [whole for whole, name, _ in head.section.fields if not is_steering(name)]
    sent = b"".join((trace, *kept, b"\r\n"))
    try:
        return sent if _is_read_alike(sent, head.facts) else _READ_OTHERWISE
    except Broken as broken:
        return broken.problem


def _is_read_alike(sent: bytes, facts: MessageFacts) -> bool:
    section = read_section(sent, _BOUNDS_MET)
    again = facts_of(section, _BOUNDS_MET)
    is_whole = section.body_start == len(sent) and again.received == facts.received + 1
    return is_whole and not any(map(is_steering, section.names)) and _is_by_the_same(again, facts)


def _is_by_the_same(one: MessageFacts, other: MessageFacts) -> bool:
    return (one.author, one.display_name) == (other.author, other.display_name)
