"""Libraries that log by themselves: their warnings come out as lines of ours."""

import logging
from collections.abc import Callable
from typing import Final, Protocol

from relay.observe.log import Level

#: aiosmtpd repeats there what clients send, AUTH exchanges included.
SILENCED: Final = ("mail.log", "mail.debug")


class Listener(Protocol):
    """Who writes what libraries log; a :class:`relay.observe.log.Log`."""

    def library(self, level: Level, logger: str, text: str, error: BaseException | None) -> None:
        """Write a line of a library that logs by itself."""


def take_over_logging(log: Listener) -> Callable[[], None]:
    """
    Send what standard-library loggers say from WARNING up through *log*, and silence those of aiosmtpd.

    Returns:
        A function that puts everything back.
    """
    root = logging.getLogger()
    loggers = (root, *map(logging.getLogger, SILENCED))
    before = [(logger, logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    _set(root, logging.WARNING, [_Forward(log)], propagates=root.propagate)
    for logger in loggers[1:]:
        _set(logger, logging.CRITICAL + 1, [logging.NullHandler()], propagates=False)

    def put_back() -> None:
        for logger, level, handlers, propagates in before:
            _set(logger, level, handlers, propagates=propagates)

    return put_back


def _set(logger: logging.Logger, level: int, handlers: list[logging.Handler], *, propagates: bool) -> None:
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.propagate = propagates


class _Forward(logging.Handler):
    def __init__(self, log: Listener) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: Level = "error" if record.levelno >= logging.ERROR else "warning"
            error = record.exc_info[1] if record.exc_info else None
            self._log.library(level, record.name, record.getMessage(), error)
        except Exception:  # noqa: BLE001  whoever logs must not fail of it
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        """Say nothing: the default prints the arguments that could not be formatted."""
