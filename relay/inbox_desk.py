"""The messages of the demo's embedded SES, for the admin endpoint, which does not know it."""

import asyncio
import codecs
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Mail
from email.parser import BytesParser
from itertools import islice
from typing import Any, Final

from relay.console.asked import limit_of, once
from relay.console.spool_pages import Declined, Told
from relay.localses.store import Message, Store

_FIELDS: Final = ("limit", "after")
_UNKNOWN: Final = Declined("the embedded SES has no such message", is_known=False)
#: Octets of a message that are looked into for people, fields and characters that they are shown of it.
LONGEST_LOOK: Final = 4 << 20
MOST_FIELDS: Final = 200
LONGEST_TEXT: Final = 100_000
LONGEST_FIELD: Final = 4096
#: What the decoding of what strangers wrote raises.
_UNREADABLE: Final = (ValueError, LookupError, MessageError)
#: Codecs of Python's that are no charsets of mail: for names, for source code, for tests.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})


class InboxDesk:
    """A :class:`relay.console.inbox_pages.InboxPort` over the store of an embedded SES."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def listed(self, asked: Sequence[tuple[str, str]]) -> Told:
        """List a page of messages, the newest first."""
        wanted = once(asked, _FIELDS)
        limit, found = limit_of(wanted.get("limit")), reversed(tuple(self._store))
        if (after := wanted.get("after")) is not None:
            found = _behind(after, found)
        page = list(islice(found, limit + 1))
        rows = await asyncio.to_thread(lambda: [_row(message) for message in page[:limit]])
        return {"messages": rows, "next": page[limit - 1].id if len(page) > limit else None}

    async def shown(self, name: str) -> Told:
        """Tell the whole message."""
        message = self._store.find(name)
        return _UNKNOWN if message is None else await asyncio.to_thread(_whole, message)


def _behind(name: str, messages: Iterator[Message]) -> Iterator[Message]:
    for message in messages:
        if message.id == name:
            break
    return messages


def _taken_apart(raw: bytes) -> tuple[Mail, list[Mail]]:
    """Return a message and its parts; none of one that is nested so deep that the parser gives up."""
    try:
        parsed = _read(raw)
        return parsed, [part for part in parsed.walk() if not part.is_multipart()]
    except RecursionError:
        return _head_of(raw), []


def _head_of(raw: bytes) -> Mail:
    return _read(raw[:65536].partition(b"\r\n\r\n")[0] + b"\r\n\r\n")


def _row(message: Message) -> dict[str, Any]:
    head = _head_of(message.raw)
    return {
        "id": message.id,
        "received_at": datetime.fromtimestamp(message.received_at, UTC).isoformat(timespec="seconds"),
        "source": message.source,
        "recipients": list(message.destinations),
        "from": _field(head, "From"),
        "subject": _field(head, "Subject"),
        "size": len(message.raw),
        "principal": message.principal,
    }


def _whole(message: Message) -> dict[str, Any]:
    parsed, parts = _taken_apart(message.raw[:LONGEST_LOOK])
    return {
        **_row(message),
        "arns": {name: getattr(message, name) for name in ("source_arn", "from_arn", "return_path_arn")},
        "headers": [[name, _plain(value)] for name, value in list(parsed.raw_items())[:MOST_FIELDS]],
        "text": "\n\n".join(_text(part) for part in parts if part.get_content_type() == "text/plain")[:LONGEST_TEXT],
        "html": "\n\n".join(_text(part) for part in parts if part.get_content_type() == "text/html")[:LONGEST_TEXT],
        "others": [
            {"type": part.get_content_type(), "name": _file_name(part)}
            for part in parts[:MOST_FIELDS]
            if part.get_content_type() not in {"text/plain", "text/html"}
        ],
    }


def _read(octets: bytes) -> Mail:
    """Read what strangers wrote. This parser takes whatever it is; the newer one raises at some of it."""
    return BytesParser().parsebytes(octets)


def _field(message: Mail, name: str) -> str:
    """Return a field with its RFC 2047 words decoded, where they can be."""
    return _plain(message.get(name, ""))


def _plain(value: object) -> str:
    text = str(value)[:LONGEST_FIELD]
    with suppress(*_UNREADABLE):
        text = str(make_header(decode_header(text)))
    return text.encode("utf-8", "replace").decode()


def _text(part: Mail) -> str:
    octets = part.get_payload(decode=True)
    raw = octets if isinstance(octets, bytes) else b""
    with suppress(*_UNREADABLE):
        charset = codecs.lookup(part.get_content_charset("utf-8")).name
        if charset not in _NO_CHARSETS:
            return raw.decode(charset, "replace")
    return raw.decode("utf-8", "replace")


def _file_name(part: Mail) -> str:
    try:
        return _plain(part.get_filename() or "")
    except _UNREADABLE:
        return ""
