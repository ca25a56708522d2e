"""Letters as Python's own library makes them, one for each thing that mail can be, and as it made them before 3.6."""

import email.policy
from collections.abc import Callable
from dataclasses import dataclass, field
from email import charset as charsets
from email.encoders import encode_base64
from email.header import Header
from email.headerregistry import Address, Group
from email.message import EmailMessage, Message
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import formataddr, formatdate

from tests.honest.post import BILLING, BOB

WIRE = email.policy.SMTP.clone(cte_type="8bit", max_line_length=78)
DATE, MESSAGE_ID = "Fri, 20 Nov 2026 10:00:00 +0100", "<20261120.1@app.example.com>"
TEXT = (
    ".one dot\n..two\n.\n-- \nblanks at the end  \nGr\u00fc\u00dfe \U0001f4ee\nFrom here on\n" + "x" * 998 + "\nend\n"
)
PICTURE = bytes(range(256)) * 20
INVITATION = """BEGIN:VCALENDAR
PRODID:-//Example//Billing//EN
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:1@example.com
DTSTAMP:20261120T090000Z
DTSTART:20261127T090000Z
DTEND:20261127T100000Z
ORGANIZER;CN=Billing:mailto:billing@example.com
ATTENDEE;RSVP=TRUE;CN="Smith, Ann":mailto:ann@example.net
SUMMARY:Besprechung\\, M\u00fcnchen
END:VEVENT
END:VCALENDAR
"""


@dataclass(frozen=True)
class Letter:
    """Octets as a library hands them to SMTP, and their envelope."""

    name: str
    raw: bytes
    mail_from: str = BILLING
    recipients: tuple[str, ...] = field(default=(BOB,))


def _letter(author: str | Address = f"Billing <{BILLING}>", subject: str = "Your invoice") -> EmailMessage:
    letter = EmailMessage(policy=WIRE)
    letter["From"], letter["To"], letter["Subject"] = author, f'"Smith, Ann" <ann@example.net>, {BOB}', subject
    letter["Date"], letter["Message-ID"] = DATE, MESSAGE_ID
    return letter


def _text(letter: EmailMessage, encoding: str | None = None) -> EmailMessage:
    letter.set_content(TEXT, cte=encoding)
    return letter


def eight_bit() -> EmailMessage:
    return _text(_letter(subject="Gr\u00fc\u00dfe aus Z\u00fcrich"), "8bit")


def quoted_printable() -> EmailMessage:
    return _text(_letter(), "quoted-printable")


def in_base64() -> EmailMessage:
    return _text(_letter(), "base64")


def flowed() -> EmailMessage:
    letter = _text(_letter(), "8bit")
    letter.set_param("format", "flowed")
    letter.set_param("delsp", "yes")
    return letter


def related() -> EmailMessage:
    """Text beside HTML with a picture in it, and a file of every octet under a long name."""
    letter = _text(_letter())
    letter.add_alternative('<p>Gr\u00fc\u00dfe</p><img src="cid:logo@example.com">\n', subtype="html")
    html = letter.get_payload(1)
    assert isinstance(html, EmailMessage)
    html.add_related(PICTURE, "image", "png", cid="<logo@example.com>", disposition="inline")
    letter.add_attachment(PICTURE, "application", "pdf", filename="\u00dcbersicht " + "lang " * 30 + ".pdf")
    return letter


def calendar() -> EmailMessage:
    letter = _letter(subject="Besprechung")
    letter.set_content("Bitte zusagen.\n")
    letter.add_alternative(INVITATION, subtype="calendar", params={"method": "REQUEST"})
    return letter


def forwarded() -> EmailMessage:
    """A letter in a letter, which has authors of its own."""
    inner = EmailMessage(policy=WIRE)
    inner["From"], inner["Sender"], inner["Subject"] = "The CEO <ceo@example.com>", "pa@example.com", "Fwd"
    inner["Return-Path"], inner["X-SES-SOURCE-ARN"] = "<ceo@example.com>", "arn:aws:ses:us-east-1:1:identity/x.example"
    inner.set_content("Bcc: not a field\n")
    letter = _letter(subject="Fwd: something")
    letter.set_content("see below\n")
    letter.add_attachment(inner)
    return letter


def bulk() -> EmailMessage:
    """The fields that newsletters have, and answers."""
    letter = _text(_letter())
    letter["List-Unsubscribe"] = "<https://example.com/u?id=1>, <mailto:leave@example.com>"
    letter["List-Unsubscribe-Post"], letter["List-Id"] = "List-Unsubscribe=One-Click", "News <news.example.com>"
    letter["Precedence"], letter["Auto-Submitted"], letter["X-Mailer"] = "bulk", "auto-generated", "app/1.0"
    letter["In-Reply-To"] = "<0@example.net>"
    letter["References"] = " ".join(f"<{number}.{number}@example.net>" for number in range(60))
    letter["Reply-To"], letter["Sender"] = "Help Desk <help@example.net>", BILLING
    letter["Feedback-ID"], letter["X-Priority"], letter["Importance"] = "1:2:3:example", "1 (Highest)", "high"
    return letter


def to_a_group() -> EmailMessage:
    letter = _text(_letter())
    del letter["To"]
    letter["To"] = Group("undisclosed-recipients", ())
    return letter


