"""The table "What the demo holds", as messages that may go and messages that may not."""

import re
from dataclasses import dataclass

OWNER = "arn:aws:ses:us-east-1:888888888888:identity"
DOMAIN, CEO = f"{OWNER}/example.com", f"{OWNER}/ceo@example.com"

#: What transports love to change: leading dots, blanks at the end, octets past 127, a line of 998, an empty last line.
BODY = (
    b".one dot\r\n..two\r\n.\r\nblanks at the end  \r\n\tGr\xc3\xbc\xc3\x9fe\r\n"
    + b"x" * 998
    + b"\r\nFrom here on nothing\r\n\r\n"
)


def secret_of(delegate: str) -> str:
    return f"demo-{delegate}-secret"


@dataclass(frozen=True)
class Row:
    """
    One message of a delegate. ``fields`` are header lines beside ``To``, ``Subject`` and the MIME fields.

    ``names``: what a refusal says beside the delegate; empty for a message that may go.
    """

    name: str
    delegate: str
    author: str
    mail_from: str
    recipients: tuple[str, ...] = ("bob@example.net",)
    fields: str = ""
    names: tuple[str, ...] = ()
    code: str = "554 5.7.1"
    feedback: str = ""

    @property
    def is_permitted(self) -> bool:
        return not self.names

    @property
    def raw(self) -> bytes:
        head = (
            f"{self.fields}From: {self.author}\r\nTo: somebody@example.net\r\nBcc: hidden@example.net\r\n"
            f"Subject: {self.name}\r\nMessage-ID: <one@client.test>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n"
        )
        return head.encode() + BODY

    @property
    def source(self) -> str:
        """The feedback address, which SES is told as Source."""
        return self.feedback or self.mail_from


def masked(text: str) -> str:
    """A reply or refusal without what differs each time: the decision's id, SES's message id."""
    return re.sub(r"decision [0-9a-f]{16}", "decision ID", re.sub(r"^250 2\.0\.0 Ok \S+$", "250 2.0.0 Ok ID", text))


def without_id(reply: str) -> str:
    """A refusal without the id of its decision, as it is foretold."""
    return re.sub(r"; decision [0-9a-f]{16}\)$", ")", re.sub(r" \(decision [0-9a-f]{16}\)$", "", reply))


def without_steering(raw: bytes) -> bytes:
    """The message as it should leave: no X-SES field, Bcc or Return-Path, every other octet as it was."""
    head, end, body = raw.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not re.match(rb"(?i)(x-ses-[^:]*|bcc|return-path):", line)]
    return b"\r\n".join(kept) + end + body


def split_received(raw: bytes) -> tuple[bytes, bytes]:
    """The relay's own Received field, unfolded, and the rest."""
    found = re.match(rb"Received: .*\r\n(?:[ \t].*\r\n)*", raw)
    assert found is not None, raw[:200]
    return re.sub(rb"\r\n[ \t]+", b" ", found[0]), raw[found.end() :]


PERMITTED = (
    Row("billing as itself", "billing", "Billing <billing@example.com>", "billing@example.com"),
    Row("billing with invoices", "billing", "invoices-eu@example.com", "billing@example.com"),
    Row("billing with a bounce address of the domain", "billing", "billing@example.com", "bounce+17@example.com"),
    Row(
        "billing with a Return-Path",
        "billing",
        "billing@example.com",
        "billing@example.com",
        fields="Return-Path: <returns@example.com>\r\n",
        feedback="returns@example.com",
    ),
    Row(
        "billing naming its identities",
        "billing",
        "billing@example.com",
        "billing@example.com",
        fields=f"X-SES-SOURCE-ARN: {DOMAIN}\r\nX-SES-FROM-ARN: {DOMAIN}\r\nX-SES-RETURN-PATH-ARN: {DOMAIN}\r\n",
    ),
    Row("billing to anybody", "billing", "billing@example.com", "billing@example.com", ("a@b.example", "c@d.example")),
    Row("newsletter", "newsletter", "The News <news@example.com>", "news@example.com"),
    Row(
        "newsletter to many",
        "newsletter",
        "news@example.com",
        "news-bounces@example.com",
        tuple(f"reader{number}@example.net" for number in range(50)),
    ),
)

FORBIDDEN = (
    Row(
        "billing as the ceo",
        "billing",
        "The CEO <ceo@example.com>",
        "billing@example.com",
        names=("user/billing", CEO, "principal", "OnlyTheAssistant"),
    ),
    Row(
        "billing as the ceo, naming the domain",
        "billing",
        "ceo@example.com",
        "billing@example.com",
        fields=f"X-SES-FROM-ARN: {DOMAIN}\r\n",
        names=("user/billing", CEO, "principal"),
    ),
    Row(
        "billing with the ceo's bounces",
        "billing",
        "billing@example.com",
        "ceo@example.com",
        names=("user/billing", CEO, "principal"),
        code="550 5.7.1",
    ),
    Row(
        "billing as sales",
        "billing",
        "sales@example.com",
        "billing@example.com",
        names=("user/billing", DOMAIN, "ses:FromAddress is sales@example.com", "invoices*@example.com"),
    ),
    Row(
        "billing with bounces elsewhere",
        "billing",
        "billing@example.com",
        "bounce@elsewhere.example",
        names=("Email address is not verified", "bounce@elsewhere.example", "US-EAST-1"),
        code="550 5.7.1",
    ),
    Row(
        "billing with a Return-Path elsewhere",
        "billing",
        "billing@example.com",
        "billing@example.com",
        fields="Return-Path: <bounce@elsewhere.example>\r\n",
        names=("user/billing", DOMAIN, "ses:FeedbackAddress is bounce@elsewhere.example", "*@example.com"),
    ),
    Row(
        "billing as somebody elsewhere",
        "billing",
        "billing@elsewhere.example",
        "billing@example.com",
        names=("Email address is not verified", "billing@elsewhere.example", "US-EAST-1"),
    ),
    Row(
        "billing without a reverse-path",
        "billing",
        "billing@example.com",
        "",
        names=("null reverse-path",),
        code="550 5.7.1",
    ),
    Row(
        "newsletter to somebody else",
        "newsletter",
        "news@example.com",
        "news@example.com",
        ("bob@example.net", "carol@example.org"),
        names=("role/newsletter", DOMAIN, "ses:Recipients", "carol@example.org", "*@example.net"),
    ),
    Row(
        "newsletter as billing",
        "newsletter",
        "billing@example.com",
        "news@example.com",
        names=("role/newsletter", DOMAIN, "ses:FromAddress is billing@example.com", "news@example.com"),
    ),
    Row(
        "newsletter as the ceo",
        "newsletter",
        "ceo@example.com",
        "news@example.com",
        names=("role/newsletter", CEO, "principal"),
    ),
    Row(
        "intern",
        "intern",
        "intern@example.com",
        "intern@example.com",
        names=("user/intern", DOMAIN, "explicit Deny", "NotTheIntern"),
        code="550 5.7.1",
    ),
    Row(
        "intern as billing",
        "intern",
        "billing@example.com",
        "billing@example.com",
        names=("user/intern", DOMAIN, "explicit Deny", "NotTheIntern"),
        code="550 5.7.1",
    ),
)
ROWS = PERMITTED + FORBIDDEN
