"""
Mail addresses as SES reads them: its refusals are those of JavaMail's strict parser, in its words.

Written for this second opinion; the relay's own reader is not used here.
"""

import re
from typing import Final

from relay.localses.refusals import invalid

LONGEST: Final = 320
NON_ASCII: Final = "There are non-ASCII characters in the email address"

_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*"')
_COMMENT_UNIT = re.compile(r"\\.|[\s\S]")
_CONTROL: Final = frozenset(chr(n) for n in (*range(33), 127))
_SPECIALS: Final = frozenset('()<>,;:\\"[]')
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+", re.ASCII)


def one_address(text: str) -> str:
    """
    Return the bare address of one mailbox, ``local@domain`` or ``Name <local@domain>``.

    Raises:
        Refused: InvalidParameterValue with what is wrong.
    """
    if not text.isascii():
        raise invalid(NON_ASCII)
    pieces = _pieces(text)
    if len(pieces) > 1:
        raise invalid("Illegal address: one mailbox is wanted")
    return _checked(pieces[0].strip())


def addresses_in(text: str) -> list[str]:
    """
    Return the bare addresses of a header's list: commas between mailboxes, groups opened to their members.

    Raises:
        Refused: InvalidParameterValue with what is wrong.
    """
    return [_checked(piece.strip()) for piece in _pieces(text) if piece.strip()]


def _pieces(text: str) -> list[str]:
    """Cut at the commas, colons and semicolons outside quotes, comments and angle brackets; comments are dropped."""
    pieces, current, place, angle = [], "", 0, False
    while place < len(text):
        character = text[place]
        end = _end_of_unit(text, place)
        if character == "<" and angle:
            raise invalid("Extra route-addr")
        angle = character == "<" or (angle and character != ">")
        if angle or character not in ",;:":
            current += "" if character == "(" else text[place:end]
        else:
            pieces += [] if character == ":" else [current]  # before a colon stands the name of a group
            current = ""
        place = end
    if angle:
        raise invalid("Missing '>'")
    return [*pieces, current]


def _end_of_unit(text: str, place: int) -> int:
    """Return where the quoted string, comment, escape or single character at *place* ends."""
    match text[place]:
        case '"':
            quoted = _QUOTED.match(text, place)
            if quoted is None:
                raise invalid("Missing '\"'")
            return quoted.end()
        case "(":
            return _end_of_comment(text, place)
        case "\\":
            return place + 2
        case _:
            return place + 1


def _end_of_comment(text: str, place: int) -> int:
    depth = 0
    for unit in _COMMENT_UNIT.finditer(text, place):
        depth += {"(": 1, ")": -1}.get(unit[0], 0)
        if depth == 0:
            return unit.end()
    raise invalid("Missing ')'")


def _checked(mailbox: str) -> str:
    bracketed = re.search(r"<([^<>]*)>\s*$", mailbox)
    if bracketed is None and ("<" in mailbox or ">" in mailbox):
        raise invalid("Illegal address: text after '>'" if "<" in mailbox else "Missing '<'")
    address = bracketed[1].strip() if bracketed else mailbox
    if not address.isascii():
        raise invalid(NON_ASCII)
    if len(address) > LONGEST:
        raise invalid(f"Email address length is more than {LONGEST} bytes long: '{len(address)}'.")
    _check_domain(_check_local(address))
    return address


def _check_local(address: str) -> str:
    """Check the local part; return the domain."""
    if address.startswith("@"):
        raise invalid("Missing local name")
    if quoted := _QUOTED.match(address):
        if not address[quoted.end() :].startswith("@"):
            raise invalid("Quote not at end of local address")
        return address[quoted.end() + 1 :]
    local, at, domain = address.partition("@")
    if not _CONTROL.isdisjoint(local):
        raise invalid("Local address contains control or whitespace")
    if not _SPECIALS.isdisjoint(local):
        raise invalid("Local address contains illegal character")
    if not at:
        raise invalid("Missing final '@domain'")
    for wrong, words in ((local.startswith("."), "starts with dot"), (local.endswith("."), "ends with dot")):
        if wrong:
            raise invalid(f"Local address {words}")
    if ".." in local:
        raise invalid("Local address contains dot-dot")
    return domain


def _check_domain(domain: str) -> None:
    if not domain:
        raise invalid("Missing domain")
    if domain.startswith("."):
        raise invalid("Domain starts with dot")
    if not _CONTROL.isdisjoint(domain):
        raise invalid("Domain contains control or whitespace")
    if not _DOMAIN.fullmatch(domain):
        raise invalid("Domain contains illegal character")
    if ".." in domain:
        raise invalid("Domain contains dot-dot")
    if domain.endswith("."):
        raise invalid("Domain ends with dot")
