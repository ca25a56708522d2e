"""Numbers of the Numeric operators: "integer or decimal", exact (IAM User Guide, "Condition operators")."""

from decimal import Decimal
from typing import Final

from relay.words.patterns import on_demand

_NUMBER: Final = on_demand(r"-?[0-9]+(?:\.[0-9]+)?")


def read_number(text: str) -> Decimal | None:
    """
    The number *text* spells, exact at any length; None when AWS does not say that it is one.

    Exponents, a plus sign, ``.5`` and ``5.`` are no numbers here: the guide promises integers and decimals only.
    """
    return Decimal(text) if _NUMBER.fullmatch(text) else None
