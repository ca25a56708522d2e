"""The back door with roles, before the embedded SES and its STS: whose session signs what, and nobody else's, ever."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.localses.app import LocalSes
from relay.localses.keys import Key
from relay.localses.sessions import Role
from relay.observe.events import Noted
from relay.sending import enquiries
from relay.sending.answers import NO_ROLE
from relay.sending.door import SesDoor
from relay.sending.keys import AccessKey, FixedKey, Unusable
from relay.sending.outcomes import Deferred, Mail, Refused, Sent
from relay.sending.pace.quota import SendQuota
from relay.sending.troubles import Trouble, trouble_of
from relay.words.endings import Reason
from relay.words.roles import AssumedRole

from .conftest import MAIL, Recorder, opened
from .listeners import answer, error, hangs, listening

RELAY = Key("AKIARELAY", "canary-secret", "arn:aws:iam::999999999999:user/relay")
APP = AssumedRole("arn:aws:iam::111111111111:role/mail/app", "ses-relay-app", "asked-for")
NEWS = AssumedRole("arn:aws:iam::222222222222:role/news", "ses-relay-news")
CLOSED = AssumedRole("arn:aws:iam::333333333333:role/closed", "ses-relay-closed")
NOBODY = AssumedRole("arn:aws:iam::111111111111:role/nobody", "ses-relay-nobody")
ROLES = [
    Role(APP.arn, (RELAY.principal,), "asked-for"),
    Role(NEWS.arn, (RELAY.account,)),
    Role(CLOSED.arn, ("arn:aws:iam::333333333333:user/somebody",)),
]


@dataclass
class Stage:
    ses: LocalSes
    door: SesDoor
    heard: Recorder

    async def send(self, role: AssumedRole | None, **changes: Any) -> Any:
        return await self.door.send(as_sender(role, **changes), "us-east-1")

    @property
    def principals(self) -> list[str]:
        return [message.described()["principal"] for message in self.ses.store]

    @property
    def told(self) -> list[str]:
        return [event.event for event in self.heard.events if isinstance(event, Noted)]

    def suffer(self, operation: str, *faults: dict[str, Any]) -> None:
        self.ses.faults.set(json.dumps({operation: faults}).encode())


def as_sender(role: AssumedRole | None, **changes: Any) -> Mail:
    return replace(MAIL, role=role, own=role is None, **changes)


@asynccontextmanager
async def staged(heard: Recorder, *wanted: AssumedRole, **settings: Any) -> AsyncIterator[Stage]:
    ses = LocalSes([RELAY], roles=ROLES)
    host, port = await ses.start("127.0.0.1", 0)
    key = FixedKey(AccessKey(RELAY.id, RELAY.secret))
    try:
        async with opened(f"http://{host}:{port}", heard, credentials=key, **settings) as door:
            door.roles.want(wanted)
            await door.roles.start(5.0)
            yield Stage(ses, door, heard)
    finally:
        await ses.stop()


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is told is a list, whoever tells it
            await asyncio.sleep(0.01)


async def test_mail_of_a_role_is_the_roles_and_other_mail_the_relays(heard):
    async with staged(heard, APP, NEWS) as stage:
        for role in (APP, None, NEWS, APP):
            assert isinstance(await stage.send(role), Sent)

        assert stage.principals == [APP.principal, RELAY.principal, NEWS.principal, APP.principal]
        assert stage.told == ["role.assumed"] * 2
    assert "canary" not in repr(heard.events)


async def test_mail_of_a_role_that_cannot_be_assumed_is_deferred_and_nobodys(heard):
    """Whatever the reason: not trusted, wrong external id, never wanted."""
    wrong_id = replace(APP, external_id="guessed")
    async with staged(heard, CLOSED, wrong_id) as stage:
        for role in (CLOSED, wrong_id, NOBODY):
            outcome = await stage.send(role)

            assert isinstance(outcome, Deferred)
            assert (outcome.code, outcome.reply, outcome.reason) == ("RoleNotAssumed", NO_ROLE, Reason.SES_CREDENTIALS)
            assert trouble_of(outcome) is Trouble.CREDENTIALS
        assert stage.principals == []
        assert stage.told == ["role.not-assumed"] * 2
        assert [each.partition(" as ")[0] for each in stage.door.roles.troubles()] == [CLOSED.arn, APP.arn]


@pytest.mark.parametrize(
    "fault",
    [
        {"code": "AccessDenied", "message": "no", "status": 403},
        {"code": "Throttling", "message": "Rate exceeded", "status": 400},
        {"code": "InternalFailure", "message": "x", "status": 500},
        {"drop": "before"},
        {"drop": "after"},
        {"code": "ExpiredTokenException", "message": "The security token is expired", "status": 403},
        {"code": "RegionDisabledException", "message": "STS is not activated in this region", "status": 403},
    ],
    ids=str,
)
async def test_no_trouble_of_sts_lets_mail_go_as_the_relay(heard, fault):
    """Until STS gives a session it waits; then it goes as the role."""
    async with staged(heard, NEWS) as stage:
        stage.suffer("AssumeRole", {**fault, "times": 1})
        stage.door.roles.want([APP, NEWS])
        outcome = await stage.send(APP)
        assert isinstance(outcome, Deferred)
        assert isinstance(await stage.send(NEWS), Sent), "the others go on"
        await until(lambda: "role.assumed" in stage.told[2:])

        assert isinstance(await stage.send(APP), Sent)
        assert stage.principals == [NEWS.principal, APP.principal]


async def test_what_ses_says_to_a_role_is_final_and_what_it_says_to_the_relay_is_the_operators(heard):
    denied = {"code": "AccessDenied", "message": "User `x' is not authorized", "status": 403, "times": 2}
    async with staged(heard, APP) as stage:
        stage.suffer("SendRawEmail", denied)

        assert isinstance(await stage.send(APP), Refused)
        assert isinstance(await stage.send(None), Deferred)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
async def test_a_session_that_ses_refuses_is_begun_anew_and_the_relays_own_key_is_not_blamed(heard, code):
    async with staged(heard, APP) as stage:
        await asyncio.sleep(1.05)  # a younger one would be no worse than the next
        key = await stage.door.roles.of(APP).get()
        stage.suffer("SendRawEmail", {"code": code, "message": "no", "status": 403, "times": 1})
        refused = await stage.send(APP)
        await until(lambda: stage.told[-1] == "role.assumed" and len(stage.told) == 3)

        assert isinstance(refused, Deferred)
        assert refused.reason is Reason.SES_CREDENTIALS
        assert await stage.door.roles.of(APP).get() != key
        assert isinstance(await stage.send(APP), Sent)
        assert stage.told == ["role.assumed", "role.session-refused", "role.assumed"]


async def test_a_session_that_is_over_at_ses_is_begun_anew(heard):
    async with staged(heard, APP) as stage:
        await asyncio.sleep(1.05)
        for key in [key for key in stage.ses._keys.values() if key.token]:
            stage.ses._keys[key.id] = replace(key, ends=0.0)
        over = await stage.send(APP)
        await until(lambda: stage.told.count("role.assumed") == 2)

        assert isinstance(over, Deferred)
        assert over.code == "ExpiredToken"
        assert isinstance(await stage.send(APP), Sent)


async def test_a_wrong_clock_is_set_before_there_is_any_mail(heard):
    """All mail may be of roles, and STS then the only one who could tell."""
    late = {"clock": lambda: datetime.now(UTC) - timedelta(hours=3)}
    async with staged(heard, APP, **late) as stage:
        await until(lambda: stage.told[-1] == "role.assumed")

        assert stage.told == ["clock.skew", "role.not-assumed", "role.assumed"]
        assert isinstance(await stage.send(APP), Sent)


async def test_the_relays_own_key_is_looked_for_anew_where_sts_does_not_know_it(heard):
    rejected: list[AccessKey] = []

    class Own(FixedKey):
        def reject(self, key: AccessKey) -> None:
            rejected.append(key)

    stale = error("InvalidClientTokenId", "The security token included in the request is invalid")
    async with listening() as aws:
        aws.script.append(answer(403, stale))
        async with opened(aws.url, heard, credentials=Own(AccessKey("AKIASTALE", "s"))) as door:
            door.roles.want([APP])
            await door.roles.start(5.0)

    assert [key.id for key in rejected] == ["AKIASTALE"]


async def test_a_role_without_a_key_of_the_relays_own_says_so(heard):
    class Nothing:
        async def get(self) -> Unusable:
            return Unusable("no credentials in the environment")

        def reject(self, key: AccessKey) -> None:
            raise AssertionError("there is no key")

    async with opened("http://127.0.0.1:9", heard, credentials=Nothing()) as door:
        door.roles.want([APP])
        await door.roles.start(5.0)
        assert list(door.roles.troubles().values()) == ["cannot be assumed: no credentials in the environment"]


async def test_an_sts_that_hangs_is_given_up(heard, monkeypatch):
    monkeypatch.setattr(enquiries, "PATIENCE", 0.2)
    async with listening() as aws:
        aws.script.append(hangs)
        async with opened(aws.url, heard) as door:
            door.roles.want([APP])
            await door.roles.start(5.0)
            assert "gave no answer in 0.2 s" in door.roles.troubles()[f"{APP.arn} as ses-relay-app"]


async def test_the_quota_is_asked_with_a_key_of_the_account_that_sends(heard):
    """Of its roles one that can be assumed and may ask; the relay's own key asks for its own account only."""
    closed_too = replace(APP, external_id="guessed", session="ses-relay-first")
    async with staged(heard, closed_too, APP, NEWS) as stage:
        assert isinstance(await stage.door.send_quota("us-east-1", "111111111111"), SendQuota)
        assert isinstance(await stage.door.send_quota("us-east-1"), SendQuota)
        assert isinstance(await stage.door.send_quota("us-east-1", "444444444444"), Unusable)

        denied = {"code": "AccessDenied", "message": "not authorized: ses:GetSendQuota", "status": 403, "times": 1}
        stage.suffer("GetSendQuota", denied)
        quota = await stage.door.send_quota("us-east-1", "222222222222")
        assert isinstance(quota, Unusable)
        assert quota.code == "AccessDenied"


async def test_sts_is_asked_in_the_region_of_the_settings(heard):
    async with listening() as aws, opened(aws.url, heard, region="eu-west-1") as door:
        door.roles.want([APP])
        await door.roles.start(5.0)
    [request] = aws.requests
    assert "/eu-west-1/sts/aws4_request" in request.headers["authorization"]
    assert request.fields["RoleArn"] == APP.arn
