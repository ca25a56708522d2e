"""Configuration sets and their event destinations, by a real client whose model validates every answer."""

import pytest
from botocore.exceptions import ClientError

from relay.localses.app import LocalSes
from relay.localses.identities import FolderIdentities
from relay.localses.keys import DEMO_KEYS
from tests.localses.running import validated

SET = {"ConfigurationSetName": "feedback"}
NAMED = {**SET, "EventDestinationName": "queue"}
SNS = {
    "Enabled": True,
    "MatchingEventTypes": ["BOUNCE", "COMPLAINT"],
    "SnsDestination": {"TopicArn": "arn:aws:sns:us-east-1:888888888888:feedback"},
}
BUS = {
    "MatchingEventTypes": ["DELIVERY"],
    "EventBridgeDestination": {"EventBusArn": "arn:aws:events:us-east-1:888888888888:event-bus/default"},
}


@pytest.fixture
def ses(door):
    client = validated(door.client("sesv2"))
    client.create_configuration_set(**SET, Tags=[{"Key": "team", "Value": "mail"}])
    return client


def test_a_configuration_set_is_told_with_its_options(ses):
    ses.create_configuration_set(
        ConfigurationSetName="other",
        SendingOptions={"SendingEnabled": False},
        SuppressionOptions={"SuppressedReasons": ["BOUNCE"]},
    )

    told, other = ses.get_configuration_set(**SET), ses.get_configuration_set(ConfigurationSetName="other")

    assert (told["SendingOptions"], told["Tags"]) == ({"SendingEnabled": True}, [{"Key": "team", "Value": "mail"}])
    assert (other["SendingOptions"], other["SuppressionOptions"]) == (
        {"SendingEnabled": False},
        {"SuppressedReasons": ["BOUNCE"]},
    )


def test_configuration_sets_come_in_pages_and_go(ses):
    for number in range(3):
        ses.create_configuration_set(ConfigurationSetName=f"set-{number}")
    first = ses.list_configuration_sets(PageSize=3)
    rest = ses.list_configuration_sets(NextToken=first["NextToken"])
    ses.delete_configuration_set(**SET)

    assert (first["ConfigurationSets"], rest["ConfigurationSets"]) == (["feedback", "set-0", "set-1"], ["set-2"])
    assert ses.list_configuration_sets()["ConfigurationSets"] == ["set-0", "set-1", "set-2"]


def test_event_destinations_are_made_told_replaced_and_deleted(ses):
    ses.create_configuration_set_event_destination(**NAMED, EventDestination=SNS)
    ses.create_configuration_set_event_destination(**SET, EventDestinationName="bus", EventDestination=BUS)
    ses.update_configuration_set_event_destination(**NAMED, EventDestination={**SNS, "Enabled": False})
    told = ses.get_configuration_set_event_destinations(**SET)["EventDestinations"]
    ses.delete_configuration_set_event_destination(**NAMED)

    assert told == [{"Name": "queue", **SNS, "Enabled": False}, {"Name": "bus", "Enabled": False, **BUS}]
    assert [each["Name"] for each in ses.get_configuration_set_event_destinations(**SET)["EventDestinations"]] == [
        "bus"
    ]


def test_the_eleventh_event_destination_is_one_too_many(ses):
    for number in range(10):
        ses.create_configuration_set_event_destination(**SET, EventDestinationName=f"d{number}", EventDestination=SNS)

    with pytest.raises(ClientError, match="LimitExceededException"):
        ses.create_configuration_set_event_destination(**NAMED, EventDestination=SNS)


def test_an_identity_has_a_configuration_set_of_its_own(ses):
    ses.create_email_identity(EmailIdentity="example.com", **SET)
    ses.create_email_identity(EmailIdentity="example.net")
    ses.put_email_identity_configuration_set_attributes(EmailIdentity="example.net", **SET)
    ses.put_email_identity_configuration_set_attributes(EmailIdentity="example.com")

    assert ses.get_email_identity(EmailIdentity="example.net")["ConfigurationSetName"] == "feedback"
    assert "ConfigurationSetName" not in ses.get_email_identity(EmailIdentity="example.com")


def test_regions_are_strangers_to_each_other(door, ses):
    assert door.client("sesv2", region="eu-west-1").list_configuration_sets()["ConfigurationSets"] == []


def test_a_folder_keeps_them_over_a_restart_and_nothing_after_the_last(house, tmp_path):
    for _ in range(2):
        with house.running(LocalSes(DEMO_KEYS, identities=FolderIdentities(tmp_path))) as door:
            ses = validated(door.client("sesv2"))
            if not ses.list_configuration_sets()["ConfigurationSets"]:
                ses.create_configuration_set(**SET, Tags=[{"Key": "a", "Value": "b"}])
                ses.create_configuration_set_event_destination(**NAMED, EventDestination=SNS)
                before = ses.get_configuration_set(**SET)["Tags"]
            else:
                assert ses.get_configuration_set(**SET)["Tags"] == before
                told = ses.get_configuration_set_event_destinations(**SET)["EventDestinations"]
                assert told == [{"Name": "queue", **SNS}]
                ses.delete_configuration_set(**SET)
    assert list((tmp_path / "888888888888" / "us-east-1").iterdir()) == []


def test_a_foreign_file_is_named(house, tmp_path):
    """What this program did not write is told of in the log and is an internal failure, not overwritten."""
    path = tmp_path / "888888888888" / "us-east-1" / ".configuration-sets.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}{")
    running = house.running(LocalSes(DEMO_KEYS, identities=FolderIdentities(tmp_path)))
    with running as door, pytest.raises(ClientError, match="InternalServiceErrorException"):
        door.client("sesv2").create_configuration_set(**SET)
    assert path.read_text() == "{}{"
