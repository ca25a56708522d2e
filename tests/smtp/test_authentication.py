"""AUTH: weaknesses W10 to W13 and W17 of aiosmtpd, by number."""

import asyncio
import logging
import re

import pytest

from relay.observe.events import AuthTried
from tests.smtp.stage import DEMO, PLAIN, b64, plain, stage


async def test_w10_three_wrong_passwords_are_the_last(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")

        for _ in range(3):
            assert (await client.says(plain("app1", "wrong"))).startswith("535 5.7.8")
        assert (await client.reply()).startswith("421 4.7.0")
        assert await client.is_closed()
        assert len(on.delegates.asked) == 3


async def test_w10_the_budget_of_an_address_survives_reconnecting(authority):
    """
    Past it nobody's password is looked at, right or wrong, until the minute is over.
    """
    now = [0.0]
    async with stage(authority, PLAIN, auth_failures_per_minute=4, monotonic=lambda: now[0]) as on:
        for _ in range(2):
            client = await on.greeted("plain")
            for _ in range(2):
                assert (await client.says(plain("app1", "wrong"))).startswith("535")
        client = await on.greeted("plain")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("454 4.7.0")
        assert len(on.delegates.asked) == 4
        assert on.of(AuthTried)[-1].result == "throttled"

        now[0] = 61.0
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")


async def test_w10_the_budget_of_an_address_is_no_larger_for_many_at_once(authority, monkeypatch):
    """
    Twenty connections that guess in one moment have four guesses, as one connection after the other would have; twenty
    that know the password all get in.
    """
    async with stage(authority, PLAIN, auth_failures_per_minute=4) as on:
        verify = on.delegates.verify

        async def slowly(*asked):
            await asyncio.sleep(0.01)
            return await verify(*asked)

        monkeypatch.setattr(on.delegates, "verify", slowly)
        clients = [await on.greeted("plain") for _ in range(20)]
        right = await asyncio.gather(*(client.says(plain("app1", "s3cret-app1")) for client in clients))
        on.delegates.asked.clear()
        clients = [await on.greeted("plain") for _ in range(20)]
        wrong = await asyncio.gather(*(client.says(plain("app2", "wrong")) for client in clients))

    assert {answer[:3] for answer in right} == {"235"}
    assert sorted(answer[:3] for answer in wrong) == ["454"] * 16 + ["535"] * 4
    assert len(on.delegates.asked) == 4


async def test_w10_each_wrong_password_is_answered_later(authority, monkeypatch):
    """
    Half a second more each time, two seconds at most; other clients do not wait.
    """
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float, result: object = None) -> None:
        slept.append(seconds)
        await sleep(0)

    async with stage(authority, PLAIN, auth_failures=6, auth_delay_step_seconds=0.5) as on:
        client = await on.greeted("plain")
        monkeypatch.setattr("relay.smtp.authentication.asyncio.sleep", note)
        for _ in range(6):
            await client.says(plain("app1", "wrong"))
        monkeypatch.undo()

    assert slept == [0.5, 1.0, 1.5, 2, 2, 2]


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ([plain("app1", "s3cret-app1", authzid="app1")], "235 2.7.0"),
        ([plain("app1", "s3cret-app1", authzid="ceo")], "535 5.7.8"),
        (["auth plain " + b64(b"\0app1\0s3cret-app1")], "235 2.7.0"),
        (["AUTH Login", b64(b"app1"), b64(b"s3cret-app1")], "235 2.7.0"),
        (["AUTH LOGIN " + b64(b"app1"), b64(b"s3cret-app1")], "235 2.7.0"),
        (["AUTH LOGIN", b64(b"app1\0x"), b64(b"s3cret-app1")], "535 5.7.8"),
        (["AUTH LOGIN", b64(b"app1"), b64(b"s3cret-app1\0x")], "535 5.7.8"),
        (["AUTH LOGIN", b64(b"app1"), ""], "535 5.7.8"),
        (["AUTH LOGIN", b64(b"app1"), "*"], "501 5.7.0"),
        (["AUTH PLAIN", "!"], "501 5.5.2"),
        (["AUTH PLAIN", " " + b64(b"\0app1\0s3cret-app1")], "501 5.5.2"),
        (["AUTH PLAIN =", "NOOP"], "250 2.0.0"),
        (["AUTH GSSAPI", "NOOP"], "250 2.0.0"),
    ],
)
async def test_w11_identities_are_compared_whole(authority, commands, answer):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        answers = [await client.says(command) for command in commands]

        assert answers[-1].startswith(answer)


