"""What identity owners ask by API v1 (SES API Reference): identities, their policies, DKIM and MAIL FROM."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from relay.localses.constraints import check_choice, required, violation, whole_number
from relay.localses.dkim import dkim_tokens, verification_token
from relay.localses.house import House
from relay.localses.identities import Identity, Traits
from relay.localses.naming import domain_name, find_identity, new_name, owner_of
from relay.localses.pages import page_of
from relay.localses.policies import check_policy, check_policy_name
from relay.localses.query import Entries, read_list
from relay.localses.refusals import Refused, invalid
from relay.localses.sigv4 import Caller
from relay.localses.verification import FAILED, NOT_STARTED, PENDING, SUCCESS

Parameters = Mapping[str, str]
Result = dict[str, Any]

MOST_NAMES: Final = 100
MOST_POLICY_NAMES: Final = 20
_ON_MX_FAILURE: Final = {"UseDefaultValue": "USE_DEFAULT_VALUE", "RejectMessage": "REJECT_MESSAGE"}


def put_identity_policy(house: House, caller: Caller, asked: Parameters) -> Result:
    """Put a policy in place of the one of the same name, if there is one."""
    text, name, policy = (required(asked, each) for each in ("Identity", "PolicyName", "Policy"))
    identity = known_identity(house, caller, text, "PutIdentityPolicy")
    check_policy(identity, name, policy)
    house.identities.keep(replace(identity, policies={**identity.policies, name: policy}))
    return {}


def get_identity_policies(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell the policies that are named; a name that nobody has is passed over."""
    text, names = required(asked, "Identity"), _names(asked, "PolicyNames", MOST_POLICY_NAMES)
    for name in names:
        check_policy_name(name)
    policies = known_identity(house, caller, text, "GetIdentityPolicies").policies
    return {"Policies": Entries({name: policies[name] for name in names if name in policies})}


