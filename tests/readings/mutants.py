"""Mutants: one to three changes of a message's header section, or of any octets, by what parsers stumble over."""

import random
from collections.abc import Sequence
from typing import Final

OCTETS: Final = [bytes([octet]) for octet in (*range(33), *b'"(),-.:;<=>?@[\\]_aA0\x7f\x80\x85\xa0\xff')]
TOKENS: Final = [
    b"\r\n", b"\r\n ", b"\r\n\t", b"\r\n\r\n", b"\n\n", b"\r\r\n", b"\r\nFrom: ceo@example.com\r\n",
    b"From: ceo@example.com\r\n", b"From : ceo@example.com\r\n", b"\r\nSender: ceo@example.com", b"From ", b"from:",
    b"=?utf-8?q?", b"?=", b"=?utf-8?b?PGNlb0BleGFtcGxlLmNvbT4=?=", b"ceo@example.com", b"<ceo@example.com>",
    b"(ceo@example.com)", b'"ceo"@', b"@x.example:", b"staff:", b";", b"mailto:", b"\xe2\x80\xa8", b"\xef\xbc\xa0",
    b"\xc2\x85", b"\xef\xbb\xbf", b"X-SES-SOURCE-ARN: a\r\n", b"\r\nX-SES-FROM-ARN: a", b", ", b":;", b'\\"', b"\\",
    b"\r\nReturn-Path: <ceo@example.com>", b"\r\nBcc: x@y.example", b"J. Q. ", b'"a, b" ', b"\r\n\r\nFrom: x@y.example",
]  # fmt: skip


def mutant(
    raw: bytes, chance: random.Random, others: Sequence[bytes] = (), tokens: Sequence[bytes] = (*TOKENS, *TOKENS)
) -> bytes:
    """
    Change *raw* once to three times: put in, take out, put over, swap lines, or cross with one of *others*.

    What stands behind the first empty line is left alone.
    """
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        end = raw.find(b"\r\n\r\n")
        head = len(raw) if end < 0 else end + 4
        at = chance.randrange(head + 1)
        kind = chance.randrange(12)
        if kind == 0:
            lines = raw[:head].split(b"\r\n")
            chance.shuffle(lines)
            raw = b"\r\n".join(lines) + raw[head:]
        elif kind == 1 and others:
            other = chance.choice(others)
            raw = raw[:at] + other[chance.randrange(len(other) + 1) :]
        elif kind == 2:
            end = at + chance.randrange(40)
            raw = raw[:end] + raw[at:end] + raw[end:]
        elif kind == 3:
            raw = raw[:at] + raw[at + chance.randrange(20) :]
        else:
            raw = raw[:at] + chance.choice((*OCTETS, *tokens)) + raw[at + chance.choice((0, 0, 1, 2)) :]
    return raw
