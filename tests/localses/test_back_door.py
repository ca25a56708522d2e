"""The relay's own back door against its second opinion: two readings of SES's wire that share no code."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from relay.localses.app import LocalSes
from relay.localses.configuration_sets import ConfigurationSet
from relay.localses.identities import Identities
from relay.localses.owners import Owner
from relay.sending.callers import Caller
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey
from relay.sending.outcomes import Ambiguous, Deferred, Mail, Refused, Sent
from tests.localses.running import MESSAGE, RELAY, Clock

ARN = "arn:aws:ses:us-east-1:888888888888:identity/"
MAIL = Mail(
    source="bounces+1=2@example.com",
    destinations=("friend@example.net", "o'neil&sons=%@example.org"),
    source_arn=ARN + "example.com",
    from_arn=ARN + "ann@example.com",
    return_path_arn=ARN + "example.com",
    raw=MESSAGE + bytes(n for n in range(256) if n not in b"\r\n") + b"\r\n",
    configuration_set="set-1",
    tags=(("delegate", "billing"), ("n", "_-9")),
)


@pytest.fixture
async def ses(clock: Clock) -> AsyncIterator[LocalSes]:
    identities = Identities()
    identities.configuration_sets.keep(Owner(RELAY.account, "us-east-1"), ConfigurationSet("set-1"))
    ses = LocalSes([RELAY], clock=clock, identities=identities)
    yield ses
    await ses.stop()


@pytest.fixture
async def back_door(ses: LocalSes) -> AsyncIterator[SesDoor]:
    host, port = await ses.start("127.0.0.1", 0)
    door = SesDoor(
        f"http://{host}:{port}",
        FixedKey(AccessKey(RELAY.id, RELAY.secret)),
        lambda _event: None,
        lambda: datetime.now(UTC),
        connect_timeout=5,
        read_timeout=5,
        max_connections=2,
        user_agent="test",
    )
    await door.start()
    yield door
    await door.close()


async def test_every_parameter_arrives_as_it_was_meant(ses, back_door):
    """Signature, encoding and every field: what the relay sends is what the embedded SES reads."""
    outcome = await back_door.send(MAIL, "us-east-1")

    (message,) = ses.store
    assert outcome == Sent(message.id)
    assert message.described() == {
        "id": message.id,
        "source": MAIL.source,
        "source_arn": MAIL.source_arn,
        "from_arn": MAIL.from_arn,
        "return_path_arn": MAIL.return_path_arn,
        "destinations": MAIL.destinations,
        "configuration_set": MAIL.configuration_set,
        "tags": dict(MAIL.tags),
        "principal": RELAY.principal,
        "received_at": message.received_at,
    }
    assert message.raw == MAIL.raw
    assert base64.b64decode(message.told()["raw_base64"]) == MAIL.raw


async def test_the_relay_learns_who_it_is(back_door):
    assert await back_door.caller_identity("eu-west-1") == Caller("888888888888", RELAY.principal)


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        (b'{"SendRawEmail": [{"code": "Throttling"}]}', Deferred),
        (b'{"SendRawEmail": [{"code": "ServiceUnavailable"}]}', Deferred),
        (b'{"SendRawEmail": [{"code": "MessageRejected", "message": "Virus."}]}', Refused),
        (b'{"SendRawEmail": [{"drop": "before"}]}', Ambiguous),
        (b'{"SendRawEmail": [{"drop": "after"}]}', Ambiguous),
    ],
)
async def test_trouble_is_understood_for_what_it_is(ses, back_door, faults, kind):
    """A fault reaches the relay as the outcome it stands for, and the next call is well again."""
    ses.faults.set(faults)

    first = await back_door.send(MAIL, "us-east-1")

    assert isinstance(first, kind)
    assert isinstance(await back_door.send(MAIL, "us-east-1"), Sent)


async def test_a_clock_that_is_off_is_set_by_the_answer(back_door, clock):
    """The answer's Date is the embedded SES's own time: the relay signs by it from the second call on."""
    clock.seconds = 3_600

    first = await back_door.send(MAIL, "us-east-1")

    assert isinstance(first, Deferred)
    assert first.code == "SignatureDoesNotMatch"
    assert isinstance(await back_door.send(MAIL, "us-east-1"), Sent)
