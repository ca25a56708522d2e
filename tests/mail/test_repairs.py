"""The repairs: what each changes, to the octet, and what it leaves alone."""

import binascii
import email
import email.policy
import re
from email.header import decode_header, make_header

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.reading import read_facts
from relay.mail.repairs import Plan, explained, repair
from relay.words.delegates import Repair
from tests.mail.letters import letter

DATE, MESSAGE_ID = "Thu, 20 Nov 2025 10:00:00 +0000", "<m@relay.example>"
EVERY: tuple[Repair, ...] = ("bare-lf", "8bit-names", "long-lines", "missing-headers")
USUAL = b"Date: Thu, 20 Nov 2025 10:00:00 +0000\r\n"
DKIM = "DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=AA==; b=AA=="


def plan(*wanted: Repair, most: int = 10 << 20) -> Plan:
    return Plan(wanted, most, DATE, MESSAGE_ID)


def only(kind: Repair, raw: bytes) -> bytes:
    """Repair *raw* by one repair, which is made."""
    repaired = repair(raw, plan(kind))
    assert repaired.made == (kind,), repaired.withheld
    assert isinstance(read_facts(repaired.raw), MessageFacts), read_facts(repaired.raw)
    return repaired.raw


def why_not(kind: Repair, raw: bytes) -> str:
    """Why a repair is withheld; and then the message is refused, with that reason in place of the offer."""
    repaired = repair(raw, plan(kind))
    assert (repaired.raw, repaired.made) == (raw, ())
    problem = read_facts(repaired.raw)
    assert isinstance(problem, MessageProblem)
    said = explained(problem, repaired)
    assert "ask for the repair" not in said.reply.text
    assert said.repair is None
    return repaired.withheld[kind]


@pytest.mark.parametrize("kind", EVERY)
def test_a_message_in_form_is_left_as_it_is(kind: Repair):
    """Not an octet changes where there is nothing to repair, and nothing is said of it."""
    raw = letter("Subject: hello", USUAL[:-2], body=b"..a\r\n.\r\n" + b"x" * 998 + b"\r\n")
    repaired = repair(raw, plan(kind))
    assert repaired.raw is raw
    assert (repaired.made, repaired.withheld) == ((), {})


def test_nothing_is_repaired_that_is_not_wanted():
    raw = letter(author="Zo\u00eb <app1@example.com>".encode()).replace(b"\r\n", b"\n")
    assert repair(raw, plan()).raw is raw


# bare-lf


def test_lines_that_end_in_lf_end_in_crlf():
    raw = letter("Subject: a", " folded", body=b"one\n\ntwo\n")
    assert only("bare-lf", raw.replace(b"\r\n", b"\n")) == raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_a_body_of_lf_behind_a_header_of_crlf():
    """As PHP writes it: fields joined by CRLF, a text with the line ends of its editor."""
    assert only("bare-lf", letter(body=b"one\ntwo\r\nthree\n")) == letter(body=b"one\r\ntwo\r\nthree\r\n")


@pytest.mark.parametrize(
    ("wire", "meant"),
    [
        (b"..button {}\n..\nend\n", b".button {}\r\n.\r\nend\r\n"),
        (b".button {}\n../up\nend\n", b".button {}\r\n../up\r\nend\r\n"),
        (b"...\n", b"..\r\n"),
    ],
    ids=["doubled", "not doubled", "three"],
)
def test_dots_that_were_doubled_for_the_wire_are_undoubled(wire: bytes, meant: bytes):
    """Who takes LF for the end of a line doubles the dots behind it, all of them or none."""
    fields = letter(body=b"").replace(b"\r\n", b"\n")
    assert only("bare-lf", fields + wire + b"\r\n") == letter(body=meant + b"\r\n")


