"""Client certificates: real handshakes, EXTERNAL, and what a certificate is where nobody has to AUTH."""

import asyncio
import smtplib
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID

from relay.observe.events import AuthTried
from relay.smtp.listeners import Listener
from relay.smtp.tls import server_context
from tests.smtp.stage import IMPLICIT, STARTTLS, Client, Stage, b64, stage

OPEN_IMPLICIT = Listener("implicit", "127.0.0.1", 0, "implicit", require_auth=False)
OPEN_STARTTLS = Listener("starttls", "127.0.0.1", 0, "starttls", require_auth=False)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class Cards:
    """An authority that signs the certificates of clients, and the contexts that show them."""

    def __init__(self, authority, folder: Path) -> None:
        self.authority = authority
        self.ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca.cert_pem.write_to_path(folder / "clients.pem")
        self.folder = folder

    def server(self, **more) -> ssl.SSLContext:
        return server_context(self.authority.certificate, self.authority.key, self.folder / "clients.pem", **more)

    def client(
        self, *names: str, ca: trustme.CA | None = None, version: ssl.TLSVersion | None = None
    ) -> ssl.SSLContext:
        context = self.trusting(version)
        if names:
            issued = (ca or self.ca).issue_cert(*names, common_name=names[0], key_type=trustme.KeyType.ECDSA)
            issued.configure_cert(context)
        return context

    def trusting(self, version: ssl.TLSVersion | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority.certificate_of_ca)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context


@pytest.fixture
def cards(authority, tmp_path) -> Cards:
    return Cards(authority, tmp_path)


async def came_in(on: Stage, listener: str, context: ssl.SSLContext) -> Client:
    """A client that has shown its certificate and said EHLO."""
    host, port = on.door.addresses[listener][0]
    client = await Client.connect(host, port, context if listener == "implicit" else None)
    on.clients.append(client)
    assert (await client.reply()).startswith("220")
    if listener == "starttls":
        await client.says("EHLO client.test")
        assert (await client.says("STARTTLS")).startswith("220")
        await client.start_tls(context)
    return client


async def greeting(host: str, port: int, context: ssl.SSLContext) -> str:
    """Three digits, or none where the handshake fails. In TLS 1.3 a client hears of that after its own part of it."""
    try:
        client = await Client.connect(host, port, context)
    except OSError:
        return "none"
    heard = await client.reply()
    await client.close()
    return "none" if heard == "CLOSED" else heard[:3]


@pytest.mark.parametrize("listener", ["implicit", "starttls"])
@pytest.mark.parametrize("version", VERSIONS, ids=str)
async def test_a_certificate_is_its_delegate_by_external(authority, cards, listener, version):
    async with stage(replace(authority, server=cards.server()), IMPLICIT, STARTTLS) as on:
        on.delegates.certificates = {"app1": "dns:billing.example.com"}
        client = await came_in(on, listener, cards.client("billing.example.com", version=version))

        assert "AUTH PLAIN LOGIN EXTERNAL" in await client.says("EHLO client.test")
        assert (await client.says("MAIL FROM:<app1@example.com>")).startswith("530 5.7.0")
        assert (await client.says("AUTH EXTERNAL =")).startswith("235 2.7.0")
        assert (await client.hands_in()).startswith("250")

    session, _, _ = on.reception.taken[0]
    assert session.delegate == "app1"
    assert on.of(AuthTried)[-1] == AuthTried("EXTERNAL", "ok", session.id, "app1")


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        (["AUTH EXTERNAL " + b64(b"app1")], "235"),
        (["auth external =", "NOOP"], "250"),
        (["AUTH EXTERNAL", b64(b"app1")], "235"),
        (["AUTH EXTERNAL", ""], "235"),
        (["AUTH EXTERNAL", "*"], "501 5.7.0"),
        (["AUTH EXTERNAL " + b64(b"app2")], "535 5.7.8"),
        (["AUTH EXTERNAL " + b64(b"ceo")], "535 5.7.8"),
        (["AUTH EXTERNAL " + b64(b"app1\0")], "501 5.5.2"),
        (["AUTH EXTERNAL " + b64(b"\xff")], "501 5.5.2"),
        (["AUTH EXTERNAL " + b64(b"a" * 256)], "501 5.5.2"),
        (["AUTH EXTERNAL !"], "501 5.5.2"),
    ],
)
async def test_external_acts_for_nobody_else(authority, cards, commands, answer):
    async with stage(replace(authority, server=cards.server()), IMPLICIT) as on:
        on.delegates.certificates = {"app1": "dns:billing.example.com", "app2": "dns:news.example.com"}
        client = await came_in(on, "implicit", cards.client("billing.example.com"))
        await client.says("EHLO client.test")

        assert [await client.says(command) for command in commands][-1].startswith(answer)


