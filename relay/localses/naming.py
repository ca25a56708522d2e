"""Which identity a request means: by its name or its ARN, always one of the caller's own."""

import re
from typing import Final

from relay.localses.addresses import one_address
from relay.localses.identities import Identities, Identity
from relay.localses.owners import Owner
from relay.localses.refusals import Refused, invalid
from relay.localses.sigv4 import Caller
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn

LONGEST_NAME: Final = 255
"""Octets; a name of a folder has no room for more."""

_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}", re.ASCII)


def owner_of(caller: Caller) -> Owner:
    """Return the account and region that a caller acts in."""
    return Owner(caller.key.account, caller.region)


def new_name(text: str) -> str:
    """
    Return the name of an identity to be made: an address as it is spelt, a domain in lower case.

    Raises:
        Refused: InvalidParameterValue.
    """
    if "@" not in text:
        return domain_name(text)
    address = one_address(text)
    if address != text or len(text) > LONGEST_NAME or "/" in text or text.startswith("."):
        raise invalid(f"Invalid email address <{text}>.")
    return address


def domain_name(text: str) -> str:
    """
    Return a domain in lower case.

    Raises:
        Refused: InvalidParameterValue.
    """
    domain = text.lower()
    if not _DOMAIN.fullmatch(domain):
        raise invalid(f"Invalid domain name {text}.")
    return domain


def find_identity(identities: Identities, caller: Caller, text: str, action: str) -> Identity | None:
    """
    Return the identity that *text* names, by name or ARN, or None.

    Raises:
        Refused: AccessDenied for the ARN of another account; InvalidParameterValue for another ARN.
    """
    owner = owner_of(caller)
    if not text.startswith("arn:"):
        return identities.find(owner, text)
    arn = _parsed(text)
    if arn.account != owner.account:
        raise not_authorized(caller, action, text)
    if (arn.partition, arn.region) != (owner.partition, owner.region):
        return None
    return identities.find(owner, arn.name)


def identity_of_arn(identities: Identities, text: str, region: str) -> Identity | None:
    """Return the identity of an ARN, whoever owns it, as it is in *region*; or None."""
    try:
        arn = parse_identity_arn(text)
    except ArnProblem:
        return None
    return identities.find(Owner(arn.account, region), arn.name)


def not_authorized(caller: Caller, action: str, resource: str) -> Refused:
    """Name what a principal may not do (SES Developer Guide, "Amazon SES email sending errors")."""
    words = f"User `{caller.key.principal}' is not authorized to perform `ses:{action}' on resource `{resource}'"
    return Refused("AccessDenied", words)


def _parsed(text: str) -> IdentityArn:
    try:
        return parse_identity_arn(text)
    except ArnProblem:
        raise invalid(f"Invalid identity ARN {text}.") from None