async def test_w11_no_second_identity_and_none_within_a_transaction(authority):
    async with stage(authority, DEMO) as on:
        client = await on.greeted("demo")
        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("235")
        assert (await client.says(plain("app2", "s3cret-app2"))).startswith("503 5.5.1")
        await client.says("MAIL FROM:<app1@example.com>")
        assert (await client.says(plain("app2", "s3cret-app2"))).startswith("503 5.5.1")
        assert (await client.says("STARTTLS")).startswith("503 5.5.1")


@pytest.mark.parametrize("length", [12_286, 12_284])
async def test_w12_a_response_of_12288_octets_is_read_whole(authority, length):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        assert await client.says("AUTH PLAIN") == "334 "
        response = b64(b"\0app1\0" + b"p" * 10_000)
        padded = (response + "A" * length)[:length]
        assert re.match("535 5.7.8|501 5.5.2", await client.says(padded))
        assert (await client.says("NOOP")).startswith("250")


async def test_w12_a_longer_one_is_one_error_and_none_of_it_is_a_command(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        assert await client.says("AUTH PLAIN") == "334 "
        assert (await client.says("NOOP " * 4000)).startswith("500 5.5.6")
        assert (await client.says("AUTH PLAIN " + "A" * 12_300)).startswith("500 5.5.6")
        assert (await client.says("AUTH PLAIN " + b64(b"\0app1\0" + b"p" * 3000))).startswith("535")
        assert (await client.says("RSET")).startswith("250")
        assert on.delegates.asked == []


async def test_who_is_known_is_let_in_without_a_check(authority):
    """
    Said unasked, in PLAIN, and right; anything else is looked at as ever.
    """
    async with stage(authority, PLAIN) as on:
        on.delegates.known.add("app1")
        first, second, third = await on.greeted("plain"), await on.greeted("plain"), await on.greeted("plain")

        assert (await first.says(plain("app1", "s3cret-app1"))).startswith("235")
        assert on.delegates.asked == []
        assert (await second.says(plain("app1", "wrong"))).startswith("535")
        assert (await third.says("AUTH PLAIN")).startswith("334")
        assert (await third.says(b64(b"\0app1\0s3cret-app1"))).startswith("235")
        assert on.delegates.asked == ["app1", "app1"]
        assert [event.result for event in on.of(AuthTried)] == ["ok", "bad-credentials", "ok"]


async def test_w10_who_is_known_has_no_way_round_the_budget(authority):
    """
    Past it only a regular is let in: one that was let in from this very address.
    """
    async with stage(authority, PLAIN, auth_failures_per_minute=1) as on:
        on.delegates.known.add("app1")
        guessing, known = await on.greeted("plain"), await on.greeted("plain")
        assert (await guessing.says(plain("app2", "wrong"))).startswith("535")

        assert (await known.says(plain("app1", "s3cret-app1"))).startswith("454")


async def test_w13_a_slow_password_check_holds_up_nobody_else(authority, monkeypatch):
    async with stage(authority, PLAIN) as on:
        checking, checked = asyncio.Event(), asyncio.Event()

        async def verify(*_: object) -> str:
            checking.set()
            await checked.wait()
            return "app1"

        monkeypatch.setattr(on.delegates, "verify", verify)
        slow, other = await on.greeted("plain"), await on.greeted("plain")
        await slow.send(plain("app1", "x").encode() + b"\r\n")
        await checking.wait()

        assert (await other.says("NOOP")).startswith("250")
        checked.set()
        assert (await slow.reply()).startswith("235")


async def test_w13_a_password_past_a_kibibyte_is_never_checked(authority):
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")

        assert (await client.says(plain("app1", "p" * 1025))).startswith("535")
        assert on.delegates.asked == []


CANARY = "AGFwcDEAY2FuYXJ5LXBhc3N3b3Jk"


async def test_w17_no_credential_is_logged_or_repeated(authority, caplog):
    """
    Not by aiosmtpd's loggers, not by asyncio's, not in a reply; not even after a mechanism that was refused.
    """
    caplog.set_level(logging.DEBUG)
    async with stage(authority, PLAIN) as on:
        client = await on.greeted("plain")
        answers = [await client.says(f"AUTH XOAUTH2 {CANARY}")]
        answers += [await client.says(CANARY)]
        answers += [await client.says(f"AUTH PLAIN {CANARY}"), await client.says("AUTH PLAIN")]
        answers += [await client.says(CANARY)]
        answers += [await client.says(b"FOO\x1b[31m\x07BAR"), await client.says("CANARY-VERB x")]
        heard = "\n".join(answers)

        assert [answer[:3] for answer in answers] == ["504", "500", "535", "334", "535", "500", "500"]
        assert re.fullmatch(r"[ -~\n]*", heard)
        for secret in (CANARY, CANARY.upper(), "canary", "CANARY", "FOO"):
            assert secret not in heard
            assert secret not in caplog.text
            assert secret not in repr(on.events)
