"""The attack cases as data: what is said step by step, and which answers are right."""

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

CASES: Final = Path(__file__).parents[1] / "cases"
FIXTURE: Final[dict[str, Any]] = json.loads((CASES / "attacks_fixture.json").read_text())

#: Operations of a dialogue that need no clock and no numbers.
PLAIN_OPERATIONS: Final = frozenset({None, "close", "expect_closed", "read_timeout", "shutdown_wr", "tls_handshake"})


def octets_of(step: Mapping[str, Any]) -> bytes:
    """What a step sends: base64, or base64 of zlib where it is long."""
    if "zb64" in step:
        return zlib.decompress(base64.b64decode(step["zb64"]))
    return base64.b64decode(step.get("b64", ""))


@dataclass(frozen=True, eq=False)
class Case:
    """One case. ``data`` is its line of the file."""

    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def kind(self) -> str:
        """The class of the case: ``A.multi-from`` and so on."""
        return str(self.data["class"])

    @property
    def is_message(self) -> bool:
        return bool(self.data["kind"] == "message")

    @property
    def is_about_segments(self) -> bool:
        """Whether it matters how the octets are cut: there the segment is the test."""
        return bool(self.data.get("segment"))

    @property
    def is_special(self) -> bool:
        """Whether it needs a clock, numbers, another field, or hands: test_special and test_sieges play these."""
        special = any(self.data.get(word) for word in ("stress", "manual", "needs", "optional"))
        return special or not {step.get("op") for step in self.steps} <= PLAIN_OPERATIONS

    @property
    def preamble(self) -> str:
        return str(self.data.get("preamble", "authed"))

    @property
    def delegate(self) -> str:
        return str(self._or_default("delegate"))

    @property
    def recipients(self) -> list[str]:
        return list(self._or_default("rcpt"))

    @property
    def raw(self) -> bytes:
        """The message of a message case, as its author wrote it."""
        if "message_zb64" in self.data:
            return zlib.decompress(base64.b64decode(self.data["message_zb64"]))
        return base64.b64decode(self.data["message_b64"])

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """A dialogue; that of a message case ends with the message."""
        if not self.is_message:
            return self.data.get("smtp") or ()
        lines = [f"MAIL FROM:<{self._or_default('mail_from')}>", *(f"RCPT TO:<{each}>" for each in self.recipients)]
        return [{"octets": f"{line}\r\n".encode(), "expect": ""} for line in (*lines, "DATA")] + [
            {"octets": stuffed(self.raw) + b".\r\n", "expect": ""}
        ]

    def octets(self, step: Mapping[str, Any]) -> bytes:
        found: bytes = step["octets"] if "octets" in step else octets_of(step)
        return found

    def _or_default(self, key: str) -> Any:
        return self.data.get(key, FIXTURE["defaults"][key])

    @property
    def length(self) -> int:
        """Octets that are sent in all steps."""
        return sum(len(self.octets(step)) for step in self.steps)

    # What is right

    def wanted(self, step: Mapping[str, Any]) -> str:
        """The pattern of a right answer to a step: 550 and 554 are one code; the last may be the alternative."""
        pattern, alternative = one_code(step["expect"]), self.data.get("alt") or ""
        if step is [each for each in self.steps if "expect" in each][-1]:
            pattern += "|5" if alternative.startswith("reject") else ""
            pattern += "|[23]" if alternative.startswith("accept") else ""
        if "close" in (self.data.get("code") or ""):
            pattern += "|CLOSED"
        return f"(?:{pattern})"

    def is_right(self, reply: str, forwarded: int) -> bool:
        """Whether a message case may end so: by the reply and by what reached SES, both."""
        verdicts = [(self.data["expect"], self.data["code"] or "250")]
        alternative = self.data.get("alt") or ""
        if alternative.startswith("reject"):
            verdicts.append(("reject", " ".join(alternative.split()[1:3])))
        elif alternative.startswith("accept"):
            verdicts.append(("accept", "250"))
        return any(
            forwarded == (self.data.get("forwarded", 1) if expect == "accept" else 0)
            and any(is_code(code, reply) for code in codes.split("|"))
            for expect, codes in verdicts
        )

    def may_forward(self, number: int) -> bool:
        """Whether so many messages of a dialogue may reach SES."""
        wanted = self.data.get("forwarded", 0)
        return number in (0, 1) if wanted == "0 or 1" else bool(number == wanted)


def one_code(pattern: str) -> str:
    """550 and 554 count as one code."""
    return re.sub("55[04]", "55[04]", pattern)


def is_code(pattern: str, reply: str) -> bool:
    """Whether a reply has the code and the enhanced status that a pattern such as ``550 5.6.x`` names."""
    code, _, status = pattern.strip().partition(" ")
    return re.match(one_code(code).replace("x", r"\d"), reply) is not None and (not status or status in reply)


def stuffed(raw: bytes) -> bytes:
    """Dots doubled as the wire wants it, the last line ended."""
    raw = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
    return (b"." if raw.startswith(b".") else b"") + raw.replace(b"\r\n.", b"\r\n..")


@cache
def all_cases() -> tuple[Case, ...]:
    """Both files."""
    files = (CASES / "attacks.jsonl", CASES / "more_attacks.jsonl")
    return tuple(Case(json.loads(line)) for file in files for line in file.read_text().splitlines() if line)


@cache
def plain_cases() -> tuple[Case, ...]:
    """All that need nothing special."""
    return tuple(case for case in all_cases() if not case.is_special)


def case_of(name: str) -> Case:
    """Find a case by its id."""
    return next(case for case in all_cases() if case.id == name)