async def test_a_certificate_of_two_delegates_is_the_one_that_is_asked_for(authority, cards):
    async with stage(replace(authority, server=cards.server()), IMPLICIT) as on:
        on.delegates.certificates = {"app1": "dns:billing.example.com", "app2": "cn:billing.example.com"}
        client = await came_in(on, "implicit", cards.client("billing.example.com"))
        await client.says("EHLO client.test")

        assert (await client.says("AUTH EXTERNAL =")).startswith("535")
        assert (await client.says("AUTH EXTERNAL " + b64(b"app2"))).startswith("235")


@pytest.mark.parametrize("listener", ["implicit", "starttls"])
async def test_who_shows_none_is_offered_no_external(authority, cards, listener):
    async with stage(replace(authority, server=cards.server()), IMPLICIT, STARTTLS) as on:
        client = await came_in(on, listener, cards.client())

        assert "EXTERNAL" not in await client.says("EHLO client.test")
        assert (await client.says("AUTH EXTERNAL =")).startswith("504 5.5.4")


@pytest.mark.parametrize("version", VERSIONS, ids=str)
async def test_one_that_another_has_signed_does_not_come_in(authority, cards, version):
    other = trustme.CA()
    async with stage(replace(authority, server=cards.server()), IMPLICIT) as on:
        host, port = on.door.addresses["implicit"][0]
        context = cards.client("billing.example.com", ca=other, version=version)
        assert await greeting(host, port, context) == "none"
        await on.settled()


@pytest.mark.parametrize("version", VERSIONS, ids=str)
async def test_where_one_is_required_nobody_comes_in_without(authority, cards, version):
    server = cards.server(require_client_certificate=True)
    async with stage(replace(authority, server=server), IMPLICIT) as on:
        on.delegates.certificates = {"app1": "dns:billing.example.com"}
        host, port = on.door.addresses["implicit"][0]
        assert await greeting(host, port, cards.client(version=version)) == "none"
        client = await came_in(on, "implicit", cards.client("billing.example.com", version=version))

        assert (await client.says("EHLO client.test")).startswith("250")


@pytest.mark.parametrize(("open_listener", "closed"), [(OPEN_IMPLICIT, IMPLICIT), (OPEN_STARTTLS, STARTTLS)])
async def test_a_certificate_speaks_for_itself_only_where_nobody_must_auth(authority, cards, open_listener, closed):
    """Before the address does: a certificate is proven, an address is only there."""
    for listener, first in ((open_listener, "250"), (closed, "530")):
        async with stage(replace(authority, server=cards.server()), listener) as on:
            on.delegates.certificates = {"app1": "dns:billing.example.com"}
            on.delegates.network = "app2"
            client = await came_in(on, listener.name, cards.client("billing.example.com"))
            await client.says("EHLO client.test")

            assert (await client.hands_in())[:3] == first
            assert [session.delegate for session, _, _ in on.reception.taken] == ["app1"] * (first == "250")


async def test_an_unknown_certificate_leaves_it_to_the_address(authority, cards):
    async with stage(replace(authority, server=cards.server()), OPEN_IMPLICIT) as on:
        on.delegates.network = "app2"
        client = await came_in(on, "implicit", cards.client("stranger.example.com"))
        await client.says("EHLO client.test")
        await client.hands_in()

        assert on.reception.taken[0][0].delegate == "app2"


