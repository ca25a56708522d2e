"""
What a raw message orders in header fields of its own, and what goes before them.

A parameter goes before a field, of repeated fields the first counts, tags of the two are never joined (SES Developer
Guide, "Delegate sender tasks for Amazon SES sending authorization", "Specify your configuration set when you send").
"""

from collections.abc import Sequence
from dataclasses import replace

from relay.localses.message import Field, read_fields, values_of
from relay.localses.raw_email import RawEmail, check_configuration_set, read_tags
from relay.localses.refusals import invalid


def with_orders(email: RawEmail) -> RawEmail:
    """
    Return *email* with what its fields order where no parameter does.

    Tags that are no ASCII are passed over, as documented: the message is sent all the same.

    Raises:
        Refused: InvalidParameterValue for a name of a configuration set, or a tag, that is none.
    """
    fields = read_fields(email.raw)
    configuration_set = email.configuration_set or _first(fields, "X-SES-CONFIGURATION-SET")
    check_configuration_set(configuration_set)
    return replace(
        email,
        source_arn=email.source_arn or _first(fields, "X-SES-SOURCE-ARN"),
        from_arn=email.from_arn or _first(fields, "X-SES-FROM-ARN"),
        return_path_arn=email.return_path_arn or _first(fields, "X-SES-RETURN-PATH-ARN"),
        configuration_set=configuration_set,
        tags=email.tags or _tags(_first(fields, "X-SES-MESSAGE-TAGS") or ""),
    )


def _first(fields: Sequence[Field], name: str) -> str | None:
    return next(iter(values_of(fields, name)), None) or None


def _tags(text: str) -> dict[str, str]:
    """Read ``name1=value1, name2=value2``."""
    if not text.isascii():
        return {}
    pairs = [pair.strip().partition("=") for pair in text.split(",") if pair.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise invalid("X-SES-MESSAGE-TAGS is name1=value1, name2=value2.")
    return read_tags([{"Name": name.strip(), "Value": value.strip()} for name, _, value in pairs])
