"""SendEmail of v2: what goes over the wire, and what its answers mean."""

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore import parsers
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from relay.observe.events import SesCalled
from relay.sending.answers import disagreement, outcome_of_v2
from relay.sending.outcomes import Ambiguous, Deferred, Failure, Refused, Sent
from relay.sending.troubles import trouble_of
from relay.words.apis import Api

from .conftest import KEY, MAIL
from .listeners import answer, hangs

CASES = json.loads((Path(__file__).parent.parent / "cases" / "ses_v2_answers.json").read_text())
MODEL = ServiceModel(Loader().load_service_model("sesv2", "service-2")).operation_model("SendEmail")
LARGE = replace(MAIL, raw=bytes(range(256)) * 50_000, api=Api.V2)  # 12.8 MB, beyond SendRawEmail
TAKEN = b'{"MessageId":"0100-v2"}'


def failed(message: str) -> bytes:
    return json.dumps({"message": message}).encode()


async def test_a_large_message_arrives_whole_once_signed_as_botocore_signs(door, ses, heard):
    ses.script.append(answer(200, TAKEN))

    outcome = await door.send(LARGE, "eu-west-1")

    [request] = ses.requests
    assert outcome == Sent("0100-v2")
    assert request.head.startswith(b"POST /v2/email/outbound-emails HTTP/1.1\r\n")
    assert request.headers["content-type"] == "application/json"
    told = json.loads(request.body)
    assert b64decode(told["Content"]["Raw"]["Data"]) == LARGE.raw
    assert told["Destination"] == {"ToAddresses": list(LARGE.destinations)}
    assert "FromEmailAddress" not in told
    assert [(e.operation, e.result) for e in heard.events if isinstance(e, SesCalled)] == [("SendEmail", "sent")]
    headers = request.headers
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    url = ses.url + "/v2/email/outbound-emails"
    theirs = AWSRequest("POST", url, headers={name: headers[name] for name in signed}, data=request.body)
    theirs.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY.id, KEY.secret, KEY.token), "ses", "eu-west-1")
    canonical = signer.canonical_request(theirs)
    signature = signer.signature(signer.string_to_sign(theirs, canonical), theirs)
    assert headers["authorization"].endswith(f"Signature={signature}")


async def test_an_error_is_known_by_its_header(door, ses):
    ses.script.append(answer(400, failed("Illegal"), x_amzn_ErrorType="MessageRejected"))

    outcome = await door.send(LARGE, "us-east-1")

    assert isinstance(outcome, Refused)
    assert str(outcome.reply) == "554 5.6.0 Message rejected: Illegal"


async def test_silence_after_the_last_octet_is_ambiguous(ses, open_door):
    ses.script.append(hangs)

    async with open_door(ses.url, read_timeout=0.3) as door:
        outcome = await door.send(LARGE, "us-east-1")

    assert isinstance(outcome, Ambiguous)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    """Every error ends as the table says: type, reply, reason, whose trouble it is, whether SES contradicted us."""
    outcome = outcome_of_v2(case["status"], failed(case["message"]), case["kind"], own=case.get("own", True))

    assert type(outcome).__name__ == case["outcome"]
    assert isinstance(outcome, Failure)
    assert str(outcome.reply) == case["reply"]
    assert outcome.reason == case["reason"]
    assert disagreement(outcome) == case.get("disagreement")
    if "trouble" in case:
        assert trouble_of(outcome) == case["trouble"]


def test_every_error_of_the_model_has_a_case() -> None:
    assert {shape.name for shape in MODEL.error_shapes} <= {case["kind"] for case in CASES}


@pytest.mark.parametrize("kind", ["MessageRejected", "TooManyRequestsException", "AccountSuspendedException"])
@pytest.mark.parametrize("place", ["header", "code", "__type"])
def test_errors_read_as_botocore_reads_them(kind: str, place: str) -> None:
    """The kind may stand in the header or in the body, with an address or a namespace around it."""
    spelt = {"header": f"{kind}:http://internal.amazon.com/coral/", "code": kind, "__type": f"com.amazon#{kind}"}[place]
    body = json.dumps({"message": "why", **({} if place == "header" else {place: spelt})}).encode()
    header = spelt if place == "header" else ""
    answered = {"status_code": 400, "headers": {"x-amzn-errortype": header} if header else {}, "body": body}
    theirs = parsers.RestJSONParser().parse(answered, MODEL.output_shape)["Error"]

    outcome = outcome_of_v2(400, body, header)

    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.message) == (theirs["Code"], theirs["Message"])


def test_a_message_id_reads_as_botocore_reads_it() -> None:
    answered = {"status_code": 200, "headers": {}, "body": TAKEN}
    theirs = parsers.RestJSONParser().parse(answered, MODEL.output_shape)

    assert outcome_of_v2(200, TAKEN, "") == Sent(theirs["MessageId"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'{"MessageId": 7}',
        b'{"MessageId": "two words"}',
        b'{"MessageId":"0100',
        b"\xff",
        b"[" * 60_000,
        b'{"MessageId":"0100"}' + b" " * 70_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_success_that_cannot_be_read_is_ambiguous_and_a_failure_is_temporary(body: bytes) -> None:
    assert isinstance(outcome_of_v2(200, body, ""), Ambiguous)
    for status in (301, 400, 403, 404, 408, 413, 429, 500, 503):
        assert isinstance(outcome_of_v2(status, body, ""), Deferred)


async def test_a_tenant_is_named_and_without_one_nothing_is_said_of_it(door, ses):
    ses.script += [answer(200, TAKEN)] * 2

    await door.send(replace(MAIL, api=Api.V2, tenant="billing"), "us-east-1")
    await door.send(replace(MAIL, api=Api.V2), "us-east-1")

    named, unnamed = (json.loads(request.body) for request in ses.requests)
    assert named == unnamed | {"TenantName": "billing"}
    assert "TenantName" in MODEL.input_shape.members


@given(st.integers(100, 599), st.binary(max_size=400), st.text(max_size=80))
def test_no_answer_raises_and_none_but_a_message_id_is_sent(status: int, body: bytes, kind: str) -> None:
    assert not isinstance(outcome_of_v2(status, body, kind), Sent | Refused)
