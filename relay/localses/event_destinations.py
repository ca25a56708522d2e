"""Event destinations of configuration sets, as ``EventDestinationDefinition`` of API v2 has them."""

from collections.abc import Mapping
from typing import Any, Final

from relay.localses.constraints import check_choice, violation
from relay.localses.notifications import topic_arn
from relay.localses.owners import Owner
from relay.localses.refusals import Refused, invalid
from relay.localses.rest import list_in, object_in, text_in, text_of

MOST_DESTINATIONS: Final = 10
"""Of a configuration set (SES Developer Guide, "Service quotas in Amazon SES")."""

EVENTS: Final = (
    "SEND",
    "REJECT",
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
    "SUBSCRIPTION",
)
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "KinesisFirehoseDestination": ("IamRoleArn", "DeliveryStreamArn"),
    "CloudWatchDestination": (),
    "SnsDestination": ("TopicArn",),
    "EventBridgeDestination": ("EventBusArn",),
    "PinpointDestination": (),
}
"""Where events may go, and the texts that each must tell."""


def read_definition(owner: Owner, asked: Mapping[str, Any]) -> dict[str, Any]:
    """
    Read the member ``EventDestination`` of a request.

    Raises:
        Refused: SerializationException, ValidationError or InvalidParameterValue.
    """
    if asked.get("EventDestination") is None:
        raise violation("null", "EventDestination", "Member must not be null")
    given = object_in(asked["EventDestination"], "EventDestination")
    events = [text_of(event, "MatchingEventTypes") for event in list_in(given, "MatchingEventTypes")]
    for event in events:
        check_choice("MatchingEventTypes", event, EVENTS)
    if not events:
        raise invalid("An event destination has at least one matching event type.")
    enabled = given.get("Enabled", False)
    if not isinstance(enabled, bool):
        raise Refused("SerializationException", "Enabled is true or false.")
    places = [name for name in _PLACES if given.get(name) is not None]
    if len(places) != 1:
        raise invalid(f"An event destination has exactly one of {', '.join(_PLACES)}.")
    place = places[0]
    return {"Enabled": enabled, "MatchingEventTypes": events, place: _place(owner, place, given[place])}


def told(name: str, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a destination as GetConfigurationSetEventDestinations tells it."""
    return {"Name": name, **definition}


def _place(owner: Owner, place: str, value: Any) -> Mapping[str, Any]:
    given = object_in(value, place)
    for name in _PLACES[place]:
        if not text_in(given, name):
            raise violation("null", f"{place}.{name}", "Member must not be null")
    if place == "SnsDestination":
        topic_arn(owner, given["TopicArn"])
    if place == "EventBridgeDestination":
        bus = f"arn:{owner.partition}:events:{owner.region}:{owner.account}:event-bus/default"
        if given["EventBusArn"] != bus:
            raise invalid(f"Invalid event bus <{given['EventBusArn']}>: only the default bus is supported, {bus}.")
    return given
