"""SendEmail of v2, as a real client of AWS sends it."""

import json
from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.localses.message import LONGEST_ENCODED
from tests.localses.running import MESSAGE, parsed

ARN = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
OTHER = "arn:aws:ses:us-east-1:888888888888:identity/news.example.com"


def refusal(client: Any, **asked: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        client.send_email(**asked)
    error = caught.value.response
    return error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"], error["Error"]["Message"]


def test_a_message_is_told_as_one_that_came_by_v1(door, told):
    door.client("sesv2").create_configuration_set(ConfigurationSetName="set")
    told.clear()
    answer = door.client("sesv2").send_email(
        FromEmailAddressIdentityArn=ARN,
        Destination={
            "ToAddresses": ["a@example.net"],
            "CcAddresses": ["b@example.net"],
            "BccAddresses": ["c@d.example"],
        },
        FeedbackForwardingEmailAddress="bounce@news.example.com",
        FeedbackForwardingEmailAddressIdentityArn=OTHER,
        EmailTags=[{"Name": "k", "Value": "v"}],
        ConfigurationSetName="set",
        Content={"Raw": {"Data": MESSAGE}},
    )

    [message] = door.messages
    assert message["id"] == answer["MessageId"]
    assert message["source"] == "bounce@news.example.com"
    assert (message["source_arn"], message["from_arn"], message["return_path_arn"]) == (ARN, ARN, OTHER)
    assert message["destinations"] == ["a@example.net", "b@example.net", "c@d.example"]
    assert (message["configuration_set"], message["tags"]) == ("set", {"k": "v"})
    assert message["principal"] == "arn:aws:iam::888888888888:user/owner"
    assert message["raw_base64"] == b64encode(MESSAGE).decode()
    assert [(served.operation, served.status) for served in told] == [("SendEmail", 200)]


def test_without_a_destination_the_header_names_it(door):
    door.client("sesv2").send_email(Content={"Raw": {"Data": MESSAGE}})

    assert [message["destinations"] for message in door.messages] == [["friend@example.net"]]


def test_it_takes_what_is_too_large_for_v1_up_to_40_mib_in_base64(door):
    line = b"x" * 62 + b"\r\n"
    fits = MESSAGE + line * ((LONGEST_ENCODED // 4 * 3 - len(MESSAGE)) // len(line))
    door.client("sesv2").send_email(Content={"Raw": {"Data": fits}})

    too_much = refusal(door.client("sesv2"), Content={"Raw": {"Data": fits + line}})

    assert too_much[:2] == (400, "BadRequestException")
    assert too_much[2].startswith(f"Message length is more than {LONGEST_ENCODED} bytes long: '")
    assert len(door.messages) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}}}, "BadRequestException"),
        ({"Content": {"Raw": {"Data": b"Subject: x\r\n\r\nbody\r\n"}}}, "BadRequestException"),
        ({"Destination": {"ToAddresses": [f"r{n}@example.net" for n in range(51)]}}, "BadRequestException"),
        ({"Destination": {"ToAddresses": ["nobody"]}}, "BadRequestException"),
        ({"FromEmailAddressIdentityArn": "example.com"}, "BadRequestException"),
        ({"ConfigurationSetName": "a b"}, "BadRequestException"),
        ({"EmailTags": [{"Name": "a b", "Value": "v"}]}, "BadRequestException"),
    ],
)
def test_what_ses_refuses_is_refused_in_the_words_of_v2(door, asked, code):
    status, told, _ = refusal(door.client("sesv2"), **{"Content": {"Raw": {"Data": MESSAGE}}, **asked})

    assert (status, told) == (400, code)
    assert door.messages == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Content": []}',
        b'{"Content": {"Raw": {}}}',
        b'{"Content": {"Raw": {"Data": 1}}}',
        b'{"Content": {"Raw": {"Data": "%%"}}}',
        b'{"Content": {"Raw": {"Data": "eA=="}}, "Destination": {"ToAddresses": "a@example.net"}}',
        b'{"Content": {"Raw": {"Data": "eA=="}}, "EmailTags": [1]}',
    ],
)
def test_a_body_that_is_no_request_is_refused(door, body):
    headers = door.signed("POST", "/v2/email/outbound-emails", body, {"content_type": "application/json"})

    status, headers, answer = door.ask("POST", "/v2/email/outbound-emails", body, headers)

    told = parsed("sesv2", "SendEmail", status, headers, answer)["Error"]
    assert (status, told["Code"]) in {(400, "SerializationException"), (400, "BadRequestException")}
    assert door.messages == []


def test_faults_of_its_own_befall_it(door):
    faults = [{"code": "Throttling"}, {"code": "SendingPausedException", "message": "paused", "status": 400}]
    door.ask("PUT", "/_local/faults", json.dumps({"SendEmail": faults}).encode())
    client, content = door.client("sesv2"), {"Raw": {"Data": MESSAGE}}

    assert refusal(client, Content=content) == (429, "TooManyRequestsException", "Maximum sending rate exceeded.")
    assert refusal(client, Content=content) == (400, "SendingPausedException", "paused")
    client.send_email(Content=content)
    assert len(door.messages) == 1
