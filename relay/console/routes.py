"""
The API as one table: each operation, who may ask for it, what it takes and what it answers.

The door lets people in by it, the OpenAPI document and docs/reference/api.md are written from it, and a test holds it
equal to what is served. What is not in it nobody with a narrower token reaches.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from relay.console import schemas
from relay.console.schemas import Schema
from relay.words.endings import Outcome, Reason
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Query:
    """One field of a query. ``repeats``: it may be given more than once, and one of the values is enough."""

    name: str
    about: str
    schema: Schema = field(default_factory=lambda: schemas.TEXT)
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """
    One operation.

    ``name`` is its operationId, and the action of its audit line. ``changes``: for operators only. ``spans_all``: it
    concerns everybody, so not for a token of some delegates only. ``body`` and ``answer`` are JSON Schemas; ``status``
    is that of a good answer, ``refusals`` are others that this operation may answer beside those of every one.
    ``is_of_demo``: it is there before an embedded SES only.
    """

    method: str
    path: str
    name: str
    about: str
    answer: Schema
    status: int = 200
    changes: bool = False
    spans_all: bool = False
    query: tuple[Query, ...] = ()
    body: Schema | None = None
    refusals: tuple[int, ...] = ()
    is_of_demo: bool = False


_LIMIT: Final = Query(
    "limit", "The most in one answer.", {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}
)
_NAME: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
_ID: Final = {"type": "string", "pattern": "^[0-9A-Za-z._-]{1,128}$"}
_STATES: Final = {"enum": list(schemas.STATES)}


def _spool_action(action: str, about: str, body: Schema = schemas.EMPTY) -> Route:
    return Route(
        "POST",
        f"/api/spool/{{id}}/{action}",
        f"spool.{action}",
        about,
        schemas.SPOOL_CHANGED,
        changes=True,
        body=body,
        refusals=(404, 409, 503),
    )


TABLE: Final[tuple[Route, ...]] = (
    Route(
        "GET",
        "/api/delegates",
        "delegates.list",
        "Delegates by name: who each is to AWS, how it proves itself, what holds for it, what became of its mail.",
        schemas.DELEGATES,
        query=(Query("name", "This one."), _LIMIT, Query("after", "A name: those behind it.")),
    ),
    Route(
        "POST",
        "/api/delegates/{name}/resume",
        "delegates.resume",
        "Lets a delegate send as ever, which its bounces or complaints had slowed or suspended.",
        schemas.RESUMED,
        changes=True,
        body=schemas.EMPTY,
        refusals=(404, 409, 503),
    ),
    Route(
        "GET",
        "/api/traffic",
        "traffic",
        "What became of messages in the last hour, minute by minute, for each delegate and reason; since the start.",
        schemas.TRAFFIC,
        query=(Query("delegate", "Of this delegate; - for mail before AUTH."), _LIMIT),
    ),
    Route(
        "POST",
        "/api/explain",
        "explain",
        "Says what would become of a message, and why, as `ses-relay explain --json` does. Nothing is sent, counted or "
        "kept. With `from` in the place of a message only the envelope and the author are judged.",
        schemas.EXPLANATION,
        body=schemas.EXPLAIN,
        refusals=(404, 503),
    ),
    Route(
        "GET",
        "/api/decisions",
        "decisions.list",
        "Recent decisions, the newest first.",
        schemas.DECISIONS,
        query=(
            Query("delegate", "Of this delegate; - for mail before AUTH.", _NAME),
            Query("verdict", "The worst verdict over its addresses.", {"enum": list(schemas.VERDICTS)}),
            Query("outcome", "How the message ended.", {"enum": [each.value for each in Outcome]}),
            Query("reason", "Why it ended so.", {"enum": [each.value for each in Reason]}),
            Query("since", "Ended at this time or later.", schemas.MOMENT),
            Query("until", "Ended before this time.", schemas.MOMENT),
            _LIMIT,
            Query("after", "An ID: those older than it.", _ID),
        ),
        refusals=(503,),
    ),
    Route(
        "GET",
        "/api/decisions/{id}",
        "decisions.show",
        "One decision: its record.",
        schemas.DECISION,
        refusals=(404, 503),
    ),
    Route(
        "GET",
        "/api/decisions/{id}/explanation",
        "decisions.explain",
        "One decision explained: the judge is asked again, by the policies of then.",
        schemas.PAST,
        refusals=(404, 503),
    ),
    Route(
        "GET",
        "/api/identities",
        "identities.list",
        "Identities by ARN, with the age of what is known and what is wrong with their policies; every account and "
        "region.",
        schemas.IDENTITIES,
        spans_all=True,
        query=(
            Query("account", "Of this account."),
            Query("region", "In this region."),
            Query("name", "Of this name, in any case."),
            Query("in_use", "Whether mail was allowed by them lately.", {"enum": ["true", "false"]}),
            _LIMIT,
            Query("after", "An ARN: those behind it."),
        ),
    ),
    Route(
        "GET",
        "/api/identities/policies",
        "identities.policies",
        "Every policy of one identity: its text, and what the relay reads in it.",
        schemas.POLICIES,
        spans_all=True,
        query=(Query("identity", "Its ARN."),),
        refusals=(404,),
    ),
    Route(
        "POST",
        "/api/identities/refresh",
        "identities.refresh",
        "Reads one identity again, or all, as soon as the budget of the API allows.",
        schemas.REFRESHING,
        status=202,
        changes=True,
        spans_all=True,
        body=schemas.REFRESH,
        refusals=(404,),
    ),
    Route(
        "GET",
        "/api/spool",
        "spool.list",
        "Messages that wait, by ID.",
        schemas.SPOOL,
        query=(
            Query("delegate", "Of this delegate."),
            Query("state", "In this state.", _STATES, repeats=True),
            Query(
                "older_than",
                "Accepted before so long, such as 2h.",
                {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"},
            ),
            Query("reason", "With this text in the reason or the last answer."),
            _LIMIT,
            Query("after", "An ID: those behind it."),
        ),
        refusals=(503,),
    ),
    Route(
        "GET",
        "/api/spool/{id}",
        "spool.show",
        "One message that waits: its recipients with their fates, and where it came from.",
        schemas.SPOOL_ENTRY_WHOLE,
        refusals=(404, 503),
    ),
    _spool_action("retry", "Due now."),
    _spool_action("hold", "Kept until it is released."),
    _spool_action("release", "Goes on."),
    _spool_action("delete", "Removed; or, with notify, it fails and a notification is owed.", schemas.DELETION),
    Route(
        "GET",
        "/api/inbox",
        "inbox.list",
        "What the demo's embedded SES took, the newest first. A relay before Amazon SES has no such page.",
        schemas.INBOX,
        spans_all=True,
        query=(_LIMIT, Query("after", "An ID: those older than it.")),
        is_of_demo=True,
    ),
    Route(
        "GET",
        "/api/inbox/{id}",
        "inbox.show",
        "One message that the demo's embedded SES took.",
        schemas.MAIL,
        spans_all=True,
        refusals=(404,),
        is_of_demo=True,
    ),
    Route("GET", "/api/openapi.json", "openapi", "This API, as OpenAPI 3.1.", schemas.ANY_OBJECT),
)

_BY_PLACE: Final[Mapping[tuple[str, str], Route]] = {(route.method, route.path): route for route in TABLE}


def route_of(method: str, path: str | None) -> Route | None:
    """Return the operation that *path*, as the table writes it, has for *method*; HEAD is asked like GET."""
    return _BY_PLACE.get(("GET" if method == "HEAD" else method, path or ""))


def parameters_in(path: str) -> list[str]:
    """Name what stands in braces."""
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def errors_of(route: Route) -> list[int]:
    """Every refusal that *route* may answer, in order."""
    always: list[Any] = [400, 401, 403, 408, 413, 415] if route.method == "POST" else [400, 401, 403]
    return sorted({*always, *route.refusals})
