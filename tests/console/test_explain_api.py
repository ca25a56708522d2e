"""What explaining may cost: one question at a time, so many waiting, each body within its time."""

import asyncio
import json
from typing import Any

import pytest

from relay import explain_desk
from relay.console import bodies
from relay.console.explain_pages import Wanted
from relay.console.interior import Ports
from relay.explain_desk import MOST_WAITING, ExplainDesk
from relay.explaining import Premises
from relay.judgement.rules import Rules
from relay.smtp.limits import Limits
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from tests.console.test_admin import raw, running
from tests.identities.account import World
from tests.judgement.building import allow

DELEGATE = Delegate("billing", "arn:aws:iam::111111111111:user/billing")
ASKED = Wanted("billing", author="app@example.com", recipients=("bob@example.net",))


def desk_of(world: World) -> ExplainDesk:
    premises = Premises(DELEGATE, Rules(), Limits(), "relay.example")
    return ExplainDesk(lambda name: premises if name == "billing" else None, lambda: world.directory, lambda: world.now)


def known_world() -> World:
    world = World()
    world.accounts.put("example.com", allow())
    world.run(30, each=lambda: world.verdict("app@example.com"))
    return world


async def test_one_is_answered_after_the_other_and_too_many_are_sent_away():
    """The mail needs the interpreter too."""
    desk = desk_of(known_world())
    answers = await asyncio.gather(*(desk.explain(ASKED) for _ in range(MOST_WAITING + 3)))

    busy = [answer for answer in answers if isinstance(answer, Unavailable)]
    told = [answer for answer in answers if isinstance(answer, str)]
    assert (len(told), len(busy)) == (MOST_WAITING, 3)
    assert not isinstance(await desk.explain(ASKED), Unavailable)


async def test_a_wrong_question_gives_its_turn_back():
    """Whatever ends one, the next is answered."""
    desk = desk_of(known_world())
    for _ in range(MOST_WAITING + 1):
        with pytest.raises(ValueError, match="from: x"):
            await desk.explain(Wanted("billing", author="x", recipients=("bob@example.net",)))

    assert json.loads(str(await desk.explain(ASKED)))["delegate"]["name"] == "billing"


async def test_an_answer_without_end_is_not_written(monkeypatch):
    """Many statements that each quote many recipients would keep the loop from the mail."""
    monkeypatch.setattr(explain_desk, "LONGEST_ANSWER", 1000)
    with pytest.raises(ValueError, match="longer than 1000 octets"):
        await desk_of(known_world()).explain(ASKED)


class Told:
    """A port that answers anything."""

    async def explain(self, wanted: Wanted) -> dict[str, Any]:
        return {"delegate": wanted.delegate}


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    """408, and the connection is free again."""
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    head = b"POST /api/explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    async with running(ports=lambda: Ports(explain=Told())) as endpoint:
        got = await raw(endpoint.port, head + b"Connection: close\r\n\r\n{")

    assert got.startswith(b"HTTP/1.1 408 ")
    assert got.endswith(b'{"error": "the body did not come in time"}')
