"""
Signature Version 4 from the receiving end: whether the key a request names signed it, for this service, now.

Written from "AWS Signature Version 4 for API requests" (IAM User Guide) and shared with no signer of ours. The checks
run in AWS's order, with AWS's codes and words; nothing of the Authorization header is repeated in an answer.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote_plus

from relay.localses.keys import UNKNOWN_PRINCIPAL, Key
from relay.localses.refusals import Refused
from relay.localses.wire import Wire
from relay.words.dates import http_date
from relay.words.values import dataclass

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TERMINATOR: Final = "aws4_request"
TOLERANCE: Final = timedelta(minutes=5)
"""How far the clocks may differ: a request must arrive within five minutes of its time stamp."""

_STAMP: Final = "%Y%m%dT%H%M%SZ"
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}", re.ASCII)
_PARTS: Final = ("Credential", "Signature", "SignedHeaders")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, by its key, to which region it was addressed, and the address it came from."""

    key: Key
    region: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """A credential scope: key id, day (``YYYYMMDD``), region, service, terminator."""

    key_id: str
    day: str
    region: str
    service: str
    terminator: str


def claimed_scope(wire: Wire) -> Scope | None:
    """Return the scope a request claims, unverified, or None where it claims none that can be read."""
    found = re.search(r"Credential=([^,\s]+)", wire.header("authorization") or "")
    pieces = found[1].split("/") if found else []
    return Scope(*pieces) if len(pieces) == 5 else None


def trusting_caller(wire: Wire, keys: Mapping[str, Key]) -> Caller:
    """Take the request's word for its key; a key nobody listed belongs to account 000000000000."""
    scope = claimed_scope(wire)
    key_id = scope.key_id if scope else ""
    key = keys.get(key_id) or Key(key_id, "", UNKNOWN_PRINCIPAL)
    return Caller(key, scope.region if scope else "us-east-1")


