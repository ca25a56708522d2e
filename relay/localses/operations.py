"""What each action of the Query API does: sending and quotas here, the rest in :mod:`relay.localses.owner_query`."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from uuid import uuid4

from relay.localses import notifications, owner_query
from relay.localses.configuration_rest import CONFIGURATION_ROUTES
from relay.localses.house import House
from relay.localses.judging import Send, check_send
from relay.localses.keys import unique_id
from relay.localses.outbound_email import read_outbound_email
from relay.localses.owner_rest import OWNER_ROUTES
from relay.localses.owner_rest import Operation as RestOperation
from relay.localses.raw_email import RawEmail, read_raw_email
from relay.localses.refusals import Refused
from relay.localses.rest import Asked, labels_of
from relay.localses.sigv4 import Caller
from relay.localses.simple_email import read_simple_email
from relay.localses.store import Message

VERSIONS: Final = {"ses": "2010-12-01", "sts": "2011-06-15"}


Operation: TypeAlias = Callable[[House, Caller, Mapping[str, str]], dict[str, Any]]


def send_raw_email(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:
    """Accept a raw message: keep it, count its recipients, name it."""
    return _accept(house, Send(caller, read_raw_email(parameters), "SendRawEmail", "1"))


def send_email(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Compose a message and accept it."""
    return _accept(house, Send(caller, read_simple_email(parameters), "SendEmail", "1"))


def send_outbound_email(house: House, caller: Caller, asked: Asked) -> dict[str, Any]:
    """Accept a message that came by v2: a raw one is sent under the name that v1 has for that."""
    email, action = read_outbound_email(asked.body)
    return _accept(house, Send(caller, email, action, "2"))


def _accept(house: House, send: Send) -> dict[str, str]:
    check_send(house, send)
    caller, email, now = send.caller, send.email, house.clock()
    account = (caller.key.account, caller.region)
    house.quota.check(account, len(email.destinations), now)
    message = _message(email, caller, now)
    house.store.add(message)
    house.quota.count(account, len(email.destinations), now)
    return {"MessageId": message.id}


def get_send_quota(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  one signature
    """Tell what the caller's account may send, and what it sent, in this region."""
    sent = house.quota.sent_in_24_hours((caller.key.account, caller.region), house.clock())
    allowance = house.quota.allowance
    return {
        "Max24HourSend": str(float(allowance.max_24_hour_send)),
        "MaxSendRate": str(float(allowance.max_send_rate)),
        "SentLast24Hours": str(float(sent)),
    }


def get_caller_identity(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  one signature
    """Tell the caller who it is."""
    return {"Arn": caller.key.principal, "UserId": unique_id(caller.key), "Account": caller.key.account}


def assume_role(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Give out a session of a role."""
    return house.sessions.assume(caller.key, parameters, house.clock())


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("ses", "SendRawEmail"): send_raw_email,
    ("ses", "SendEmail"): send_email,
    ("ses", "GetSendQuota"): get_send_quota,
    ("ses", "GetAccountSendingEnabled"): owner_query.get_account_sending_enabled,
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
    ("POST", "/v2/email/outbound-emails", "SendEmail", send_outbound_email),
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


def _message(email: RawEmail, caller: Caller, now: float) -> Message:
    return Message(
        id=f"0100{int(now * 1000):012x}-{uuid4()}-000000",
        source=email.source,
        source_arn=email.source_arn,
        from_arn=email.from_arn,
        return_path_arn=email.return_path_arn,
        destinations=email.destinations,
        configuration_set=email.configuration_set,
        tags=email.tags,
        principal=caller.key.principal,
        received_at=now,
        raw=email.raw,
    )
