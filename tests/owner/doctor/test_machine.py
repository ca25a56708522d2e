"""What is looked at on this machine: certificates, files, the spool's place, addresses."""

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from relay.owner.doctor.certificate import look_at_certificate
from relay.owner.doctor.doors import look_at_admin, look_at_listener
from relay.owner.doctor.findings import Look
from relay.owner.doctor.names import look_at_names
from relay.owner.doctor.rounds import Rounds
from relay.owner.doctor.secret_files import look_at_secrets
from relay.owner.doctor.setup import Certificate, Listening, SecretFile, SpoolPlace
from relay.owner.doctor.spool_place import look_at_spool
from relay.spool.lock import SpoolLock
from tests.ports import free_port

NOW = datetime.now(UTC)


def made(look: Look) -> dict[str, tuple[str, str]]:
    return {each.check: (each.status.value, each.what) for each in Rounds().make([look])}


def certificate(home: Path, *names: str, ca: trustme.CA | None = None, days: float = 90) -> Certificate:
    issued = (ca or trustme.CA()).issue_cert(*names, not_after=NOW + timedelta(days=days))
    issued.private_key_pem.write_to_path(home / "key.pem")
    issued.cert_chain_pems[0].write_to_path(home / "chain.pem")
    return Certificate(home / "chain.pem", home / "key.pem")


