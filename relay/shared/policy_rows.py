"""
What relays keep for each other of an identity, as octets: what comes back is input, and is read as such.

A row is a checksum and a JSON object. It says whose it is: one that belongs to another name, account or SES is none.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from relay.identities.fellows import Told
from relay.identities.known import KnownIdentity
from relay.identities.names import POLICY_NAME, is_identity
from relay.words.values import dataclass

VERSION: Final = 1
#: SES takes 20 policies of 4 KiB for an identity (Amazon SES Developer Guide, "Service quotas in Amazon SES").
LONGEST: Final = 512 * 1024
MOST_POLICIES: Final = 100
_LONGEST_NAME: Final = 320
_LONGEST_WHY: Final = 1000
_MOST_PAGES: Final = 100_000
_SUM: Final = 32


class RowProblem(ValueError):
    """Octets that are no row, or another's."""


@dataclass(frozen=True, slots=True)
class Gone:
    """An identity that SES did not have at a time, in seconds since the epoch."""

    at: float


@dataclass(frozen=True, slots=True)
class Listed:
    """When the list was read, in seconds since the epoch, and its pages."""

    at: float
    pages: int


Row: TypeAlias = Told | Gone | Listed


def write(place: str, name: str, row: Row) -> bytes:
    """Return the octets of *row*, about *name* at *place*; times are those of the server."""
    text = json.dumps({"v": VERSION, "place": place, "name": name, **_fields(row)}, separators=(",", ":"))
    octets = text.encode("ascii")
    return _sum(octets) + octets


def read(place: str, name: str, octets: bytes) -> Row:
    """
    Read what was written about *name* at *place*.

    Raises:
        RowProblem: Never by relays of this version.
    """
    if len(octets) > LONGEST or octets[:_SUM] != _sum(octets[_SUM:]):
        raise RowProblem("it is too long, or was changed on its way")
    try:
        value = json.loads(octets[_SUM:])
        told = value["v"], value["place"], value["name"]
        row = _row(name, value) if told == (VERSION, place, name) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RowProblem("it is not what a relay writes") from None
    if row is None:
        raise RowProblem("it is of another version, or about another identity")
    return row


def _sum(octets: bytes) -> bytes:
    return hashlib.sha256(octets).hexdigest()[:_SUM].encode("ascii")


def _fields(row: Row) -> Mapping[str, Any]:
    match row:
        case Told(known, as_of):
            policies = {"policies": dict(known.policies), "refused": known.refused[:_LONGEST_WHY]}
            told = {"may_send": known.may_send, "read_at": known.read_at, "verified": known.verified}
            return {"as_of": as_of, **told, **policies}
        case Gone(at):
            return {"gone": at}
        case Listed(at, pages):
            return {"listed_at": at, "pages": pages}


def _row(name: str, value: Mapping[str, Any]) -> Row:
    if "listed_at" in value:
        return Listed(_moment(value["listed_at"]), _of(value["pages"], int, 1 <= value["pages"] <= _MOST_PAGES))
    _of(name, str, len(name) <= _LONGEST_NAME and is_identity(name))
    if "gone" in value:
        return Gone(_moment(value["gone"]))
    policies = _of(value["policies"], dict, len(value["policies"]) <= MOST_POLICIES)
    for policy, text in policies.items():
        _of(policy, str, POLICY_NAME.fullmatch(policy) is not None)
        _of(text, str).encode()
    known = KnownIdentity(
        name,
        may_send=_of(value["may_send"], bool),
        read_at=None if value["read_at"] is None else _moment(value["read_at"]),
        verified=_of(value["verified"], bool),
        policies=policies,
        refused=_of(value["refused"], str, len(value["refused"]) <= _LONGEST_WHY),
    )
    return Told(known, _moment(value["as_of"]))


def _of(value: Any, kind: type, is_good: bool = True) -> Any:  # noqa: FBT001, FBT002 - a claim about the value before it
    if type(value) is not kind or not is_good:
        raise ValueError(kind)
    return value


def _moment(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("no time")
    return float(value)
