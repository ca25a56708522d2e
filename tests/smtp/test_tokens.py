"""OAUTHBEARER and XOAUTH2: what is said on the wire. Whether a token is good is another room's question."""

import asyncio
import base64
import json
import logging
import smtplib

import pytest

from relay.observe.events import AuthTried
from relay.smtp.sasl import SaslProblem, oauthbearer, xoauth2
from tests.smtp.stage import DEMO, IMPLICIT, b64, plain, stage

TOKEN = "canary-header.canary-claims.canary-signature"
GOOD = {TOKEN: "app1"}


def bearer(token: str = TOKEN, header: str = "n,a=app1,", more: str = "host=relay.test\x01port=465\x01") -> str:
    return "AUTH OAUTHBEARER " + b64(f"{header}\x01{more}auth=Bearer {token}\x01\x01".encode())


def xoauth(token: str = TOKEN, user: str = "app1") -> str:
    return "AUTH XOAUTH2 " + b64(f"user={user}\x01auth=Bearer {token}\x01\x01".encode())


async def test_tokens_are_offered_where_they_are_taken_and_under_tls_only(authority):
    """Also where passwords may travel in clear."""
    async with stage(authority, DEMO, IMPLICIT) as on:
        client = await on.greeted("implicit")
        assert "BEARER" not in await client.says("EHLO client.test")
        assert (await client.says(bearer())).startswith("504 5.5.4")

        on.delegates.tokens = GOOD
        assert "AUTH PLAIN LOGIN OAUTHBEARER XOAUTH2" in await client.says("EHLO client.test")
        clear = await on.greeted("demo")
        assert "AUTH PLAIN LOGIN" in await clear.says("EHLO client.test")
        assert (await clear.says(bearer())).startswith("538 5.7.11")
        assert "token" not in on.delegates.asked


@pytest.mark.parametrize(
    "command",
    [
        bearer(),
        bearer(header="n,,"),
        bearer(header="y,,", more=""),
        bearer().replace("AUTH OAUTHBEARER", "auth oauthbearer"),
        xoauth(),
    ],
)
async def test_a_good_token_comes_in(authority, command):
    async with stage(authority, IMPLICIT) as on:
        on.delegates.tokens = GOOD
        client = await on.greeted("implicit")

        assert (await client.says(command)).startswith("235 2.7.0")
        assert (await client.hands_in()).startswith("250")
        assert on.of(AuthTried)[-1].delegate == "app1"


@pytest.mark.parametrize("command", [bearer("wrong"), xoauth("wrong"), bearer(header="n,a=app2,"), xoauth(user="app2")])
async def test_a_token_that_is_not_good_is_answered_in_a_challenge_first(authority, command):
    """JSON that says why (RFC 7628 section 3.2.2), an empty or dummy response, then 535."""
    for response in (b64(b"\x01"), ""):
        async with stage(authority, IMPLICIT) as on:
            on.delegates.tokens = GOOD
            client = await on.greeted("implicit")

            code, _, challenge = (await client.says(command)).partition(" ")
            assert code == "334"
            assert json.loads(base64.b64decode(challenge))["status"] in ("invalid_token", "401")
            assert (await client.says(response)).startswith("535 5.7.8")
            assert on.of(AuthTried)[-1].result == "bad-credentials"


async def test_bad_tokens_use_up_the_budgets_and_good_ones_come_in_all_the_same(authority):
    async with stage(authority, IMPLICIT, auth_failures_per_minute=3) as on:
        on.delegates.tokens = GOOD
        client = await on.greeted("implicit")
        for _ in range(3):
            await client.says(bearer("wrong"))
            assert (await client.says("")).startswith("535")
        assert (await client.reply()).startswith("421 4.7.0")

        again = await on.greeted("implicit")
        await again.says(bearer("wrong"))
        assert (await again.says("")).startswith("454 4.7.0")
        assert (await again.says(bearer())).startswith("235")


