"""What identity owners ask by API v2 (SES API v2 Reference)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from relay.localses.configuration_sets import ConfigurationSet
from relay.localses.constraints import check_choice, violation
from relay.localses.dkim import HOSTED_ZONE, dkim_tokens
from relay.localses.house import House
from relay.localses.identities import Identity, Traits
from relay.localses.naming import find_identity, new_name, owner_of
from relay.localses.owner_query import with_mail_from
from relay.localses.owners import Owner
from relay.localses.pages import asked_page, page_of
from relay.localses.policies import check_policy, check_policy_name
from relay.localses.raw_email import check_configuration_set
from relay.localses.refusals import Refused, invalid
from relay.localses.rest import Asked, list_in, object_in
from relay.localses.signing import dkim_attributes, origin_of, signed_with
from relay.localses.sigv4 import Caller
from relay.localses.tagging import check_number, read_tag_list, tag_list
from relay.localses.verification import Standing

Result: TypeAlias = dict[str, Any]
Operation: TypeAlias = Callable[[House, Caller, Asked], Result]


def create_email_identity(house: House, caller: Caller, asked: Asked) -> Result:
    """Add an identity, verified at once unless the DNS is asked; a domain signs with keys of SES unless told else."""
    name = new_name(asked.required("EmailIdentity"))
    owner = owner_of(caller)
    if house.identities.find(owner, name) is not None:
        raise Refused("AlreadyExistsException", f"Email identity {name} already exist.")
    house.check_room(owner)
    tags, configuration_set = read_tag_list(list_in(asked.body, "Tags")), asked.text("ConfigurationSetName")
    check_configuration_set(configuration_set)
    if configuration_set is not None:
        known_set(house, caller, configuration_set)
    traits = Traits(house.clock(), tags=tags, configuration_set=configuration_set or "")
    identity = Identity(owner, name, traits, {})
    signing = object_in(asked.body.get("DkimSigningAttributes") or {}, "DkimSigningAttributes")
    if signing or not identity.is_address:
        identity = signed_with(identity, origin_of(signing), signing)
    house.identities.keep(identity)
    standing = house.verification.standing(identity)
    told = dkim_attributes(identity, standing.dkim)
    return {**_kind(identity), "VerifiedForSendingStatus": standing.is_verified, "DkimAttributes": told}


def get_email_identity(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell everything of an identity, its policies among it."""
    identity = _known(house, caller, asked, "GetEmailIdentity")
    traits, standing = identity.traits, house.verification.standing(identity)
    named = {"ConfigurationSetName": traits.configuration_set} if traits.configuration_set else {}
    return {
        **_kind(identity),
        "FeedbackForwardingStatus": traits.forwards_feedback,
        "VerifiedForSendingStatus": standing.is_verified,
        "VerificationStatus": standing.identity,
        "DkimAttributes": dkim_attributes(identity, standing.dkim),
        **_mail_from(traits, standing.mail_from),
        "Policies": dict(identity.policies),
        "Tags": tag_list(traits.tags),
        **named,
        "VerificationInfo": {"LastCheckedTimestamp": traits.created_at, "LastSuccessTimestamp": traits.created_at},
    }


