"""Messages for the tests: the cases of ``tests/cases`` and small letters written on the spot."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[1] / "cases"
ARN = "arn:aws:ses:us-east-1:111122223333:identity/example.com"
RECEIVED = (
    "Received: from host.example ([192.0.2.1])\r\n by relay.example (ses-relay); Thu, 20 Nov 2025 10:00:00 +0000\r\n"
)


def letter(*fields: str | bytes, author: str | bytes | None = "app1@example.com", body: bytes = b"hello\r\n") -> bytes:
    """Write a message: a From field (none for None), the fields given, the usual others, the body."""
    lines = [] if author is None else [b"From: " + _octets(author)]
    lines += [_octets(field) for field in fields]
    lines += [b"To: bob@rcpt.example", b"Message-ID: <1@example.com>"]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("ascii")


def attacks() -> list[dict[str, Any]]:
    """Every message case of ``attacks.jsonl``, its bytes under ``raw``, ended as DATA ends it."""
    cases = []
    for line in (CASES / "attacks.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["kind"] != "message":
            continue
        packed = case.get("message_zb64")
        raw = zlib.decompress(base64.b64decode(packed)) if packed else base64.b64decode(case["message_b64"])
        cases.append(case | {"raw": raw if raw.endswith(b"\r\n") else raw + b"\r\n"})
    return cases


def messages() -> list[dict[str, Any]]:
    """The cases of ``messages.jsonl``: one rule each, in fields or in whole bytes (latin-1)."""
    cases = []
    for line in (CASES / "messages.jsonl").read_text().splitlines():
        case = json.loads(line)
        if "message" in case:
            raw = case["message"].encode("latin-1")
        else:
            fields = [field.encode("latin-1") for field in case["fields"]]
            has_author = any(field.lower().startswith(b"from:") for field in fields)
            raw = letter(*fields, author=None if has_author else "app1@example.com")
        cases.append(case | {"raw": raw})
    return cases
