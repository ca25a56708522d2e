"""The dialogue cases of tests/cases/attacks.jsonl: what a hostile client tries, octet for octet, and what is honest."""

import base64
import json
import random
import re
import ssl
import warnings
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.smtp.stage import Client, Stage, stage

CASES = Path(__file__).parents[1] / "cases" / "attacks.jsonl"
Case = dict[str, Any]

#: Operations that this player knows; cases with others are about time, memory or numbers: test_weaknesses has them.
KNOWN = {None, "close", "expect_closed", "read_timeout", "shutdown_wr", "tls_handshake"}


def is_playable(case: Case) -> bool:
    operations = {step.get("op") for step in case.get("smtp") or []}
    unplayable = case.get("stress") or case.get("manual") or case.get("optional")
    return case["kind"] == "smtp" and not unplayable and bool(operations) and operations <= KNOWN


def load() -> list[Case]:
    cases = [json.loads(line) for line in CASES.read_text().splitlines() if line]
    return [case for case in cases if is_playable(case)]


def octets(step: dict[str, Any]) -> bytes:
    if "zb64" in step:
        return zlib.decompress(base64.b64decode(step["zb64"]))
    return base64.b64decode(step.get("b64", ""))


def wanted(case: Case, step: dict[str, Any]) -> str:
    """The pattern of a right answer: 550 and 554 are one code, and the last may be the case's alternative."""
    pattern, alternative = re.sub("55[04]", "55[04]", step["expect"]), case.get("alt") or ""
    if step is [each for each in case["smtp"] if "expect" in each][-1]:
        pattern += "|5" if alternative.startswith("reject") else ""
        pattern += "|[23]" if alternative.startswith("accept") else ""
    if "close" in (case.get("code") or ""):
        pattern += "|CLOSED"
    return f"(?:{pattern})"


async def opened(on: Stage, preamble: str) -> Client:
    match preamble:
        case "connect":
            client = await on.client()
            await client.reply()
        case "greeted":
            client = await on.greeted()
        case "starttls_sent":
            client = await on.greeted()
            await client.says("STARTTLS")
        case "tls_connect":
            client = await on.over_tls()
        case "tls_greeted":
            client = await on.over_tls()
            await client.says("EHLO client.test")
        case "implicit_tls_greeted":
            client = await on.greeted("implicit")
        case _:
            assert preamble == "authed"
            client = await on.authenticated()
    return client


Send = Callable[[Client, bytes], Awaitable[None]]


async def at_once(client: Client, data: bytes) -> None:
    await client.send(data)


async def one_by_one(client: Client, data: bytes) -> None:
    chance = random.Random(len(data))
    await client.trickle(data, (lambda: 1) if len(data) <= 512 else (lambda: chance.randint(1, 200)))


async def play(on: Stage, case: Case, send: Send) -> None:
    client = await opened(on, case["preamble"])
    for step in case["smtp"]:
        match step.get("op"):
            case "close":
                client.vanish()
            case "shutdown_wr":
                client.shut()
            case "expect_closed":
                assert await client.is_closed()
            case "read_timeout":
                assert await client.reply(0.2) in {"TIMEOUT", "CLOSED"}
            case "tls_handshake":
                await shake_hands(on, client, step)
            case _:
                if data := octets(step):
                    with suppress(OSError):  # hung up on in the middle of it: the next reply tells
                        await send(client, data)
                if "expect" in step:
                    answer = await client.reply()
                    assert re.match(wanted(case, step), answer), f"{case['why']}: {answer}"
    await client.close()


def old_context() -> ssl.SSLContext:
    """A client that knows nothing newer than TLS 1.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    return context


async def shake_hands(on: Stage, client: Client, step: dict[str, Any]) -> None:
    context = on.tls
    if "max_version" in step:
        context = old_context()
    try:
        await client.start_tls(context)
    except OSError:
        return
    assert "expect" not in step or step["expect"] == "nothing", "an old handshake was taken"


@pytest.mark.parametrize("send", [at_once, one_by_one])
@pytest.mark.parametrize("case", load(), ids=lambda case: case["id"])
async def test_attack(case: Case, send: Send, authority):
    """
    Every case is answered as it says and forwards as many messages as it says, however its octets are cut.
    """
    if case.get("segment") and send is one_by_one:
        pytest.skip("the segment is the test")
    async with stage(authority) as on:
        on.delegates.away = "credential store" in (case.get("needs") or "")

        await play(on, case, send)
        await on.settled()

        forwarded = case.get("forwarded")
        assert forwarded in (len(on.reception.taken), "0 or 1"), on.reception.raws
        assert on.is_balanced()


def test_the_cases_are_there():
    """Most dialogue cases are played here; the rest need time, memory or numbers."""
    assert len(load()) >= 90