def test_dots_stay_where_lines_came_with_crlf():
    """There the door has undoubled them already."""
    assert only("bare-lf", letter(body=b"..a\r\nb\n")) == letter(body=b"..a\r\nb\r\n")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (letter(body=b"a\rb\nc\n"), "bare CR"),
        (letter(body=b"a\0b\nc\n"), "NUL"),
        (letter("Subject: a\nX-Injected: b"), "somebody wrote a field"),
        (b"From: app1@example.com\r\n\nbody\r\n", "somebody wrote a field"),
        (b"From: app1@example.com\n\r\nbody\n", "somebody wrote a field"),
        (letter(body=b"a\n.\nMAIL FROM:<ceo@example.com>\r\n"), "lone dot"),
        (letter(body=b"a\n.\r\nb\r\n"), "lone dot"),
        (letter(body=b"a\r\n.\nb\r\n"), "lone dot"),
        (letter(body=b"a\nb\r\n.\r\nc\r\n"), "lone dot"),
        (letter(body=b"a\n."), "lone dot"),
        (b".\n" + letter(body=b"a\n"), "somebody wrote a field"),
        (b"From: app1@example.com\nX: y\n", "no empty line"),
        (letter(DKIM, body=b"a\n"), "signed"),
        (letter("Content-Type: multipart/SIGNED; boundary=b", body=b"a\n"), "signed"),
        (letter(body=b"-----BEGIN PGP SIGNED MESSAGE-----\n"), "signed"),
        (letter(body=b"--b\nContent-Type: message/rfc822\n\nDkim-Signature: v=1\n"), "signed"),
    ],
)
def test_line_feeds_that_are_not_mended(raw: bytes, why: str):
    assert why in why_not("bare-lf", raw)


def test_a_message_with_other_line_ends_is_not_repaired_otherwise():
    """No other repair takes a bare LF away with the field that it stands in."""
    raw = letter(author="Zo\u00eb\n <app1@example.com>".encode())
    assert repair(raw, plan("8bit-names", "long-lines", "missing-headers")).raw is raw


# 8bit-names


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("Zo\u00eb <app1@example.com>", "Zo\u00eb"),
        ('"Sch\u00f6n, Zo\u00eb \\"Z\\""  <app1@example.com>', 'Sch\u00f6n, Zo\u00eb "Z"'),
        ("J. M\u00fcller\t GmbH <app1@example.com>", "J. M\u00fcller GmbH"),
        ("\u7530\u4e2d\u592a\u90ce" * 30 + " <app1@example.com>", "\u7530\u4e2d\u592a\u90ce" * 30),
        ("\U0001f469\u200d\U0001f680 crew <app1@example.com>", "\U0001f469\u200d\U0001f680 crew"),
    ],
)
def test_a_name_in_raw_utf_8_is_encoded(author: str, name: str):
    """The same name, for everybody who decodes it; the address is not touched."""
    raw = only("8bit-names", letter(author=author.encode()))
    facts = read_facts(raw)
    assert isinstance(facts, MessageFacts)
    assert facts.display_name is not None
    assert (str(facts.author), facts.display_name.decoded) == ("app1@example.com", name)
    assert raw.isascii()
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    phrase, _, address = email.message_from_bytes(raw)["From"].replace("\r\n", "").rpartition(" ")
    assert (str(make_header(decode_header(phrase))), address) == (name, "<app1@example.com>")


def test_texts_and_lists_of_names():
    """Subject, and each name of To apart; what is 7-bit stays as it is written."""
    listed = '"B, \u00d6" <b@x.example>, plain@x.example,Ann <a@x.example>,\tZo\u00eb <z@x.example>'
    raw = only(
        "8bit-names", letter(f"Subject: Gr\u00fc\u00dfe\r\n folded, {'lang ' * 30}".encode(), f"Cc: {listed}".encode())
    )
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert str(read["Subject"]) == f"Gr\u00fc\u00dfe folded, {'lang ' * 30}".strip()
    names = [(each.display_name, each.addr_spec) for each in read["Cc"].addresses]
    assert names == [
        ("B, \u00d6", "b@x.example"),
        ("", "plain@x.example"),
        ("Ann", "a@x.example"),
        ("Zo\u00eb", "z@x.example"),
    ]
    assert b", plain@x.example,Ann <a@x.example>," in raw


def test_a_folded_list_that_holds_a_name_stays_folded():
    """Or a message that passes as it came would be refused for its repair."""
    addresses = [f"reader{number}@rcpt.example" for number in range(60)]
    raw = only("8bit-names", letter(",\r\n ".join(["Cc: Zo\u00eb <z@x.example>", *addresses]).encode()))
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert [each.addr_spec for each in read["Cc"].addresses] == ["z@x.example", *addresses]


