"""
What many or patient attackers cost: the stress cases and others like them, against a relay with the bounds that ship.

While each runs, a bystander sends honest mail, greets fifty times a second, and looks at the relay's memory. Bounds are
generous here; what was measured is printed at the end of the run. ``make attacks`` waits out the time-outs that ship.
"""

import asyncio
import os
import re
import socket
import struct
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from tests.attacks.cases import Case, case_of, octets_of
from tests.attacks.field import Client
from tests.attacks.figures import Figures
from tests.attacks.siege import Siege, besieged
from tests.attacks.watch import rss_mib
from tests.system.relays import plain_response, split

FULL = os.environ.get("ATTACKS") == "full"
pytestmark = [pytest.mark.system, pytest.mark.timeout(600 if FULL else 120)]

#: Seconds for one command and for a message's octets: as they ship, or short.
PATIENCE = {"command_timeout": 60, "data_timeout": 120} if FULL else {"command_timeout": 5, "data_timeout": 5}
SHORT = "" if FULL else "".join(f'{name} = "{seconds}s"\n' for name, seconds in PATIENCE.items())
ARN = b"X-SES-SOURCE-ARN: arn:aws:ses:us-east-1:111122223333:identity/example.com\r\n"
HEAD = b"From: app1@example.com\r\nTo: bob@rcpt.example\r\n" + ARN
ENVELOPE = b"MAIL FROM:<app1@example.com>\r\nRCPT TO:<bob@rcpt.example>\r\nDATA\r\n"


@pytest.fixture(scope="module")
def the_siege(certificate, tmp_path_factory) -> Iterator[Siege]:
    with besieged(tmp_path_factory.mktemp("besieged"), certificate, SHORT) as siege:
        yield siege


@pytest.fixture
async def siege(the_siege: Siege) -> AsyncIterator[Siege]:
    """The relay of this file; whoever is still connected afterwards leaves, and is gone before the next."""
    yield the_siege
    await the_siege.field.leave()
    await until(lambda: the_siege.sessions() == 0 and the_siege.is_balanced(), 15)


async def in_data(siege: Siege) -> Client:
    """A client of app1 that has heard 354."""
    client = await siege.field.opened("authed", "app1")
    assert [(await client.says(line))[:3] for line in ENVELOPE.decode().splitlines()] == ["250", "250", "354"]
    return client


async def says_all(client: Client, octets: bytes) -> None:
    """Send what the relay may not want to hear to its end."""
    with suppress(OSError):
        for at in range(0, len(octets), 1 << 18):
            await client.send(octets[at : at + (1 << 18)])


async def counted_until_closed(client: Client, seconds: float = 20) -> list[str]:
    """Every reply until the relay hangs up."""
    heard = []
    while (reply := await client.reply(seconds)) not in ("CLOSED", "TIMEOUT"):
        heard.append(reply)
    return heard


# Memory


async def test_empty_lines_without_end(siege: Siege, figures: Figures):
    """*l-crlf-flood*: 31 MiB of them, as one message, from one client and then from eight."""
    stream = next(step for step in case_of("l-crlf-flood").steps if step.get("op") == "stream")
    flood = octets_of(stream) * stream["times"]
    for number in (1, 8):
        async with siege.watched(f"l-crlf-flood, {number} at once", figures) as tolls:
            clients = [await in_data(siege) for _ in range(number)]
            await asyncio.gather(*(says_all(client, flood + b".\r\n") for client in clients))
            answers = [await client.reply(60) for client in clients]
        assert {answer[:9] for answer in answers} == {"552 5.3.4"}
        assert tolls[0].growth < 64 * number


