"""
An event in the body of an SQS message, out of what SNS and EventBridge put around it. Pure.

Amazon SNS Developer Guide, "Parsing Amazon SNS message formats" and "Raw message delivery"; Amazon EventBridge User
Guide, "Event structure reference".
"""

import json
from collections.abc import Mapping
from typing import Any, Final

#: Characters of a body: SQS carries a mebibyte at most.
LONGEST: Final = 1 << 20
_DEEPEST: Final = 3  # SNS around EventBridge around the event


class Malformed(ValueError):
    """What should be an event is none. ``str()`` says why, without quoting it: it may hold addresses."""


def opened(body: str) -> Mapping[str, Any]:
    """
    Return the event in *body*, as its service made it.

    Raises:
        Malformed: It is no JSON object, or is wrapped too often.
    """
    if len(body) > LONGEST:
        raise Malformed("longer than SQS carries")
    here = _object(body)
    for _ in range(_DEEPEST):
        if here.get("Type") == "Notification" and isinstance(here.get("Message"), str):
            here = _object(here["Message"])
        elif "detail-type" in here:
            inner = here.get("detail")
            if not isinstance(inner, dict):
                raise Malformed("an event of EventBridge without detail")
            here = inner
        else:
            return here
    raise Malformed("wrapped too often")


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except Malformed:
        raise
    except ValueError:
        raise Malformed("no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("no JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers could see two events where a key is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Malformed("a key is there twice")
    return found


def _no_constant(_word: str) -> Any:
    raise Malformed("NaN and Infinity are no JSON")
