"""Where an identity's bounces, complaints and deliveries are told, by API v1 (SES API Reference)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from relay.localses.constraints import check_choice, required
from relay.localses.house import House
from relay.localses.identities import Identity
from relay.localses.owner_query import Parameters, Result, known_among, known_identity
from relay.localses.owners import Owner
from relay.localses.query import Entries
from relay.localses.refusals import Refused, invalid
from relay.localses.sigv4 import Caller

TYPES: Final = ("Bounce", "Complaint", "Delivery")
#: The types of which somebody must hear: by mail, or by a topic.
FEEDBACK: Final = frozenset({"Bounce", "Complaint"})

_TRUTH: Final = {True: "true", False: "false"}
_TOPIC = re.compile(r"arn:(?P<partition>aws[a-z-]*):sns:(?P<region>[a-z0-9-]+):[A-Za-z0-9]+:[\w-]{1,256}", re.ASCII)


def set_identity_notification_topic(house: House, caller: Caller, asked: Parameters) -> Result:
    """Set the topic of one type of notification; none takes it away."""
    identity, kind = _of_kind(house, caller, asked)
    topics = {known: topic for known, topic in identity.traits.topics.items() if known != kind}
    if asked.get("SnsTopic"):
        topics[kind] = topic_arn(identity.owner, asked["SnsTopic"])
    house.identities.keep(replace(identity, traits=replace(identity.traits, topics=topics)))
    return {}


def set_identity_headers_in_notifications_enabled(house: House, caller: Caller, asked: Parameters) -> Result:
    """Say whether notifications of one type carry the message's header fields."""
    identity, kind = _of_kind(house, caller, asked)
    kinds = {*identity.traits.with_headers} - {kind} | ({kind} if _truth(asked, "Enabled") else set())
    house.identities.keep(replace(identity, traits=replace(identity.traits, with_headers=sorted(kinds))))
    return {}


def set_identity_feedback_forwarding_enabled(house: House, caller: Caller, asked: Parameters) -> Result:
    """Say whether bounces and complaints are mailed; not to do so wants a topic for each of them."""
    identity = _named(house, caller, asked)
    forwards = _truth(asked, "ForwardingEnabled")
    if not forwards and not identity.traits.topics.keys() >= FEEDBACK:
        raise invalid(
            f"Feedback forwarding of identity <{identity.name}> can only be disabled when SNS topics are specified for "
            "both bounces and complaints."
        )
    house.identities.keep(replace(identity, traits=replace(identity.traits, forwards_feedback=forwards)))
    return {}


def get_identity_notification_attributes(house: House, caller: Caller, asked: Parameters) -> Result:
    """Tell who hears of the mail of the known among the named identities."""
    told = {name: _told(each) for name, each in known_among(house, caller, asked)}
    return {"NotificationAttributes": Entries(told)}


def topic_arn(owner: Owner, text: str) -> str:
    """
    Return the ARN of a topic that SES may publish to: one of the region.

    Raises:
        Refused: InvalidParameterValue.
    """
    found = _TOPIC.fullmatch(text)
    if found is None or (found["partition"], found["region"]) != (owner.partition, owner.region):
        raise invalid(f"Invalid SNS topic <{text}>: it is the ARN of a topic in {owner.region}.")
    return text


def _told(identity: Identity) -> Mapping[str, Any]:
    """Every topic is a member that the model requires: empty where there is none."""
    traits = identity.traits
    headers = {f"HeadersIn{kind}NotificationsEnabled": _TRUTH[kind in traits.with_headers] for kind in TYPES}
    topics = {f"{kind}Topic": traits.topics.get(kind, "") for kind in TYPES}
    return {**topics, "ForwardingEnabled": _TRUTH[traits.forwards_feedback], **headers}


def _of_kind(house: House, caller: Caller, asked: Parameters) -> tuple[Identity, str]:
    kind = required(asked, "NotificationType")
    check_choice("NotificationType", kind, TYPES)
    return _named(house, caller, asked), kind


def _named(house: House, caller: Caller, asked: Parameters) -> Identity:
    return known_identity(house, caller, required(asked, "Identity"), asked["Action"])


def _truth(asked: Parameters, name: str) -> bool:
    text = required(asked, name)
    if text not in {"true", "false"}:
        raise Refused("MalformedInput", f"{name} is true or false.")
    return text == "true"
