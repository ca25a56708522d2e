"""Before an SES that is not ours the relay behaves the same: nothing here leans on the embedded one."""

import re

import pytest

from tests.system.conftest import Demo
from tests.system.recording_ses import RecordingSes
from tests.system.relays import RunningRelay
from tests.system.rows import ROWS, Row, masked, secret_of, split_received

pytestmark = pytest.mark.system

#: The parameters of SendRawEmail beside the recipients and the message, and how the embedded SES shows them.
NAMES = {
    "Source": "source",
    "SourceArn": "source_arn",
    "FromArn": "from_arn",
    "ReturnPathArn": "return_path_arn",
    "ConfigurationSetName": "configuration_set",
}


def said(relay: RunningRelay, row: Row) -> str:
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return client.hand_over(row.mail_from, row.recipients, row.raw)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_same_reply_and_the_same_request(row: Row, demo: Demo, recorded: tuple[RunningRelay, RecordingSes]) -> None:
    """Replies differ in ids only; what reaches SES, in the Received field's id and time only."""
    demo.ses.forget()
    relay, other_ses = recorded
    other_ses.taken.clear()
    reply, other_reply = said(demo.relay, row), said(relay, row)
    assert masked(other_reply) == masked(reply)
    messages = demo.ses.messages()
    assert len(other_ses.taken) == len(messages) == row.is_permitted
    for taken, message in zip(other_ses.taken, messages, strict=True):
        assert other_reply == f"250 2.0.0 Ok {taken.id}"
        assert reply == f"250 2.0.0 Ok {message['id']}"
        assert {name: taken.fields.get(name) for name in NAMES} == {
            name: message[known] for name, known in NAMES.items()
        }
        assert taken.destinations == message["destinations"]
        received, rest = split_received(taken.raw)
        other_received, other_rest = split_received(message["raw"])
        assert rest == other_rest
        assert without_moment(received) == without_moment(other_received)


def without_moment(received: bytes) -> bytes:
    return re.sub(rb" id [0-9a-f]{16}|; [A-Z][a-z]{2}, .*", b"", received)


def test_requests_are_signed_for_the_service_and_region(recorded: tuple[RunningRelay, RecordingSes]) -> None:
    relay, ses = recorded
    ses.authorizations.clear()
    said(relay, ROWS[0])
    (authorization,) = ses.authorizations
    assert re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIADEMORELAY0000000/\d{8}/us-east-1/ses/aws4_request, "
        r"SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}",
        authorization,
    )
