"""What Redis says, or why it says nothing: as values, with no secret in them."""

import os
import re
import ssl
from collections.abc import Iterator
from typing import Final

from redis import exceptions

from relay.words.values import dataclass

#: Errors after which the server is of no use to any call: it loads, follows another, or has lost its cluster.
USELESS: Final = frozenset({"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "NOAUTH", "WRONGPASS"})

_CODE: Final = re.compile(r"[A-Z][A-Z0-9]+(?= |$)")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_UNPRINTABLE: Final = re.compile(r"[^ -~]+")
_CODES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (exceptions.AuthenticationError, "WRONGPASS"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.OutOfMemoryError, "OOM"),
    (exceptions.NoScriptError, "NOSCRIPT"),
)


@dataclass(frozen=True, slots=True)
class Away:
    """
    No answer that could be used.

    ``why``: a sentence for people, without secrets. ``code``: the error that the server answered with, such as
    ``OOM``, ``READONLY`` or ``NOPERM``; empty when it did not answer. ``maybe``: whether what was asked may have been
    done all the same.
    """

    why: str
    code: str = ""
    maybe: bool = False

    @property
    def is_useless(self) -> bool:
        """Whether the next call would fare no better."""
        return not self.code or self.code in USELESS


def away_of(error: BaseException, deadline: float) -> Away:
    """Return what *error*, raised by the library within *deadline* seconds, means."""
    code = next((code for kind, code in _CODES if isinstance(error, kind)), "")
    if code or isinstance(error, exceptions.ResponseError):
        return _declined(str(error), code)
    if isinstance(error, TimeoutError | exceptions.TimeoutError):
        return Away(f"no answer within {deadline * 1000:.0f} ms", maybe=True)
    return next(filter(None, map(_away_of_cause, _causes(error))), Away("the connection was lost", maybe=True))


def _away_of_cause(cause: BaseException) -> Away | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return Away(f"its certificate does not hold: {_printable(cause.verify_message)}")
        case ssl.SSLError():
            return Away(f"no TLS: {_printable(cause.reason or 'the handshake failed')}", maybe=True)
        case ConnectionRefusedError():
            return Away("connection refused")
        case OSError(errno=int(number)) if number > 0:
            return Away(f"cannot be reached: {os.strerror(number)}", maybe=True)
        case _:
            return None


def _declined(text: str, code: str) -> Away:
    """Say what the server said; it likes to quote what it was told, which nobody else need know."""
    found = _CODE.match(text)
    code = code or (found.group() if found else "ERR")
    words = text if code == "NOPERM" else _QUOTED.sub("'...'", text)
    return Away(f"it answers {code}: {_printable(words.removeprefix(code).strip())}", code)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(8):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", text)[:200]
