"""What waits goes with the role that its delegate has at the attempt, whatever it had when it was accepted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.sending.answers import NO_ROLE
from relay.sending.outcomes import Deferred, Mail, Outcome
from relay.sending.troubles import lane_of
from relay.spool.entries import State
from relay.words.endings import Reason
from relay.words.roles import AssumedRole
from tests.clockwork import clockwork
from tests.courier.scene import DELEGATES, DEMO, REFUSED, Scene, entry, in_order, keep, scene, taken

FIRST = AssumedRole("arn:aws:iam::111111111111:role/billing", "ses-relay-billing")
SECOND = AssumedRole("arn:aws:iam::222222222222:role/billing", "ses-relay-billing")
NOT_ASSUMED = Deferred("RoleNotAssumed", "STS said AccessDenied", NO_ROLE, Reason.SES_CREDENTIALS)


@pytest.fixture
def policies() -> Path:
    """The demo's."""
    return DEMO / "policies"


def let_be(one: Scene, role: AssumedRole | None) -> None:
    """Give billing another role; who it is to the policies stays the same."""
    delegate = replace(DELEGATES["billing"], role=role)
    one.walk.house = replace(one.walk.house, delegate={"billing": delegate}.get)


def unless(role: AssumedRole | None) -> Any:
    """SES takes everything but mail of *role*, which cannot be assumed."""

    def answer(mail: Mail) -> Outcome:
        return NOT_ASSUMED if mail.role == role else taken(mail)

    return answer


@pytest.mark.parametrize(("before", "after"), [(None, FIRST), (FIRST, SECOND), (FIRST, None)])
def test_another_role_at_the_attempt_is_the_one_that_sends(
    policies: Path, before: AssumedRole | None, after: AssumedRole | None
) -> None:
    """Or none any more: then the relay's own key does."""

    async def story() -> None:
        async with scene(policies, unless(before)) as one:
            let_be(one, before)
            await keep(one.spool, entry())
            await one.until(lambda: one.results)
            let_be(one, after)
            if before is not None:
                one.gates.forget(before.principal)
            await one.idle()

            assert one.results == ["deferred", "sent"]
            assert [mail.role for _, mail in one.ses.calls] == [before, after]

    clockwork(story())


def test_an_entry_keeps_whose_session_it_waits_for(policies: Path) -> None:
    async def story() -> None:
        async with scene(policies, unless(FIRST)) as one:
            let_be(one, FIRST)
            await keep(one.spool, entry())
            await one.until(lambda: one.results)
            waits = one.kept["a1"]

            assert (waits.state, waits.reason) == (State.DUE, Reason.SES_CREDENTIALS)
            assert not one.gates.admit(lane_of(waits.details))
            assert lane_of(waits.details).session == FIRST.principal
            assert lane_of(waits.details).account == "111111111111"

    clockwork(story())


def test_what_ses_denies_a_role_is_denied_for_good(policies: Path) -> None:
    """It is the delegate's own answer; of the relay's own mail it would be the operator's trouble."""

    async def story() -> None:
        async with scene(policies, in_order(REFUSED)) as one:
            let_be(one, FIRST)
            await keep(one.spool, entry())
            await one.until(lambda: one.results)

            assert one.results == ["refused"]
            assert [mail.own for _, mail in one.ses.calls] == [False]

    clockwork(story())
