"""The same door against somebody else's SES and STS."""

import asyncio
from dataclasses import replace

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer

from relay.sending.callers import Caller
from relay.sending.keys import Unusable
from relay.sending.outcomes import Refused, Sent

from .conftest import KEY, MAIL
from .listeners import answer, error


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def client(moto):
    client = boto3.client(
        "ses", "us-east-1", endpoint_url=moto, aws_access_key_id=KEY.id, aws_secret_access_key=KEY.secret
    )
    yield client
    client.close()


async def test_a_verified_domain_sends(moto, client, open_door):
    await asyncio.to_thread(client.verify_domain_identity, Domain="example.com")
    before = await asyncio.to_thread(client.get_send_quota)

    async with open_door(moto) as door:
        outcome = await door.send(replace(MAIL, configuration_set="none", tags=(("a", "b"),)), "us-east-1")

    after = await asyncio.to_thread(client.get_send_quota)
    assert isinstance(outcome, Sent)
    assert after["SentLast24Hours"] > before["SentLast24Hours"]


async def test_an_identity_that_is_not_verified_is_rejected(moto, open_door):
    async with open_door(moto) as door:
        outcome = await door.send(replace(MAIL, source="x@unverified.example"), "eu-west-1")

    assert isinstance(outcome, Refused)
    assert outcome.code == "MessageRejected"


async def test_sts_says_who_we_are(moto, open_door):
    async with open_door(moto) as door:
        caller = await door.caller_identity("us-east-1")

    assert isinstance(caller, Caller)
    assert caller.account == DEFAULT_ACCOUNT_ID
    assert caller.arn.startswith(f"arn:aws:sts::{DEFAULT_ACCOUNT_ID}:")


@pytest.mark.parametrize(
    "step",
    [
        answer(403, error("InvalidClientTokenId", "no")),
        answer(400, error("InvalidAction", "not here")),
        answer(200, b"<html>"),
        answer(200, b"<a><GetCallerIdentityResult><Account>1 2</Account></GetCallerIdentityResult></a>"),
    ],
)
async def test_a_caller_that_cannot_be_learnt_is_a_value(ses, door, step):
    ses.script = [step]

    assert isinstance(await door.caller_identity("us-east-1"), Unusable)
    assert len(ses.requests) == 1


async def test_no_sts_at_all_is_a_value_too(open_door):
    async with open_door("http://127.0.0.1:1") as door:
        assert isinstance(await door.caller_identity("us-east-1"), Unusable)
