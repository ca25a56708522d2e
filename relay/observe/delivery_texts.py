"""The JSON of ordinary deliveries as log lines tell them: every message of a spool has one."""

from json.encoder import encode_basestring_ascii as _quoted
from math import isfinite
from typing import Final

from relay.observe.events import Delivered
from relay.observe.plain import LONGEST_TEXT

#: What is told of a message that SES took, in this order.
FIELDS: Final = ("queue_id", "kind", "attempt", "recipients", "maybe_duplicate", "age", "seconds", "ses_ids")


def text_of(event: Delivered) -> str | None:
    """
    Return the JSON of *event*, without its braces, where SES took the message in one call.

    None for all others, and where :func:`relay.observe.plain.bounded` would change anything.
    """
    if tuple(event.record) != FIELDS:
        return None
    queue_id, kind, attempt, recipients, is_maybe, age, seconds, ses_ids = event.record.values()
    texts = "".join((event.delegate, event.result, queue_id, kind, *ses_ids))
    if len(ses_ids) != 1 or len(texts) > LONGEST_TEXT or not texts.isascii() or not isfinite(age + seconds):
        return None
    return (
        f'"delegate":{_quoted(event.delegate)},"result":{_quoted(event.result)},"queue_id":{_quoted(queue_id)}'
        f',"kind":{_quoted(kind)},"attempt":{attempt},"recipients":{recipients}'
        f',"maybe_duplicate":{"true" if is_maybe else "false"},"age":{age!r},"seconds":{seconds!r}'
        f',"ses_ids":[{_quoted(ses_ids[0])}]'
    )
