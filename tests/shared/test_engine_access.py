"""Users with a few rights, TLS, wrong passwords: what is told is never a secret."""

import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

import pytest
import trustme

from relay.observe.events import Event, SharedLost
from relay.shared.answers import Away
from relay.shared.engine import Engine
from tests.shared.pacers import HardSes, mailer
from tests.shared.servers import RedisServer

Make = Callable[..., Awaitable[Engine]]
Servers = Callable[..., RedisServer]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "fleet.md"
PASSWORD = "canary-of-redis"


def rights() -> list[str]:
    """The rights that the page grants the relays' user."""
    (line,) = re.findall(r"^ACL SETUSER ses-relay (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    return [each for each in line.split() if not each.startswith((">", "on"))]


@pytest.fixture
def guarded(own_server: Servers) -> RedisServer:
    """A server at which only the user of the page may do anything, and nothing but what the page grants."""
    server = own_server()
    assert server.ask("ACL", "SETUSER", "ses-relay", "on", f">{PASSWORD}", *rights()) == b"+OK"
    assert server.ask("ACL", "SETUSER", "default", "off") == b"+OK"
    return server


async def test_the_user_of_the_page_may_do_all_that_relays_do(guarded: RedisServer):
    ses = HardSes(100)
    async with mailer(guarded.url.replace("unix://", f"unix://ses-relay:{PASSWORD}@"), ses, "one") as one:
        assert one.engine.state.is_up
        assert one.engine.state.server.startswith(("Redis ", "Valkey "))
        assert await one.send_one() is None
        assert await one.engine.publish("x", "y") == 0
        assert one.pacer._lanes["111111111111", "us-east-1"].supply._last is not None  # type: ignore[union-attr]  # a look inside
        foreign = await one.engine.command("GET", "somebody-elses")
        assert isinstance(foreign, Away)
        assert foreign.code == "NOPERM"
        assert isinstance(await one.engine.command("FLUSHALL"), Away)


def test_the_page_grants_the_commands_of_the_scripts_and_no_others():
    """What the scripts of pace and policies call is granted, command by command; categories are not."""
    granted = {right[1:].upper() for right in rights() if right.startswith("+")}
    texts = "".join(each.read_text("utf-8") for each in (files("relay.shared") / "lua").iterdir() if each.is_file())
    called = set(re.findall(r"redis\.p?call\('(\w+)'", texts))
    assert called <= granted
    assert not [right for right in granted if right.startswith("@")]


@pytest.mark.parametrize(
    ("user", "code"),
    [(f"ses-relay:{PASSWORD}x", "WRONGPASS"), ("", "WRONGPASS")],
    ids=["a wrong password", "no user"],
)
async def test_a_wrong_password_is_told_without_it(
    guarded: RedisServer, engine_at: Make, told: list[Event], user: str, code: str
):
    url = guarded.url.replace("unix://", f"unix://{user}@" if user else "unix://")
    engine = await engine_at(url)
    assert not engine.state.is_up
    (lost,) = told
    assert isinstance(lost, SharedLost)
    assert PASSWORD not in repr(lost)
    assert isinstance(await engine.command("PING"), Away)


@pytest.fixture
def over_tls(own_server: Servers, tmp_path: Path) -> tuple[RedisServer, str]:
    """A server that speaks TLS on its port, and a URL of it that trusts its authority."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    (tmp_path / "chain.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    server = own_server(
        {
            "tls-port": "{port}",
            "port": "0",
            "tls-cert-file": str(tmp_path / "chain.pem"),
            "tls-key-file": str(tmp_path / "key.pem"),
            "tls-ca-cert-file": str(tmp_path / "ca.pem"),
            "tls-auth-clients": "no",
        },
        port=None,
    )
    return server, f"rediss://localhost:{server.port}?ssl_ca_certs={tmp_path / 'ca.pem'}"


async def test_tls_with_an_authority_of_ones_own(over_tls: tuple[RedisServer, str], engine_at: Make):
    _, url = over_tls
    engine = await engine_at(url)
    assert engine.state.is_up, engine.state.why
    assert await engine.command("PING") in (b"PONG", True)


async def test_a_certificate_of_another_name_or_authority_is_refused(
    over_tls: tuple[RedisServer, str], engine_at: Make
):
    _, url = over_tls
    other_name = await engine_at(url.replace("localhost", "127.0.0.1"))
    assert not other_name.state.is_up
    assert "certificate" in other_name.state.why
    unknown = await engine_at(url.partition("?")[0])
    assert not unknown.state.is_up
    assert "certificate" in unknown.state.why
