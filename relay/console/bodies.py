"""What a change is asked with: one JSON object, whole within a time."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

#: Seconds in which a body must have come whole.
BODY_SECONDS: Final = 30.0


async def object_of(request: web.Request) -> dict[str, Any]:
    """
    Read the JSON object of a request; no octets are ``{}``.

    Raises:
        ValueError: It is none, or it does not come; the text says so.
        web.HTTPException: It is larger than the server takes, late, or breaks off.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            octets = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, ConnectionError):  # not as it says it is encoded, or cut: no fault of ours
        raise web.HTTPBadRequest from None
    try:
        body: Any = json.loads(octets, object_pairs_hook=_once) if octets.strip() else {}
    except _Twice:
        raise
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body is a JSON object")  # noqa: TRY004 - what a client sent is no type of ours
    return body


class _Twice(ValueError):
    """A field stands there twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a field that stands there twice: one reader takes the first of them, another the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Twice("the body names a field twice")
    return found
