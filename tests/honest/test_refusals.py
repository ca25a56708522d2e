"""What is refused by design: the reply says how to write it and names the repair that would help, and it does help."""

import re
from dataclasses import dataclass

import pytest

from tests.honest.post import BILLING, BOB, Office

pytestmark = pytest.mark.system

LONG = b"x" * 999 + b"\r\n"


@dataclass(frozen=True)
class Bad:
    """A letter, the reply to it, the words that mend the application, and the repairs that would be made of it."""

    name: str
    raw: bytes
    code: str
    cure: str
    repairs: tuple[str, ...] = ()


def bad(
    name: str,
    code: str,
    cure: str,
    *repairs: str,
    author: bytes = b"Billing <billing@example.com>",
    fields: bytes = b"",
    body: bytes = b"hello\r\n",
) -> Bad:
    head = b"From: " + author + b"\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@x.example>\r\n"
    return Bad(name, head + fields + b"\r\n" + body, code, cure, repairs)


UTF8 = "B\u00fccher <billing@example.com>".encode()
JAPANESE = b"=?iso-2022-jp?b?GyRCQEE1YRsoQg==?= <billing@example.com>"
SHOWN = b'"ceo@example.com" <billing@example.com>'
TWO_PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n"
ROWS = (
    bad("lines of LF", "550 5.6.11", "end every line with CRLF", "bare-lf", body=b"one\ntwo\n"),
    bad("a CR alone", "550 5.6.11", "end every line with CRLF", body=b"one\rtwo\r\n"),
    bad("a line over 998", "554 5.6.0", "quoted-printable or base64", "long-lines", body=LONG),
    bad("the same in a part", "554 5.6.0", "quoted-printable or base64", fields=TWO_PARTS, body=b"--b\r\n\r\n" + LONG),
    bad("a long field", "554 5.6.0", "fold the field", "long-lines", fields=b"X: " + b"word " * 300 + b"\r\n"),
    bad("a long word in a field", "554 5.6.0", "fold the field", fields=b"X: " + LONG),
    bad("a name in raw UTF-8", "550 5.6.7", "by RFC 2047", "8bit-names", author=UTF8),
    bad("a name in raw Latin-1", "550 5.6.7", "by RFC 2047", author=b"B\xfccher <billing@example.com>"),
    bad("a domain in raw UTF-8", "550 5.6.7", "in punycode", author="billing@b\u00fccher.example".encode()),
    bad(
        "a name in ISO-2022-JP",
        "550 5.6.0",
        "as utf-8",
        author=b"=?iso-2022-jp?b?GyRCQEE1YRsoQg==?= <billing@example.com>",
    ),
    bad("two From", "550 5.6.0", "send it once", fields=b"From: billing@example.com\r\n"),
    bad("two authors", "550 5.6.0", "name exactly one author", author=b"billing@example.com, ann@example.com"),
    bad("a comma without quotes", "550 5.6.0", "quote a name with a comma", author=b"Smith, Ann <billing@example.com>"),
    bad("a comment", "550 5.6.0", "put the name in double quotes", author=b"billing@example.com (Billing)"),
    bad(
        "another address as a name",
        "550 5.7.1",
        "use the plain name",
        author=b'"ceo@example.com" <billing@example.com>',
    ),
    bad("another sender", "550 5.7.1", "leave Sender out", fields=b"Sender: root@web01.example.com\r\n"),
    bad("two subjects", "550 5.6.0", "send it once", fields=b"Subject: a\r\nSubject: b\r\n"),
    bad("a blank before the colon", "550 5.6.0", "remove the blank", fields=b"Subject : a\r\n"),
    Bad("an mbox line", b"From billing Fri Nov 20\r\nFrom: billing@example.com\r\n\r\n", "550 5.6.0", "remove it"),
    Bad("no author", b"Subject: hello\r\n\r\nhello\r\n", "550 5.6.0", "name its author there"),
    Bad("no empty line", b"From: billing@example.com\r\nhello\r\n", "550 5.6.0", "(CRLF CRLF) between header and body"),
)


def said(post: Office, raw: bytes, delegate: str = "billing") -> str:
    """Hand *raw* over octet by octet as it is; return the reply."""
    with post.relay.client(delegate, "demo-billing-secret") as client:
        return client.hand_over(BILLING, [BOB], raw)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_reply_says_how_to_write_it(row: Bad, post: Office):
    """And names a repair where one would help, and only there; at the door, where LF is one of three things, always."""
    reply = said(post, row.raw)
    assert reply.startswith(row.code), reply
    assert row.cure in reply
    assert post.ses.taken == []
    named = set(re.findall(r"ask for the repair ([a-z0-9-]+)", reply))
    assert named == (set(row.repairs) if row.code != "550 5.6.11" else {"bare-lf"})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_repair_that_is_named_helps(row: Bad, post: Office):
    """With every repair on what was offered goes, counted and recorded; the rest is refused as before."""
    before = {kind: post.relay.count("ses_relay_repairs_total", delegate="old", kind=kind) for kind in row.repairs}
    reply = said(post, row.raw, "old")
    if not row.repairs:
        assert reply.startswith(row.code), reply
        assert post.ses.taken == []
        assert "ask for the repair" not in reply or row.name == "a CR alone"
        return
    assert reply.startswith("250 2.0.0"), reply
    assert b"\r\nFrom: " in b"\r\n" + post.taken().raw
    for kind, count in before.items():
        assert post.relay.count("ses_relay_repairs_total", delegate="old", kind=kind) == count + 1
    record = post.relay.wait_until(
        lambda: [line for line in post.relay.lines("message") if line["ses_id"] == post.taken().id]
    )
    assert record[0]["repairs"] == list(row.repairs)