@pytest.mark.parametrize(
    "author",
    [
        b"Zo\xeb <app1@example.com>",
        "app1@b\u00fccher.example".encode(),
        "Zo\u00eb <\u00e4pp1@example.com>".encode(),
        "Zo\u00eb =?utf-8?q?x?= <app1@example.com>".encode(),
        "Zo\u00eb (app) <app1@example.com>".encode(),
        "Zo\u00eb ceo@example.com <app1@example.com>".encode(),
        "Zo\u00eb\u0085 <app1@example.com>".encode(),
        "Zo\u00eb\u2028 <app1@example.com>".encode(),
        '"Zo\u00eb <app1@example.com>'.encode(),
        "Zo\u00eb <app1@example.com> \u00eb".encode(),
    ],
    ids=repr,
)
def test_authors_that_stay_refused(author: bytes):
    """Whatever is no name in plain UTF-8 before one address; and then no repair is offered in the refusal either."""
    raw = letter(author=author)
    problem = read_facts(raw)
    assert repair(raw, plan(*EVERY[:3])).raw == raw
    assert isinstance(problem, MessageProblem)
    assert problem.repair is None


@pytest.mark.parametrize(
    "author",
    [
        "\u00eb ceo\uff20example.com <app1@example.com>",
        '"\u00eb <ceo@example.com>" <app1@example.com>',
        "Zo\u00eb\u202e <app1@example.com>",
        "Zo\u00eb <app1@example.com>, ceo@example.com",
        "Zo\u00eb <ceo@example.com> <app1@example.com>",
    ],
)
def test_encoding_a_name_hides_nothing(author: str):
    """The strict reader decodes what was encoded, and refuses what a name must not show."""
    problem = read_facts(repair(letter(author=author.encode()), plan(*EVERY)).raw)
    assert isinstance(problem, MessageProblem)


def test_a_signed_header_section_keeps_its_names():
    assert "signed" in why_not("8bit-names", letter(DKIM, author="Zo\u00eb <app1@example.com>".encode()))


def test_a_subject_in_a_signed_header_section_stays_and_passes():
    raw = letter(DKIM, "Subject: Gr\u00fc\u00dfe".encode())
    assert repair(raw, plan("8bit-names")).raw is raw
    assert isinstance(read_facts(raw), MessageFacts)


# long-lines


def body_of(raw: bytes) -> object:
    return email.message_from_bytes(raw, policy=email.policy.default).get_payload(decode=True)


@pytest.mark.parametrize("fields", [(), ("Content-Type: text/html; charset=utf-8", "content-transfer-encoding: 8bit")])
def test_a_text_with_a_long_line_becomes_quoted_printable(fields: tuple[str, ...]):
    text = b"<p>" + b"caf\xc3\xa9 = good enough for this; " * 100 + b"\r\n.\r\nFrom here on \r\n"
    raw = only("long-lines", letter(*fields, body=text))
    assert raw.lower().count(b"\r\ncontent-transfer-encoding: quoted-printable\r\n") == 1
    assert raw.lower().count(b"content-transfer-encoding") == raw.count(b"\r\nMIME-Version: 1.0\r\n") == 1
    assert body_of(raw) == text


def test_a_text_that_is_mostly_8_bit_becomes_base64():
    text = "\u7530\u4e2d".encode() * 400 + b"\r\n"
    raw = only("long-lines", letter("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", body=text))
    assert b"\r\nContent-Transfer-Encoding: base64\r\n" in raw
    assert raw.count(b"MIME-Version") == 1
    assert body_of(raw) == text


def test_base64_in_one_line_is_broken_into_lines():
    """What a program writes that forgets to split it; any kind of content."""
    content = bytes(range(256)) * 20
    coded = binascii.b2a_base64(content, newline=False)
    fields = "Content-Type: application/pdf", "Content-Transfer-Encoding: BASE64", "MIME-Version: 1.0"
    raw = only("long-lines", letter(*fields, body=coded + b"\r\n"))
    assert body_of(raw) == content


