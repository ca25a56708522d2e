"""Points of a message's way at which a relay dies, one by one; and clients that go away."""

import asyncio
import random
import signal
import socket
import time
from collections import Counter

import pytest

from tests.torture.clients import Answers, Crowd, conversation, hand_over, message
from tests.torture.field import FULL, MakeField, kill, lines, tampered
from tests.torture.figures import Figures
from tests.torture.reckoning import reckon

pytestmark = pytest.mark.system


def test_killed_inside_data(make_field: MakeField) -> None:
    """
    Half a message leaves nothing: not at SES, not in the spool, not after the next start (C1).
    """
    field = make_field("spool")

    async def half(relay_address: tuple[str, int]) -> None:
        async with conversation(relay_address) as talk:
            assert (await talk.envelope()).startswith("354")
            talk.writer.write(message("half-large")[:150_000])
            await talk.writer.drain()
            await asyncio.sleep(0.1)
            kill(field.relays[-1])

    with field.running() as relay:
        asyncio.run(half(relay.smtp))
    field.drain()

    assert field.states() == {}
    assert field.ses.book().calls == 0
    assert field.large() == []


@pytest.mark.parametrize("mode", ["fallback", "spool"])
def test_killed_right_after_250(make_field: MakeField, figures: Figures, mode: str) -> None:
    """
    The client has just read its 250; in ``fallback`` SES throttled it (C4, C5).
    """
    field, answers, rng = make_field(mode), Answers(), random.Random(mode)
    kills = 40 if FULL else 3
    for number in range(kills):
        field.ses.be()
        relay = field.start()
        # Or one message would be taken for poison.
        relay.wait_until(field.is_drained, "end of what the last death left")
        field.ses.be(throttle=1.0 if mode == "fallback" else 0.0)
        (reply,) = hand_over(relay.smtp, f"m{number}-{'large' if number % 2 else 'small'}", answers=answers)
        assert reply.startswith("250 2.0.0 Ok queued as ")
        time.sleep(rng.random() * 0.05 * (number % 3))
        kill(relay)
    field.drain()
    reckoning = reckon(kills, answers, field.ses.book(), field.relays)
    figures.add(f"kill -9 within 50 ms of a 250, {mode}", reckoning.rows())
    reckoning.check()


def test_killed_while_ses_has_it_and_we_do_not_know(make_field: MakeField) -> None:
    """
    SES took it and its answer never came: it is sent once more, marked, not a third time (C7, C17).
    """
    field, answers = make_field("spool"), Answers()
    field.ses.be(keep="kept-small")
    with field.running() as relay:
        hand_over(relay.smtp, "kept-small", answers=answers)
        relay.wait_until(lambda: field.ses.book().taken, "acceptance")
        kill(relay)
    field.drain()

    assert [each.marked for each in field.ses.book().taken] == [False, True]


def test_a_message_that_kills_the_relay_is_quarantined_and_no_other(make_field: MakeField, figures: Figures) -> None:
    """
    Whenever SES has this one message in hand the relay dies. After three deaths with nothing else under way it is set
    aside; all others arrive, also those that were under way with it the first time (C23).
    """
    field, answers = make_field("spool"), Answers()
    field.ses.be(slow=0.2, hold="poison-small")
    kills = 0
    relay = field.start()
    hand_over(relay.smtp, *(f"m{number}-small" for number in range(10)), "poison-small", answers=answers)
    while kills < 10 and "quarantined" not in field.states():
        seen = field.ses.book().seen.count("poison-small")
        relay.wait_until(lambda: field.ses.book().seen.count("poison-small") > kills, "poison in flight")  # noqa: B023
        kill(relay)
        kills += 1
        relay = field.start()
        hand_over(relay.smtp, f"n{kills}-small", answers=answers)
        assert seen <= kills
    kill(relay)
    field.drain()

    assert field.states() == {"quarantined": 1}
    assert 3 <= kills <= 4, "the first death had others under way, perhaps"
    assert set(answers.accepted) - set(field.ses.names()) == {"poison-small"}
    (line,) = [line for relay in field.relays for line in lines(relay, "delivery") if line["result"] == "quarantined"]
    assert f"250 2.0.0 Ok queued as {line['queue_id']}" == answers.accepted["poison-small"]
    figures.add("a planted poison", [("deaths until it was set aside", str(kills)), ("others lost", "0")])


# Clients that go away


@pytest.mark.parametrize("during", ["commit", "call"])
def test_a_client_that_hangs_up_stops_nothing(make_field: MakeField, tracer: str, during: str) -> None:
    """
    The connection is reset while the message is being committed (each sync takes 0.3 s), or while SES has it: it is
    sent once all the same.
    """
    field = make_field("spool" if during == "commit" else "fallback")
    field.ses.be(slow=0.0 if during == "commit" else 2.0)
    with field.running() as relay, tampered(relay, tracer, "fdatasync", "delay_enter=300000"):
        asyncio.run(hang_up(relay.smtp, [f"m{number}-small" for number in range(10)]))
        relay.wait_until(lambda: len(field.ses.names()) >= 10 and field.is_drained(), "delivery")
        relay.wait_until(lambda: len(lines(relay, "message")) >= 10, "records")
        outcomes = {line["outcome"] for line in lines(relay, "message")}

    assert sorted(Counter(field.ses.names()).values()) == [1] * 10
    assert outcomes <= {"queued", "accepted"}


async def hang_up(address: tuple[str, int], names: list[str]) -> None:
    """Hand messages over, a connection each, and reset it a moment after the last octet."""

    async def one(name: str) -> None:
        async with conversation(address) as talk:
            assert (await talk.envelope()).startswith("354")
            talk.writer.write(message(name) + b".\r\n")
            await talk.writer.drain()
            await asyncio.sleep(0.1)
            talk.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            talk.writer.transport.abort()

    await asyncio.gather(*map(one, names))


# Signals


@pytest.mark.parametrize("signals", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("mode", ["fallback", "spool"])
def test_sigterm_with_clients_in_every_phase(make_field: MakeField, figures: Figures, mode: str, signals: int) -> None:
    """
    SIGTERM at a random moment of a storm: exit 0 within 30 s, what had a 250 is at SES once; a second SIGTERM ends the
    relay at once and loses nothing either (C26).
    """
    rng, field = random.Random(f"{mode}{signals}"), make_field(mode)
    crowd, stops, codes = Crowd(mode, 200 if FULL else 48), 20 if FULL else 1, []
    with crowd.busy():
        for _ in range(stops):
            field.ses.be(throttle=0.05, slow=0.3)
            relay = field.start()
            crowd.address = relay.smtp
            enough = len(crowd.answers.accepted) + 40
            relay.wait_until(lambda: len(crowd.answers.accepted) >= enough, "load")  # noqa: B023
            time.sleep(rng.random() * 0.3)
            began = time.monotonic()
            for _number in range(signals):
                relay.process.send_signal(signal.SIGTERM)
                time.sleep(0.1)
            codes.append(relay.process.wait(40))
            crowd.address = None
            assert time.monotonic() - began < (30 if signals == 1 else 5)
    found = sum(len(lines(relay, "spool.attempts-found")) for relay in field.relays)
    field.drain()
    reckoning = reckon(0 if signals == 1 else stops, crowd.answers, field.ses.book(), field.relays)
    figures.add(f"SIGTERM {['once', 'twice'][signals - 1]} under load, {mode}", reckoning.rows())
    reckoning.check()
    if signals == 1:
        assert set(codes) == {0}
        assert (found, reckoning.duplicated) == (0, 0)
    else:
        assert set(codes) <= {0, -signal.SIGTERM}