async def test_an_unknown_certificate_counts_as_a_failure_and_is_slowed(authority, cards):
    """Three end the connection; a budget that others have spent does not stop one that is good."""
    async with stage(replace(authority, server=cards.server()), IMPLICIT, auth_failures_per_minute=3) as on:
        on.delegates.certificates = {"app1": "dns:billing.example.com"}
        stranger = await came_in(on, "implicit", cards.client("stranger.example.com"))
        await stranger.says("EHLO client.test")
        answers = [await stranger.says("AUTH EXTERNAL =") for _ in range(3)]
        assert [answer[:3] for answer in answers] == ["535"] * 3
        assert (await stranger.reply()).startswith("421 4.7.0")

        again = await came_in(on, "implicit", cards.client("stranger.example.com"))
        await again.says("EHLO client.test")
        assert (await again.says("AUTH EXTERNAL =")).startswith("454")
        good = await came_in(on, "implicit", cards.client("billing.example.com"))
        await good.says("EHLO client.test")
        assert (await good.says("AUTH EXTERNAL =")).startswith("235")


async def test_no_session_is_resumed_by_a_ticket_where_certificates_count(authority, cards):
    """Each connection shows its certificate anew, and is looked up anew."""
    context = cards.client("billing.example.com")
    async with stage(replace(authority, server=cards.server()), IMPLICIT) as on:
        host, port = on.door.addresses["implicit"][0]

        def twice() -> list[bool]:
            reused, session = [], None
            for _ in range(2):
                with smtplib.socket.create_connection((host, port)) as raw:  # type: ignore[attr-defined] # it imports it
                    wrapped = context.wrap_socket(raw, server_hostname="relay.test", session=session)
                    wrapped.recv(100)
                    reused.append(bool(wrapped.session_reused))
                    session = wrapped.session
                    wrapped.close()
            return reused

        assert await asyncio.to_thread(twice) == [False, False]
        assert context is not None


@pytest.mark.parametrize("version", VERSIONS, ids=str)
async def test_a_certificate_is_nobodys_after_its_end(authority, cards, monkeypatch, version):
    """Also on a connection that is older, or resumes a session of TLS 1.2 that is: TLS does not look again."""
    context, tomorrow = cards.trusting(version), datetime.now(UTC) + timedelta(days=1)
    cards.ca.issue_cert("billing.example.com", not_after=tomorrow).configure_cert(context)
    async with stage(replace(authority, server=cards.server()), IMPLICIT, OPEN_STARTTLS) as on:
        on.delegates.certificates = {"app1": "dns:billing.example.com"}
        older = await came_in(on, "implicit", context)
        assert "EXTERNAL" in await older.says("EHLO client.test")

        monkeypatch.setattr("relay.smtp.authentication.time", lambda: tomorrow.timestamp() + 1)
        assert "EXTERNAL" not in await older.says("EHLO client.test")
        assert (await older.says("AUTH EXTERNAL =")).startswith("504 5.5.4")
        open_to_all = await came_in(on, "starttls", context)
        await open_to_all.says("EHLO client.test")
        assert (await open_to_all.says("MAIL FROM:<app1@example.com>")).startswith("530 5.7.0")


@pytest.mark.parametrize("listener", ["implicit", "starttls"])
async def test_a_certificate_with_a_name_that_is_no_text_does_not_come_in(authority, cards, tmp_path, listener):
    """The standard library cannot read it; the connection ends, and is not counted any more."""
    context = cards.trusting(None)
    context.load_cert_chain(with_alternative_name(cards.ca, b"\xff\xfe.example.com", tmp_path / "odd.pem"))
    async with stage(replace(authority, server=cards.server()), IMPLICIT, STARTTLS) as on:
        with suppress(AssertionError, OSError):  # in TLS 1.3 its own part of the handshake is done by then
            client = await came_in(on, listener, context)
            assert await client.says("EHLO client.test") == "CLOSED"

        await on.settled()
        assert on.door._premises.crowd.total == 0


def with_alternative_name(ca: trustme.CA, dns: bytes, file: Path) -> Path:
    """A certificate with a host of these octets in it, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    issuer = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    general_name = bytes((0x82, len(dns))) + dns
    names = x509.UnrecognizedExtension(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes((0x30, len(general_name))) + general_name
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(serialization.load_pem_private_key(ca.private_key_pem.bytes(), None), hashes.SHA256())  # type: ignore[arg-type] # it is of EC
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return file
