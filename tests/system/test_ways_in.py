"""Every way in on one running relay: over TLS, by Python's client, and what proves it where it lies in earnest."""

import base64
import json
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import bcrypt
import boto3
import pytest
import trustme
from joserfc import jwt
from joserfc.jwk import RSAKey
from moto.server import ThreadedMotoServer
from passlib.hash import sha512_crypt

from tests.system.houses import House
from tests.system.relays import RunningRelay, command, trusting

#: Every secret begins so, and none may be seen.
CANARY: Final = "canary-in-a-cage"
LETTER = b"From: billing@example.com\r\nTo: bob@example.net\r\nSubject: s\r\n\r\nhello\r\n"
PRINCIPAL = "arn:aws:iam::111111111111:user/billing"
ISSUER = "https://login.example.com"
KEY = RSAKey.generate_key(2048, {"kid": "one"})

DELEGATES = f"""
[[delegate]]
name = "listed"
principal = "{PRINCIPAL}"

[[delegate]]
name = "carded"
principal = "{PRINCIPAL}"
client_certificates = ["dns:carded.example.com"]

[[delegate]]
name = "kept"
principal = "{PRINCIPAL}"
password_secret = "ses-relay/kept"

[[delegate]]
name = "lost"
principal = "{PRINCIPAL}"
password_secret = "ses-relay/lost"

[[delegate]]
name = "several"
principal = "{PRINCIPAL}"
password_file = "several"

[delegates]
htpasswd = "htpasswd"
secrets_refresh_interval = "1s"

[[delegates.oauth]]
issuer = "{ISSUER}"
audience = "ses-relay"
jwks_url = "JWKS"
names = {{ "client-of-listed" = "listed" }}

[limits]
auth_failures_per_minute = 0
auth_failures_per_day = 0
auth_failures_per_session = 1000

[log]
level = "debug"
"""


@dataclass
class Ways:
    """A house with all ways in, its relay, and what was heard of it."""

    house: House
    relay: RunningRelay
    clients: trustme.CA
    aws: Any
    environ: dict[str, str]
    heard: list[str] = field(default_factory=list)

    def trusting(self, *names: str) -> ssl.SSLContext:
        context = trusting()
        if names:
            self.clients.issue_cert(*names).configure_cert(context)
        return context

    def comes_in(self, enter: Callable[[smtplib.SMTP], Any], *, listener: int = 0, names: tuple[str, ...] = ()) -> str:
        """Send a letter as who *enter* makes us; return the first refusal, or the reply to the letter."""
        with self.connected(listener, self.trusting(*names)) as client:
            try:
                enter(client)
                client.mail("billing@example.com")
                client.rcpt("bob@example.net")
                code, text = client.data(LETTER)
            except smtplib.SMTPResponseException as refusal:
                code, text = refusal.smtp_code, _octets(refusal.smtp_error)
            self.heard.append(f"{code} {text.decode()}")
            return self.heard[-1]

    @contextmanager
    def connected(self, listener: int, context: ssl.SSLContext) -> Iterator[smtplib.SMTP]:
        host, port = self.relay.implicit if listener == 1 else self.relay.smtp
        implicit = listener == 1
        client = smtplib.SMTP_SSL(host, port, context=context, timeout=15) if implicit else smtplib.SMTP(host, port)
        try:
            if not implicit:
                client.starttls(context=context)
            client.ehlo()
            yield client
        finally:
            client.close()

    def settles(self, enter: Callable[[smtplib.SMTP], Any], code: str) -> None:
        """Try again until what was changed counts."""
        self.relay.wait_until(lambda: self.comes_in(enter).startswith(code), code, 15)


