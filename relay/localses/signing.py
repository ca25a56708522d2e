"""How mail of a domain is to be signed: DKIM's attributes in the requests and answers of v2."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from relay.localses.constraints import check_choice, check_length
from relay.localses.dkim import HOSTED_ZONE, dkim_tokens
from relay.localses.identities import Identity
from relay.localses.refusals import invalid
from relay.localses.rest import text_in

_LENGTHS: Final = ("RSA_1024_BIT", "RSA_2048_BIT")
_SELECTOR = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?", re.ASCII)
_PRIVATE_KEY = re.compile(r"[a-zA-Z0-9+/]+={0,2}", re.ASCII)


def signed_with(identity: Identity, origin: str, attributes: Mapping[str, Any]) -> Identity:
    """
    Return *identity* signing as asked for: with keys of SES, or with a key of one's own, which is not kept.

    Raises:
        Refused: ValidationError or InvalidParameterValue.
    """
    check_choice("SigningAttributesOrigin", origin, ("AWS_SES", "EXTERNAL"))
    if identity.is_address:
        raise invalid("DKIM signing attributes are for domains.")
    selector, length = text_in(attributes, "DomainSigningSelector"), text_in(attributes, "NextSigningKeyLength")
    key = text_in(attributes, "DomainSigningPrivateKey")
    if origin == "EXTERNAL":
        _check_own_key(selector, key)
        if length is not None:
            raise invalid("NextSigningKeyLength is for keys of SES.")
        return replace(identity, traits=replace(identity.traits, dkim="EXTERNAL", selector=selector or ""))
    if selector is not None or key is not None:
        raise invalid("DomainSigningSelector and DomainSigningPrivateKey are for a key of one's own.")
    length = length or "RSA_2048_BIT"
    check_choice("NextSigningKeyLength", length, _LENGTHS)
    return replace(identity, traits=replace(identity.traits, dkim="AWS_SES", selector="", key_length=length))


def origin_of(attributes: Mapping[str, Any]) -> str:
    """Return where the keys come from, told or, as CreateEmailIdentity has it, implied by a key of one's own."""
    told = text_in(attributes, "DomainSigningAttributesOrigin")
    own = {"DomainSigningSelector", "DomainSigningPrivateKey"} & attributes.keys()
    return told or ("EXTERNAL" if own else "AWS_SES")


def dkim_attributes(identity: Identity, status: str) -> dict[str, Any]:
    """Return ``DkimAttributes`` as the API tells them; *status* is that of a domain with keys."""
    traits = identity.traits
    if not traits.dkim:
        return {"SigningEnabled": False, "Status": "NOT_STARTED", "SigningAttributesOrigin": "AWS_SES"}
    told = {
        "SigningEnabled": True,
        "Status": status,
        "Tokens": dkim_tokens(identity),
        "SigningAttributesOrigin": traits.dkim,
    }
    if traits.dkim == "EXTERNAL":
        return told
    lengths = {"NextSigningKeyLength": traits.key_length, "CurrentSigningKeyLength": traits.key_length}
    times = {"LastKeyGenerationTimestamp": traits.created_at}
    return {**told, "SigningHostedZone": HOSTED_ZONE, **lengths, **times}


def _check_own_key(selector: str | None, key: str | None) -> None:
    if selector is None or key is None:
        raise invalid("A key of one's own wants DomainSigningSelector and DomainSigningPrivateKey.")
    check_length("DomainSigningSelector", selector, 63)
    check_length("DomainSigningPrivateKey", key, 20_480)
    if not _SELECTOR.fullmatch(selector):
        raise invalid("DomainSigningSelector is letters, digits and hyphens.")
    if not _PRIVATE_KEY.fullmatch(key):
        raise invalid("DomainSigningPrivateKey is base64 without line ends.")