def list_identity_policies(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell the names of an identity's policies."""
    identity = known_identity(house, caller, required(asked, "Identity"), "ListIdentityPolicies")
    return {"PolicyNames": sorted(identity.policies)}


def delete_identity_policy(house: House, caller: Caller, asked: Parameters) -> Result:
    """Delete a policy; that of a name nobody has is deleted already."""
    text, name = required(asked, "Identity"), required(asked, "PolicyName")
    check_policy_name(name)
    identity = known_identity(house, caller, text, "DeleteIdentityPolicy")
    left = {known: policy for known, policy in identity.policies.items() if known != name}
    house.identities.keep(replace(identity, policies=left))
    return {}


def verify_domain_identity(house: House, caller: Caller, asked: Parameters) -> Result:
    """Add a domain; it is verified at once unless the DNS is asked."""
    return {"VerificationToken": verification_token(_added(house, caller, domain_name(required(asked, "Domain"))))}


def verify_domain_dkim(house: House, caller: Caller, asked: Parameters) -> Result:
    """Set up Easy DKIM for a domain, which is added if need be."""
    identity = _added(house, caller, domain_name(required(asked, "Domain")))
    identity = replace(identity, traits=replace(identity.traits, dkim="AWS_SES", selector=""))
    house.identities.keep(identity)
    return {"DkimTokens": dkim_tokens(identity)}


def verify_email_identity(house: House, caller: Caller, asked: Parameters) -> Result:
    """Add an address; it is verified at once and nothing is mailed."""
    address = required(asked, "EmailAddress")
    if "@" not in address:
        raise invalid(f"Invalid email address<{address}>.")
    _added(house, caller, new_name(address))
    return {}


def list_identities(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell the names of the caller's identities, a page at a time."""
    kind = asked.get("IdentityType")
    if kind is not None:
        check_choice("IdentityType", kind, ("EmailAddress", "Domain"))
    size = whole_number("MaxItems", asked.get("MaxItems", "1000"), 1, 1000)
    names = house.identities.names(owner_of(caller))
    wanted = [name for name in names if kind is None or ("@" in name) == (kind == "EmailAddress")]
    page, token = page_of(wanted, size, asked.get("NextToken"))
    return {"Identities": list(page)} | ({"NextToken": token} if token else {})


def delete_identity(house: House, caller: Caller, asked: Parameters) -> Result:
    """Delete an identity with its policies; one that nobody has is deleted already."""
    identity = find_identity(house.identities, caller, required(asked, "Identity"), "DeleteIdentity")
    if identity is not None:
        house.identities.remove(identity)
    return {}


def get_identity_verification_attributes(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell whether the known among the named identities are verified."""
    told = {name: _verification(house, each) for name, each in known_among(house, caller, asked)}
    return {"VerificationAttributes": Entries(told)}


def get_identity_dkim_attributes(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell how mail of the known among the named identities is signed."""
    return {"DkimAttributes": Entries({name: _dkim(house, each) for name, each in known_among(house, caller, asked)})}


def get_identity_mail_from_domain_attributes(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell the MAIL FROM domains of those among the named identities that have one."""
    told = {name: _mail_from(house, each) for name, each in known_among(house, caller, asked) if each.traits.mail_from}
    return {"MailFromDomainAttributes": Entries(told)}


def set_identity_mail_from_domain(house: House, caller: Caller, asked: Parameters) -> Result:
    """Set the MAIL FROM domain of an identity; none, or an empty one, takes it away."""
    text, failure = required(asked, "Identity"), asked.get("BehaviorOnMXFailure", "UseDefaultValue")
    check_choice("BehaviorOnMXFailure", failure, tuple(_ON_MX_FAILURE))
    identity = find_identity(house.identities, caller, text, "SetIdentityMailFromDomain")
    if identity is None:
        raise invalid(f"Identity <{text}> does not exist.")
    house.identities.keep(with_mail_from(identity, asked.get("MailFromDomain", ""), _ON_MX_FAILURE[failure]))
    return {}


def with_mail_from(identity: Identity, domain: str, on_mx_failure: str) -> Identity:
    """
    Return *identity* with another MAIL FROM domain, a subdomain of its own; an empty one takes it away.

    Raises:
        Refused: InvalidParameterValue.
    """
    if not domain:
        return replace(identity, traits=replace(identity.traits, mail_from="", on_mx_failure="USE_DEFAULT_VALUE"))
    name = domain_name(domain)
    if not name.endswith(f".{identity.domain}"):
        raise invalid(
            f"Provided MAIL-FROM domain <{domain}> is not subdomain of the domain of the identity <{identity.name}>."
        )
    return replace(identity, traits=replace(identity.traits, mail_from=name, on_mx_failure=on_mx_failure))


def known_identity(house: House, caller: Caller, text: str, action: str) -> Identity:
    """
    Return the identity named, which must be verified.

    Raises:
        Refused: InvalidParameterValue, or AccessDenied for another account's.
    """
    identity = find_identity(house.identities, caller, text, action)
    if identity is None or not house.verification.standing(identity).is_verified:
        raise invalid(f"Identity {text} is invalid. Must be a verified email address or domain.")
    return identity


def known_among(house: House, caller: Caller, asked: Parameters) -> list[tuple[str, Identity]]:
    """
    Return the known among ``Identities``, by the names they are asked for.

    Raises:
        Refused: ValidationError, InvalidParameterValue, or AccessDenied for another account's.
    """
    found = [
        (name, find_identity(house.identities, caller, name, asked["Action"]))
        for name in _names(asked, "Identities", MOST_NAMES)
    ]
    return [(name, identity) for name, identity in found if identity is not None]


def _added(house: House, caller: Caller, name: str) -> Identity:
    owner = owner_of(caller)
    identity = house.identities.find(owner, name)
    if identity is None:
        house.check_room(owner)
        identity = Identity(owner, name, Traits(created_at=house.clock()), {})
        house.identities.keep(identity)
    return identity


def _names(asked: Parameters, name: str, most: int) -> list[str]:
    names = read_list(asked, name)
    if not names:
        raise violation("null", name, "Member must not be null")
    if len(names) > most:
        raise Refused("InvalidParameterValue", f"{name} holds more than {most} names.")
    return names


def _verification(house: House, identity: Identity) -> dict[str, str]:
    token = {} if identity.is_address else {"VerificationToken": verification_token(identity)}
    return {"VerificationStatus": _STATES[house.verification.standing(identity).identity], **token}


def _dkim(house: House, identity: Identity) -> dict[str, Any]:
    tokens = dkim_tokens(identity)
    state = _STATES[house.verification.standing(identity).dkim]
    status = {"DkimEnabled": "true", "DkimVerificationStatus": state}
    return {**status, "DkimTokens": tokens} if tokens else {"DkimEnabled": "false", **_NOT_STARTED}


#: The words of v2 in those of v1.
_STATES: Final = {SUCCESS: "Success", PENDING: "Pending", FAILED: "Failed", NOT_STARTED: "NotStarted"}
_NOT_STARTED: Final = {"DkimVerificationStatus": "NotStarted"}


def _mail_from(house: House, identity: Identity) -> dict[str, str]:
    failure = next(v1 for v1, v2 in _ON_MX_FAILURE.items() if v2 == identity.traits.on_mx_failure)
    state = _STATES[house.verification.standing(identity).mail_from]
    told = {"MailFromDomain": identity.traits.mail_from, "MailFromDomainStatus": state}
    return {**told, "BehaviorOnMXFailure": failure}
