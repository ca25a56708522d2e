"""Who hears of an identity's bounces, complaints and deliveries, by real clients whose models validate every answer."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localses.running import validated

TOPIC = "arn:aws:sns:us-east-1:888888888888:bounces"
NAME = {"Identity": "example.com"}


@pytest.fixture
def ses(door):
    client = validated(door.client())
    client.verify_domain_identity(Domain="example.com")
    return client


@pytest.fixture
def v2(door, ses):
    return validated(door.client("sesv2"))


def attributes(ses: Any) -> Any:
    return ses.get_identity_notification_attributes(Identities=["example.com", "absent.example"])[
        "NotificationAttributes"
    ]


def test_feedback_is_mailed_unless_told_otherwise(ses):
    assert attributes(ses) == {
        "example.com": {
            "BounceTopic": "",
            "ComplaintTopic": "",
            "DeliveryTopic": "",
            "ForwardingEnabled": True,
            "HeadersInBounceNotificationsEnabled": False,
            "HeadersInComplaintNotificationsEnabled": False,
            "HeadersInDeliveryNotificationsEnabled": False,
        }
    }


def test_topics_and_header_fields_are_of_one_type_each(ses):
    ses.set_identity_notification_topic(**NAME, NotificationType="Bounce", SnsTopic=TOPIC)
    ses.set_identity_notification_topic(**NAME, NotificationType="Delivery", SnsTopic=TOPIC)
    ses.set_identity_headers_in_notifications_enabled(**NAME, NotificationType="Complaint", Enabled=True)
    ses.set_identity_headers_in_notifications_enabled(**NAME, NotificationType="Bounce", Enabled=True)
    ses.set_identity_headers_in_notifications_enabled(**NAME, NotificationType="Complaint", Enabled=False)
    ses.set_identity_notification_topic(**NAME, NotificationType="Delivery")

    told = attributes(ses)["example.com"]

    assert (told["BounceTopic"], told["DeliveryTopic"]) == (TOPIC, "")
    assert told["HeadersInBounceNotificationsEnabled"] is True
    assert told["HeadersInComplaintNotificationsEnabled"] is False


def test_forwarding_ends_only_when_topics_hear_of_bounces_and_complaints(ses, v2):
    ses.set_identity_notification_topic(**NAME, NotificationType="Bounce", SnsTopic=TOPIC)
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*topics are specified for both bounces and complai"):
        ses.set_identity_feedback_forwarding_enabled(**NAME, ForwardingEnabled=False)

    ses.set_identity_notification_topic(**NAME, NotificationType="Complaint", SnsTopic=TOPIC)
    ses.set_identity_feedback_forwarding_enabled(**NAME, ForwardingEnabled=False)

    assert attributes(ses)["example.com"]["ForwardingEnabled"] is False
    assert v2.get_email_identity(EmailIdentity="example.com")["FeedbackForwardingStatus"] is False


def test_v2_asks_for_no_topic(ses, v2):
    """Its reference says that SES then mails feedback nevertheless."""
    v2.put_email_identity_feedback_attributes(EmailIdentity="example.com")

    assert attributes(ses)["example.com"]["ForwardingEnabled"] is False
    v2.put_email_identity_feedback_attributes(EmailIdentity="example.com", EmailForwardingEnabled=True)
    assert attributes(ses)["example.com"]["ForwardingEnabled"] is True
