"""What a condition asks, in words for people who know mail but not IAM."""

from collections.abc import Sequence
from typing import Final

_COMPARISONS: Final = {
    "StringEquals": "to be",
    "StringNotEquals": "to be none of",
    "StringEqualsIgnoreCase": "to be, in any case,",
    "StringNotEqualsIgnoreCase": "to be, in any case, none of",
    "StringLike": "like",
    "StringNotLike": "unlike",
    "NumericEquals": "to be",
    "NumericNotEquals": "to be none of",
    "NumericLessThan": "below",
    "NumericLessThanEquals": "at most",
    "NumericGreaterThan": "above",
    "NumericGreaterThanEquals": "at least",
    "DateEquals": "at",
    "DateNotEquals": "not at",
    "DateLessThan": "before",
    "DateLessThanEquals": "not after",
    "DateGreaterThan": "after",
    "DateGreaterThanEquals": "not before",
    "Bool": "to be",
    "BinaryEquals": "to be",
    "IpAddress": "within",
    "NotIpAddress": "outside",
    "ArnEquals": "like",
    "ArnLike": "like",
    "ArnNotEquals": "unlike",
    "ArnNotLike": "unlike",
    "Null": "absent:",
}


def wish(key: str | None, operator: str | None, wanted: Sequence[str]) -> str:
    """
    Word a condition: ``ses:FromAddress like *@example.com``; an operator in another spelling is quoted as it stands.

    *operator* may carry ``ForAllValues:``, ``ForAnyValue:`` and ``IfExists``.
    """
    quantifier, _, bare = (operator or "").rpartition(":")
    if_exists = ", if any," if bare.endswith("IfExists") else ""
    compared = _COMPARISONS.get(bare.removesuffix("IfExists"), bare)
    whose = {"ForAllValues": "each of ", "ForAnyValue": "one of "}.get(quantifier, "")
    return f"{whose}{key or ''}{if_exists} {compared} {alternatives(wanted)}"


def alternatives(values: Sequence[str], most: int = 6) -> str:
    """Join values that would each do, the first few of many."""
    rest = [f"{len(values) - most} more"] if len(values) > most else []
    return " or ".join([*values[:most], *rest]) or "nothing"


def listed(values: Sequence[str], most: int = 3) -> str:
    """Join values that are all there, the first few of many."""
    rest = len(values) - most
    return ", ".join(values[:most]) + (f" and {rest} more" if rest > 0 else "")