def to_many() -> EmailMessage:
    """Fifty recipients, all of them shown, folded by the library."""
    letter = _text(_letter())
    letter["Cc"] = [Address(f"Leser {number} \u00d6", f"reader{number}", "example.net") for number in range(50)]
    return letter


def in_punycode() -> EmailMessage:
    letter = _text(_letter("B\u00fccher <billing@xn--bcher-kva.example>"))
    letter["Cc"] = "post@xn--mnchen-3ya.example"
    return letter


def without_a_word() -> EmailMessage:
    """Nothing but an author and an empty body."""
    letter = EmailMessage(policy=WIRE)
    letter["From"] = BILLING
    letter.set_content("")
    return letter


MODERN: tuple[Callable[[], EmailMessage], ...] = (
    eight_bit,
    quoted_printable,
    in_base64,
    flowed,
    related,
    calendar,
    forwarded,
    bulk,
    to_a_group,
    without_a_word,
)


def modern() -> list[Letter]:
    """The letters of :class:`EmailMessage`."""
    letters = [Letter(make.__name__, make().as_bytes()) for make in MODERN]
    readers = tuple(f"reader{number}@example.net" for number in range(50))
    puny = "billing@xn--bcher-kva.example"
    return [
        *letters,
        Letter("to many", to_many().as_bytes(), recipients=readers),
        Letter("in punycode", in_punycode().as_bytes(), puny, ("post@xn--mnchen-3ya.example",)),
    ]


NAMES = {
    "us-ascii": "Billing Dept.",
    "iso-8859-1": "Buchhaltung Z\u00fcrich",
    "iso-8859-15": "B\u0153uf & C\u00f4te \u20ac",
    "windows-1252": "\u201eBuchhaltung\u201c",
    "utf-8": "\u7d4c\u7406\u90e8 \U0001f4ee, Z\u00fcrich: " + "lang " * 20,
}
#: What texts and other people's names come in besides; an author's name is written in one of the above.
TEXTS = {
    "iso-2022-jp": "\u8acb\u6c42\u66f8",
    "shift_jis": "\u8acb\u6c42\u66f8",
    "euc-kr": "\uccad\uad6c\uc11c",
    "gb2312": "\u8d26\u5355",
    "big5": "\u5e33\u55ae",
    "koi8-r": "\u0421\u0447\u0451\u0442",
    "windows-1251": "\u0421\u0447\u0451\u0442",
    "iso-8859-2": "Faktura \u0159",
    "utf-7": "Gr\u00fc\u00dfe",
}


def legacy() -> list[Letter]:
    """Letters of ``email.mime``, as Django and everything written before 2016 sends them."""
    plain = [_legacy(f"name in {name}", name, author) for name, author in NAMES.items()]
    texts = [_legacy(f"text in {name}", "us-ascii", "Billing", (name, text)) for name, text in TEXTS.items()]
    return [*plain, *texts, _django()]


def _legacy(name: str, charset: str, author: str, text: tuple[str, str] | None = None) -> Letter:
    codec, words = text or (charset, author)
    letter = MIMEText(words + "\n", "plain", codec)
    shown = author if charset == "us-ascii" else Header(author, charset).encode()
    letter["Subject"] = Header(words, codec).encode()
    letter["From"] = f"{shown} <{BILLING}>" if charset != "us-ascii" else formataddr((author, BILLING))
    letter["To"] = f"{Header(words, codec).encode()} <{BOB}>"
    letter["Date"], letter["Message-ID"] = formatdate(1795258800), MESSAGE_ID
    return Letter(name, _on_the_wire(letter))


def _django() -> Letter:
    """As Django's EmailMultiAlternatives does: UTF-8 as 8bit, its own order of fields, attachments beside."""
    utf8 = charsets.Charset("utf-8")
    utf8.body_encoding = None  # type: ignore[assignment]  # as Django does: neither base64 nor quoted-printable
    text = MIMEText("", "plain")
    del text["Content-Transfer-Encoding"]
    text.set_payload("Gr\u00fc\u00dfe\n.\n", utf8)
    html = MIMEText("<p>Gr\u00fc\u00dfe</p>\n", "html", "utf-8")
    alternative = MIMEMultipart("alternative", _subparts=[text, html])
    picture = MIMEImage(PICTURE, "png")
    picture.add_header("Content-Disposition", "attachment", filename=("utf-8", "", "\u00dcbersicht.png"))
    spreadsheet = MIMEBase("application", "vnd.ms-excel")
    spreadsheet.set_payload(PICTURE)
    encode_base64(spreadsheet)
    letter = MIMEMultipart("mixed", _subparts=[alternative, picture, spreadsheet])
    name = Header("B\u00fccher", "utf-8").encode()
    letter["Subject"] = Header("Gr\u00fc\u00dfe", "utf-8").encode()
    letter["From"] = f"{name} <{BILLING}>"
    letter["To"] = ", ".join((BOB, "ann@example.net"))
    letter["Reply-To"] = "help@example.net"
    letter["Date"], letter["Message-ID"] = formatdate(1795258800, localtime=False), MESSAGE_ID
    return Letter("django", _on_the_wire(letter))


def _on_the_wire(letter: Message) -> bytes:
    return letter.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
