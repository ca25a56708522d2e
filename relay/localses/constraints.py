"""Parameters against their constraints, refused in the words of AWS's own validation."""

from collections.abc import Collection, Mapping

from relay.localses.refusals import Refused


def required(parameters: Mapping[str, str], name: str) -> str:
    """
    Return the parameter *name*.

    Raises:
        Refused: ValidationError where it is absent.
    """
    if name not in parameters:
        raise violation("null", name, "Member must not be null")
    return parameters[name]


def check_length(name: str, text: str, most: int) -> None:
    """
    Check that *text* has from 1 to *most* characters.

    Raises:
        Refused: ValidationError.
    """
    if not text:
        raise violation("", name, "Member must have length greater than or equal to 1")
    if len(text) > most:
        raise violation("", name, f"Member must have length less than or equal to {most}")


def check_choice(name: str, text: str, choices: Collection[str]) -> None:
    """
    Check that *text* is one of *choices*.

    Raises:
        Refused: ValidationError.
    """
    if text not in choices:
        raise violation("", name, f"Member must satisfy enum value set: [{', '.join(choices)}]")


def whole_number(name: str, text: str, least: int, most: int) -> int:
    """
    Read a whole number from *least* to *most*.

    Raises:
        Refused: ValidationError or MalformedInput.
    """
    if not text.isascii() or not text.removeprefix("-").isdecimal() or len(text) > 10:
        raise Refused("MalformedInput", f"{name} is no whole number.")
    number = int(text)
    if number < least:
        raise violation("", name, f"Member must have value greater than or equal to {least}")
    if number > most:
        raise violation("", name, f"Member must have value less than or equal to {most}")
    return number


def violation(value: str, name: str, constraint: str) -> Refused:
    """Name a constraint that the parameter *name* does not satisfy."""
    member = name[:1].lower() + name[1:]
    said = f"Value {value} at" if value else "Value at"
    return Refused(
        "ValidationError", f"1 validation error detected: {said} '{member}' failed to satisfy constraint: {constraint}"
    )
