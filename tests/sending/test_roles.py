"""Sessions of roles: begun, renewed, refused, and each on its own. Time passes as nobody has anything to do."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from relay.observe.events import Event, Incident, Noted
from relay.sending.assuming import Session
from relay.sending.keys import AccessKey, Unusable
from relay.sending.role_key import AHEAD, FIRST_PATIENCE, LONGEST_PAUSE
from relay.sending.roles import AT_ONCE, Roles
from relay.words.roles import AssumedRole
from tests.clockwork import clockwork

APP = AssumedRole("arn:aws:iam::111111111111:role/app", "ses-relay-app", "asked-for")
NEWS = AssumedRole("arn:aws:iam::222222222222:role/news", "ses-relay-news")
DENIED = Unusable("STS said AccessDenied: not authorized", "AccessDenied")
HOUR = 3600.0


@dataclass
class Sts:
    """Gives sessions, numbered, or the next of ``refusals``; ``hangs`` for so many seconds first."""

    refusals: list[Unusable | Exception] = field(default_factory=list)
    hangs: float = 0.0
    seconds: float = HOUR
    asked: list[tuple[float, AssumedRole]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, role: AssumedRole) -> Session | Unusable:
        self.asked.append((now(), role))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.hangs)
        finally:
            self.at_once -= 1
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                raise refusal
            return refusal
        return Session(AccessKey(f"ASIA{len(self.asked)}", "canary", "canary"), self.seconds)

    def times(self, role: AssumedRole = APP) -> list[float]:
        return [at for at, asked in self.asked if asked == role]


@dataclass
class Stage:
    """Roles before an STS, and what they told. Chance is in the middle: nothing is earlier or later by it."""

    sts: Sts = field(default_factory=Sts)
    events: list[Event] = field(default_factory=list)
    mended: list[AssumedRole] = field(default_factory=list)
    chance: float = 0.5
    roles: Roles = field(init=False)

    def __post_init__(self) -> None:
        self.roles = Roles(self.sts, self.events.append, chance=lambda: self.chance)
        self.roles.mended = self.mended.append

    @property
    def told(self) -> list[str]:
        return [event.event for event in self.events if isinstance(event, Noted)]

    async def key(self, role: AssumedRole = APP) -> str:
        """The id of the key that mail of *role* would be signed with."""
        found = await self.roles.of(role).get()
        return found.id if isinstance(found, AccessKey) else f"none: {found.why}"

    async def signed_with(self, role: AssumedRole = APP) -> AccessKey:
        found = await self.roles.of(role).get()
        assert isinstance(found, AccessKey)
        return found


def now() -> float:
    return asyncio.get_running_loop().time()


def played(play: Any, **settings: Any) -> Stage:
    """Run *play* on a stage of its own, with APP wanted and begun, and close."""
    stage = Stage(**settings)

    async def run() -> None:
        stage.roles.want([APP])
        await stage.roles.start(3.0)
        scene: Coroutine[Any, Any, None] = play(stage)
        await scene
        await stage.roles.close()

    clockwork(run())
    return stage


def test_a_role_is_assumed_at_the_start_and_told_of_once():
    async def play(stage: Stage) -> None:
        assert [await stage.key() for _ in range(3)] == ["ASIA1"] * 3
        assert stage.roles.troubles() == {}
        assert stage.roles.trouble_of(APP) is None

    stage = played(play)
    [event] = stage.events
    assert isinstance(event, Noted)
    assert event.details == {"role": APP.arn, "session": "ses-relay-app", "account": "111111111111"}
    assert (stage.told, stage.mended) == (["role.assumed"], [APP])


@pytest.mark.parametrize(("chance", "ahead"), [(0.0, AHEAD), (0.99, AHEAD * 1.33)])
def test_a_session_is_renewed_ahead_of_its_end_and_nobody_waits_for_it(chance, ahead):
    """A quarter of an hour or some more, so that many roles are not renewed in step; a day of it is no news."""

    async def play(stage: Stage) -> None:
        stage.sts.hangs = 5.0
        for _ in range(24 * 60):
            await asyncio.sleep(60)
            asked = now()
            assert (await stage.key()).startswith("ASIA")
            assert now() == asked

    stage = played(play, chance=chance)
    times = stage.sts.times()
    lives = [later - earlier for earlier, later in pairwise(times[1:])]
    assert len(times) >= 24
    assert lives == pytest.approx([HOUR - ahead + 5.0] * len(lives), abs=1.0)
    assert stage.told == ["role.assumed"]


def test_a_short_session_is_renewed_in_its_middle():
    async def play(stage: Stage) -> None:
        await asyncio.sleep(3000)

    times = played(play, sts=Sts(seconds=900)).sts.times()
    assert [round(each) for each in times[:4]] == [0, 450, 900, 1350]


def test_a_role_that_cannot_be_assumed_is_nobodys_key_and_is_tried_again_ever_more_rarely():
    async def play(stage: Stage) -> None:
        assert await stage.key() == "none: STS said AccessDenied: not authorized"
        assert stage.roles.troubles() == {
            "arn:aws:iam::111111111111:role/app as ses-relay-app": "cannot be assumed: STS said AccessDenied: "
            "not authorized"
        }
        asked = now()
        assert (await stage.key()).startswith("none")
        assert now() == asked, "no message waits for what has failed"
        await asyncio.sleep(600)
        assert await stage.key() == "ASIA13"

    stage = played(play, sts=Sts([DENIED] * 12))
    times = stage.sts.times()[:13]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, *[LONGEST_PAUSE] * 6])
    assert stage.told == ["role.not-assumed", "role.assumed"], "told once for each change"
    assert stage.mended == [APP]


def test_another_reason_is_another_thing_to_tell():
    async def play(stage: Stage) -> None:
        await asyncio.sleep(60)

    away = Unusable("sts.us-east-1.amazonaws.com gave no answer", "NoAnswer")
    assert played(play, sts=Sts([DENIED, DENIED, away, DENIED])).told == [*["role.not-assumed"] * 3, "role.assumed"]


def test_a_session_that_cannot_be_renewed_is_used_to_its_end_and_not_after():
    async def play(stage: Stage) -> None:
        stage.sts.refusals = [DENIED] * 10_000
        await asyncio.sleep(HOUR - 60)
        assert await stage.key() == "ASIA1"
        [(_, trouble)] = stage.roles.troubles().items()
        assert stage.roles.trouble_of(APP) == trouble
        assert trouble.startswith("cannot be assumed any more, and is used for 60 s yet: STS said AccessDenied")
        await asyncio.sleep(61)
        assert (await stage.key()).startswith("none: STS said AccessDenied")
        await asyncio.sleep(120)
        stage.sts.refusals.clear()
        await asyncio.sleep(120)
        assert (await stage.key()).startswith("ASIA")

    stage = played(play)
    assert stage.told == ["role.assumed", "role.not-renewed", "role.not-assumed", "role.assumed"]
    assert stage.mended == [APP, APP]


def test_a_session_that_aws_refuses_is_begun_anew_behind_the_messages():
    async def play(stage: Stage) -> None:
        await asyncio.sleep(600)
        key = await stage.signed_with()
        for _ in range(50):  # as many as were under way
            stage.roles.of(APP).reject(key)
        assert await stage.signed_with() == key
        await asyncio.sleep(1)
        assert await stage.key() == "ASIA2"
        stage.roles.of(APP).reject(key)  # an old call's late answer
        await asyncio.sleep(60)
        assert await stage.key() == "ASIA2"

    stage = played(play)
    assert stage.told == ["role.assumed", "role.session-refused", "role.assumed"]
    assert stage.mended == [APP, APP], "what was refused may go"


def test_a_refused_session_that_cannot_be_renewed_does_not_run_sts_over():
    """However much mail is refused with it: STS is asked as rarely as after any other failure."""

    async def play(stage: Stage) -> None:
        stage.sts.refusals = [DENIED] * 1000
        await asyncio.sleep(600)
        key = await stage.signed_with()
        for _ in range(600):
            stage.roles.of(APP).reject(key)
            stage.roles.doubt(APP, key)
            await asyncio.sleep(1)

    stage = played(play)
    assert len(stage.sts.asked) < 20
    assert stage.told == ["role.assumed", "role.session-refused", "role.not-renewed"]


def test_where_a_new_session_does_not_help_sts_is_not_asked_for_ever():
    """In a region that the account has not enabled SES refuses every one of them."""

    async def play(stage: Stage) -> None:
        for _ in range(3600):
            stage.roles.of(APP).reject(await stage.signed_with())
            await asyncio.sleep(1)

    assert len(played(play).sts.asked) < 20


def test_what_ses_denies_an_older_session_may_have_been_revoked():
    """Another is asked for, once a minute at the most; a young one is the role's last word."""

    async def play(stage: Stage) -> None:
        stage.roles.doubt(APP, await stage.signed_with())
        await asyncio.sleep(30)
        assert await stage.key() == "ASIA1"
        for _ in range(300):
            stage.roles.doubt(APP, await stage.signed_with())
            await asyncio.sleep(1)
        assert await stage.key() == "ASIA6"

    assert played(play).told == ["role.assumed"]


