"""``POST /api/explain``: what would become of a message, and why. Nothing is sent, counted or kept."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from aiohttp import web

from relay.console import door
from relay.console.askers import asker_of
from relay.console.bodies import object_of
from relay.console.spool_pages import Told, answer
from relay.words.values import dataclass

_TEXTS: Final = ("delegate", "message", "message_base64", "from", "mail_from")
_FIELDS: Final = (*_TEXTS, "recipients", "policies", "at")
MOST_POLICIES: Final = 100
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is to be explained.

    ``raw`` is a message, None where only an envelope and an ``author`` are known. ``mail_from``: None for the author.
    ``recipients``: none for those of the message. ``policies``: by ARN of an identity, then by name, a document or its
    text; they stand in the place of what these identities have. ``at``: as if it were sent at that time, in seconds
    since the epoch; None for now.
    """

    delegate: str
    raw: bytes | None = field(default=None, repr=False)
    author: str | None = None
    mail_from: str | None = None
    recipients: tuple[str, ...] = ()
    policies: Mapping[str, Mapping[str, str | Mapping[str, Any]]] = field(default_factory=dict)
    at: float | None = None


class ExplainPort(Protocol):
    """Who can judge what was never sent."""

    async def explain(self, wanted: Wanted) -> Told:
        """
        Explain, as ``ses-relay explain --json`` does.

        Raises:
            ValueError: It cannot be asked so; its text says why.
        """


class ExplainPages:
    """The page over a port."""

    def __init__(self, port: ExplainPort) -> None:
        self._port = port

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Make it known."""
        router.add_post("/api/explain", self._explain)

    async def _explain(self, request: web.Request) -> web.Response:
        try:
            wanted = _wanted_in(await object_of(request))
            if not asker_of(request).sees(wanted.delegate):
                return door.said(403, "this token is not for that delegate")
            return answer(await self._port.explain(wanted))
        except ValueError as problem:
            return door.said(400, str(problem))


def _wanted_in(body: Mapping[str, Any]) -> Wanted:
    for name in body:
        if name not in _FIELDS:
            raise ValueError(f"there is no {name[:40]!r}: {', '.join(_FIELDS)}")
    for name in _TEXTS:
        _text_in(name, body.get(name, ""))
    if "delegate" not in body:
        raise ValueError("delegate is missing: a name of the settings")
    if sum(name in body for name in ("message", "message_base64", "from")) > 1:
        raise ValueError("one of message, message_base64 and from says what is sent")
    return Wanted(
        delegate=body["delegate"],
        raw=_raw_in(body),
        author=body.get("from"),
        mail_from=body.get("mail_from"),
        recipients=_recipients_in(body.get("recipients", [])),
        policies=_policies_in(body.get("policies", {})),
        at=_moment_in(body.get("at")),
    )


def _text_in(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is a text")  # noqa: TRY004 - what a client sent is no type of ours
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half of a character (a lone surrogate)") from None
    return value


def _raw_in(body: Mapping[str, Any]) -> bytes | None:
    if "message" in body:
        return str(body["message"]).encode()
    if "message_base64" not in body:
        return None
    try:
        return base64.b64decode(body["message_base64"], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("message_base64 is no base64") from None


def _moment_in(value: object) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(_text_in("at", value))
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("at is a time such as 2026-11-21T12:00:00Z") from None
    if not 0 <= seconds < _LATEST:
        raise ValueError("at is a time after 1970 and before 9999")
    return seconds


def _recipients_in(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("recipients is a list of addresses")  # noqa: TRY004 - as above
    return tuple(_text_in("each of recipients", each) for each in value)


def _policies_in(value: object) -> Mapping[str, Mapping[str, str | Mapping[str, Any]]]:
    if not (isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())):
        raise ValueError('policies is {"ARN of an identity": {"NAME": a document or its text}}')
    if sum(map(len, value.values())) > MOST_POLICIES or len(value) > MOST_POLICIES:
        raise ValueError(f"policies holds more than {MOST_POLICIES}")
    for attached in value.values():
        for name, policy in attached.items():
            _text_in("a name in policies", name)
            if not isinstance(policy, dict):
                _text_in("each policy", policy)
    return value