async def test_messages_for_more_memory_than_there_is(siege: Siege, figures: Figures):
    """*l-big-parallel*: far more than there is room for. Each is taken or told to come back; SES has what was taken."""
    step = case_of("l-big-parallel").steps[0]
    message = HEAD + b"\r\n" + (b"x" * 76 + b"\r\n") * (step["bytes"] // 78) + b".\r\n"
    before, number = siege.ses.forwarded, step["n"] if FULL else 24

    async def sends() -> str:
        client = await siege.field.opened("authed", "app1")
        for line in ENVELOPE.splitlines():
            reply = await client.says(line)
        if reply.startswith("354"):
            await says_all(client, message)
            reply = await client.reply(120)
        return reply[:9]

    async with siege.watched(f"l-big-parallel, {number} x 9 MB", figures) as tolls:
        answers = Counter(await asyncio.gather(*(sends() for _ in range(number))))

    assert set(answers) <= {"250 2.0.0", "452 4.3.1"}
    assert siege.ses.forwarded - before == answers["250 2.0.0"] >= 10
    assert tolls[0].rss_peak < 512
    figures.add("l-big-parallel, answers", f"{answers['250 2.0.0']} taken, {answers['452 4.3.1']} told 452 4.3.1")


async def test_messages_that_are_dear_to_read(siege: Siege, figures: Figures):
    """Headers, folds, parts and depths at and past their bounds, again and again from sixteen clients."""
    parts = b"".join(b"--b\r\n\r\n\r\n" for _ in range(499))
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(60)
    )
    bombs = [
        HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 100) for n in range(490)) + b"\r\n",
        HEAD + b"X: a\r\n" + b" b\r\n" * 990 + b"\r\n",
        HEAD + b"X: " + b"x" * 900 + (b"\r\n " + b"x" * 900) * 70 + b"\r\n\r\n",
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts + b"--b--\r\n",
        HEAD + deep,
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b" * 100_000 + b"\r\n",
        HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n" * 100_000,
        HEAD.replace(b"app1@", b"=?utf-8?q?" + b"=20" * 1200 + b"?= <app1@").replace(b".com\r\nTo", b".com>\r\nTo"),
        b"From: " + b'"' * 4000 + b"\r\n" + ARN + b"\r\n",
        b"From: " + b"(" * 4000 + b"\r\n" + ARN + b"\r\n",
        HEAD + b"X-SES-MESSAGE-TAGS: " + b"a=b, " * 180 + b"\r\n\r\n",
        HEAD + (b"Received: from a by b;\r\n" * 51) + b"\r\n",
    ]

    async def bombards(rounds: int) -> Counter[str]:
        client = await siege.field.opened("authed", "app1")
        heard: Counter[str] = Counter()
        for bomb in bombs * rounds:
            await client.send(ENVELOPE)
            assert [(await client.reply())[0] for _ in range(3)] == ["2", "2", "3"]
            await says_all(client, bomb.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
            heard[(await client.reply(60))[:1]] += 1
        return heard

    async with siege.watched("dear messages, 16 at once", figures) as tolls:
        heard = sum(await asyncio.gather(*(bombards(20 if FULL else 3) for _ in range(16))), Counter[str]())

    assert set(heard) == {"2", "5"}
    assert tolls[0].growth < 128


async def test_what_a_connection_holds(siege: Siege, figures: Figures):
    """Clients under TLS, logged in, each with a command line that is as long as may be and has no end."""
    before = rss_mib(siege.pid)
    number = 500 if FULL else 150
    async with siege.watched(f"{number} idle connections", figures):
        for _ in range(number):
            client = await siege.field.opened("authed", "app1")
            await client.send(b"AUTH " + b"x" * 12_000)
        await asyncio.sleep(0.5)
        each = (rss_mib(siege.pid) - before) / number
    figures.add(f"{number} idle connections, each", f"{1024 * each:.0f} KiB")
    assert each < 1


# Numbers


@pytest.mark.parametrize(("name", "most"), [("h-noop-flood", 100), ("h-rset-flood", 100), ("h-unknown-flood", 10)])
async def test_commands_without_end(siege: Siege, name, most, figures: Figures):
    """They end with 421 4.7.0 after so many."""
    case = case_of(name)
    step = case.steps[0]
    client = await siege.field.opened(case.preamble, "app1")
    since = len(client.heard)
    await says_all(client, octets_of(step) * step["times"])
    heard = await counted_until_closed(client)

    assert heard[-1].startswith("421 4.7.0")
    assert len(heard) <= most
    assert len(client.heard) == since + len(heard) + 1
    figures.add(name, f"closed after {len(heard)}")


async def test_more_connections_than_there_is_room_for(siege: Siege, figures: Figures):
    """*l-conn-total*: 1200 of them; the excess hears 421 and is closed, and who is in goes on being served."""
    number = case_of("l-conn-total").steps[0]["n"]
    before = rss_mib(siege.pid)
    async with siege.watched("l-conn-total, 1200 connections", figures):
        clients = [await siege.field.connected() for _ in range(number)]
        greetings = await asyncio.gather(*(client.reply(20) for client in clients))
        heard = Counter(greeting[:9] for greeting in greetings)
        each = (rss_mib(siege.pid) - before) / heard["220 relay"]

    assert set(heard) == {"220 relay", "421 4.3.2"}
    assert 990 <= heard["220 relay"] <= 1000  # the bystander has one or two
    figures.add(
        "l-conn-total, answers",
        f"{heard['220 relay']} greeted, {heard['421 4.3.2']} told 421; {1024 * each:.0f} KiB each",
    )


async def test_one_address_with_more_connections_than_its_share(siege: Siege):
    address = siege.field.address()
    clients = [await siege.field.connected(address=address) for _ in range(100)]
    heard = Counter([(await client.reply())[:9] for client in clients])

    assert heard == {"220 relay": 80, "421 4.7.0": 20}


async def test_guessing_with_ever_new_connections(siege: Siege, figures: Figures):
    """*j-brute-reconnect*: the budget of an address survives, one's own address is one's own."""
    step = case_of("j-brute-reconnect").steps[0]
    address = siege.field.address()
    answers: Counter[str] = Counter()
    async with siege.watched("j-brute-reconnect, 30 connections", figures):
        for _ in range(step["times"]):
            client = await siege.field.connected(implicit=True, address=address)
            await client.reply()
            await client.says("EHLO client.test")
            await client.send(octets_of(step["each"][0]))
            answer = await client.reply()
            assert re.match(step["each"][0]["expect"], answer)
            answers[answer[:9]] += 1

    assert answers["535 5.7.8"] == 10
    assert answers["454 4.7.0"] + answers["421 4.7.0"] == step["times"] - 10
    figures.add("j-brute-reconnect, answers", ", ".join(f"{count} x {code}" for code, count in answers.items()))


async def test_guessing_from_many_addresses_at_once(siege: Siege, figures: Figures):
    """A botnet of 60: every guess is dear, and neither the loop nor honest mail waits for it."""

    async def guesses() -> Counter[str]:
        client = await siege.field.opened("tls_greeted", "app1")
        heard: Counter[str] = Counter()
        for number in range(3):
            heard[(await client.says(f"AUTH PLAIN {plain_response('app1', f'guess{number}')}"))[:9]] += 1
        return heard

    async with siege.watched("60 guessers, 3 guesses each", figures):
        heard = sum(await asyncio.gather(*(guesses() for _ in range(60))), Counter[str]())
    assert set(heard) <= {"535 5.7.8", "454 4.7.0"}


def reset(client: Client) -> None:
    """Be gone without a FIN, whatever lies unread."""
    connection = client.writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.vanish()


async def test_resets_at_any_octet(siege: Siege, figures: Figures):
    """
    400 who are known reset the connection at any octet of a message, or just behind it. SES has what was counted as
    accepted, each once, and the memory for messages is free again.
    """
    message = HEAD + b"\r\nHello.\r\n.\r\n"
    before = siege.ses.forwarded - siege.accepted("app1")

    async def comes(number: int) -> None:
        client = await in_data(siege)
        with suppress(OSError):
            await client.send(message[: number % (len(message) + 1)])
        reset(client)

    async def sends_whole() -> None:
        client = await in_data(siege)
        await client.send(message)
        await asyncio.sleep(0.001)  # it has been read, and is under way
        reset(client)

    async with siege.watched("400 resets", figures):
        for start in range(0, 400, 50):
            await asyncio.gather(*(comes(start + number) for number in range(50)), sends_whole())
    await until(lambda: siege.sessions() == 0 and siege.is_balanced(), 15)
    assert siege.ses.forwarded - siege.accepted("app1") == before
    client = await in_data(siege)
    await says_all(client, HEAD + b"\r\n" + (b"x" * 76 + b"\r\n") * 100_000 + b".\r\n")
    assert (await client.reply(60)).startswith("250")


async def test_coming_and_going(siege: Siege, figures: Figures):
    """2000 clients that come and are gone, in the midst of everything: nothing of them stays."""
    farewells: list[Callable[[Client], Awaitable[None]]] = [
        lambda client: says_all(client, b""),
        lambda client: says_all(client, b"EHLO client.test\r\nSTARTTLS\r\n"),
        lambda client: says_all(client, b"GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n"),
        lambda client: says_all(client, b"\x16\x03\x01\x02\x00" + b"\0" * 100),
        lambda client: says_all(client, b"EHLO client.test\r\nMAIL FROM:<a@b.example>\r\n" * 20),
        lambda client: says_all(client, os.urandom(4096)),
    ]

    async def comes(number: int) -> None:
        with suppress(OSError):
            client = await siege.field.connected(implicit=False)
            await farewells[number % len(farewells)](client)
            if number % 2:
                reset(client)
            client.vanish()

    async with siege.watched("2000 connections come and go", figures):
        for start in range(0, 2000, 100):
            await asyncio.gather(*(comes(start + number) for number in range(100)))
    await until(lambda: siege.sessions() == 0, 15)


# Time


async def until(holds: Callable[[], bool], seconds: float) -> float:
    """Wait until it holds; the seconds that it took."""
    since = time.monotonic()
    while not holds():
        assert time.monotonic() - since < seconds, "it took too long"
        await asyncio.sleep(0.05)
    return time.monotonic() - since


async def timed(client: Client, case: Case, within: float) -> tuple[str, float]:
    """Wait for the relay to hang up; its last word, and when that was."""
    since = time.monotonic()
    heard = await counted_until_closed(client, within)
    assert client.heard[-1] == "CLOSED", f"{case.id}: still open after {within} s"
    return (heard or [""])[-1], time.monotonic() - since


async def trickles(client: Client, octets: bytes, every: float) -> None:
    with suppress(OSError):
        for octet in octets:
            await client.send(bytes([octet]))
            await asyncio.sleep(every)


async def sits(siege: Siege, name: str, within: float) -> tuple[str, float]:
    """Come as far as the case says, and say nothing more, or an octet now and then; how it ended."""
    case = case_of(name)
    client = await (in_data(siege) if name == "l-slow-data" else siege.field.opened(case.preamble, "app1"))
    step = case.steps[-1]
    if name == "k-stall":
        await client.says("STARTTLS")
    trickle = None
    if step.get("op") == "trickle":
        every = step["interval_s"] if FULL else step["interval_s"] / 10
        trickle = asyncio.create_task(trickles(client, octets_of(step) * 20, every))
    try:
        return await timed(client, case, within)
    finally:
        if trickle is not None:
            trickle.cancel()


async def never_reads(siege: Siege) -> float:
    """*l-slow-reader*: ask for help without reading it; how long the relay kept the socket."""
    step = case_of("l-slow-reader").steps[1]
    loop = asyncio.get_running_loop()
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setblocking(False)
    deaf.bind((siege.field.address(), 0))
    await loop.sock_connect(deaf, split(siege.field.starttls))
    since = time.monotonic()
    with deaf, suppress(OSError):
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        async with asyncio.timeout(60):
            while True:
                await loop.sock_sendall(deaf, octets_of(step))
                await asyncio.sleep(0.01)
    return time.monotonic() - since


async def test_the_patient(siege: Siege, figures: Figures):
    """All who try to sit it out, at once: each is told to go, or cut, in its time."""
    command, data = PATIENCE["command_timeout"], PATIENCE["data_timeout"]
    slack = 5
    sitting = {
        "k-stall": (15, ""),
        "l-idle": (command + slack, "421 4.4.2"),
        "l-slowloris-cmd": (command + slack, "421 4.4.2"),
        "l-slow-data": (data + slack, "421 4.4.2"),
    }
    async with siege.watched("the patient", figures):
        cut = asyncio.create_task(never_reads(siege))
        ends = await asyncio.gather(*(sits(siege, name, within) for name, (within, _) in sitting.items()))
        kept = await cut

    for (name, (within, last)), (heard, took) in zip(sitting.items(), ends, strict=True):
        assert heard.startswith(last), f"{name}: {heard}"
        figures.add(name, f"closed after {took:.1f} s", f"bound {within} s")
    figures.add("l-slow-reader", f"cut after {kept:.1f} s", "bound 35 s")
    assert kept < 35 + slack


async def test_five_hundred_who_are_slow(siege: Siege, figures: Figures):
    """Each holds a connection by an octet now and then; mail goes through."""
    clients = [await siege.field.connected() for _ in range(500)]
    await until(lambda: siege.sessions() >= len(clients), 15)
    async with siege.watched("500 slow clients", figures):
        for octet in b"EHLO slow.test":
            for client in clients:
                with suppress(OSError):
                    await client.send(bytes([octet]))
            await asyncio.sleep(0.1)


async def test_honest_slow_mail_passes(siege: Siege):
    """10 MB at a modem's pace take longer than any fixed time; here, a kilobyte now and then outlasts the bound."""
    client = await in_data(siege)
    await says_all(client, HEAD + b"\r\n")
    until_then = time.monotonic() + PATIENCE["data_timeout"] + 1
    while time.monotonic() < until_then:
        await client.send((b"x" * 76 + b"\r\n") * 16)
        await asyncio.sleep(0.25)
    await client.send(b".\r\n")

    assert (await client.reply()).startswith("250 2.0.0")
