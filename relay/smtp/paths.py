"""
The arguments of MAIL and RCPT, read strictly (RFC 5321 section 4.1.2, without what the strict profile refuses).

aiosmtpd reads them with the header parser of the standard library, which strips comments and routes and decodes
encoded-words: what the client wrote and what is judged must be one string.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from relay.words.addresses import Address, AddressProblem, NullPath, ReversePath, parse_address
from relay.words.endings import Reason
from relay.words.replies import Reply
from relay.words.values import dataclass

#: Behind ``FROM:`` or ``TO:``: what stands in the brackets, and what follows them.
_PATH: Final = re.compile(r" ?<([^>]*)>((?: .*)?)", re.DOTALL)
_PARAMETER: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?", re.ASCII)
_SIZE: Final = re.compile(r"[0-9]{1,20}", re.ASCII)


class PathProblem(ValueError):
    """A MAIL or RCPT that is refused: ``reply`` is what the client hears, ``reason`` what is counted."""

    def __init__(self, reply: Reply, reason: Reason = Reason.ADDRESS_FORM) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.reason = reason


@dataclass(frozen=True, slots=True)
class MailArgument:
    """A MAIL command's reverse-path and its SIZE parameter in octets, None where it was not declared."""

    reverse_path: ReversePath
    size: int | None


@lru_cache(maxsize=256)  # delegates say the same few, again and again
def read_mail(argument: str, *, longest: int) -> MailArgument:
    """
    Read what follows ``MAIL``: ``FROM:<path> PARAMETERS``.

    Args:
        argument: Printable text, maybe 8-bit (then refused).
        longest: The greatest SIZE that is taken, in octets.

    Raises:
        PathProblem: 501, 553, 552 or 555.
    """
    path, rest = _split_path(argument, "FROM:", subject=7)
    parameters = _parameters(rest)
    # Legacy programs say www-data@host: a delegate's return_path may put another address in its place.
    reverse_path = NullPath.NULL if path == "" else _address(path, subject=7, maybe_on_a_host=True)
    return MailArgument(reverse_path, _mail_size(parameters, longest))


def read_rcpt(argument: str) -> Address:
    """
    Read what follows ``RCPT``: ``TO:<path>``. No parameter is known.

    Raises:
        PathProblem: 501, 553 or 555.
    """
    path, rest = _split_path(argument, "TO:", subject=3)
    if path == "":
        raise PathProblem(Reply(553, (5, 1, 3), "A recipient is an address, not the null path"))
    if path.lower() == "postmaster":
        raise PathProblem(Reply(553, (5, 1, 3), "SES has no local postmaster: name a domain, postmaster@example.com"))
    address = _address(path, subject=3)
    if _parameters(rest):
        raise PathProblem(_unknown("RCPT"))
    return address


def _split_path(argument: str, keyword: str, *, subject: int) -> tuple[str, str]:
    """Split into what the angle brackets hold and what follows them. One blank after the colon is forgiven."""
    found = _PATH.fullmatch(argument, len(keyword))
    if argument[: len(keyword)].upper() != keyword:
        raise PathProblem(Reply(501, (5, 5, 4), f"Syntax: {keyword}<address>"))
    if found is None:
        raise PathProblem(Reply(501, (5, 1, subject), f"Syntax: {keyword}<address>, one address in angle brackets"))
    return found[1], found[2]


def _address(path: str, *, subject: int, maybe_on_a_host: bool = False) -> Address:
    try:
        return parse_address(path, maybe_on_a_host=maybe_on_a_host).with_domain_lowered()
    except AddressProblem as problem:
        if not path.isascii():
            raise PathProblem(Reply(553, (5, 6, 7), str(problem))) from None
        valid_elsewhere = '"' in path or "@[" in path
        raise PathProblem(Reply(553 if valid_elsewhere else 501, (5, 1, subject), str(problem))) from None


def _parameters(text: str) -> Mapping[str, str | None]:
    """Read `` KEYWORD[=VALUE] ...``; keywords in upper case, values as written."""
    found: dict[str, str | None] = {}
    for part in text.split(" ")[1:]:
        match = _PARAMETER.fullmatch(part)
        if match is None or match[1].upper() in found:
            raise PathProblem(Reply(501, (5, 5, 4), "Parameters are KEYWORD or KEYWORD=VALUE, each once"))
        found[match[1].upper()] = match[2]
    return found


def _mail_size(parameters: Mapping[str, str | None], longest: int) -> int | None:
    size: int | None = None
    for keyword, value in parameters.items():
        if keyword == "SIZE":
            if value is None or not _SIZE.fullmatch(value):
                raise PathProblem(Reply(501, (5, 5, 4), "SIZE is a number of octets"))
            size = int(value)
        elif keyword == "BODY":
            if (value or "").upper() not in ("7BIT", "8BITMIME"):
                raise PathProblem(Reply(501, (5, 5, 4), "BODY is 7BIT or 8BITMIME"))
        elif keyword != "AUTH" or value is None:  # AUTH=: accepted and never an identity (RFC 4954 section 5)
            raise PathProblem(_unknown("MAIL"))
    if size is not None and size > longest:
        raise PathProblem(Reply(552, (5, 3, 4), f"Message is too long: at most {longest} octets"), Reason.SIZE)
    return size


def _unknown(verb: str) -> Reply:
    return Reply(555, (5, 5, 4), f"{verb} parameter not recognized or not implemented")
