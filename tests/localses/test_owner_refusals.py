"""What owners ask wrongly, each with the answer SES documents (``tests/cases/localses/owner_refusals.jsonl``)."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS
from tests.localses.running import AWS, OWNER
from tests.localses.test_owner_v1 import policy

PATH = Path(__file__).parent.parent / "cases" / "localses" / "owner_refusals.jsonl"
CASES = [json.loads(line) for line in PATH.read_text("utf-8").splitlines()]
DESTINATION: dict[str, Any] = {
    "ConfigurationSetName": "there",
    "EventDestinationName": "there",
    "EventDestination": {
        "MatchingEventTypes": ["BOUNCE"],
        "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:888888888888:there"},
    },
}
UNCHECKED = Config(parameter_validation=False, retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def clients(house):
    """Clients that send whatever they are told, and an embedded SES with a domain, its policy, a configuration set."""
    with house.running(LocalSes(DEMO_KEYS)) as door:
        clients = {
            service: AWS.create_client(
                service,
                region_name="us-east-1",
                endpoint_url=door.url,
                aws_access_key_id=OWNER.id,
                aws_secret_access_key=OWNER.secret,
                config=UNCHECKED,
            )
            for service in ("ses", "sesv2", "sts")
        }
        clients["ses"].verify_domain_identity(Domain="example.com")
        clients["ses"].verify_email_identity(EmailAddress="ceo@example.com")
        clients["ses"].put_identity_policy(Identity="example.com", PolicyName="there", Policy=policy())
        clients["sesv2"].create_configuration_set(ConfigurationSetName="there")
        clients["sesv2"].create_configuration_set_event_destination(**DESTINATION)
        yield clients


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['service']} {case['call']}: {case['name']}")
def test_a_wrong_request_is_refused(case, clients):
    """Code, status and words are SES's, and nothing changed."""
    asked = dict(case["asked"])
    if "statement" in case:
        asked["Policy"] = policy(**case["statement"])
    if isinstance(asked.get("Policy"), int):
        asked["Policy"] = policy().ljust(asked["Policy"])

    with pytest.raises(ClientError) as caught:
        getattr(clients[case["service"]], case["call"])(**asked)

    answer = caught.value.response
    status, error = answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]
    assert (case["code"], case["status"]) == (error["Code"], status), error
    assert case.get("says", error["Message"]) == error["Message"]
    assert clients["sesv2"].get_email_identity_policies(EmailIdentity="example.com")["Policies"] == {"there": policy()}
    assert clients["ses"].list_identities()["Identities"] == ["ceo@example.com", "example.com"]
    assert clients["sesv2"].list_configuration_sets()["ConfigurationSets"] == ["there"]
    told = clients["sesv2"].get_configuration_set_event_destinations(ConfigurationSetName="there")
    assert told["EventDestinations"] == [{"Name": "there", "Enabled": False, **DESTINATION["EventDestination"]}]


def test_there_are_enough_cases():
    """A hundred at least, all different."""
    assert len({json.dumps({**case, "name": ""}) for case in CASES}) >= 100
