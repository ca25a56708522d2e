"""The models read as what they are models of: as Go 1.19.8 and Jakarta Mail 2.0.0 were seen to read these messages."""

import json
import re
from pathlib import Path

import pytest

from tests.readings.all import READINGS
from tests.readings.go import net_mail
from tests.readings.jakarta import lenient, strict
from tests.readings.sight import Reading, Unreadable

CASES = Path(__file__).parents[1] / "cases" / "readings.jsonl"
MEASURED = [json.loads(line) for line in CASES.read_text().splitlines()]
MODELS: list[tuple[str, Reading]] = [("go", net_mail), ("jakarta-strict", strict), ("jakarta-lenient", lenient)]


def authors(reading: Reading, raw: bytes) -> list[str] | None:
    try:
        return list(reading(raw).authors)
    except Unreadable:
        return None


@pytest.mark.parametrize(("name", "reading"), MODELS, ids=[name for name, _ in MODELS])
def test_a_model_reads_as_the_real_one_did(name: str, reading: Reading):
    """194 messages, most of them chosen because these readers differ among themselves."""
    wrong = []
    for case in MEASURED:
        raw = case["message"].encode("latin-1")
        if authors(reading, raw) != case[name]:
            wrong.append((raw, case[name], authors(reading, raw)))

    assert wrong == []


PLAIN = re.compile(r"[\w.+-]+@[\w.-]+")


#: The same octets, another author: documented differences. None is a reader that gives up.
DOCUMENTED: list[tuple[bytes, dict[str, list[str] | None]]] = [
    (b" From: ceo@example.com\r\nFrom: app1@example.com", {"CPython compat32": ["app1@example.com"], "Go": None}),
    (b"From: app1@example.com\r\nFrom : ceo@example.com", {"CPython compat32": ["app1@example.com"]}),
    (b"From : app1@example.com", {"CPython default": [], "Jakarta strict": ["app1@example.com"]}),
    (b"\xef\xbb\xbfFrom: x@a.example\r\nFrom: app1@example.com", {"CPython default": [], "Go": ["app1@example.com"]}),
    (b"From: <=?utf-8?q?ceo?=@example.com>", {"CPython default": ["ceo@example.com"], "anyone": ["ceo@example.com"]}),
    (b"From: ceo@example.com <app1@example.com>", {"Jakarta lenient": ["app1@example.com"], "Go": None}),
    (b'From: "ceo"@example.com', {"CPython default": ["ceo@example.com"], "Go": ["ceo@example.com"]}),
    (b"From: app1(x)@example.com", {"Jakarta strict": ["app1"], "CPython compat32": ["app1@example.com"], "Go": None}),
    (b"From: app1@example.com\r\nX: a\rFrom: ceo@example.com", {"Go": ["app1@example.com"]}),
]  # fmt: skip


@pytest.mark.parametrize(("head", "seen"), DOCUMENTED, ids=[repr(head) for head, _ in DOCUMENTED])
def test_readers_differ_as_documented(head: bytes, seen: dict[str, list[str] | None]):
    raw = head + b"\r\nTo: bob@rcpt.example\r\n\r\nhello\r\n"

    for name, expected in seen.items():
        found = authors(READINGS[name], raw)
        if name == "anyone" and expected and found:
            assert set(expected) <= set(found)
        else:
            assert found == expected, name


def test_the_reader_without_rules_sees_whatever_any_other_sees():
    """Whom a real reader was seen to name, as far as it is an address, ``anyone`` names too."""
    for case in MEASURED:
        everybody = set(READINGS["anyone"](case["message"].encode("latin-1")).authors)
        for name, _ in MODELS:
            plain = {author for author in case[name] or () if PLAIN.fullmatch(author)}
            assert plain <= everybody, case["message"]
