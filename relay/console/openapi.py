"""``/api/openapi.json``: the table of the API as an OpenAPI 3.1 document (OpenAPI Specification 3.1.1)."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aiohttp import web

from relay import __version__
from relay.console import schemas
from relay.console.routes import TABLE, Query, Route, errors_of, parameters_in

PATH: Final = "/api/openapi.json"
_WHY: Final[Mapping[int, str]] = {
    400: "A field of the query or of the body that there is not, or not with this value.",
    401: "A bearer token is needed, or this is none.",
    403: "Not with this token; or a page of another site asks; or, without a token, Host does not name this machine.",
    404: "There is nothing of this name, or not for this token.",
    408: "The body did not come in time.",
    409: "It cannot be done now, in this state.",
    413: "The body is larger than 1 MiB.",
    415: "A body must be application/json.",
    503: "Not now: there is no spool or journal, its disk fails, or too many ask at once.",
}
_ABOUT: Final = (
    "What the relay knows and does, for programs. Off loopback, and wherever tokens with roles are configured, every "
    "operation needs a bearer token: a viewer's reads, an operator's also changes; a token of some delegates sees and "
    "changes what is theirs. No answer holds a password or a hash, and none but the demo's inbox a "
    "message body."
)


def add_to(router: web.UrlDispatcher) -> None:
    """Make the document known."""
    router.add_get(PATH, _answer)


async def _answer(_request: web.Request) -> web.Response:
    return web.Response(body=_octets(), content_type="application/json")


@cache
def _octets() -> bytes:
    return json.dumps(document()).encode()


def document() -> dict[str, Any]:
    """Write the whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in TABLE:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ses-relay",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {"Error": schemas.ERROR, "DecisionRecord": decision_record()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


@cache
def decision_record() -> dict[str, Any]:
    """Read the schema of decision records, which the log has too."""
    found: dict[str, Any] = json.loads(
        files("relay.observe").joinpath("decision-record.schema.json").read_text("utf-8")
    )
    found.pop("$schema")
    return found


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.about,
        "tags": [route.path.split("/")[2].partition(".")[0]],
        "x-for": for_whom(route),
        "parameters": [*map(_in_path, parameters_in(route.path)), *map(_in_query, route.query)],
        "responses": {str(route.status): _said("Done." if route.changes else "The answer.", route.answer)},
    }
    if route.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    error = {"$ref": "#/components/schemas/Error"}
    found["responses"] |= {str(status): _said(_WHY[status], error) for status in errors_of(route)}
    return found


def for_whom(route: Route) -> str:
    """Say in words whose tokens open *route*."""
    who = "operator" if route.changes else "viewer"
    return f"{who} of all delegates" if route.spans_all else who


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(query: Query) -> dict[str, Any]:
    schema = {"type": "array", "items": query.schema} if query.repeats else query.schema
    return {"name": query.name, "in": "query", "description": query.about, "schema": schema}


def _said(about: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}