def test_nothing_waits_for_an_sts_that_hangs_but_the_first_messages_a_little():
    async def play(stage: Stage) -> None:
        asked = now()
        assert await stage.key() == "none: STS has not answered yet"
        assert now() - asked == FIRST_PATIENCE
        await asyncio.sleep(10)
        assert await stage.key() == "ASIA1"

    stage = Stage(Sts(hangs=10.0))

    async def run() -> None:
        stage.roles.want([APP])
        await stage.roles.start(3.0)
        assert now() == 3.0, "nor does the start"
        await play(stage)
        await stage.roles.close()

    clockwork(run())


def test_one_role_in_trouble_is_no_other_roles_trouble():
    async def play(stage: Stage) -> None:
        stage.roles.want([APP, NEWS])
        assert await stage.key(NEWS) == "ASIA2"
        assert (await stage.key(APP)).startswith("none")
        assert list(stage.roles.troubles()) == [f"{APP.arn} as ses-relay-app"]
        assert [key.role for key in stage.roles.of_account("222222222222")] == [NEWS]

    assert played(play, sts=Sts([DENIED])).mended == [NEWS]


def test_roles_of_an_account_that_can_be_used_come_first():
    other = AssumedRole(APP.arn, "ses-relay-other")

    async def play(stage: Stage) -> None:
        stage.roles.want([APP, other])
        await stage.key(other)
        assert [key.role for key in stage.roles.of_account("111111111111")] == [other, APP]

    played(play, sts=Sts([DENIED]))


