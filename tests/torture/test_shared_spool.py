"""
Several relays at one spool at Redis, killed, paused and deprived of it; Redis itself killed under load.

The spool's lease is as short as settings let it be: eleven seconds and a half.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.shared.servers import RedisServer
from tests.shared.spools import DURABLE
from tests.system.relays import RunningRelay
from tests.torture.clients import Answers, Crowd, hand_over
from tests.torture.field import FULL, REST, Field, MakeField, kill, lines
from tests.torture.figures import Figures
from tests.torture.reckoning import reckon
from tests.torture.test_kills import STORM

pytestmark = [pytest.mark.system, pytest.mark.timeout(0 if FULL else 300)]

KILLS = 40 if FULL else 3
QUICK = 'connect_timeout = "500ms"'
ROOT = "{ses-relay:spool}"


@pytest.fixture
def server(tool: Callable[[str], str]) -> Iterator[RedisServer]:
    server = RedisServer(tool("redis-server"), DURABLE).start()
    yield server
    server.close()


def shared_field(make_field: MakeField, server: RedisServer, mode: str = "spool", **options: str) -> Field:
    """A field whose relays have one spool, at *server*."""
    field = make_field(mode, ses_options=QUICK, **options)
    field.edit(f'url = "sqlite://{field.folder}/spool/spool.db"', f'url = "{server.url}"')
    field.edit('read_timeout = "5s"', 'read_timeout = "3s"')
    return field


def number(server: RedisServer, state: str) -> int:
    return int(server.ask("ZCARD", f"{ROOT}:state:{state}")[1:])


def is_drained(server: RedisServer) -> bool:
    return number(server, "due") == number(server, "sending") == 0


def settled(relays: list[RunningRelay], server: RedisServer, seconds: float = 90) -> None:
    """Wait until nothing is left to be sent, then let all leave in good order."""
    relays[0].wait_until(lambda: is_drained(server), "empty spool", seconds)
    for relay in relays:
        assert relay.signalled(signal.SIGTERM, 40) == 0, relay.text[-3000:]


def test_relays_killed_while_others_claim(make_field: MakeField, server: RedisServer, figures: Figures) -> None:
    """
    Three relays, a crowd at each, one after the other killed with -9 and replaced: what each was sending is sent by
    another after its lease, no message that was answered 250 is lost, at most one is sent twice for each call cut off.
    """
    rng, field = random.Random("claims"), shared_field(make_field, server)
    field.ses.be(**STORM)
    crowds = [Crowd(f"c{number}", 8, pause=REST) for number in range(3)]
    relays = [field.start() for _ in crowds]
    for _ in range(KILLS):
        which = rng.randrange(3)
        for crowd, relay in zip(crowds, relays, strict=True):
            crowd.address = relay.smtp
        with crowds[0].busy(), crowds[1].busy(), crowds[2].busy():
            enough = len(crowds[which].answers.accepted) + 25
            relays[which].wait_until(lambda: len(crowds[which].answers.accepted) >= enough, "load", 60)  # noqa: B023  asked at once
            time.sleep(rng.random() * 0.3)
            crowds[which].address = None
            kill(relays[which])
        relays[which] = field.start()
    field.ses.be()
    settled(relays, server)

    answers = Answers()
    for crowd in crowds:
        answers.accepted |= crowd.answers.accepted
        answers.refused |= crowd.answers.refused
        answers.unanswered |= crowd.answers.unanswered
    reckoning = reckon(KILLS, answers, field.ses.book(), field.relays)
    figures.add("kill -9 of three relays at one Redis", reckoning.rows())
    reckoning.check()


def test_redis_killed_under_load(make_field: MakeField, server: RedisServer, figures: Figures) -> None:
    """
    Redis is killed with -9 and comes back with its log, again and again: clients hear 451 or 452 meanwhile, the relays
    stay, and what was answered 250 is sent.
    """
    field, crowd, kills = shared_field(make_field, server), Crowd("r", 16, pause=REST), 20 if FULL else 2
    field.ses.be(slow=0.02)
    relays = [field.start(), field.start()]
    crowd.address = relays[0].smtp
    with crowd.busy():
        for _ in range(kills):
            enough = len(crowd.answers.accepted) + 60
            relays[0].wait_until(lambda: len(crowd.answers.accepted) >= enough, "load", 60)  # noqa: B023  asked at once
            server.kill()
            time.sleep(0.3)
            server.start()
    settled(relays, server)

    reckoning = reckon(0, crowd.answers, field.ses.book(), field.relays)
    figures.add("kill -9 of Redis under two relays", reckoning.rows())
    assert not reckoning.lost
    assert not reckoning.changed
    assert reckoning.quarantined == 0
    assert all(reply[:3] in {"451", "452"} for reply in crowd.answers.refused.values())


def test_a_relay_paused_past_its_lease(make_field: MakeField, server: RedisServer) -> None:
    """
    Stopped in the middle of a call, found dead, and awake again: another relay sends its message, once more and marked
    at most, and what the first one thinks of it by then counts no more.
    """
    field, answers = shared_field(make_field, server), Answers()
    field.ses.be(hold="m-small")
    paused, other = field.start(), field.start()
    hand_over(paused.smtp, "m-small", answers=answers)
    paused.wait_until(lambda: field.ses.book().calls == 1, "the call")
    paused.process.send_signal(signal.SIGSTOP)
    field.ses.be()
    other.wait_until(lambda: lines(other, "spool.attempts-found"), "take-over", 30)
    other.wait_until(lambda: is_drained(server), "delivery", 30)
    paused.process.send_signal(signal.SIGCONT)
    paused.wait_until(lambda: lines(paused, "delivery"), "the end of the call", 30)
    settled([paused, other], server)

    book = field.ses.book()
    assert {each.name for each in book.taken} == {"m-small"}
    assert len(book.taken) == 1
    assert book.taken[0].marked
    assert number(server, "failed") == number(server, "quarantined") == 0


def test_without_redis_mail_still_goes_direct(make_field: MakeField, server: RedisServer) -> None:
    """
    In ``fallback``, also of a relay that starts meanwhile: what SES takes is answered 250, what would have to be kept
    451, and once Redis is there it is kept again.
    """
    field, answers = shared_field(make_field, server, mode="fallback", budget="1s"), Answers()
    with field.running() as old:
        server.kill()
        with field.running() as young:
            for relay, name in ((old, "old"), (young, "young")):
                assert hand_over(relay.smtp, f"{name}-small", answers=answers)[0].startswith("250 2.0.0 Ok 0")
                field.ses.be(throttle=1.0)
                assert hand_over(relay.smtp, f"{name}-later-small", answers=answers)[0][:3] in {"451", "454"}
                field.ses.be()
                relay.wait_until(lambda: "ok spool: the spool's server" in relay.readiness(), "loss", 10)  # noqa: B023
            server.start()
            field.ses.be(throttle=1.0)
            for relay, name in ((old, "old"), (young, "young")):
                relay.wait_until(lambda: "ok spool (its server writes" in relay.readiness(), "a spool", 20)  # noqa: B023
                assert hand_over(relay.smtp, f"{name}-kept-small", answers=answers)[0].startswith("250 2.0.0 Ok queued")
            field.ses.be()
            young.wait_until(lambda: is_drained(server), "delivery", 30)
    assert set(field.ses.names()) >= set(answers.accepted)
