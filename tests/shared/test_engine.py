"""The engine answers with values, in time, whatever becomes of Redis."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from relay.observe.events import Event, SharedFound, SharedLost
from relay.shared.answers import Away
from relay.shared.engine import Engine
from relay.shared.scripts import Script
from tests.shared.servers import RedisServer
from tests.shared.waiting import until

Make = Callable[..., Awaitable[Engine]]
COUNT = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def test_a_script_runs_by_its_digest_and_is_brought_when_the_server_forgot_it(
    engine: Engine, redis_server: RedisServer
):
    key = engine.key("test", "count")
    assert key == "{ses-relay:test}:count"
    assert await engine.run(COUNT, [key], [2]) == 2
    assert redis_server.ask("SCRIPT", "FLUSH") == b"+OK"
    assert await engine.run(COUNT, [key], [3]) == 5
    assert await engine.command("GET", key) == b"5"


async def test_an_error_is_a_value_and_its_words_quote_nothing_that_was_told(engine: Engine):
    await engine.command("SET", "a", "b")
    answer = await engine.command("LPUSH", "a", "secret")
    assert isinstance(answer, Away)
    assert (answer.code, answer.maybe) == ("WRONGTYPE", False)
    unknown = await engine.command("NONSENSE", "secret")
    assert isinstance(unknown, Away)
    assert "secret" not in unknown.why
    assert engine.state.is_up


async def test_a_pipeline_answers_each_by_itself(engine: Engine):
    answers = await engine.pipeline([("SET", "a", "1"), ("LPUSH", "a", "x"), ("GET", "a")])
    assert not isinstance(answers, Away)
    assert (answers[0], answers[1].code, answers[2]) == (True, "WRONGTYPE", b"1")


async def test_the_time_is_the_servers(engine: Engine):
    first, second = await engine.time(), await engine.time()
    assert isinstance(first, float)
    assert isinstance(second, float)
    assert second >= first > 1.7e9


async def test_a_server_that_answers_no_more_costs_one_deadline_and_then_nothing(
    own_server: Callable[..., RedisServer], engine_at: Make, told: list[Event]
):
    server = own_server()
    engine = await engine_at(server.url)
    server.pause()
    first = await engine.command("PING")
    assert isinstance(first, Away)
    assert first.maybe
    second = engine.command("PING")
    answer = await asyncio.wait_for(second, 0.2)
    assert isinstance(answer, Away)
    assert not answer.maybe
    server.resume()
    await until(lambda: engine.state.is_up)
    assert await engine.command("PING") in (b"PONG", True)
    assert [type(each) for each in told] == [SharedFound, SharedLost, SharedFound]


async def test_a_killed_server_is_found_again(own_server: Callable[..., RedisServer], engine_at: Make):
    server = own_server()
    engine = await engine_at(server.url)
    server.kill()
    assert isinstance(await engine.command("PING"), Away)
    server.start()
    await until(lambda: engine.state.is_up)
    assert await engine.run(COUNT, ["x"], [1]) == 1


async def test_an_engine_that_is_away_at_start_is_found_when_it_comes(
    own_server: Callable[..., RedisServer], engine_at: Make, told: list[Event]
):
    server = own_server()
    server.kill()
    engine = await engine_at(server.url)
    assert not engine.state.is_up
    assert isinstance(told[0], SharedLost)
    server.start()
    await until(lambda: engine.state.is_up)


async def test_what_is_published_is_heard_again_after_the_server_was_killed(
    own_server: Callable[..., RedisServer], engine_at: Make
):
    server = own_server()
    engine, other = await engine_at(server.url), await engine_at(server.url)
    heard: list[bytes] = []
    subscribed: list[bool] = []
    engine.subscribe("news", heard.append, lambda: subscribed.append(True))
    await until(lambda: len(subscribed) == 1)
    assert await other.publish("news", b"one") == 1
    await until(lambda: heard == [b"one"])
    server.kill()
    server.start()
    await until(lambda: len(subscribed) == 2 and other.state.is_up)
    await other.publish("news", "two")
    await until(lambda: heard == [b"one", b"two"])


async def test_listeners_come_and_go_while_others_listen(engine: Engine):
    heard: list[tuple[str, bytes]] = []
    subscribed: list[str] = []

    def listen(channel: str) -> Callable[[], None]:
        return engine.subscribe(channel, lambda it: heard.append((channel, it)), lambda: subscribed.append(channel))

    leave = listen("a")
    await until(lambda: subscribed == ["a"])
    listen("b")
    await until(lambda: subscribed == ["a", "b"])
    leave()

    async def nobody_hears_a() -> bool:
        return await engine.publish("a", "x") == 0

    await until(nobody_hears_a)
    heard.clear()
    await engine.publish("b", "y")
    await until(lambda: heard == [("b", b"y")])


async def test_callers_that_go_away_leave_no_connection_behind(engine_at: Make, redis_server: RedisServer):
    engine = await engine_at(redis_server.url, connections=2)
    for _ in range(50):
        calls = [asyncio.create_task(engine.command("PING")) for _ in range(4)]
        await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert engine.state.is_up
    assert await engine.run(COUNT, ["x"], [1]) == 1


@pytest.mark.parametrize("deadline", [0.02])
async def test_a_call_may_have_a_deadline_of_its_own(engine: Engine, deadline: float):
    answer = await engine.command("BLPOP", "nothing", 1, deadline=deadline)
    assert isinstance(answer, Away)
    assert answer.why == "no answer within 20 ms"


async def test_what_breaks_off_inside_the_library_is_a_value_and_the_engine_is_still_looked_after(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    async def breaks(*_: object) -> None:
        raise AttributeError("a connection that was taken from under it")

    with monkeypatch.context() as broken:
        broken.setattr(engine._client, "execute_command", breaks)
        answer = await engine.command("PING")
        assert isinstance(answer, Away)
        assert answer.maybe
        engine._note(Away("lost"))
        await until(lambda: engine.state.why != "lost")
    await until(lambda: engine.state.is_up)
