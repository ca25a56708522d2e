"""
X-SES fields other than the three ARNs: they steer SES, so only what the operator granted is honoured, as parameters.

SES Developer Guide, "Specify a configuration set when you send email" (X-SES-CONFIGURATION-SET, X-SES-MESSAGE-TAGS).
"""

import re
from collections.abc import Mapping
from typing import Final

from relay.judgement.rules import Rules
from relay.words.delegates import Delegate
from relay.words.replies import Reply
from relay.words.values import dataclass

OWN_TAG: Final = "ses-relay-delegate"
LONGEST_TAG: Final = 256
_TAG = re.compile(r"([A-Za-z0-9_-]{1,256})\s*=\s*([A-Za-z0-9_-]{1,256})", re.ASCII)

_CONFIGURATION_SET: Final = "x-ses-configuration-set"
_MESSAGE_TAGS: Final = "x-ses-message-tags"
_TENANT: Final = "x-ses-tenant"


@dataclass(frozen=True, slots=True)
class Steering:
    """What SES is told beside addresses and ARNs. ``tags``: the client's, then the relay's own."""

    configuration_set: str | None
    tags: tuple[tuple[str, str], ...]
    tenant: str | None = None


def steer(fields: Mapping[str, str], delegate: Delegate, rules: Rules) -> Steering | Reply:
    """
    Read the X-SES fields, lower-cased names to values; or refuse them.

    With ``x_ses_headers = "strip"`` none is honoured, whatever the delegate is granted.
    """
    own = ((OWN_TAG, delegate.name),)
    if not fields or rules.x_ses_headers == "strip":
        return Steering(delegate.configuration_set, own, delegate.tenant)
    configuration_set, tenant = delegate.configuration_set, delegate.tenant
    tags: tuple[tuple[str, str], ...] = ()
    for name, value in fields.items():
        if name == _CONFIGURATION_SET and value in delegate.allow_configuration_sets:
            configuration_set = value
        elif name == _TENANT and value in delegate.allow_tenants:
            tenant = value
        elif name == _MESSAGE_TAGS and delegate.allow_message_tags:
            read = _read_tags(value)
            if isinstance(read, Reply):
                return read
            tags = read
        else:
            return _not_granted(name)
    return Steering(configuration_set, tags + own, tenant)


def _read_tags(value: str) -> tuple[tuple[str, str], ...] | Reply:
    """Read ``name1=value1, name2=value2``; names and values are at most 256 ASCII letters, digits, ``_`` and ``-``."""
    tags: dict[str, str] = {}
    for part in value.split(","):
        tag = _TAG.fullmatch(part.strip())
        if tag is None:
            text = "X-SES-MESSAGE-TAGS is name=value, name=value: at most 256 letters, digits, _ and - each"
            return Reply(550, (5, 6, 0), text)
        if tag[1] in tags:
            return Reply(550, (5, 6, 0), "X-SES-MESSAGE-TAGS names a tag twice")
        if tag[1].lower().startswith("ses-relay-"):
            return Reply(550, (5, 7, 1), "X-SES-MESSAGE-TAGS: tags that begin with ses-relay- are the relay's own")
        tags[tag[1]] = tag[2]
    return tuple(tags.items())


def _not_granted(name: str) -> Reply:
    settings = {
        _CONFIGURATION_SET: "this configuration set is not granted to the delegate",
        _TENANT: "this tenant is not granted to the delegate",
        _MESSAGE_TAGS: "message tags are not granted to the delegate",
    }
    why = settings.get(name, "the field would steer SES")
    return Reply(550, (5, 7, 1), f"{name.upper()[:60]} is refused: {why}; remove it")
