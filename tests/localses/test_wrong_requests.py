"""Wrong requests, each with the answer SES documents (``tests/cases/localses/wrong_requests.jsonl``)."""

import json
from pathlib import Path

import pytest

from tests.localses.running import bent, parsed

PATH = Path(__file__).parent.parent / "cases" / "localses" / "wrong_requests.jsonl"
CASES = [json.loads(line) for line in PATH.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_wrong_request(case, door, clock, told):
    """Each wrong request gets its code, status and words, botocore reads them, and nothing is kept."""
    clock.seconds = -case.get("seconds", 0)

    status, headers, body = bent(door, case)

    answer = parsed("ses", "SendRawEmail", status, headers, body)
    assert (case["code"], case["status"]) == (answer["Error"]["Code"], status), answer["Error"]
    assert case.get("says", answer["Error"]["Message"]) == answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["RequestId"] == headers["x-amzn-RequestId"]
    assert door.messages == []
    assert [(served.status, served.code) for served in told] == [(status, case["code"])]


def test_there_are_enough_cases():
    """A hundred wrong requests at least, all different."""
    assert len({json.dumps({**case, "name": ""}) for case in CASES}) >= 100


def test_no_answer_repeats_a_signature_or_a_secret(door):
    """A wrong signature is answered without the Authorization header, the token or the secret in the answer."""
    status, _, body = bent(door, {"secret": "hush-hush", "authorization": ["Credential=", "Credential= "]})

    assert status == 403
    assert b"Credential=" not in body
    assert b"hush-hush" not in body
    assert b"demo-owner-secret" not in body


@pytest.mark.parametrize("path", ["/v2/email/outbound-bulk-emails", "/v2/email/account"])
def test_v2_is_refused_in_its_own_form(door, path):
    """What a v2 client asks is refused with a code and a message it can read."""
    headers = door.signed("POST", path, b"{}", {"content_type": "application/json"})

    status, headers, body = door.ask("POST", path, b"{}", headers)

    answer = parsed("sesv2", "SendEmail", status, headers, body)
    assert (status, answer["Error"]["Code"]) == (404, "UnknownOperationException")
    assert answer["Error"]["Message"] == f"This embedded SES does not serve POST {path}"


def test_v2_wants_a_signature_too(door):
    status, headers, body = door.ask("GET", "/v2/email/account")

    assert (status, headers["x-amzn-ErrorType"]) == (403, "MissingAuthenticationTokenException")
    assert json.loads(body) == {"message": "Request is missing Authentication Token"}
