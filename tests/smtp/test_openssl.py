"""TLS as a stranger tries it: by ``openssl s_client``, on both ways in."""

import asyncio
from collections.abc import Callable

import pytest

from tests.smtp.stage import IMPLICIT, STARTTLS, Stage, stage

pytestmark = pytest.mark.system
WAYS = ["starttls", "implicit"]


@pytest.fixture
def openssl(tool: Callable[[str], str]) -> str:
    return tool("openssl")


async def started(program: str, on: Stage, way: str, *options: str) -> asyncio.subprocess.Process:
    host, port = on.door.addresses[way][0]
    starttls = ["-starttls", "smtp"] if way == "starttls" else []
    return await asyncio.create_subprocess_exec(
        program,
        *["s_client", "-connect", f"{host}:{port}", "-crlf", *starttls, *options],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def s_client(program: str, on: Stage, way: str, *options: str, says: bytes = b"QUIT\n") -> str:
    """Connect, say something under TLS, and return what was shown."""
    process = await started(program, on, way, "-ign_eof", *options)
    async with asyncio.timeout(20):
        out, _ = await process.communicate(says)
    return out.decode("latin-1")


async def is_well(on: Stage, way: str) -> bool:
    """Whether others go on sending."""
    return (await (await on.authenticated(way)).hands_in()).startswith("250")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("version", "name"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_the_two_versions_of_today_are_spoken(openssl, authority, way, version, name):
    """
    With AEAD and forward secrecy, and without compression even where the client wants it.
    """
    async with stage(authority, STARTTLS, IMPLICIT) as on:
        shown = await s_client(openssl, on, way, version, "-comp")

        assert f"New, {name}, Cipher is " in shown
        assert "GCM" in shown or "CHACHA20" in shown
        assert "Compression: NONE" in shown
        assert "221 2.0.0" in shown


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
async def test_older_versions_are_refused(openssl, authority, way, version):
    async with stage(authority, STARTTLS, IMPLICIT) as on:
        shown = await s_client(openssl, on, way, version, "-cipher", "ALL:@SECLEVEL=0")

        assert "Cipher is (NONE)" in shown
        assert "221" not in shown
        assert await is_well(on, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES256-GCM-SHA384", "aNULL", "eNULL", "DHE"]
)
async def test_ciphers_without_forward_secrecy_or_aead_are_refused(openssl, authority, way, cipher):
    async with stage(authority, STARTTLS, IMPLICIT) as on:
        shown = await s_client(openssl, on, way, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")

        assert "Cipher is (NONE)" in shown
        assert "221" not in shown


@pytest.mark.parametrize("way", WAYS)
async def test_k_renego_nobody_renegotiates(openssl, authority, way):
    """
    R makes s_client ask for it: each would cost us a handshake, and the client nothing.
    """
    async with stage(authority, STARTTLS, IMPLICIT) as on:
        process = await started(openssl, on, way, "-tls1_2")
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(20):
            before = await process.stdout.readuntil(b"220 relay" if way == "implicit" else b"250 STARTTLS")
            process.stdin.write(b"R\n")
            shown = await process.stdout.read()
        await process.wait()

        assert b"Cipher is ECDHE" in before
        assert b"RENEGOTIATING" in shown
        assert b"no renegotiation" in shown
        assert await is_well(on, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name",
    ["relay.test", "x" * 255, "..", "*", "127.0.0.1", "a b", "gr\u00fc\u00dfe.example", "x\r\nMAIL FROM:<>", "%s"],
)
async def test_whatever_name_the_client_asks_for_it_is_shown_the_one_certificate(openssl, authority, way, name):
    async with stage(authority, STARTTLS, IMPLICIT) as on:
        shown = await s_client(openssl, on, way, "-servername", name)

        assert "BEGIN CERTIFICATE" in shown
        assert "221 2.0.0" in shown
        assert on.endings == []


@pytest.mark.parametrize("way", WAYS)
async def test_auth_is_offered_under_tls(openssl, authority, way):
    async with stage(authority, STARTTLS, IMPLICIT) as on:
        shown = await s_client(openssl, on, way, says=b"EHLO client.test\nQUIT\n")

        assert "AUTH PLAIN LOGIN" in shown
        assert "STARTTLS" not in shown.partition("CONNECTED")[2].partition("EHLO")[2]
