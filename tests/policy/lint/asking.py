"""Policies as texts, and what lint says of them."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from relay.policy.lint import Finding, lint_identity
from relay.words.arns import parse_identity_arn
from tests.policy.asking import IDENTITY, load

NOW = datetime(2026, 11, 21, tzinfo=UTC)
APP = "arn:aws:iam::111111111111:user/app"
CASES = load("lint.jsonl")
GOOD = [case for case in CASES if case.get("good")]


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement that nothing is wrong with, but for *elements*."""
    made = {"Effect": effect, "Principal": {"AWS": APP}, "Action": "ses:SendRawEmail", "Resource": IDENTITY}
    return made | elements


def text_of(*statements: Mapping[str, Any]) -> str:
    """The text of a policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, indent=2)


def texts_of(case: Mapping[str, Any]) -> dict[str, str]:
    """The policies of a case by name: texts as they stand, JSON laid out with an indent of two."""
    given = case.get("policies") or {case.get("policy_name", "p"): case.get("policy", case.get("text"))}
    return {name: one if isinstance(one, str) else json.dumps(one, indent=2) for name, one in given.items()}


def lint(*texts: str, identity: str | None = None) -> tuple[Finding, ...]:
    """What is found in policies of one identity."""
    named = {f"p{n}": text for n, text in enumerate(texts)}
    return lint_identity(named, None if identity is None else parse_identity_arn(identity), NOW)


def codes(found: Iterable[Finding]) -> list[str]:
    """The codes of findings."""
    return [finding.code for finding in found]