def _octets(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def password(name: str, secret: str) -> Callable[[smtplib.SMTP], Any]:
    return lambda client: client.login(name, secret)


def external(client: smtplib.SMTP) -> None:
    _accept(client, *client.docmd("AUTH", "EXTERNAL ="))


def token(key: RSAKey = KEY, **claims: Any) -> Callable[[smtplib.SMTP], Any]:
    body = {"iss": ISSUER, "aud": "ses-relay", "sub": "client-of-listed", "exp": time.time() + 60, **claims}
    bearer = jwt.encode({"alg": "RS256", "kid": key.kid}, body, key)
    message = base64.b64encode(f"n,,\x01auth=Bearer {bearer}\x01\x01".encode()).decode()

    def enter(client: smtplib.SMTP) -> None:
        code, text = client.docmd("AUTH", f"OAUTHBEARER {message}")
        _accept(client, *(client.docmd("") if code == 334 else (code, text)))

    return enter


def _accept(_: smtplib.SMTP, code: int, text: bytes) -> None:
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)


class Keys(BaseHTTPRequestHandler):
    """Hands out the issuer's public key."""

    def do_GET(self) -> None:
        body = json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@contextmanager
def keys() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/keys"
    server.shutdown()
    server.server_close()


def bcrypted(text: str) -> str:
    return bcrypt.hashpw(text.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def ways(certificate: tuple[Path, Path], tmp_path: Path, ses: Any) -> Iterator[Ways]:
    clients = trustme.CA()
    manager = ThreadedMotoServer("127.0.0.1", 0)
    manager.start()
    endpoint = "http://{}:{}".format(*manager.get_host_and_port())
    aws = boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=endpoint,
                       aws_access_key_id="x", aws_secret_access_key="x")  # fmt: skip
    if not any(each["Name"] == "ses-relay/kept" for each in aws.list_secrets()["SecretList"]):
        aws.create_secret(Name="ses-relay/kept", SecretString=f"{CANARY}-kept")
    house = House(tmp_path / "house", certificate, ses=ses.url)
    clients.cert_pem.write_to_path(house.folder / "clients.pem")
    house.edit('key = "key.pem"', 'key = "key.pem"\nclient_ca = "clients.pem"')
    house.edit("[tls]\n", '[[listener]]\naddress = "127.0.0.2:0"\nrequire_auth = false\n\n[tls]\n')
    (house.folder / "htpasswd").write_text(
        f"listed:{bcrypted(f'{CANARY}-one')}\nlisted:{sha512_crypt.using(rounds=1000).hash(f'{CANARY}-two')}\n"
    )
    (house.folder / "several").write_text(f"{CANARY}-old\n{CANARY}-new\n")
    for name in ("htpasswd", "several"):
        (house.folder / name).chmod(0o600)
    with keys() as url:
        house.settings.write_text(house.settings.read_text() + DELEGATES.replace("JWKS", url))
        environ = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint}
        with house.serve(environ) as relay:
            yield Ways(house, relay, clients, aws, environ)
    manager.stop()


def test_every_way_in_and_out_again(ways: Ways) -> None:
    """One relay, one story: who may, who may not, what changes while it runs; and no secret is ever seen."""
    for secret in ("one", "two"):
        assert ways.comes_in(password("listed", f"{CANARY}-{secret}")).startswith("250")
    for secret in ("old", "new"):
        assert ways.comes_in(password("several", f"{CANARY}-{secret}")).startswith("250")
    assert ways.comes_in(password("kept", f"{CANARY}-kept")).startswith("250")
    assert ways.comes_in(token()).startswith("250")
    assert ways.comes_in(token(), listener=1).startswith("250")
    for listener in (0, 1):
        assert ways.comes_in(external, listener=listener, names=("carded.example.com",)).startswith("250")

    assert ways.comes_in(password("listed", f"{CANARY}-three")).startswith("535 ")
    assert ways.comes_in(password("lost", f"{CANARY}-x")).startswith("454 4.7.0")
    assert ways.comes_in(token(aud="mail")).startswith("535 ")
    assert ways.comes_in(token(RSAKey.generate_key(2048, {"kid": "one"}))).startswith("535 ")
    assert ways.comes_in(external, names=("stranger.example.com",)).startswith("535 ")
    assert ways.comes_in(external).startswith("504 ")
    assert ways.comes_in(lambda _: None, names=("carded.example.com",)).startswith("5")
    assert "ok delegates: secret ses-relay/lost: ResourceNotFoundException" in ways.relay.readiness()
    assert ways.relay.is_ready()

    listed_and_told(ways)
    changes(ways)
    for mechanism in ("EXTERNAL", "OAUTHBEARER", "PLAIN"):
        assert ways.relay.count("ses_relay_auth_total", mechanism=mechanism, result="ok") >= 1
    seen = "\n".join([ways.relay.text, *ways.heard, ways.relay.get("/metrics"), ways.relay.readiness()])
    assert CANARY not in seen
    assert base64.b64encode(CANARY.encode())[:16].decode() not in seen