def test_a_good_certificate(tmp_path, monkeypatch):
    """The system trusts our authority for the moment: OpenSSL reads SSL_CERT_FILE."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    found = made(look_at_certificate(certificate(tmp_path, "relay.test", ca=ca), "relay.test", NOW.timestamp()))

    assert {status for status, _ in found.values()} == {"ok"}
    assert found["tls.expiry"][1].endswith(("in 89 days", "in 90 days"))


def test_a_certificate_that_nobody_trusts_for_another_name_that_ends_soon(tmp_path):
    found = made(look_at_certificate(certificate(tmp_path, "mail.test", days=10), "relay.test", NOW.timestamp()))

    assert {check: status for check, (status, _) in found.items()} == {
        "tls.certificate": "ok",
        "tls.expiry": "warning",
        "tls.name": "warning",
        "tls.chain": "warning",
    }
    assert found["tls.name"][1] == "it is not for relay.test, but for mail.test"
    assert "unable to get local issuer certificate (1 certificate in the file)" in found["tls.chain"][1]


def test_a_certificate_after_its_end(tmp_path):
    """OpenSSL judges by its own clock, so the certificate has really ended."""
    ca = trustme.CA()
    issued = ca.issue_cert("relay.test", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=2))
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "chain.pem")
    files = Certificate(tmp_path / "chain.pem", tmp_path / "key.pem")
    found = made(look_at_certificate(files, "relay.test", NOW.timestamp()))

    assert found["tls.expiry"][0] == "failing"
    assert found["tls.name"][0] == "ok"


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda files: trustme.CA().private_key_pem.write_to_path(files.key), "the key belongs to another certificate"),
        (lambda files: files.key.write_text("no key"), "not PEM without a passphrase"),
        (lambda files: files.chain.unlink(), "No such file or directory"),
    ],
)
def test_files_that_make_no_certificate(tmp_path, break_it, why):
    files = certificate(tmp_path, "relay.test")
    break_it(files)
    found = made(look_at_certificate(files, "relay.test", NOW.timestamp()))

    assert found["tls.certificate"][0] == "failing"
    assert found["tls.certificate"][1].endswith(why)


def test_a_key_that_is_too_small_is_called_so(tmp_path):
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    weak = ["-newkey", "rsa:1024", "-noenc", "-keyout", key, "-out", chain, "-subj", "/CN=relay.test"]
    subprocess.run(["openssl", "req", "-x509", *weak], check=True, capture_output=True)
    found = made(look_at_certificate(Certificate(chain, key), "relay.test", NOW.timestamp()))

    assert found["tls.certificate"][1].endswith("OpenSSL takes no such certificate and key: ee key too small")


def test_secret_files_by_their_modes(tmp_path):
    modes = {"mine": 0o600, "group": 0o640, "all": 0o644, "others": 0o620}
    for name, mode in modes.items():
        (tmp_path / name).write_text("secret")
        (tmp_path / name).chmod(mode)
    found = Rounds().make([look_at_secrets([SecretFile(name, tmp_path / name) for name in (*modes, "gone")])])

    assert {each.about: (each.status.value, each.fix.split()[0]) for each in found} == {
        "all": ("warning", "chmod"),
        "others": ("warning", "chmod"),
        "gone": ("failing", "Put"),
    }


def test_secret_files_that_are_right_or_none():
    assert made(look_at_secrets([])) == {"files.secrets": ("ok", "no secret is in a file")}


def test_a_file_that_others_own_is_not_ours_to_read(tmp_path, monkeypatch):
    """Root may read everything, so the answer of the system is given here."""
    (tmp_path / "theirs").write_text("secret")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    found = Rounds().make([look_at_secrets([SecretFile("password", tmp_path / "theirs")])])

    assert [(each.status.value, each.fix) for each in found] == [
        ("failing", f"chown it to the relay's user: {tmp_path / 'theirs'}")
    ]


def spool(folder: Path, **more) -> SpoolPlace:
    return SpoolPlace(folder / "spool.db", more.get("max_bytes", 1 << 20), more.get("message_bytes", 1 << 16))


def test_a_good_place_for_a_spool(tmp_path):
    found = made(look_at_spool(spool(tmp_path)))

    assert found["spool.folder"][0] == found["spool.room"][0] == found["spool.lock"][0] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_is_made_at_the_start(tmp_path):
    assert made(look_at_spool(spool(tmp_path / "to" / "be")))["spool.folder"] == (
        "ok",
        f"{tmp_path / 'to' / 'be'} is made at the start; whether it can be synced shows then: nothing is written here",
    )


def test_no_spool():
    found = made(look_at_spool(None))

    assert {check: status for check, (status, _) in found.items()} == {
        "spool.folder": "ok",
        "spool.room": "not-checked",
        "spool.filesystem": "not-checked",
        "spool.lock": "not-checked",
    }


def test_a_place_where_no_spool_can_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "spool.db").mkdir()
    assert made(look_at_spool(spool(tmp_path / "file")))["spool.folder"][0] == "failing"
    assert made(look_at_spool(spool(tmp_path)))["spool.folder"] == ("failing", f"{tmp_path / 'spool.db'} is no file")

    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert "cannot be written by user" in made(look_at_spool(spool(tmp_path / "x")))["spool.folder"][1]


def test_too_little_room(tmp_path):
    assert made(look_at_spool(spool(tmp_path, max_bytes=1 << 60)))["spool.room"][0] == "warning"
    assert made(look_at_spool(spool(tmp_path, message_bytes=1 << 60)))["spool.room"][0] == "failing"


@pytest.mark.parametrize(
    ("kind", "status"), [("ext4", "ok"), ("tmpfs", "warning"), ("nfs4", "warning"), ("overlay", "ok")]
)
def test_file_systems(tmp_path, kind, status):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"22 21 0:5 / {str(tmp_path).replace('_', chr(92) + '137')} rw,relatime shared:3 - {kind} dev rw\n"
        f"23 21 0:6 / {tmp_path}x rw - zfs dev rw\n"
    )
    (tmp_path / "locks").write_text("")

    found = made(look_at_spool(spool(tmp_path), proc=tmp_path))["spool.filesystem"]
    assert found[0] == status
    assert kind in found[1]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no /dev/shm")
def test_a_spool_in_memory():
    assert "in memory" in made(look_at_spool(spool(Path("/dev/shm"))))["spool.filesystem"][1]


def test_a_system_that_tells_nothing(tmp_path):
    assert made(look_at_spool(spool(tmp_path), proc=tmp_path))["spool.filesystem"][0] == "not-checked"


def test_who_has_the_spool_open(tmp_path):
    lock = SpoolLock(tmp_path / "spool.db.lock")
    try:
        held = made(look_at_spool(spool(tmp_path)))["spool.lock"]
    finally:
        lock.release()

    assert held == ("ok", f"process {os.getpid()} has the spool open: the relay that runs")
    assert made(look_at_spool(spool(tmp_path)))["spool.lock"] == ("ok", "nobody has the spool open")


def test_a_lock_that_is_none(tmp_path):
    (tmp_path / "spool.db.lock").mkdir()

    assert made(look_at_spool(spool(tmp_path)))["spool.lock"][0] == "failing"


@contextmanager
def admin(status: int, body: str, server: str = "ses-relay") -> Iterator[int]:
    class Said(BaseHTTPRequestHandler):
        def version_string(self) -> str:
            return server

        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Said)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield httpd.server_address[1]
    finally:
        httpd.shutdown()
        httpd.server_close()


@pytest.mark.parametrize(
    ("status", "body", "server", "found"),
    [
        (200, "ok credentials\nok policies\n", "ses-relay", [("ok", "is ready")]),
        (503, "not ok policies: too old\nok spool\n", "ses-relay", [("failing", "is not ready: policies: too old")]),
        (
            200,
            "ok certificate: expires in 2 days\n",
            "ses-relay",
            [("ok", "is ready"), ("warning", "says: certificate: expires in 2 days")],
        ),
        (503, "", "ses-relay", [("failing", "is not ready: it answers 503")]),
        (200, "hello", "another", [("failing", "another program answers at")]),
    ],
)
def test_what_answers_at_the_admin_address(status, body, server, found):
    with admin(status, body, server) as port:
        told = [(each.status.value, each.what) for each in Rounds().make([look_at_admin("0.0.0.0", port)])]

    assert len(told) == len(found)
    for (stood, what), (expected, words) in zip(told, found, strict=True):
        assert stood == expected
        assert words in what


def test_nobody_at_the_admin_address():
    assert made(look_at_admin("127.0.0.1", free_port()))["admin"][0] == "not-checked"


@contextmanager
def listening(greeting: bytes) -> Iterator[int]:
    door = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            client.sendall(greeting)
            client.close()

    threading.Thread(target=greet, daemon=True).start()
    try:
        yield door.getsockname()[1]
    finally:
        door.close()


def listener(port: int, host: str = "127.0.0.1", tls: str = "starttls", *, admin_port: int | None = None):
    look = look_at_listener(Listening(host, port, tls), "relay.test", ("127.0.0.1", admin_port or free_port()))  # type: ignore[arg-type]  # a Literal
    return made(look)["listener"]


def test_an_address_that_is_free_is_left_free():
    port = free_port()
    assert listener(port) == listener(port) == ("ok", "it is free: the relay does not run")
    assert listener(port, "::1")[0] == "ok"


def test_an_address_that_the_running_relay_has():
    with admin(200, "ok listeners\n") as at, listening(b"220 relay.test ESMTP\r\n") as port:
        assert listener(port, admin_port=at) == ("ok", "the running relay has it")
        assert listener(port, tls="implicit", admin_port=at)[0] == "ok"


def test_an_address_that_another_program_has():
    with admin(200, "ok listeners\n") as at, listening(b"220 mx.example.org ESMTP Postfix\r\n") as port:
        assert listener(port) == listener(port, admin_port=at) == ("failing", "another program has it")


def test_an_address_that_is_not_of_this_machine():
    status, what = listener(2525, "192.0.2.1")

    assert status == "failing"
    assert "cannot be had" in what


def test_names_that_resolve_and_names_that_do_not():
    assert made(look_at_names(["us-east-1"], "http://localhost:8579")) == {"names": ("ok", "localhost")}
    assert made(look_at_names(["us-east-1"], "http://[::1]:8579")) == {"names": ("ok", "::1")}

    (found,) = Rounds().make([look_at_names(["us-east-1"], "http://nobody.invalid/")])
    assert (found.status.value, found.about) == ("failing", "nobody.invalid")


def test_a_handshake_that_comes_to_no_end_is_told(tmp_path, monkeypatch):
    """A look that cannot be made is a failing line, whatever OpenSSL does."""
    monkeypatch.setattr("relay.owner.doctor.certificate._ROUNDS", 0)
    found = made(look_at_certificate(certificate(tmp_path, "relay.test"), "relay.test", NOW.timestamp()))

    assert found["tls.certificate"][0] in {"ok", "failing"}
    assert found["tls.name"] == ("not-checked", f"the check itself failed: {ssl.SSLError.__name__}")
