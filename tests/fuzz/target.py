"""What a target is, and where its findings are kept."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

CASES: Final = Path(__file__).parents[1] / "cases"


@dataclass(frozen=True, slots=True)
class Target:
    """
    One entrance through which octets of others come in.

    ``check`` raises when something that must hold does not, for any octets whatever. ``seeds`` are octets to begin
    with; ``tokens`` what its language is made of; ``longest`` in octets, what more would say nothing new.
    """

    name: str
    check: Callable[[bytes], Any]
    seeds: Callable[[], Sequence[bytes]]
    tokens: tuple[bytes, ...] = ()
    longest: int = 4096


@cache
def rows(name: str) -> list[dict[str, Any]]:
    """The cases of a JSON-lines file of ``tests/cases``."""
    return [json.loads(line) for line in (CASES / name).read_text("utf-8").splitlines()]


def tokens(target: str) -> tuple[bytes, ...]:
    """What the language of a target is made of."""
    return tuple(text.encode("latin-1") for text in json.loads((CASES / "fuzz_tokens.json").read_text())[target])


def findings(target: str) -> list[bytes]:
    """What was found by this target once, and mended."""
    return [row["octets"].encode("latin-1") for row in rows("fuzz.jsonl") if row["target"] == target]
