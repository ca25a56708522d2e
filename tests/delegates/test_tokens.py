"""Bearer tokens: signed by real keys, which a real server hands out, and every way not to be good."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from relay.delegates.entries import Elsewhere, Entry
from relay.delegates.jwks import JwksProblem, fetch_jwks
from relay.delegates.registry import Doors, Registry
from relay.delegates.tokens import SKEW_SECONDS, Issuer
from relay.observe.events import Event, Noted
from relay.words.delegates import Delegate
from relay.words.unavailable import Unavailable
from tests.delegates.test_registry import ABROAD, HOME

NOW = 1_800_000_000.0
RSA, OTHER, EC = (
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    RSAKey.generate_key(2048, {"kid": "other"}),
    ECKey.generate_key("P-256", {"kid": "ec"}),
)
ISSUER = "https://login.example.com"
CLAIMS = {"iss": ISSUER, "aud": "ses-relay", "sub": "billing", "exp": NOW + 600, "nbf": NOW - 10, "iat": NOW - 10}


class IdentityProvider:
    """A JWKS document on HTTP, which a test changes, breaks and counts the readers of."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSA, EC]
        self.status = 200
        self.body: bytes | None = None
        self.asked = 0
        app = web.Application()
        app.router.add_get("/keys", self._answer)
        self.server = TestServer(app)

    async def _answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        keys = [key if isinstance(key, dict) else key.as_dict(private=False) for key in self.keys]
        body = json.dumps({"keys": keys}).encode() if self.body is None else self.body
        return web.Response(status=self.status, body=body, headers={"Location": "/keys"})

    @property
    def url(self) -> str:
        return str(self.server.make_url("/keys"))


class Desk:
    """A registry that believes the identity provider. Its clocks stand still."""

    def __init__(self, provider: IdentityProvider, **more: Any) -> None:
        self.now = 1000.0
        self.events: list[Noted] = []
        self.entries = [
            Entry.of(Delegate("billing", "111111111111")),
            Entry.of(Delegate("home", "111111111111"), allowed_networks=[ip_network("10.0.0.0/8")]),
        ]
        self.elsewhere = Elsewhere(issuers=(Issuer(ISSUER, "ses-relay", provider.url, **more),))
        doors = Doors(now=lambda: NOW, monotonic=lambda: self.now)
        self.registry = Registry(self.entries, self.elsewhere, doors=doors, observe=self._note)

    def _note(self, event: Event) -> None:
        assert isinstance(event, Noted)
        self.events.append(event)

    async def ask(self, token: str, client: Any = HOME) -> str | Unavailable | None:
        return await self.registry.by_token(token, client)


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    made = IdentityProvider()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
def desk(provider):
    made: list[Desk] = []

    def make(**more) -> Desk:
        made.append(Desk(provider, **more))
        return made[-1]

    yield make
    for each in made:
        each.registry.close()


