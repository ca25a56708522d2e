"""
The octets of a message between 354 and its end, taken in blocks.

The end is CRLF.CRLF and nothing else: no other sequence of CR, LF, NUL and dots ends a message, and a message that
holds a bare one is refused whole, so that nothing behind us can find an end that we did not see (SMTP smuggling,
CVE-2023-51764 and its kin). Where bare LFs are repaired before anything is judged, they are handed on, but for those
beside a lone dot: to somebody they are an end. Every pass over the octets is one call into C per block, whatever the
lines look like.
"""

import re
from enum import Enum, auto
from io import BytesIO
from typing import Final

from relay.smtp.evenness import is_even

_END: Final = b"\r\n.\r\n"
_CR: Final = 13
#: A line of one dot with a bare LF before or behind it.
_FALSE_END = re.compile(rb"\n\.\n|(?<!\r)\n\.\r\n")


class Fault(Enum):
    """Why the octets are no message."""

    TOO_BIG = auto()
    BARE_OCTETS = auto()  # a bare CR, a bare LF or a NUL
    NO_ROOM = auto()


class Content:
    """
    One message being read.

    ``fault`` is what was found first; from then on octets are counted and thrown away until the end. ``size`` is the
    octets of the message (un-stuffed) as far as they were kept, ``seen`` those that came over the wire.
    ``keeps_line_feeds``: bare LFs are no fault, they will be repaired.
    """

    __slots__ = ("_bare", "_has_begun", "_keeps_line_feeds", "_kept", "_limit", "_tail", "fault", "seen", "size")

    def __init__(self, limit: int, *, keeps_line_feeds: bool = False) -> None:
        self._keeps_line_feeds = keeps_line_feeds
        self.fault: Fault | None = None
        self.size = 0
        self.seen = 0
        self._limit = limit
        self._kept = BytesIO()  # grows in place and gives itself away: no octet is held twice
        self._has_begun = False
        self._tail = b""  # octets that may begin the end of data, or a stuffed dot
        self._bare = 0  # CR and LF that have not met their partner yet

    def feed(self, block: bytes) -> bytes | None:
        """Take *block*. None while the end has not come; then what followed it: the next commands."""
        window = self._tail + block
        fresh = len(self._tail)
        self.seen += len(block)
        if window.startswith(b".\r\n") and self._is_first:
            self._tail = b""
            return window[3:]
        if window.endswith(_END) and self._is_even(message := window[:-3]):
            self._keep(message)
            self._tail = b""
            return b""
        if self._is_even(window):
            self._keep_but_tail(window, has_dots=False)
            return None
        end = window.find(_END)
        stop = len(window) if end < 0 else end + len(_END)
        self._look_for_bare_octets(window, fresh, stop)
        if end < 0:
            self._keep_but_tail(window)
            return None
        self._keep(_unstuffed(window[: end + 2]))
        self._tail = b""
        return window[stop:]

    def condemn(self, fault: Fault) -> None:
        """Keep nothing more. The first fault stands."""
        self.fault = self.fault or fault
        self._kept = BytesIO()

    def raw(self) -> bytes:
        """Return the message: dots un-stuffed, ending in CRLF, or empty. Call it once, at the end, without fault."""
        kept, self._kept = self._kept, BytesIO()
        return kept.getvalue()

    @property
    def is_checked(self) -> bool:
        """Whether the message is known to be what :func:`relay.mail.octets.check_octets` passes."""
        return self.fault is None and not self._keeps_line_feeds

    @property
    def _is_first(self) -> bool:
        """Whether all octets so far are in the tail: the next window begins the message's first line."""
        return self.seen > 0 and self.size == 0 and not self._has_begun and self.fault is None

    def _is_even(self, window: bytes) -> bool:
        """
        Whether nothing in *window* ends the message, is stuffed or is bare. Its tail, with which it begins, holds whole
        pairs.
        """
        if self.fault is not None or self._keeps_line_feeds or not is_even(window):
            return False
        self._bare = int(window.endswith(b"\r"))
        return True

    def _keep_but_tail(self, window: bytes, *, has_dots: bool = True) -> None:
        cut = _safe_cut(window)
        self._keep(_unstuffed(window[:cut]) if has_dots else memoryview(window)[:cut])
        self._tail = window[cut:]

    def _keep(self, piece: bytes | memoryview) -> None:
        if self.fault is not None or not piece:
            return
        begins_message, self._has_begun = not self._has_begun, True
        if begins_message and piece[0] == 46:
            piece = piece[1:]
        self.size += len(piece)
        if self.size > self._limit:
            self.condemn(Fault.TOO_BIG)
        else:
            self._kept.write(piece)

    def _look_for_bare_octets(self, window: bytes, fresh: int, stop: int) -> None:
        """Each CR is followed by LF, each LF follows CR, and there is no NUL: then the three counts agree."""
        if self.fault is not None:
            return
        pairs = window.count(b"\r\n", max(fresh - 1, 0), stop)
        feeds = window.count(b"\n", fresh, stop)
        returns = window.count(b"\r", fresh, stop) + self._bare
        self._bare = 1 if stop > 0 and window[stop - 1] == _CR else 0
        if returns - self._bare != pairs or window.find(b"\0", fresh, stop) >= 0:
            self.condemn(Fault.BARE_OCTETS)
        elif not self._keeps_line_feeds:
            if feeds != pairs:
                self.condemn(Fault.BARE_OCTETS)
        elif _FALSE_END.search(window, 0, stop) or (self._is_first and window.startswith(b".\n")):
            self.condemn(Fault.BARE_OCTETS)


def _unstuffed(piece: bytes) -> bytes:
    return piece.replace(b"\r\n.", b"\r\n")


def _safe_cut(window: bytes) -> int:
    """
    The length of what can be kept now: the last four octets may begin CRLF.CRLF, and a CRLF just before them may have
    a stuffed dot behind it.
    """
    cut = max(len(window) - (len(_END) - 1), 0)
    if window[cut - 1 : cut] == b"\r":
        return cut - 1
    if window[max(cut - 2, 0) : cut] == b"\r\n":
        return cut - 2
    return cut