def test_header_lines_are_folded_at_blanks():
    """Unfolded, every field is what it was."""
    long = "Cc: " + ", ".join(f"reader{number}@rcpt.example" for number in range(100))
    folded = "References: " + "\r\n\t".join(" ".join(f"<{n}{m}@a.example>" for m in range(80)) for n in range(3))
    raw = letter(long, folded)
    mended = only("long-lines", raw)
    assert re.sub(rb"\r\n(?=[ \t])", b"", mended) == re.sub(rb"\r\n(?=[ \t])", b"", raw)
    assert max(map(len, mended.split(b"\r\n"))) <= 78


TWO_PARTS = b"--b\r\n\r\n" + b"x" * 999 + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (letter(DKIM, body=b"x" * 999), "signed"),
        (letter(DKIM, "X: " + "y " * 600), "signed"),
        (letter(body=b"-----BEGIN PGP SIGNED MESSAGE-----\r\n" + b"x" * 999), "signed"),
        (letter("Content-Type: multipart/mixed; boundary=b", body=TWO_PARTS), "one part"),
        (letter("Content-Type: message/rfc822", body=TWO_PARTS), "one part"),
        (letter("Content-Type: application/json", body=b"x" * 999), "only text"),
        (letter("Content-Transfer-Encoding: quoted-printable", body=b"x" * 999), "already"),
        (letter("Content-Transfer-Encoding: x-uuencode", body=b"x" * 999), "already"),
        (letter("Content-Transfer-Encoding: base64", body=b"=x" * 999), "not the base64"),
    ],
)
def test_long_lines_that_stay(raw: bytes, why: str):
    assert why in why_not("long-lines", raw)


@pytest.mark.parametrize(
    "raw",
    [
        letter("Content-Type: multipart/mixed; boundary=b", body=TWO_PARTS),
        letter("Sender: " + "x " * 500 + "<app1@example.com>"),
        letter("X-Long: " + "x" * 999),
    ],
    ids=["multipart", "Sender", "no blank"],
)
def test_a_repair_that_would_not_help_is_not_offered(raw: bytes):
    problem = read_facts(raw)
    assert isinstance(problem, MessageProblem)
    assert problem.repair is None
    assert "repair" not in problem.reply.text


def test_what_grows_too_large_is_withheld():
    raw = letter(body=b"x" * 999 + b"\r\n")
    repaired = repair(raw, plan("long-lines", most=len(raw)))
    assert repaired.raw is raw
    assert "larger than" in repaired.withheld["long-lines"]


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("8bit-names", letter(",\r\n ".join(["Cc: a@x.example", *["\u00d6" * 40 + " <b@x.example>"] * 499]).encode())),
        ("missing-headers", letter(*["X-Field: x"] * 497)),
    ],
)
def test_a_header_section_that_grows_too_large_is_withheld(kind: Repair, raw: bytes):
    """Without the repair the message passes."""
    repaired = repair(raw, plan(kind))
    assert (repaired.raw, repaired.withheld) == (raw, {kind: "the header section would be too large"})
    assert isinstance(read_facts(raw), MessageFacts)


STUMBLING = [b"\r\n", b"=", b".", b" ", b"\t", b"a" * 500, b"\xc3\xa9", b"From ", b"\xff"]


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([b"\r\n", b"=", b".", b" ", b"\t", b"a" * 500, b"\xc3\xa9", b"From ", b"\xff"]), max_size=30
    ),
    st.integers(1, 4),
)
@example([b"a" * 500, b"\r\n"] * 3, 3)
def test_any_text_comes_out_of_its_encoding_as_it_went_in(pieces: list[bytes], many: int):
    text = b"".join(pieces) + b"b" * 999 + b" " * many + b"\r\n"
    assert body_of(only("long-lines", letter(body=text))) == text


