"""Delegates' own roles: the supervisor assumes them, and both workers sign with what it was given."""

import time

import pytest

from tests.system.houses import House
from tests.system.relays import EmbeddedSes
from tests.system.roled import SESSIONS
from tests.system.test_roles import EXPIRED, house, owned, principals, ses
from tests.workers.staff import MINE, hand_over, of_each, with_workers

__all__ = ["house", "owned", "ses"]

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]


def test_each_worker_sends_as_the_delegate(house: House, ses: EmbeddedSes) -> None:
    """With the session that there is, and with the next when SES takes that no more."""
    with with_workers(house).serve() as relay, of_each(relay) as clients:
        assert {hand_over(client)[:3] for client in clients} == {"250"}
        time.sleep(1.1)  # a session that is younger would be no better than the next
        assumed = len(relay.lines("role.assumed"))
        ses.suffer(EXPIRED)
        assert hand_over(clients[0]).startswith("451 4.3.5 ")
        relay.wait_until(lambda: len(relay.lines("role.assumed")) > assumed, "another session")
        relay.wait_until(lambda: {hand_over(client)[:3] for client in clients} == {"250"}, "mail of both again")
    assert set(principals(ses)) == {SESSIONS[MINE.delegate]}
