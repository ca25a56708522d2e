"""Configuration sets and their event destinations, as asked for by API v2 (SES API v2 Reference)."""

from dataclasses import replace
from typing import Any, Final

from relay.localses.configuration_sets import ConfigurationSet
from relay.localses.event_destinations import MOST_DESTINATIONS, read_definition, told
from relay.localses.house import House
from relay.localses.naming import owner_of
from relay.localses.owner_rest import Operation, Result, known_set
from relay.localses.pages import asked_page, page_of
from relay.localses.raw_email import check_configuration_set
from relay.localses.refusals import Refused
from relay.localses.rest import Asked, list_in, object_in
from relay.localses.sigv4 import Caller
from relay.localses.tagging import read_tag_list, tag_list

_OPTIONS: Final = (
    "TrackingOptions",
    "DeliveryOptions",
    "ReputationOptions",
    "SendingOptions",
    "SuppressionOptions",
    "VdmOptions",
    "ArchivingOptions",
    "MessageSecurityOptions",
)


def create_configuration_set(house: House, caller: Caller, asked: Asked) -> Result:
    """Add a configuration set; its options are remembered and told."""
    name, owner = asked.required("ConfigurationSetName"), owner_of(caller)
    check_configuration_set(name)
    tags = read_tag_list(list_in(asked.body, "Tags"))
    given = {option: asked.body[option] for option in _OPTIONS if asked.body.get(option) is not None}
    options = {option: object_in(value, option) for option, value in given.items()}
    sets = house.identities.configuration_sets
    if sets.find(owner, name) is not None:
        raise Refused("AlreadyExistsException", f"Configuration set <{name}> already exists.")
    sets.keep(owner, ConfigurationSet(name, tags, options))
    return {}


def get_configuration_set(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell a configuration set's options and tags."""
    found = _known(house, caller, asked)
    options: dict[str, Any] = {"SendingOptions": {"SendingEnabled": True}, **found.options}
    return {"ConfigurationSetName": found.name, **options, "Tags": tag_list(found.tags)}


def list_configuration_sets(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell the names of the caller's configuration sets, a page at a time; by POST or, as older clients ask, by GET."""
    size, token = asked_page(asked)
    names = sorted(house.identities.configuration_sets.all_of(owner_of(caller)))
    page, following = page_of(names, size, token)
    return {"ConfigurationSets": list(page)} | ({"NextToken": following} if following else {})


def delete_configuration_set(house: House, caller: Caller, asked: Asked) -> Result:
    """Delete a configuration set with its event destinations."""
    house.identities.configuration_sets.remove(owner_of(caller), _known(house, caller, asked).name)
    return {}


def create_event_destination(house: House, caller: Caller, asked: Asked) -> Result:
    """Add an event destination."""
    found, name = _known(house, caller, asked), asked.required("EventDestinationName")
    check_configuration_set(name)
    if name in found.destinations:
        raise Refused("AlreadyExistsException", f"Event destination <{name}> already exists.")
    if len(found.destinations) >= MOST_DESTINATIONS:
        raise Refused("LimitExceeded", f"A configuration set has {MOST_DESTINATIONS} event destinations at most.")
    return _put(house, caller, found, name, asked)


def get_event_destinations(house: House, caller: Caller, asked: Asked) -> Result:
    """Tell where a configuration set's events go."""
    destinations = _known(house, caller, asked).destinations
    return {"EventDestinations": [told(name, each) for name, each in destinations.items()]}


def update_event_destination(house: House, caller: Caller, asked: Asked) -> Result:
    """Put a definition in the place of an event destination's."""
    found, name = _known_destination(house, caller, asked)
    return _put(house, caller, found, name, asked)


def delete_event_destination(house: House, caller: Caller, asked: Asked) -> Result:
    """Delete an event destination."""
    found, name = _known_destination(house, caller, asked)
    left = {known: each for known, each in found.destinations.items() if known != name}
    house.identities.configuration_sets.keep(owner_of(caller), replace(found, destinations=left))
    return {}


_SETS: Final = "/v2/email/configuration-sets"
_ONE: Final = f"{_SETS}/{{ConfigurationSetName}}"
_DESTINATIONS: Final = f"{_ONE}/event-destinations"
_DESTINATION: Final = f"{_DESTINATIONS}/{{EventDestinationName}}"

CONFIGURATION_ROUTES: Final[tuple[tuple[str, str, str, Operation], ...]] = (
    ("POST", _SETS, "CreateConfigurationSet", create_configuration_set),
    ("GET", _SETS, "ListConfigurationSets", list_configuration_sets),
    ("POST", "/v2/email/list-configuration-sets", "ListConfigurationSets", list_configuration_sets),
    ("GET", _ONE, "GetConfigurationSet", get_configuration_set),
    ("DELETE", _ONE, "DeleteConfigurationSet", delete_configuration_set),
    ("POST", _DESTINATIONS, "CreateConfigurationSetEventDestination", create_event_destination),
    ("GET", _DESTINATIONS, "GetConfigurationSetEventDestinations", get_event_destinations),
    ("PUT", _DESTINATION, "UpdateConfigurationSetEventDestination", update_event_destination),
    ("DELETE", _DESTINATION, "DeleteConfigurationSetEventDestination", delete_event_destination),
)
"""Method, path, name and work of each operation."""


def _put(house: House, caller: Caller, found: ConfigurationSet, name: str, asked: Asked) -> Result:
    owner = owner_of(caller)
    destinations = {**found.destinations, name: read_definition(owner, asked.body)}
    house.identities.configuration_sets.keep(owner, replace(found, destinations=destinations))
    return {}


def _known(house: House, caller: Caller, asked: Asked) -> ConfigurationSet:
    return known_set(house, caller, asked.labels["ConfigurationSetName"])


def _known_destination(house: House, caller: Caller, asked: Asked) -> tuple[ConfigurationSet, str]:
    found, name = _known(house, caller, asked), asked.labels["EventDestinationName"]
    if name not in found.destinations:
        raise Refused("NotFoundException", f"Event destination <{name}> does not exist.")
    return found, name
