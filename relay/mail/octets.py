"""Rule P1: which octets a message is made of, and how its lines end. Looks at every octet, never line by line."""

import re
from functools import lru_cache
from typing import Final

from relay.mail.problems import Broken, broken_bound, broken_form

_BARE_LF = re.compile(rb"\n(?<!\r\n)")
_BARE_CR = re.compile(rb"\r(?!\n)")
_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\r\n")) + b"\x7f"
#: Looked at in one go: no other thread runs meanwhile. Counting a window of nothing but line ends takes some 2 ms.
_WINDOW: Final = 1 << 18
_A_CONTROL = re.compile(b"[" + re.escape(_CONTROLS) + b"]")
#: Changes control octets, and nothing else.
_CHANGING_CONTROLS: Final = bytes(ord("?") if octet in _CONTROLS else octet for octet in range(256))
#: NEL, LINE SEPARATOR and PARAGRAPH SEPARATOR in UTF-8: software that decodes first and splits lines then sees lines.
_UNICODE_LINE_ENDS: Final = (b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")


def check_octets(raw: bytes) -> None:
    """
    Refuse NUL, bare CR and bare LF anywhere (RFC 5321 sections 2.3.8 and 4.5.2, RFC 6152).

    Raises:
        Broken: 550 5.6.11.
    """
    if b"\0" in raw:
        raise broken_form(
            "P1",
            f"Line {_line(raw, raw.index(0))} holds a NUL octet: mail is text; "
            "send binary content as an attachment with Content-Transfer-Encoding: base64",
            status=(5, 6, 11),
        )
    bare_cr, bare_lf = _bare(raw)
    if bare_cr >= 0:
        raise broken_form(
            "P1",
            f"Line {_line(raw, bare_cr)} holds a CR without LF: end each line with CRLF, exactly once, "
            "and have no CR inside a line",
            status=(5, 6, 11),
        )
    if bare_lf >= 0:
        raise broken_form(
            "P1",
            f"Line {_line(raw, bare_lf)} ends with LF alone: end every line with CRLF "
            "(as smtplib's send_message or any SMTP library does)",
            status=(5, 6, 11),
            repair="bare-lf",
        )


def _bare(raw: bytes) -> tuple[int, int]:
    """Where the first bare CR and the first bare LF of the first window that has any stand; -1 where there is none."""
    start = 0
    while start < len(raw):
        end = start + _WINDOW
        if raw[end - 1 : end] == b"\r":  # with the LF that may follow it
            end += 1
        if not _is_paired(raw, start, end):
            window = raw[start:end]
            bare_cr, bare_lf = _BARE_CR.search(window), _BARE_LF.search(window)
            return (start + bare_cr.start() if bare_cr else -1), (start + bare_lf.start() if bare_lf else -1)
        start = end
    return -1, -1


def _is_paired(raw: bytes, start: int, end: int) -> bool:
    """Whether each CR has its LF and each LF its CR: then there are as many of both as of pairs."""
    return raw.count(b"\r\n", start, end) == raw.count(b"\n", start, end) == raw.count(b"\r", start, end)


def check_header_octets(head: bytes) -> None:
    """
    Refuse control octets but HT in the header section, and Unicode's line ends.

    Raises:
        Broken: 550 5.6.11, or 5.6.7 for the 8-bit ones.
    """
    if head.translate(_CHANGING_CONTROLS) != head and (found := _A_CONTROL.search(head)):
        raise broken_form(
            "P1",
            f"Header line {_line(head, found.start())} holds the control octet 0x{head[found.start()]:02X}: "
            "remove it; of control octets only TAB may stand in a header field",
            status=(5, 6, 11),
        )
    if not head.isascii() and any(end in head for end in _UNICODE_LINE_ENDS):
        raise broken_form(
            "P1",
            "A header field holds U+0085, U+2028 or U+2029, which some software takes for a line end: "
            "remove it, or encode the field's text by RFC 2047",
            status=(5, 6, 7),
        )


def check_lines(raw: bytes, longest: int, header_end: int) -> None:
    """
    Refuse a line of more than *longest* octets (RFC 5322 section 2.1.1). CR and LF are known to come in pairs.

    Leaps from line end to line end about *longest* octets apart: the lines between are shorter.

    Raises:
        Broken: 554 5.6.0.
    """
    start, leaps, window = 0, _leaps(longest), max(_WINDOW, longest + 2)
    while len(raw) - start > longest:
        found = leaps.match(raw, start, start + window)
        if found is None or found.end() == start:
            raise _long_line(raw, start, longest, in_header=start < header_end)
        start = found.end()


@lru_cache(maxsize=8)
def _leaps(longest: int) -> re.Pattern[bytes]:
    """Match up to the last LF among so many octets and a line end, again and again."""
    return re.compile(rb"(?s:.{0,%d}\n)*" % (longest + 1))


def _long_line(raw: bytes, start: int, longest: int, *, in_header: bool) -> Broken:
    line = _line(raw, start)
    if in_header:
        return broken_bound(
            "P1",
            f"Header line {line} has more than {longest} octets: fold the field over several lines",
            repair="long-lines",
        )
    return broken_bound(
        "P1",
        f"Line {line} has more than {longest} octets: send the part with Content-Transfer-Encoding: quoted-printable "
        "or base64, which keep lines short",
        repair="long-lines",
    )


def _line(raw: bytes, position: int) -> int:
    return raw.count(b"\n", 0, position) + 1
