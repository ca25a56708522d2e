"""docs/reference/api.md, written from the table of the API."""

import json
from collections.abc import Iterator
from typing import Any, Final

from relay.console.openapi import for_whom
from relay.console.routes import TABLE, Query, Route, errors_of

_HEAD: Final = """\
# The API

<!-- Written from relay/console/routes.py by `make docs`; a test holds it equal. -->

What the relay knows and does, for programs, at the [admin endpoint](admin.md). It is described as OpenAPI 3.1 at
`/api/openapi.json`.

**Who**: without `[[admin.token]]`, everybody on loopback, and elsewhere who has the token of `admin.token_file`. With
any `[[admin.token]]`, every operation needs a token, on loopback too. A `viewer` reads; an `operator` also changes. A
token of some `delegates` sees and changes what is theirs, and nothing that concerns everybody.

**Bodies** are JSON, at most 1 MiB, whole within 30 seconds; a field that is not known is refused by name. **Lists**
hold 100, or `limit` up to 500; `next` is the `after` of the next page, null on the last. **Errors** are
`{"error": "in words"}`.
"""


def api_reference() -> str:
    """Write the whole page."""
    return "\n".join([_HEAD, *(line for route in TABLE for line in _section(route))])


def _section(route: Route) -> Iterator[str]:
    yield f"## {route.method} {route.path}\n"
    yield f"{route.about}\n"
    yield f"For: {for_whom(route)}. Answers {route.status}, or {_errors(route)}.\n"
    if route.query:
        yield "| field | |\n|---|---|"
        yield from (f"| `{query.name}` | {_field(query)} |" for query in route.query)
        yield ""
    if route.body is not None and (fields := route.body.get("properties")):
        needed = route.body.get("required", [])
        yield "| of the body | |\n|---|---|"
        yield from (f"| `{name}` | {_part(fields[name], is_needed=name in needed)} |" for name in fields)
        yield ""
    yield f"Answer: {_shape(route.answer)}.\n"


def _errors(route: Route) -> str:
    return ", ".join(map(str, errors_of(route)))


def _field(query: Query) -> str:
    words = [query.about]
    if choices := query.schema.get("enum"):
        words.append(f"One of {', '.join(f'`{each}`' for each in choices)}.")
    if query.repeats:
        words.append("May be repeated.")
    return " ".join(words)


def _part(schema: dict[str, Any], *, is_needed: bool) -> str:
    about = schema.get("description", json.dumps(schema))
    return f"{about}{' Needed.' if is_needed else ''}"


def _shape(schema: Any) -> str:
    if "$ref" in schema:
        return "a [decision record](decision-record.md)"
    names = ", ".join(f"`{name}`" for name in schema.get("properties", {}))
    return f"an object of {names}" if names else "an object"
