"""A delegate's configuration set: SES refuses mail with one that is not there, and tells events of mail with one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.houses import House
from tests.system.relays import http
from tests.system.test_owner_and_delegate import hand_over, owner

pytestmark = pytest.mark.system


def test_a_set_is_made_and_its_events_name_the_delegate(house: House, tmp_path: Path) -> None:
    """Not there: the operator's trouble, 451. Made: sent, and every event carries set and delegate as tags."""
    house.edit('name = "billing"', 'name = "billing"\nconfiguration_set = "feedback"')
    with house.serve() as relay:
        before = hand_over(relay)
        owner(house.ses, "sesv2").create_configuration_set(ConfigurationSetName="feedback")
        relay.wait_until(lambda: hand_over(relay).startswith("250"), "mail with the set")

    assert before.startswith("451 4.3.5")
    told: list[dict[str, Any]] = json.loads(http("GET", f"{house.ses}/_local/events"))
    tags = [each["event"]["mail"]["tags"] for each in told]
    assert {tag["ses:configuration-set"][0] for tag in tags if "ses:configuration-set" in tag} == {"feedback"}
    assert tags[-1]["ses-relay-delegate"] == ["billing"]
