"""What each action of the Query API does, and each route of API v2."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from relay.localses import notifications, owner_query, sending
from relay.localses.configuration_rest import CONFIGURATION_ROUTES
from relay.localses.house import House
from relay.localses.keys import unique_id
from relay.localses.owner_rest import OWNER_ROUTES
from relay.localses.owner_rest import Operation as RestOperation
from relay.localses.refusals import Refused
from relay.localses.rest import labels_of
from relay.localses.sigv4 import Caller

VERSIONS: Final = {"ses": "2010-12-01", "sts": "2011-06-15"}


Operation: TypeAlias = Callable[[House, Caller, Mapping[str, str]], dict[str, Any]]


def get_caller_identity(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  one signature
    """Tell the caller who it is."""
    return {"Arn": caller.key.principal, "UserId": unique_id(caller.key), "Account": caller.key.account}


def assume_role(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Give out a session of a role."""
    return house.sessions.assume(caller.key, parameters, house.clock())


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("ses", "SendRawEmail"): sending.send_raw_email,
    ("ses", "SendEmail"): sending.send_email,
    ("ses", "GetSendQuota"): sending.get_send_quota,
    ("ses", "GetAccountSendingEnabled"): sending.get_account_sending_enabled,
    ("ses", "UpdateAccountSendingEnabled"): sending.update_account_sending_enabled,
    ("ses", "PutIdentityPolicy"): owner_query.put_identity_policy,
    ("ses", "GetIdentityPolicies"): owner_query.get_identity_policies,
    ("ses", "ListIdentityPolicies"): owner_query.list_identity_policies,
    ("ses", "DeleteIdentityPolicy"): owner_query.delete_identity_policy,
    ("ses", "VerifyDomainIdentity"): owner_query.verify_domain_identity,
    ("ses", "VerifyDomainDkim"): owner_query.verify_domain_dkim,
    ("ses", "VerifyEmailIdentity"): owner_query.verify_email_identity,
    ("ses", "ListIdentities"): owner_query.list_identities,
    ("ses", "DeleteIdentity"): owner_query.delete_identity,
    ("ses", "GetIdentityVerificationAttributes"): owner_query.get_identity_verification_attributes,
    ("ses", "GetIdentityDkimAttributes"): owner_query.get_identity_dkim_attributes,
    ("ses", "GetIdentityMailFromDomainAttributes"): owner_query.get_identity_mail_from_domain_attributes,
    ("ses", "SetIdentityMailFromDomain"): owner_query.set_identity_mail_from_domain,
    ("ses", "SetIdentityNotificationTopic"): notifications.set_identity_notification_topic,
    ("ses", "SetIdentityHeadersInNotificationsEnabled"): notifications.set_identity_headers_in_notifications_enabled,
    ("ses", "SetIdentityFeedbackForwardingEnabled"): notifications.set_identity_feedback_forwarding_enabled,
    ("ses", "GetIdentityNotificationAttributes"): notifications.get_identity_notification_attributes,
    ("sts", "GetCallerIdentity"): get_caller_identity,
    ("sts", "AssumeRole"): assume_role,
}


ROUTES: Final = (
    ("POST", "/v2/email/outbound-emails", "SendEmail", sending.send_outbound_email),
    ("GET", "/v2/email/account", "GetAccount", sending.get_account),
    ("PUT", "/v2/email/account/sending", "PutAccountSendingAttributes", sending.put_account_sending_attributes),
    *OWNER_ROUTES,
    *CONFIGURATION_ROUTES,
)
"""The operations of v2: method, path, name and work."""


def find_route(method: str, path: str) -> tuple[str, RestOperation, dict[str, str]] | None:
    """Return name, work and labels of what a request of v2 asks for, or None."""
    for wanted, template, name, operation in ROUTES:
        labels = labels_of(template, path) if wanted == method else None
        if labels is not None:
            return name, operation, labels
    return None


def service_of(action: str | None, otherwise: str) -> str:
    """Return the service an action belongs to; of an action nobody serves, *otherwise*."""
    return next((service for service, name in OPERATIONS if name == action), otherwise)


def find_operation(service: str, parameters: Mapping[str, str]) -> Operation:
    """
    Find what *parameters* ask for.

    Raises:
        Refused: MissingAction or InvalidAction.
    """
    action = parameters.get("Action")
    if not action:
        raise Refused("MissingAction", "The request must contain the parameter Action.")
    version = parameters.get("Version", "NO_VERSION_SPECIFIED")
    operation = OPERATIONS.get((service, action))
    if operation is None or version != VERSIONS[service]:
        raise Refused("InvalidAction", f"Could not find operation {action} for version {version}")
    return operation
