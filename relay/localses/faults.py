"""Faults on demand: the next calls of an operation are slow, refused, or cut off."""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any, Final, Literal, cast

from relay.localses.refusals import STATUS
from relay.words.values import dataclass

LONGEST_DELAY: Final = 600.0

_DELAY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|)", re.ASCII)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}
_MESSAGES: Final = {"Throttling": "Maximum sending rate exceeded."}
_CODE = re.compile(r"[A-Za-z0-9.]{1,128}", re.ASCII)


class FaultProblem(ValueError):
    """A list of faults that cannot be used. ``str()`` is one sentence for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    What the next ``times`` calls of an operation meet: after ``delay`` seconds an error, or a cut connection.

    ``drop``: ``before`` cuts before anything was done; ``after`` does the work and cuts instead of answering. A fault
    without code and drop is only slow.
    """

    code: str | None
    message: str
    status: int
    times: int
    delay: float
    drop: Literal["before", "after"] | None


class Faults:
    """The faults that are still to happen, in order, by operation."""

    def __init__(self, operations: Collection[str]) -> None:
        self._operations = frozenset(operations)
        self._waiting: dict[str, list[Fault]] = {}

    def set(self, body: bytes) -> None:
        """
        Replace all faults by those of a JSON body, ``{"SendRawEmail": [{"code", "message", "status", ...}]}``.

        Raises:
            FaultProblem: Nothing was changed.
        """
        self._waiting = self._read(body)

    def clear(self) -> None:
        """Forget every fault."""
        self._waiting = {}

    def left(self) -> dict[str, list[dict[str, Any]]]:
        """Return what is still to happen, in the form it is set in."""
        return {
            operation: [{**asdict(fault), "delay": f"{fault.delay:g}s"} for fault in faults]
            for operation, faults in self._waiting.items()
        }

    def take(self, operation: str) -> Fault | None:
        """Return the fault this call meets, if any, and count it."""
        waiting = self._waiting.get(operation)
        if not waiting:
            return None
        fault = waiting[0]
        if fault.times > 1:
            waiting[0] = Fault(**{**asdict(fault), "times": fault.times - 1})
        else:
            del waiting[0]
        return fault

    def _read(self, body: bytes) -> dict[str, list[Fault]]:
        try:
            document = json.loads(body or b"{}")
        except ValueError:
            raise FaultProblem("The body is no JSON.") from None
        if not isinstance(document, dict):
            raise FaultProblem('Give an object of lists: {"SendRawEmail": [{"code": "Throttling", "times": 2}]}.')
        read: dict[str, list[Fault]] = {}
        for operation, faults in document.items():
            if operation not in self._operations:
                raise FaultProblem(
                    f"{operation} is not served here; faults are for operations that are, such as SendRawEmail."
                )
            if not isinstance(faults, list):
                raise FaultProblem(f"{operation} wants a list of faults.")
            read[operation] = [_fault(f"{operation}[{number}]", fault) for number, fault in enumerate(faults)]
        return read


def _fault(where: str, given: Any) -> Fault:
    if not isinstance(given, Mapping):
        raise FaultProblem(f"{where} is no object.")
    fields = {name: value for name, value in given.items() if value is not None}
    unknown = sorted(fields.keys() - {"code", "message", "status", "times", "delay", "drop"})
    if unknown:
        raise FaultProblem(f"{where}: {unknown[0]} is unknown; a fault has code, message, status, times, delay, drop.")
    code = fields.get("code")
    if code is not None and not (isinstance(code, str) and _CODE.fullmatch(code)):
        raise FaultProblem(f"{where}.code is an error code such as Throttling.")
    drop = fields.get("drop")
    if drop not in {None, "before", "after"}:
        raise FaultProblem(f"{where}.drop is before or after.")
    message = fields.get("message", _MESSAGES.get(code or "", "This fault was asked for."))
    if not isinstance(message, str):
        raise FaultProblem(f"{where}.message is a text.")
    return Fault(
        code,
        message,
        _whole(f"{where}.status", fields.get("status", STATUS.get(code or "", 400)), 400, 599),
        _whole(f"{where}.times", fields.get("times", 1), 1, 1_000_000),
        _seconds(f"{where}.delay", fields.get("delay", 0)),
        cast("Literal['before', 'after'] | None", drop),
    )


def _whole(where: str, value: Any, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise FaultProblem(f"{where} is a whole number from {least} to {most}.")
    return value


def _seconds(where: str, value: Any) -> float:
    found = _DELAY.fullmatch(str(value)) if isinstance(value, int | float | str) else None
    seconds = float(found[1]) * _SECONDS[found[2]] if found else math.inf
    if seconds > LONGEST_DELAY:
        raise FaultProblem(f"{where} is a time of at most 10 minutes, such as 250ms, 2s or 1m.")
    return seconds