def test_a_certificate_is_enough_where_nobody_must_auth(ways: Ways) -> None:
    """On its own listener only."""
    ways.relay.addresses["listeners"][0] = ways.relay.addresses["listeners"][-1]

    assert ways.comes_in(lambda _: None, names=("carded.example.com",)).startswith("250")
    assert ways.comes_in(lambda _: None, names=("stranger.example.com",)).startswith("5")


def listed_and_told(ways: Ways) -> None:
    """What ``delegate list`` and ``delegate check`` say of each."""
    done = command("delegate", "list", "--json", "-c", str(ways.house.settings))
    by = {row["name"]: row["authenticates_by"] for row in json.loads(done.stdout)}
    assert by["listed"] == ["htpasswd", "token"]
    assert by["carded"] == ["client_certificate"]
    assert by["kept"] == ["password_secret"]
    checked = command("delegate", "check", "-c", str(ways.house.settings), environ=ways.environ)
    assert checked.returncode == 1
    told = checked.stdout.decode().splitlines()
    assert "not ok  lost  password_secret  ses-relay/lost: ResourceNotFoundException" in told
    assert "ok      kept  password_secret  ses-relay/kept: 1 password" in told
    assert "ok      listed  htpasswd  2 passwords (bcrypt, sha512)" in told
    assert f"ok      listed  token  {ISSUER}: 1 key" in told
    assert sum(line.startswith("not ok") for line in told) == 1
    assert CANARY not in (done.stdout + checked.stdout + checked.stderr).decode()


def changes(ways: Ways) -> None:
    """Rotate, break, mend, remove."""
    ways.aws.put_secret_value(SecretId="ses-relay/kept", SecretString=f"{CANARY}-rotated")
    ways.settles(password("kept", f"{CANARY}-rotated"), "250")
    assert ways.comes_in(password("kept", f"{CANARY}-kept")).startswith("250")

    htpasswd = ways.house.folder / "htpasswd"
    good = htpasswd.read_text()
    htpasswd.write_text(f"listed:{bcrypted('x')}\nother:{CANARY}\n")
    refused = ways.relay.wait_for("htpasswd.refused")
    assert refused["problems"][0].startswith("line 2: a password in clear")
    answer = ways.relay.reload()
    assert answer["event"] == "relay.reload-refused"
    assert "htpasswd line 2" in str(answer["problems"])
    assert ways.comes_in(password("listed", f"{CANARY}-one")).startswith("250")
    htpasswd.write_text(good.replace("listed:$6$", "#"))
    ways.settles(password("listed", f"{CANARY}-two"), "535")
    assert ways.comes_in(password("listed", f"{CANARY}-one")).startswith("250")

    ways.house.edit('name = "carded"', 'name = "renamed"')
    ways.house.edit("dns:carded.example.com", "dns:renamed.example.com")
    assert ways.relay.reload()["event"] == "relay.reloaded"
    assert ways.comes_in(external, names=("carded.example.com",)).startswith("535 ")
    assert ways.comes_in(external, names=("renamed.example.com",)).startswith("250")
