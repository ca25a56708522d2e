"""
The operations that send: what both APIs check, in SES's order, and what an accepted message sets going.

The account may send; the configuration set is there; identities and their policies allow it; rate and quota do.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from relay.localses.events import new_id
from relay.localses.house import House
from relay.localses.identities import Identity
from relay.localses.judging import Send, check_send
from relay.localses.naming import identity_of_arn, owner_of
from relay.localses.orders import with_orders
from relay.localses.outbound_email import read_outbound_email
from relay.localses.owners import Owner
from relay.localses.raw_email import read_raw_email
from relay.localses.refusals import Refused
from relay.localses.rest import Asked
from relay.localses.sigv4 import Caller
from relay.localses.simple_email import read_simple_email
from relay.localses.simulator import counted, what_becomes_of
from relay.localses.store import Message
from relay.localses.verification import SUCCESS


def send_raw_email(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:
    """Accept a raw message: keep it, count its recipients, name it."""
    return _accept(house, Send(caller, with_orders(read_raw_email(parameters)), ("SendRawEmail",), "1"))


def send_email(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Compose a message and accept it."""
    return _accept(house, Send(caller, read_simple_email(parameters), ("SendEmail",), "1"))


def send_outbound_email(house: House, caller: Caller, asked: Asked) -> dict[str, Any]:
    """Accept a message that came by v2: a raw one must be allowed under the name that v1 has for that as well."""
    email, is_raw = read_outbound_email(asked.body)
    if is_raw:
        return _accept(house, Send(caller, with_orders(email), ("SendRawEmail", "SendEmail"), "2"))
    return _accept(house, Send(caller, email, ("SendEmail",), "2"))


def _accept(house: House, send: Send) -> dict[str, str]:
    owner, now = owner_of(send.caller), house.clock()
    house.quota.standings.of(owner).check()
    _check_configuration_set(house, owner, send.email.configuration_set)
    identity_arn = check_send(house, send)
    identity = identity_of_arn(house.identities, identity_arn, owner.region)
    _check_mail_from(house, identity)
    if send.email.configuration_set is None:
        default = _default_configuration_set(owner, identity)
        send = replace(send, email=replace(send.email, configuration_set=default))
        _check_configuration_set(house, owner, default)
    recipients, for_the_day = len(send.email.destinations), counted(send.email.destinations)
    house.quota.check(owner, recipients, now, counted=for_the_day)
    message = _message(send, identity_arn, now)
    house.store.add(message)
    house.quota.count(owner, recipients, now, counted=for_the_day)
    for event in what_becomes_of(message, now):
        house.publisher.tell(event, message)
    return {"MessageId": message.id}


def get_send_quota(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  one signature
    """Tell what the caller's account may send, and what it sent, in this region."""
    owner = owner_of(caller)
    allowance = house.quota.allowance_of(owner)
    return {
        "Max24HourSend": str(float(allowance.max_24_hour_send)),
        "MaxSendRate": str(float(allowance.max_send_rate)),
        "SentLast24Hours": str(float(house.quota.sent_in_24_hours(owner, house.clock()))),
    }


def get_account_sending_enabled(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG001  one signature
    """Tell whether the account may send in this region."""
    standing = house.quota.standings.of(owner_of(caller))
    return {"Enabled": "false" if standing.paused or standing.suspended else "true"}


def update_account_sending_enabled(house: House, caller: Caller, parameters: Mapping[str, str]) -> dict[str, str]:
    """Let the account's owner stop sending in this region, or begin again; nothing said is stop."""
    enabled = parameters.get("Enabled", "false")
    if enabled not in {"true", "false"}:
        raise Refused("MalformedInput", "Enabled is true or false.")
    house.quota.standings.pause(owner_of(caller), paused=enabled == "false")
    return {}


def put_account_sending_attributes(house: House, caller: Caller, asked: Asked) -> dict[str, Any]:
    """Do the same by v2."""
    enabled = asked.body.get("SendingEnabled", False)
    if not isinstance(enabled, bool):
        raise Refused("SerializationException", "SendingEnabled is true or false.")
    house.quota.standings.pause(owner_of(caller), paused=not enabled)
    return {}


def get_account(house: House, caller: Caller, asked: Asked) -> dict[str, Any]:  # noqa: ARG001  one signature
    """Tell how the account stands, and what it may send."""
    owner = owner_of(caller)
    standing, allowance = house.quota.standings.of(owner), house.quota.allowance_of(owner)
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "SHUTDOWN" if standing.suspended else "HEALTHY",
        "ProductionAccessEnabled": not standing.sandbox,
        "SendingEnabled": not standing.paused and not standing.suspended,
        "SendQuota": {
            "Max24HourSend": allowance.max_24_hour_send,
            "MaxSendRate": allowance.max_send_rate,
            "SentLast24Hours": float(house.quota.sent_in_24_hours(owner, house.clock())),
        },
    }


def _check_configuration_set(house: House, owner: Owner, name: str | None) -> None:
    """A set that is used is one of the account that sends, whoever owns the identity."""
    if name is None:
        return
    found = house.identities.configuration_sets.find(owner, name)
    if found is None:
        raise Refused("ConfigurationSetDoesNotExist", f"Configuration set <{name}> does not exist.")
    if found.options.get("SendingOptions", {}).get("SendingEnabled") is False:
        raise Refused(
            "ConfigurationSetSendingPausedException", f"Email sending is disabled for configuration set <{name}>."
        )


def _check_mail_from(house: House, identity: Identity | None) -> None:
    """A MAIL FROM domain without its records refuses the message, where the identity's owner wants that."""
    if identity is None or identity.traits.on_mx_failure != "REJECT_MESSAGE":
        return
    if house.verification.standing(identity).mail_from != SUCCESS:
        raise Refused("MailFromDomainNotVerifiedException", "DNS setup for MAIL FROM domain is invalid.")


def _default_configuration_set(owner: Owner, identity: Identity | None) -> str | None:
    """That of the identity, where it is the sender's own."""
    if identity is None or identity.owner != owner:
        return None
    return identity.traits.configuration_set or None


def _message(send: Send, identity_arn: str, now: float) -> Message:
    email, caller = send.email, send.caller
    return Message(
        id=new_id(now),
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
        action=send.actions[0],
        region=caller.region,
        source_ip=caller.address,
        identity_arn=identity_arn,
    )
