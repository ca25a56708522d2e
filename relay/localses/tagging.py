"""Tags of identities: at most 50, a key of 1 to 128 characters, a value of at most 256 (SES API v2, "Tag")."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from relay.localses.constraints import violation
from relay.localses.refusals import invalid
from relay.localses.rest import object_in, text_in

MOST_TAGS: Final = 50


def read_tag_list(tags: Sequence[Any]) -> dict[str, str]:
    """
    Read the tags of a request.

    Raises:
        Refused: SerializationException, ValidationError or InvalidParameterValue.
    """
    read: dict[str, str] = {}
    for number, tag in enumerate(tags, start=1):
        given = object_in(tag, "a tag")
        key, value = (_member(given, number, name) for name in ("Key", "Value"))
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise invalid("A tag has a key of 1 to 128 characters and a value of at most 256.")
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys that begin with aws: are AWS's own.")
        if key in read:
            raise invalid(f"The tag key {key} is given twice.")
        read[key] = value
    check_number(read)
    return read


def check_number(tags: Mapping[str, str]) -> None:
    """
    Check that there are not too many.

    Raises:
        Refused: InvalidParameterValue.
    """
    if len(tags) > MOST_TAGS:
        raise invalid(f"An identity can have {MOST_TAGS} tags at most.")


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return *tags* as the API tells them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _member(tag: Mapping[str, Any], number: int, name: str) -> str:
    text = text_in(tag, name)
    if text is None:
        raise violation("null", f"tags.{number}.member.{name.lower()}", "Member must not be null")
    return text
