"""The REST protocol of API v2: paths with labels, queries, JSON in and out; and the errors in v2's own words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus, unquote_to_bytes

from relay.localses.constraints import violation
from relay.localses.refusals import Refused
from relay.localses.wire import Wire
from relay.words.values import dataclass

#: Codes of the Query API in the words of v2.
_CODES: Final = {
    "AccessDenied": "AccessDeniedException",
    "AccountSendingPausedException": "SendingPausedException",
    "AccountSuspended": "AccountSuspendedException",
    "ConfigurationSetDoesNotExist": "NotFoundException",
    "ConfigurationSetSendingPausedException": "SendingPausedException",
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InternalFailure": "InternalServiceErrorException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "InvalidParameterValue": "BadRequestException",
    "InvalidPolicy": "BadRequestException",
    "LimitExceeded": "LimitExceededException",
    "MalformedInput": "BadRequestException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "Throttling": "TooManyRequestsException",
    "ValidationError": "BadRequestException",
}
_STATUS: Final = {"ConfigurationSetDoesNotExist": 404, "Throttling": 429}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of v2, with nothing checked but its form: labels of the path, the query, the members of the body."""

    labels: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    body: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """Return a text of the body, or None."""
        return text_in(self.body, name)

    def required(self, name: str) -> str:
        """
        Return a text of the body that must be there.

        Raises:
            Refused: ValidationError.
        """
        text = self.text(name)
        if text is None:
            raise violation("null", name, "Member must not be null")
        return text

    def queried(self, name: str) -> str | None:
        """Return the first value of the query's *name*, or None."""
        return next(iter(self.query.get(name, ())), None)


def labels_of(template: str, path: str) -> dict[str, str] | None:
    """Return the labels of *path*, where it is one of *template* (``/v2/email/tags``, ``.../{EmailIdentity}``)."""
    wanted, found = template.split("/"), path.split("/")
    if len(wanted) != len(found):
        return None
    labels: dict[str, str] = {}
    for name, piece in zip(wanted, found, strict=True):
        if name.startswith("{") and piece:
            labels[name.strip("{}")] = _plain(piece)
        elif name != piece:
            return None
    return labels


def read_asked(wire: Wire, labels: Mapping[str, str]) -> Asked:
    """
    Read query and body.

    Raises:
        Refused: SerializationException for a body that is no JSON object.
    """
    query: dict[str, list[str]] = {}
    for pair in filter(None, wire.query.split("&")):
        name, _, value = pair.partition("=")
        query.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return Asked(labels, query, object_in(parsed(wire.body or b"{}"), "the request"))


def parsed(body: bytes) -> Any:
    """
    Read JSON.

    Raises:
        Refused: SerializationException.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("SerializationException", "The body is no JSON.") from None


def object_in(value: Any, name: str) -> Mapping[str, Any]:
    """
    Return *value*, which is an object.

    Raises:
        Refused: SerializationException.
    """
    if not isinstance(value, dict):
        raise Refused("SerializationException", f"{name} is no object.")
    return value


def list_in(asked: Mapping[str, Any], name: str) -> Sequence[Any]:
    """
    Return the list *name*, empty where it is absent.

    Raises:
        Refused: SerializationException.
    """
    value = asked.get(name)
    if value is not None and not isinstance(value, list):
        raise Refused("SerializationException", f"{name} is no list.")
    return value or ()


def text_in(asked: Mapping[str, Any], name: str) -> str | None:
    """
    Return the text *name*, or None where it is absent.

    Raises:
        Refused: SerializationException.
    """
    value = asked.get(name)
    return None if value is None else text_of(value, name)


def text_of(value: Any, name: str) -> str:
    """
    Return *value*, which is a text.

    Raises:
        Refused: SerializationException.
    """
    if not isinstance(value, str):
        raise Refused("SerializationException", f"{name} holds what is no text.")
    return value


def error_of(refused: Refused) -> tuple[int, str]:
    """Return status and code of an error in the words of v2, where some have a status of their own."""
    return _STATUS.get(refused.code, refused.status), _CODES.get(refused.code, refused.code)


def _plain(piece: str) -> str:
    try:
        return unquote_to_bytes(piece).decode()
    except UnicodeDecodeError:
        raise Refused("BadRequestException", "The path is no UTF-8.") from None