def verified_caller(wire: Wire, keys: Mapping[str, Key], service: str, now: datetime) -> Caller:
    """
    Verify the signature of a request to *service*, at *now* (aware).

    Raises:
        Refused: MissingAuthenticationToken, IncompleteSignature, SignatureDoesNotMatch,
            InvalidClientTokenId or ExpiredToken.
    """
    parts = _authorization(wire)
    stamp = _stamp(wire)
    _check_time(stamp, now)
    signed = sorted(parts["SignedHeaders"].lower().split(";"))
    _check_signed_headers(wire, signed)
    scope = _scope(parts["Credential"])
    _check_scope(scope, service, stamp)
    key = keys.get(scope.key_id)
    if key is None or wire.header("x-amz-security-token") != key.token:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    if not hmac.compare_digest(_signature(wire, signed, scope, key.secret), parts["Signature"].encode()):
        raise Refused(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    if key.has_ended(now.timestamp()):
        raise Refused("ExpiredToken", "The security token included in the request is expired.")
    return Caller(key, scope.region)


def signed_headers(wire: Wire, key: Key, region: str, service: str, now: datetime) -> dict[str, str]:
    """Return the headers of *wire*, signed for *service* at *now* (aware): for what we ask of others ourselves."""
    stamp = now.strftime(_STAMP)
    scope = Scope(key.id, stamp[:8], region, service, TERMINATOR)
    token = {"x-amz-security-token": key.token} if key.token else {}
    headers = {**dict(wire.headers), "x-amz-date": stamp, **token}
    names = sorted(headers)
    signature = _signature(replace(wire, headers=tuple(headers.items())), names, scope, key.secret).decode()
    credential = "/".join((scope.key_id, scope.day, scope.region, scope.service, scope.terminator))
    pairs = f"Credential={credential}, SignedHeaders={';'.join(names)}, Signature={signature}"
    return {**headers, "authorization": f"{ALGORITHM} {pairs}"}


def _authorization(wire: Wire) -> dict[str, str]:
    values = [value for name, value in wire.headers if name == "authorization"]
    if not values or not values[0].startswith("AWS4-"):
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
    if len(values) > 1:
        raise Refused("IncompleteSignature", "More than one Authorization header.")
    algorithm, _, rest = values[0].strip().partition(" ")
    pairs = [pair.strip() for pair in rest.split(",") if pair.strip()]
    if not all("=" in pair for pair in pairs):
        raise Refused("IncompleteSignature", "Not a valid key=value pair (missing equal-sign) in Authorization header.")
    parts = dict(pair.split("=", 1) for pair in pairs)
    missing = [f"Authorization header requires '{part}' parameter." for part in _PARTS if not parts.get(part)]
    if wire.header("x-amz-date") is None and wire.header("date") is None:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing:
        raise Refused("IncompleteSignature", " ".join(missing))
    if algorithm != ALGORITHM:
        raise Refused("IncompleteSignature", f"Unsupported AWS 'algorithm' (only {ALGORITHM} for now).")
    return parts


def _stamp(wire: Wire) -> datetime:
    text = wire.header("x-amz-date") or wire.header("date") or ""
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        stamp = http_date(text)
    if stamp is None:
        raise Refused("IncompleteSignature", "Date must be in ISO-8601 'basic format', such as 20261120T120000Z.")
    return stamp


def _check_time(stamp: datetime, now: datetime) -> None:
    minutes = TOLERANCE // timedelta(minutes=1)
    sent, here = stamp.strftime(_STAMP), now.strftime(_STAMP)
    if stamp < now - TOLERANCE:
        limit = (now - TOLERANCE).strftime(_STAMP)
        raise Refused(
            "SignatureDoesNotMatch",
            f"Signature expired: {sent} is now earlier than {limit} ({here} - {minutes} min.)",
        )
    if stamp > now + TOLERANCE:
        limit = (now + TOLERANCE).strftime(_STAMP)
        raise Refused(
            "SignatureDoesNotMatch",
            f"Signature not yet current: {sent} is still later than {limit} ({here} + {minutes} min.)",
        )


def _check_signed_headers(wire: Wire, signed: list[str]) -> None:
    present = {name for name, _ in wire.headers}
    owed = sorted(name for name in present if name == "content-type" or name.startswith("x-amz-"))
    for name in ("host", *owed):
        if name not in signed:
            spelt = "Host' or ':authority" if name == "host" else name.title()
            raise Refused("SignatureDoesNotMatch", f"'{spelt}' must be a 'SignedHeader' in the AWS Authorization.")


def _scope(credential: str) -> Scope:
    pieces = credential.split("/")
    if len(pieces) != 5:
        raise Refused(
            "IncompleteSignature",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term",
        )
    return Scope(*pieces)


def _check_scope(scope: Scope, service: str, stamp: datetime) -> None:
    wrong = " ".join(_scope_problems(scope, service, stamp))
    if wrong:
        raise Refused("SignatureDoesNotMatch", wrong)


def _scope_problems(scope: Scope, service: str, stamp: datetime) -> Iterator[str]:
    if not _REGION.fullmatch(scope.region):
        yield f"Credential should be scoped to a valid region, not '{scope.region}'."
    if scope.service != service:
        yield f"Credential should be scoped to correct service: '{service}'."
    if scope.terminator != TERMINATOR:
        yield f"Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{scope.terminator}'."
    day = stamp.strftime("%Y%m%d")
    if scope.day != day:
        yield (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.day}' != '{day}', from '{stamp.strftime(_STAMP)}'."
        )


def _signature(wire: Wire, signed: list[str], scope: Scope, secret: str) -> bytes:
    stamp = _stamp(wire).strftime(_STAMP)
    digest = hashlib.sha256(_canonical_request(wire, signed)).hexdigest()
    day_scope = f"{scope.day}/{scope.region}/{scope.service}/{scope.terminator}"
    key = f"AWS4{secret}".encode()
    for piece in (scope.day, scope.region, scope.service, scope.terminator):
        key = hmac.digest(key, piece.encode(), "sha256")
    return hmac.digest(key, f"{ALGORITHM}\n{stamp}\n{day_scope}\n{digest}".encode(), "sha256").hex().encode()


def _canonical_request(wire: Wire, signed: list[str]) -> bytes:
    lines = [
        wire.method,
        quote(
            wire.path, safe="/~", errors="surrogateescape"
        ),  # the path is encoded once more than on the wire, everywhere but in S3
        _canonical_query(wire.query),
        *(f"{name}:{_canonical_value(wire, name)}" for name in signed),
        "",
        ";".join(signed),
        hashlib.sha256(wire.body).hexdigest(),
    ]
    return "\n".join(lines).encode("latin-1")


def _canonical_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded(text: str) -> str:
    return quote(unquote_plus(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")


def _canonical_value(wire: Wire, name: str) -> str:
    return ",".join(" ".join(value.split()) for known, value in wire.headers if known == name)