async def test_who_hangs_up_on_the_challenge_has_failed_all_the_same(authority):
    async with stage(authority, IMPLICIT, auth_failures_per_minute=2) as on:
        on.delegates.tokens = GOOD
        client = await on.greeted("implicit")
        for _ in range(2):
            await client.says(bearer("wrong"))
            assert (await client.says("*")).startswith("501 5.7.0")

        assert (await client.says(plain("app1", "s3cret-app1"))).startswith("454 4.7.0")


async def test_without_the_issuers_keys_the_answer_is_temporary(authority):
    async with stage(authority, IMPLICIT) as on:
        on.delegates.tokens = GOOD
        on.delegates.away = True
        client = await on.greeted("implicit")

        assert (await client.says(bearer())).startswith("454 4.7.0")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,\x01auth=Bearer x",
        b"n,,\x01auth=Bearer x\x01",
        b"n,,\x01\x01",
        b"n,,\x01host=h\x01\x01",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01auth=Bearer a b\x01\x01",
        b"n,,\x01auth=Basic x\x01\x01",
        b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01",
        b"n,,\x01auth=Bearer x\x01\x01\x01",
        b"n,,\x01Bearer x\x01\x01",
        b"p=tls-unique,,\x01auth=Bearer x\x01\x01",
        b"n,a=,\x01auth=Bearer x\x01\x01",
        b"n,a=a=b,\x01auth=Bearer x\x01\x01",
        b"n,a=\xff,\x01auth=Bearer x\x01\x01",
        b"n,a=x\0y,\x01auth=Bearer x\x01\x01",
        b"n,,\x01auth=Bearer x\0y\x01\x01",
        b"x,,\x01auth=Bearer x\x01\x01",
    ],
)
def test_oauthbearer_of_another_form_is_a_form_error(message):
    with pytest.raises(SaslProblem) as raised:
        oauthbearer(message)
    assert raised.value.result == "form"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"user=a\x01auth=Bearer x",
        b"user=\x01auth=Bearer x\x01\x01",
        b"auth=Bearer x\x01\x01",
        b"user=a\x01\x01",
        b"user=a\x01user=b\x01auth=Bearer x\x01\x01",
        b"user=a\x01auth=bearer\x01\x01",
        b"user=\xff\x01auth=Bearer x\x01\x01",
    ],
)
def test_xoauth2_of_another_form_is_a_form_error(message):
    with pytest.raises(SaslProblem) as raised:
        xoauth2(message)
    assert raised.value.result == "form"


def test_a_name_with_a_comma_and_an_equals_sign_is_unescaped():
    assert oauthbearer(b"n,a=a=2Cb=3Dc,\x01auth=bearer x.y\x01\x01").authzid == "a,b=c"


async def test_smtplib_speaks_it(authority):
    """With Python's own client, as its users write it."""
    async with stage(authority, IMPLICIT) as on:
        on.delegates.tokens = GOOD
        host, port = on.door.addresses["implicit"][0]

        def send() -> tuple[int, bytes]:
            with smtplib.SMTP_SSL(host, port, context=on.tls, timeout=10) as client:
                client.ehlo()
                return client.auth("XOAUTH2", lambda _=None: f"user=app1\x01auth=Bearer {TOKEN}\x01\x01")

        assert (await asyncio.to_thread(send))[0] == 235


async def test_no_token_is_logged_or_repeated(authority, caplog):
    caplog.set_level(logging.DEBUG)
    async with stage(authority, IMPLICIT) as on:
        on.delegates.tokens = {"other": "app1"}
        client = await on.greeted("implicit")
        heard = [await client.says(bearer()), await client.says(""), await client.says(bearer()[:-9])]
        heard += [await client.says(xoauth()), await client.says("*"), await client.says("AUTH XOAUTH2 canary")]

    for secret in ("canary", bearer()[20:40], xoauth()[20:40]):
        assert secret not in repr(heard) + caplog.text + repr(on.events)