@pytest.mark.parametrize("line", [b"caf\xc3\xa9 ", b"a" * 77, b"=."])
def test_a_line_of_a_megabyte(line: bytes):
    """Encoded piece by piece, put together again by everybody."""
    text = line * ((1 << 20) // len(line)) + b"\r\nend\r\n"
    raw = only("long-lines", letter(body=text))
    assert body_of(raw) == text


# missing-headers


def test_date_and_message_id_are_added():
    raw = b"From: app1@example.com\r\n\r\nhello\r\n"
    expected = b"From: app1@example.com\r\n" + USUAL + b"Message-ID: <m@relay.example>\r\n\r\nhello\r\n"
    assert only("missing-headers", raw) == expected


def test_fields_that_are_there_stay():
    raw = letter("date: whenever", "mime-version: 1.0", "Content-Type: text/plain")
    assert repair(raw, plan("missing-headers")).raw is raw


TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
MIME = b"MIME-Version: 1.0\r\n"


@pytest.mark.parametrize(
    ("fields", "body", "added"),
    [
        ((), b"hello", b""),
        ((), "Gr\u00fc\u00dfe".encode(), MIME + TEXT),
        ((), "Gr\u00fc\u00dfe".encode("latin-1"), b""),
        (("MIME-Version: 1.0",), "Gr\u00fc\u00dfe".encode(), TEXT),
        (("Content-Type: text/html",), "Gr\u00fc\u00dfe".encode(), MIME),
        (("Content-Transfer-Encoding: base64",), b"aGVsbG8=", MIME),
    ],
)
def test_what_a_body_is_is_said(fields: tuple[str, ...], body: bytes, added: bytes):
    """UTF-8 without a word about it is said to be UTF-8; what is said is made valid by MIME-Version."""
    raw = letter(USUAL[:-2], *fields, body=body + b"\r\n")
    head, end, rest = raw.partition(b"\r\n\r\n")
    repaired = repair(raw, plan("missing-headers"))
    assert repaired.raw == head + b"\r\n" + added + b"\r\n" + rest
    assert end
    assert repaired.made == (("missing-headers",) if added else ())


def test_a_signed_header_section_gets_no_fields():
    """A signature may cover that a field is not there (RFC 6376 section 5.4.2): the message goes as it is."""
    raw = letter(DKIM)
    repaired = repair(raw, plan("missing-headers"))
    assert repaired.raw is raw
    assert "signed" in repaired.withheld["missing-headers"]
    assert isinstance(read_facts(raw), MessageFacts)


def test_a_text_with_a_long_line_keeps_its_charset():
    """Of what is encoded nobody could tell any more that it was UTF-8."""
    text = "Gr\u00fc\u00dfe " * 200 + "\r\n"
    raw = repair(letter(body=text.encode()), plan(*EVERY)).raw
    assert body_of(raw) == text.encode()
    assert email.message_from_bytes(raw, policy=email.policy.default).get_content() == text


def test_nobody_is_made_an_author():
    repaired = repair(letter(author=None), plan(*EVERY))
    assert isinstance(read_facts(repaired.raw), MessageProblem)


# All together


def test_all_repairs_of_one_message():
    """Old software at its worst, and what becomes of it."""
    raw = (
        "From: Zo\u00eb <app1@example.com>\nTo: b@x.example\nSubject: Gr\u00fc\u00dfe\n\n".encode()
        + b"\xc3\xa9" * 600
        + b"\n"
    )
    repaired = repair(raw, plan(*EVERY))
    assert repaired.made == ("bare-lf", "8bit-names", "missing-headers", "long-lines")
    assert not repaired.withheld
    letter_read = email.message_from_bytes(repaired.raw, policy=email.policy.default)
    assert letter_read["From"].addresses[0].display_name == "Zo\u00eb"
    assert letter_read["Subject"] == "Gr\u00fc\u00dfe"
    assert letter_read["Date"] == DATE
    assert body_of(repaired.raw) == b"\xc3\xa9" * 600 + b"\r\n"


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sets(st.sampled_from(EVERY)))
@example(b"", set(EVERY))
@example(b"\n\n", set(EVERY))
def test_any_octets_are_repaired_without_a_word_or_left(raw: bytes, wanted: set[Repair]):
    """Never an exception, and a second time there is nothing left to repair."""
    once = repair(raw, plan(*wanted))
    assert repair(once.raw, plan(*wanted)).raw == once.raw
