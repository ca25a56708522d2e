"""``ses-relay healthcheck`` as a container runtime runs it: real processes, real answers."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.cli.healthcheck import ask, configured_address, split_address
from relay.console.readiness import Check, Readiness
from relay.console.server import AdminServer

READY: Readiness = (Check("policies", ok=True),)
NOT_READY: Readiness = (Check("policies", ok=False, why="the directory is gone"),)


async def healthcheck(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run the command; return its exit status, output and errors."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "relay", "healthcheck", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


class Relay:
    """The admin endpoint of a relay whose readiness a test sets."""

    def __init__(self) -> None:
        self.checks = READY
        self.address = ""


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    given = Relay()
    server = AdminServer(lambda accept: (b"", "text/plain"), lambda: given.checks)
    host, port = await server.start("127.0.0.1", 0)
    given.address = f"{host}:{port}"
    yield given
    await server.stop()


async def test_ready_is_nought(relay):
    """
    Exit 0 when /readyz says 200.
    """
    assert await healthcheck("--admin", relay.address) == (0, "ready\n", "")


async def test_not_ready_is_one_with_the_reason(relay):
    """
    Exit 1, and the check that fails is named.
    """
    relay.checks = NOT_READY

    assert await healthcheck("--admin", relay.address) == (
        1,
        "",
        "not ok policies: the directory is gone\nnot ready\n",
    )


async def test_the_address_is_read_from_the_file(relay, tmp_path):
    """
    -c reads [admin] address and cares for nothing else in the file.
    """
    config = tmp_path / "relay.toml"
    config.write_text(f'[admin]\naddress = "{relay.address}"\n[no.such]\nkey = true\n')

    assert (await healthcheck("-c", str(config)))[0] == 0


async def test_the_environment_comes_before_the_file(relay, tmp_path):
    """
    As for every other setting.
    """
    config = tmp_path / "relay.toml"
    config.write_text('[admin]\naddress = "127.0.0.1:1"\n')

    assert (await healthcheck("-c", str(config), SES_RELAY__ADMIN__ADDRESS=relay.address))[0] == 0


async def test_an_empty_variable_counts_as_not_set(relay, tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text(f'[admin]\naddress = "{relay.address}"\n')

    assert (await healthcheck("-c", str(config), SES_RELAY__ADMIN__ADDRESS=""))[0] == 0


async def test_a_wildcard_is_asked_on_loopback(relay):
    """
    A relay in a container is bound to every address.
    """
    port = relay.address.rsplit(":", 1)[1]

    assert (await healthcheck("--admin", f"0.0.0.0:{port}"))[0] == 0


async def test_proxies_of_the_environment_are_not_asked(relay):
    """
    A proxy for the world's HTTP has no say on loopback.
    """
    assert (await healthcheck("--admin", relay.address, http_proxy="http://127.0.0.1:1"))[0] == 0


async def test_nobody_there_is_one(unused_tcp_port):
    """
    A relay that does not answer is not ready.
    """
    status, output, errors = await healthcheck("--admin", f"127.0.0.1:{unused_tcp_port}")

    assert (status, output) == (1, "")
    assert errors.startswith(f"not ready: no answer from 127.0.0.1:{unused_tcp_port}: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--admin", "8025"],
        ["--admin", "127.0.0.1:http"],
        ["--admin", "127.0.0.1:70000"],
        ["-c", "/no/such/relay.toml"],
        ["-c", __file__],
        ["-c", "a", "--admin", "b"],
        ["--nonsense"],
        ["extra"],
    ],
    ids=" ".join,
)
async def test_wrong_usage_is_two(arguments):
    """
    Exit 2 and a word on what is wrong; no stack.
    """
    status, output, errors = await healthcheck(*arguments)

    assert (status, output) == (2, "")
    assert "Error: " in errors
    assert "Traceback" not in errors


def test_it_imports_nothing_heavy():
    """
    It runs every few seconds, for ever: none of the libraries that take long to import.
    """
    code = "import sys, relay.cli.healthcheck; print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {
        "aiohttp",
        "aiosmtpd",
        "asyncio",
        "boto3",
        "botocore",
        "prometheus_client",
        "pydantic",
        "structlog",
        "uvloop",
    }
    assert not heavy & set(modules)
    assert not {name for name in modules if name.startswith("relay.") and not name.startswith("relay.cli")}


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("127.0.0.1:8025", ("127.0.0.1", 8025)),
        ("[::1]:8025", ("::1", 8025)),
        ("[::]:1", ("::1", 1)),
        ("0.0.0.0:8025", ("127.0.0.1", 8025)),
        (":8025", ("127.0.0.1", 8025)),
        ("relay.internal:65535", ("relay.internal", 65535)),
    ],
)
def test_addresses(address, split):
    """
    HOST:PORT, IPv6 in brackets.
    """
    assert split_address(address) == split


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "h:-1", "h:٣", "h:" + "9" * 9000])
def test_no_addresses(address):
    """
    Anything else is refused before it is asked.
    """
    with pytest.raises(ValueError, match=r"HOST:PORT|integer string"):
        split_address(address)


def test_a_file_may_hold_the_variable(tmp_path, monkeypatch):
    """
    ..._FILE reads the value from a file, as for every other setting.
    """
    path = tmp_path / "address"
    path.write_text("127.0.0.1:9\n")
    monkeypatch.setenv("SES_RELAY__ADMIN__ADDRESS_FILE", str(path))

    assert configured_address(None) == "127.0.0.1:9"


@pytest.mark.parametrize("text", ["", "[admin]\n", "[admin]\ntoken_file = 'x'\n"])
def test_a_file_without_the_key(tmp_path, text):
    """
    Then the default is asked.
    """
    config = Path(tmp_path, "relay.toml")
    config.write_text(text)

    assert configured_address(str(config)) is None


@pytest.mark.parametrize("text", ["[admin]\naddress = 8025\n", "admin = 5\n", "[[admin]]\n", "[admin"])
def test_a_file_that_cannot_be_meant(tmp_path, text):
    """
    A key of the wrong type is wrong usage, not the default.
    """
    config = Path(tmp_path, "relay.toml")
    config.write_text(text)

    with pytest.raises(ValueError, match=r"admin\.address|Expected"):
        configured_address(str(config))


@pytest.mark.parametrize("answer", [b"220 relay ESMTP\r\n", b"", b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"])
async def test_what_is_no_relay_is_not_ready(answer):
    """
    Another server on that port, or none that finishes, is a reason and no stack.
    """

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(reply, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    ready, why = await asyncio.to_thread(ask, "127.0.0.1", port)

    server.close()
    assert ready is False
    assert why.startswith("not ready: ")


@pytest.mark.parametrize("host", ["no host", "h\udcff", "bücher..example"])
def test_what_is_no_name_of_a_host_is_a_reason_and_no_stack(host):
    ready, why = ask(host, 8025)

    assert ready is False
    assert why.startswith("not ready: ")


@pytest.mark.parametrize("octets", [b"\xff\xfe", b"admin ="])
def test_a_file_that_cannot_be_read_is_named(tmp_path, octets):
    (tmp_path / "relay.toml").write_bytes(octets)

    with pytest.raises(ValueError, match=r"relay\.toml: "):
        configured_address(str(tmp_path / "relay.toml"))