def signed(key: Any = RSA, *, alg: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token; a claim of None is left out."""
    body = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid, **(header or {})}, body, key, algorithms=[alg])


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def signed_by_secret(secret: bytes) -> str:
    """By HMAC with what everybody knows: the confusion of RFC 8725 section 2.1."""
    unsigned = forged({"alg": "HS256", "kid": "rsa"}, CLAIMS).rpartition(".")[0]
    signature = hmac.digest(secret, unsigned.encode(), "sha256")
    return f"{unsigned}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


@pytest.mark.parametrize(
    "token",
    [
        signed(),
        signed(EC, alg="ES256"),
        signed(alg="PS256"),
        signed(aud=["mail", "ses-relay"]),
        signed(nbf=None, iat=None),
        signed(nbf=NOW + SKEW_SECONDS - 1, iat=NOW + SKEW_SECONDS - 1),
    ],
)
async def test_a_good_token_is_its_delegate(desk, token):
    assert await desk().ask(token) == "billing"


BAD = {
    "another audience": signed(aud="another"),
    "part of our audience": signed(aud="ses-relay.evil.example"),
    "no audience": signed(aud=None),
    "an audience that is no text": signed(aud={"ses-relay": 1}),
    "another issuer": signed(iss="https://evil.example"),
    "an issuer with a slash more": signed(iss=ISSUER + "/"),
    "no issuer": signed(iss=None),
    "expired this moment": signed(exp=NOW),
    "expired": signed(exp=NOW - 1),
    "without an end": signed(exp=None),
    "an end that is a text": signed(exp=str(NOW + 600)),
    "an end that is true": signed(exp=True),
    "an end that is no number": signed(exp=float("nan")),
    "an infinite end": signed(exp=float("inf")),
    "an end past all numbers": signed(exp=10**400),
    "not yet": signed(nbf=NOW + SKEW_SECONDS + 1),
    "made tomorrow": signed(iat=NOW + 86400),
    "nobody's name": signed(sub="nobody"),
    "no name": signed(sub=None),
    "a name that is a list": signed(sub=["billing"]),
    "an algorithm that is not permitted": signed(alg="RS512"),
    "another's key under our name": signed(OTHER, header={"kid": "rsa"}),
    "an unknown key": signed(OTHER),
    "no signature": forged({"alg": "none", "kid": "rsa"}, CLAIMS),
    "no signature, no algorithm": forged({"kid": "rsa"}, CLAIMS),
    "a shared secret": signed(OctKey.import_key("s" * 64, {"kid": "oct"}), alg="HS256"),
    "our public key as a shared secret": signed_by_secret(RSA.as_pem(private=False)),
    "a cut signature": signed()[:-8],
    "a changed claim": ".".join([signed().split(".")[0], forged({}, CLAIMS | {"exp": NOW + 9999}).split(".")[1],
                                 signed().split(".")[2]]),
    "a key it brings itself": signed(OTHER, header={"kid": "rsa", "jwk": OTHER.as_dict(private=False)}),
    "a key's place it brings itself": signed(OTHER, header={"kid": "rsa", "jku": "https://evil.example/keys"}),
    "a header that must be understood": forged({"alg": "RS256", "kid": "rsa", "crit": ["x"], "x": 1}, CLAIMS, b"x"),
    "a key's name that is a number": forged({"alg": "RS256", "kid": 1}, CLAIMS, b"x"),
    "five parts": "a.b.c.d.e",
    "no parts": "canary",
    "nothing": "",
    "no JSON": "!!!.???.x",
    "a list": forged({"alg": "RS256"}, CLAIMS).split(".")[0] + ".W10.x",
    "deep": base64.urlsafe_b64encode(b"[" * 6000).decode() + ".W10.x",
    "endless": signed() + "A" * 10_000,
    "8-bit": signed() + "é",
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
async def test_a_token_that_is_not_good_is_no(desk, why):
    assert await desk().ask(BAD[why]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"alg": "RS512"},
        {"kty": "oct"},
        {"kty": ["RSA"]},
        {"n": "AQAB"},
        {"n": None},
    ],
    ids=str,
)
async def test_a_key_for_something_else_verifies_nothing(desk, provider, change):
    provider.keys = [{**RSA.as_dict(private=False), **change}, "canary", None, {}]
    provider.keys = [key for key in provider.keys if isinstance(key, dict)]

    assert await desk().ask(signed()) is None


async def test_a_weak_key_verifies_nothing(desk, provider, recwarn):
    weak = RSAKey.generate_key(1024, {"kid": "weak"})
    recwarn.clear()
    provider.keys = [weak]

    token = signed(weak)
    recwarn.clear()
    assert await desk().ask(token) is None


async def test_a_claim_names_the_delegate_by_the_operators_table(desk):
    """With a table only what stands in it is anybody."""
    tried = desk(claim="azp", names={"3f1c-canary": "billing"})

    assert await tried.ask(signed(azp="3f1c-canary", sub="x")) == "billing"
    assert await tried.ask(signed(azp="billing")) is None
    assert await tried.ask(signed()) is None


async def test_a_token_counts_only_from_where_its_delegate_may_come(desk):
    tried = desk()

    assert await tried.ask(signed(sub="home")) == "home"
    assert await tried.ask(signed(sub="home"), ABROAD) is None


async def test_a_removed_delegate_or_issuer_is_nobody_at_once(desk):
    tried = desk()
    assert await tried.ask(signed()) == "billing"

    await tried.registry.reload([], tried.elsewhere)
    assert await tried.ask(signed()) is None
    await tried.registry.reload(tried.entries, Elsewhere())
    assert await tried.ask(signed()) is None
    assert not tried.registry.takes_tokens


async def test_a_new_key_is_found_when_it_is_shown(desk, provider):
    tried = desk()
    assert await tried.ask(signed()) == "billing"

    provider.keys = [OTHER]
    assert await tried.ask(signed(OTHER)) == "billing"
    assert await tried.ask(signed()) is None, "the old key is gone with the look that found the new one"


async def test_strangers_do_not_make_us_a_flood(desk, provider):
    """A hundred unknown keys cost the provider four requests; then the answer is to come again."""
    tried = desk()
    answers = [await tried.ask(signed(OTHER, header={"kid": f"k{number}"})) for number in range(100)]

    assert provider.asked <= 4
    assert answers[0] is None
    assert isinstance(answers[-1], Unavailable)
    assert await tried.ask(signed()) == "billing"

    provider.keys = [OTHER]
    tried.now += 20
    assert await tried.ask(signed(OTHER)) == "billing"


async def test_many_at_once_share_one_look(desk, provider):
    tried = desk()

    assert set(await asyncio.gather(*(tried.ask(signed()) for _ in range(50)))) == {"billing"}
    assert provider.asked == 1


async def spoil_status(provider: IdentityProvider) -> None:
    provider.status = 503


async def spoil_redirect(provider: IdentityProvider) -> None:
    provider.status = 302


async def spoil_text(provider: IdentityProvider) -> None:
    provider.body = b"<html>"


async def spoil_shape(provider: IdentityProvider) -> None:
    provider.body = b'{"keys": {}}'


async def spoil_list(provider: IdentityProvider) -> None:
    provider.body = b"[]"


async def spoil_size(provider: IdentityProvider) -> None:
    provider.body = b" " * 300_000


async def spoil_server(provider: IdentityProvider) -> None:
    await provider.server.close()


@pytest.mark.parametrize(
    "spoil", [spoil_status, spoil_redirect, spoil_text, spoil_shape, spoil_list, spoil_size, spoil_server]
)
async def test_without_keys_nobody_hears_no(desk, provider, spoil):
    """It is temporary, told once, and over when the keys are there; a failure is not repeated for every client."""
    url = provider.url
    await spoil(provider)
    tried = desk() if spoil is not spoil_server else None
    if tried is None:
        provider.server = type("Gone", (), {"make_url": staticmethod(lambda _: url), "close": _nothing})()
        tried = desk()

    answers = [await tried.ask(signed()) for _ in range(5)]

    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert provider.asked <= 1
    assert [event.event for event in tried.events] == ["jwks.unreadable"]
    assert list(tried.registry.troubles()) == [f"issuer {ISSUER}"]


async def _nothing(*_: object) -> None:
    """There is nothing left to close."""


async def test_known_keys_are_believed_for_an_hour(desk, provider):
    tried = desk()
    assert await tried.ask(signed()) == "billing"
    provider.status = 500
    for minutes, wanted in ((6, "billing"), (50, "billing"), (10, None)):
        tried.now += minutes * 60
        answer = await tried.ask(signed())
        assert answer == wanted or (wanted is None and isinstance(answer, Unavailable))

    provider.status = 200
    tried.now += 10
    assert await tried.ask(signed()) == "billing"


async def test_the_start_fetches_the_keys(desk, provider):
    """So that the first client does not wait, and what is wrong is told before anybody asks."""
    tried = desk()
    await tried.registry.start()

    assert provider.asked == 1
    assert tried.registry.troubles() == {}
    assert [event.event for event in tried.events] == ["jwks.read"]


async def test_an_address_that_can_be_none_is_a_failure_like_others():
    """It must not end the task that keeps the keys fresh."""
    with pytest.raises(JwksProblem):
        await fetch_jwks("https://a..b/keys", None)
