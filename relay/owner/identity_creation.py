"""
An identity as its owner wants it: made, or, where it is there already, compared and what differs named.

SES API v2 Reference, "CreateEmailIdentity" and the calls that change one attribute each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from relay.identities.accounts import Refused
from relay.identities.names import partition_of
from relay.identities.ses_api import Held, SesApi
from relay.owner.dkim_key import OwnKey
from relay.owner.identity_status import status_of, tags_of
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: How SES says that somebody else, or our own call whose answer was lost, made it first.
_EXISTS: Final = "AlreadyExistsException"


@dataclass(frozen=True, slots=True)
class Wish:
    """
    An identity as it is wanted, in the words of v2. What is empty is not asked for, and is never a difference.

    ``selector`` and ``own_key`` belong together; ``key_length`` is for keys of SES.
    """

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration_set: str = ""
    mail_from: str = ""
    on_mx_failure: str = ""
    key_length: str = ""
    selector: str = ""
    own_key: OwnKey | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is otherwise than it is wanted, and the call that would change it; no key is in the texts."""

    what: str
    found: str
    wanted: str
    operation: str
    parameters: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.what}: is {self.found or 'none'}, wanted {self.wanted}"


def create(api: SesApi, wish: Wish) -> tuple[Held, bool]:
    """
    Return the identity, and whether it was made now; a new one is all that *wish* says, another is left as it is.

    Raises:
        AwsProblem: A call failed. The identity may be there by now; what it lacks is a difference then.

    """
    held = api.identity(wish.name)
    if held is not None:
        return held, False
    try:
        api.call("create_email_identity", **_creation(wish))
    except Refused as refused:
        if refused.code != _EXISTS:
            raise
        return _again(api, wish.name), False
    return change(api, _again(api, wish.name), wish), True


def change(api: SesApi, held: Held, wish: Wish) -> Held:
    """
    Bring what differs to what *wish* says, and read it again.

    Raises:
        AwsProblem: A call failed; what came before it is done.

    """
    found = differences(held, api, wish)
    for difference in found:
        api.call(difference.operation, **difference.parameters)
    return _again(api, wish.name) if found else held


def differences(held: Held, api: SesApi, wish: Wish) -> tuple[Difference, ...]:
    """Name what of *held* is otherwise than wished. Nobody is asked; of a key only the selector can be compared."""
    return tuple(_differences(held, api, wish))


def arn_of(api: SesApi, name: str) -> IdentityArn:
    """Return the ARN of an identity, which its owner hands to delegates."""
    return IdentityArn(partition_of(api.region), api.region, api.account, name)


def _differences(held: Held, api: SesApi, wish: Wish) -> Iterator[Difference]:
    status, named = status_of(held, api.region), {"EmailIdentity": wish.name}
    if wish.own_key is not None and (status.dkim_origin, _selector(held)) != ("EXTERNAL", wish.selector):
        found = "Easy DKIM" if status.dkim_origin != "EXTERNAL" else f"your own key {_selector(held)}"
        yield Difference(
            "DKIM",
            found if status.dkim_origin else "",
            f"your own key {wish.selector}",
            "put_email_identity_dkim_signing_attributes",
            {**named, "SigningAttributesOrigin": "EXTERNAL", "SigningAttributes": _signing(wish)},
        )
    length = str((held.whole.get("DkimAttributes") or {}).get("NextSigningKeyLength", ""))
    if wish.key_length and length != wish.key_length:
        yield Difference(
            "DKIM key",
            length or ("your own" if status.dkim_origin else ""),
            wish.key_length,
            "put_email_identity_dkim_signing_attributes",
            {**named, "SigningAttributesOrigin": "AWS_SES", "SigningAttributes": _signing(wish)},
        )
    failure = wish.on_mx_failure or status.on_mx_failure or "USE_DEFAULT_VALUE"
    if wish.mail_from and (status.mail_from.lower(), status.on_mx_failure) != (wish.mail_from, failure):
        yield Difference(
            "MAIL FROM",
            f"{status.mail_from} {status.on_mx_failure}".strip(),
            f"{wish.mail_from} {failure}",
            "put_email_identity_mail_from_attributes",
            {**named, "MailFromDomain": wish.mail_from, "BehaviorOnMxFailure": failure},
        )
    if wish.configuration_set and status.configuration_set != wish.configuration_set:
        yield Difference(
            "configuration set",
            status.configuration_set,
            wish.configuration_set,
            "put_email_identity_configuration_set_attributes",
            {**named, "ConfigurationSetName": wish.configuration_set},
        )
    tags = tags_of(held)
    lacking = {key: value for key, value in wish.tags.items() if tags.get(key) != value}
    if lacking:
        yield Difference(
            "tags",
            _told({key: tags[key] for key in lacking if key in tags}),
            _told(lacking),
            "tag_resource",
            {"ResourceArn": str(arn_of(api, held.name)), "Tags": _tags(lacking)},
        )


def _creation(wish: Wish) -> dict[str, Any]:
    asked: dict[str, Any] = {"EmailIdentity": wish.name}
    if wish.tags:
        asked["Tags"] = _tags(wish.tags)
    if wish.configuration_set:
        asked["ConfigurationSetName"] = wish.configuration_set
    if signing := _signing(wish):
        asked["DkimSigningAttributes"] = signing
    return asked


def _signing(wish: Wish) -> dict[str, str]:
    if wish.own_key is not None:
        return {"DomainSigningSelector": wish.selector, "DomainSigningPrivateKey": wish.own_key.private}
    return {"NextSigningKeyLength": wish.key_length} if wish.key_length else {}


def _selector(held: Held) -> str:
    tokens = (held.whole.get("DkimAttributes") or {}).get("Tokens") or ("",)
    return str(tokens[0])


def _again(api: SesApi, name: str) -> Held:
    held = api.identity(name)
    if held is None:
        raise Refused("sesv2 get_email_identity", "NotFoundException", f"{name} was made and is not there")
    return held


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _told(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in tags.items())