def list_email_identities(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell the caller's identities, a page at a time; by POST or, as older clients ask, by GET."""
    size, token = asked_page(asked)
    page, following = page_of(house.identities.names(owner_of(caller)), size, token)
    told = [_listed(house, owner_of(caller), name) for name in page]
    return {"EmailIdentities": told} | ({"NextToken": following} if following else {})


def delete_email_identity(house: House, caller: Caller, asked: Asked) -> Result:
    """Delete an identity with its policies."""
    house.identities.remove(_known(house, caller, asked, "DeleteEmailIdentity"))
    return {}


def create_email_identity_policy(house: House, caller: Caller, asked: Asked) -> Result:
    """Put a policy under a name that no policy of the identity has."""
    identity = _known(house, caller, asked, "CreateEmailIdentityPolicy")
    name = asked.labels["PolicyName"]
    if name in identity.policies:
        raise Refused("AlreadyExistsException", f"Policy {name} already exists for identity {identity.name}.")
    return _put_policy(house, identity, name, asked.required("Policy"))


def update_email_identity_policy(house: House, caller: Caller, asked: Asked) -> Result:
    """Put a policy in place of the one of its name; where there is none, it is put all the same."""
    identity = _known(house, caller, asked, "UpdateEmailIdentityPolicy")
    return _put_policy(house, identity, asked.labels["PolicyName"], asked.required("Policy"))


def delete_email_identity_policy(house: House, caller: Caller, asked: Asked) -> Result:
    """Delete a policy; that of a name nobody has is deleted already."""
    identity = _known(house, caller, asked, "DeleteEmailIdentityPolicy")
    check_policy_name(asked.labels["PolicyName"])
    left = {name: text for name, text in identity.policies.items() if name != asked.labels["PolicyName"]}
    house.identities.keep(replace(identity, policies=left))
    return {}


def get_email_identity_policies(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell all policies of an identity."""
    return {"Policies": dict(_known(house, caller, asked, "GetEmailIdentityPolicies").policies)}


def put_mail_from_attributes(house: House, caller: Caller, asked: Asked) -> Result:
    """Set the MAIL FROM domain of an identity; none, or an empty one, takes it away."""
    identity = _known(house, caller, asked, "PutEmailIdentityMailFromAttributes")
    failure = asked.text("BehaviorOnMxFailure") or "USE_DEFAULT_VALUE"
    check_choice("BehaviorOnMxFailure", failure, ("USE_DEFAULT_VALUE", "REJECT_MESSAGE"))
    house.identities.keep(with_mail_from(identity, asked.text("MailFromDomain") or "", failure))
    return {}


def put_feedback_attributes(house: House, caller: Caller, asked: Asked) -> Result:
    """Say whether bounces and complaints are mailed; by v2 that may be switched off while nobody else hears of them."""
    identity = _known(house, caller, asked, "PutEmailIdentityFeedbackAttributes")
    forwards = asked.body.get("EmailForwardingEnabled", False)
    if not isinstance(forwards, bool):
        raise Refused("SerializationException", "EmailForwardingEnabled is true or false.")
    house.identities.keep(replace(identity, traits=replace(identity.traits, forwards_feedback=forwards)))
    return {}


def put_configuration_set_attributes(house: House, caller: Caller, asked: Asked) -> Result:
    """Say which configuration set mail of an identity is sent with; none takes it away."""
    identity = _known(house, caller, asked, "PutEmailIdentityConfigurationSetAttributes")
    name = asked.text("ConfigurationSetName") or ""
    if name:
        known_set(house, caller, name)
    house.identities.keep(replace(identity, traits=replace(identity.traits, configuration_set=name)))
    return {}


def put_dkim_signing_attributes(house: House, caller: Caller, asked: Asked) -> Result:
    """Say with which keys a domain signs."""
    identity = _known(house, caller, asked, "PutEmailIdentityDkimSigningAttributes")
    attributes = object_in(asked.body.get("SigningAttributes") or {}, "SigningAttributes")
    identity = signed_with(identity, asked.required("SigningAttributesOrigin"), attributes)
    house.identities.keep(identity)
    zone = {} if identity.traits.dkim == "EXTERNAL" else {"SigningHostedZone": HOSTED_ZONE}
    status = house.verification.standing(identity).dkim
    return {"DkimStatus": status, "DkimTokens": dkim_tokens(identity), **zone}


def tag_resource(house: House, caller: Caller, asked: Asked) -> Result:
    """Add tags to an identity; a key it has gets the new value."""
    identity = _tagged(house, caller, asked.required("ResourceArn"), "TagResource")
    if asked.body.get("Tags") is None:
        raise violation("null", "Tags", "Member must not be null")
    tags = {**identity.traits.tags, **read_tag_list(list_in(asked.body, "Tags"))}
    check_number(tags)
    house.identities.keep(replace(identity, traits=replace(identity.traits, tags=tags)))
    return {}


def untag_resource(house: House, caller: Caller, asked: Asked) -> Result:
    """Take tags from an identity; a key it lacks is gone already."""
    identity = _tagged(house, caller, asked.queried("ResourceArn"), "UntagResource")
    gone = asked.query.get("TagKeys")
    if not gone:
        raise violation("null", "TagKeys", "Member must not be null")
    tags = {key: value for key, value in identity.traits.tags.items() if key not in gone}
    house.identities.keep(replace(identity, traits=replace(identity.traits, tags=tags)))
    return {}


def list_tags_for_resource(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell the tags of an identity."""
    identity = _tagged(house, caller, asked.queried("ResourceArn"), "ListTagsForResource")
    return {"Tags": tag_list(identity.traits.tags)}


_ONE: Final = "/v2/email/identities/{EmailIdentity}"
_POLICY: Final = f"{_ONE}/policies/{{PolicyName}}"

OWNER_ROUTES: Final[tuple[tuple[str, str, str, Operation], ...]] = (
    ("POST", "/v2/email/identities", "CreateEmailIdentity", create_email_identity),
    ("GET", "/v2/email/identities", "ListEmailIdentities", list_email_identities),
    ("POST", "/v2/email/list-identities", "ListEmailIdentities", list_email_identities),
    ("GET", _ONE, "GetEmailIdentity", get_email_identity),
    ("DELETE", _ONE, "DeleteEmailIdentity", delete_email_identity),
    ("GET", f"{_ONE}/policies", "GetEmailIdentityPolicies", get_email_identity_policies),
    ("POST", _POLICY, "CreateEmailIdentityPolicy", create_email_identity_policy),
    ("PUT", _POLICY, "UpdateEmailIdentityPolicy", update_email_identity_policy),
    ("DELETE", _POLICY, "DeleteEmailIdentityPolicy", delete_email_identity_policy),
    ("PUT", f"{_ONE}/mail-from", "PutEmailIdentityMailFromAttributes", put_mail_from_attributes),
    ("PUT", f"{_ONE}/feedback", "PutEmailIdentityFeedbackAttributes", put_feedback_attributes),
    (
        "PUT",
        f"{_ONE}/configuration-set",
        "PutEmailIdentityConfigurationSetAttributes",
        put_configuration_set_attributes,
    ),
    ("PUT", f"{_ONE}/dkim/signing", "PutEmailIdentityDkimSigningAttributes", put_dkim_signing_attributes),
    ("POST", "/v2/email/tags", "TagResource", tag_resource),
    ("DELETE", "/v2/email/tags", "UntagResource", untag_resource),
    ("GET", "/v2/email/tags", "ListTagsForResource", list_tags_for_resource),
)
"""Method, path, name and work of each operation."""


def known_set(house: House, caller: Caller, name: str) -> ConfigurationSet:
    """
    Return the caller's configuration set *name*.

    Raises:
        Refused: NotFoundException.
    """
    found = house.identities.configuration_sets.find(owner_of(caller), name)
    if found is None:
        raise Refused("NotFoundException", f"Configuration set <{name}> does not exist.")
    return found


def _put_policy(house: House, identity: Identity, name: str, text: str) -> Result:
    check_policy(identity, name, text)
    house.identities.keep(replace(identity, policies={**identity.policies, name: text}))
    return {}


def _known(house: House, caller: Caller, asked: Asked, action: str) -> Identity:
    text = asked.labels["EmailIdentity"]
    identity = find_identity(house.identities, caller, text, action)
    if identity is None:
        raise Refused("NotFoundException", f"Email identity {text} does not exist.")
    return identity


def _tagged(house: House, caller: Caller, arn: str | None, action: str) -> Identity:
    if arn is None:
        raise violation("null", "ResourceArn", "Member must not be null")
    if not arn.startswith("arn:"):
        raise invalid(f"Invalid resource ARN {arn}.")
    identity = find_identity(house.identities, caller, arn, action)
    if identity is None:
        raise Refused("NotFoundException", f"Resource {arn} does not exist.")
    return identity


def _kind(identity: Identity) -> Mapping[str, str]:
    return {"IdentityType": "EMAIL_ADDRESS" if identity.is_address else "DOMAIN"}


def _mail_from(traits: Traits, status: str) -> dict[str, Any]:
    """All three members or none: the model requires them together."""
    if not traits.mail_from:
        return {}
    told = {"MailFromDomain": traits.mail_from, "MailFromDomainStatus": status}
    return {"MailFromAttributes": {**told, "BehaviorOnMxFailure": traits.on_mx_failure}}


def _listed(house: House, owner: Owner, name: str) -> dict[str, Any]:
    kind, standing = "EMAIL_ADDRESS" if "@" in name else "DOMAIN", Standing()
    if not house.verification.is_at_once:  # reading each of a page of a folder takes its time
        standing = house.verification.standing(house.identities.read(owner, name))
    sending = {"SendingEnabled": standing.is_verified, "VerificationStatus": standing.identity}
    return {"IdentityType": kind, "IdentityName": name, **sending}