def test_other_roles_are_wanted_and_those_that_stay_go_on():
    changed = AssumedRole(APP.arn, APP.session, "another-external-id")

    async def play(stage: Stage) -> None:
        stage.roles.want([APP, NEWS])
        assert await stage.key(APP) == "ASIA1"
        assert await stage.key(NEWS) == "ASIA2"
        stage.roles.want([changed, NEWS])
        assert await stage.key(APP) == "none: no delegate has this role any more"
        assert await stage.key(changed) == "ASIA3"
        assert await stage.key(NEWS) == "ASIA2"
        await asyncio.sleep(24 * HOUR)
        assert len(stage.sts.times(APP)) == 1, "nobody renews what nobody wants"

    played(play)


def test_what_is_ours_is_an_incident_and_the_role_is_tried_again():
    async def play(stage: Stage) -> None:
        assert (await stage.key()).startswith("none: an incident inside the relay")
        await asyncio.sleep(2)
        assert await stage.key() == "ASIA2"

    stage = played(play, sts=Sts([ValueError("a bug")]))
    assert any(isinstance(event, Incident) for event in stage.events)


def test_many_roles_do_not_run_sts_over():
    stage = Stage(Sts(hangs=1.0))
    many = [AssumedRole(APP.arn, f"ses-relay-{number}") for number in range(100)]

    async def run() -> None:
        stage.roles.want(many)
        await stage.roles.start(30.0)
        assert [await stage.key(role) for role in many if (await stage.key(role)).startswith("none")] == []
        await stage.roles.close()

    clockwork(run())
    assert stage.sts.most_at_once == AT_ONCE
