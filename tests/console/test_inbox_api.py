"""``/api/inbox`` over real HTTP: what the demo's embedded SES took, whatever strangers wrote into it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from relay.console.interior import Ports
from relay.console.server import AdminServer
from relay.inbox_desk import LONGEST_FIELD, InboxDesk
from relay.localses.store import Message, Store
from tests.console.test_admin import Endpoint

PLAIN = b"From: Ann <ann@example.com>\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\nHello\r\n"


def message(name: str, raw: bytes = PLAIN) -> Message:
    arns = ("arn:source", "arn:from", None)
    return Message(name, "ann@example.com", *arns, ("bob@example.net",), None, {}, "arn:relay", 1_800_000_000.0, raw)


class Place(Endpoint):
    """The running endpoint over a store."""

    store: Store

    async def get(self, path: str) -> tuple[int, Any]:
        status, text, _ = await self.ask(path)
        return status, json.loads(text)

    async def shown(self, raw: bytes) -> dict[str, Any]:
        self.store.add(message("it", raw))
        status, told = await self.get("/api/inbox/it")
        listed, _ = await self.get("/api/inbox")
        assert (status, listed) == (200, 200), told
        found: dict[str, Any] = told
        return found


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    store = Store()
    server = AdminServer(lambda _: (b"", "text/plain"), lambda: (), ports=lambda: Ports(inbox=InboxDesk(store)))
    _, port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as client:
        found = Place(f"http://127.0.0.1:{port}", client)
        found.store = store
        yield found
    await server.stop()


async def test_the_newest_comes_first_page_by_page(place):
    for name in ("a", "b", "c"):
        place.store.add(message(name))
    _, first = await place.get("/api/inbox?limit=2")
    _, second = await place.get(f"/api/inbox?limit=2&after={first['next']}")

    assert [each["id"] for each in first["messages"]] == ["c", "b"]
    assert ([each["id"] for each in second["messages"]], second["next"]) == (["a"], None)
    assert (await place.get("/api/inbox?after=nothing"))[1]["messages"] == []
    assert (await place.get("/api/inbox?colour=red"))[0] == 400


async def test_a_message_is_told_with_its_fields_decoded(place):
    told = await place.shown(PLAIN)

    assert (told["subject"], told["from"], told["text"]) == ("Gr\u00fc\u00dfe", "Ann <ann@example.com>", "Hello\r\n")
    assert told["headers"] == [["From", "Ann <ann@example.com>"], ["Subject", "Gr\u00fc\u00dfe"]]
    assert told["arns"] == {"source_arn": "arn:source", "from_arn": "arn:from", "return_path_arn": None}
    assert (told["received_at"], told["size"]) == ("2027-01-15T08:00:00+00:00", len(PLAIN))
    assert (await place.get("/api/inbox/nothing"))[0] == 404


async def test_texts_html_and_the_rest_are_told_apart(place):
    """The HTML as its source; of the rest no more than what it is called."""
    part = b"--b\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n%s\r\nPGI+SGk8L2I+\r\n"
    raw = b"".join(
        [
            b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
            part % (b"text/plain", b""),
            part % (b"text/html; charset=utf-8", b""),
            part % (b"application/pdf", b'Content-Disposition: attachment; filename="a.pdf"\r\n'),
            b"--b--\r\n",
        ]
    )
    told = await place.shown(raw)

    assert (told["text"], told["html"]) == ("<b>Hi</b>", "<b>Hi</b>")
    assert told["others"] == [{"type": "application/pdf", "name": "a.pdf"}]


NESTED = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"Subject: =?nonsense?B?////?=\r\n\r\n\xff\xfe",
        b"Subject: =?utf-8?B?!?=\r\n\r\n",
        b"Subject: =?utf-8?B?a?=\r\n\r\n",
        b"Subject: =?\xff?B?YQ==?=\r\n\r\n",
        b"Subject: \xff\xfe\xed\xa0\x80\r\n\r\n",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff",
        b"Content-Type: text/plain; charset*=x'y'%ff\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=rot13\r\n\r\nabc",
        b"Content-Type: text/plain; charset=undefined\r\n\r\nabc",
        b"Content-Type: text/plain; charset=idna\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\q",
        b'Content-Type: text/plain; charset="a\0b"\r\n\r\nabc',
        b"Content-Type: multipart/mixed; boundary=\r\n\r\nx",
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n\xff!",
        b"Content-Disposition: attachment; filename*=nonsense'x'%ff\r\nContent-Type: a/b\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
        + b"--a\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" * 50,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000)),
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\n<b>",
        b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=lambda raw: raw[:40].decode("ascii", "replace"),
)
async def test_whatever_it_is_it_is_told(place, raw):
    """Nothing that a message holds is a fault of the page; and nothing of it is endless."""
    told = await place.shown(raw)

    assert told["size"] == len(raw)
    assert all(len(value) <= LONGEST_FIELD for _, value in told["headers"])
