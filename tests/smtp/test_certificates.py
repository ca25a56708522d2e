"""When a certificate ends: read from the file, told in time, never a reason to fail."""

import base64
import textwrap
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from relay.observe.events import CertificateShown, Noted
from relay.smtp.certificates import CertificateProblem, CertificateWatch, expiry_of

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEYS: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = {
    "EC": ec.generate_private_key(ec.SECP256R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


def issued(ends: datetime, *, kind: str = "EC", serial: int = 7, issuer: str = "An authority") -> x509.Certificate:
    key = KEYS[kind]
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "relay.test")])
    made = x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]),
        subject_name=name,
        public_key=key.public_key(),
        serial_number=serial,
        not_valid_before=datetime(2000, 1, 1, tzinfo=UTC),
        not_valid_after=ends,
    )
    return made.sign(key, None if kind == "Ed25519" else hashes.SHA256())


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("year", [2001, 2026, 2049, 2050, 2106, 9999])
def test_the_end_is_read_whatever_the_key_and_the_century(kind, year, tmp_path):
    """
    To 2049 it is written with two digits, from 2050 on with four.
    """
    ends = datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    path = tmp_path / "chain.pem"
    path.write_bytes(issued(ends, kind=kind).public_bytes(Encoding.PEM))

    assert expiry_of(path) == ends


@given(
    st.integers(1, 2**159 - 1), st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=16)
)
def test_the_end_is_read_whoever_signed_it(tmp_path_factory, serial, issuer):
    path = tmp_path_factory.mktemp("c") / "chain.pem"
    certificate = issued(NOW, serial=serial, issuer=issuer)
    path.write_bytes(b"# with words before it\n" + certificate.public_bytes(Encoding.PEM))

    assert expiry_of(path) == certificate.not_valid_after_utc


def test_of_a_chain_the_first_certificate_counts(tmp_path):
    """
    Intermediates and crossed roots behind it may have ended long ago.
    """
    path = tmp_path / "chain.pem"
    chain = [issued(NOW), issued(NOW - timedelta(days=900))]
    path.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))

    assert expiry_of(path) == NOW


def pem(octets: bytes) -> str:
    lines = "\n".join(textwrap.wrap(base64.b64encode(octets).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


DER = issued(NOW).public_bytes(Encoding.DER)
AT = DER.index(b"\x17\x0d", DER.index(b"\x17\x0d") + 1)


NONE = [b"", b"\x30", b"\x30\x82\xff\xff\x30", b"\x30\x03abc", DER[:100]]
WRONG = [DER[:AT] + b"\x04" + DER[AT + 1 :], DER[: AT + 2] + b"not a date!!Z" + DER[AT + 15 :]]


@pytest.mark.parametrize("text", ["", "no certificate", *map(pem, NONE), *map(pem, WRONG)])
def test_what_is_no_certificate_is_a_problem_with_a_reason(text, tmp_path):
    path = tmp_path / "chain.pem"
    path.write_text(text)

    with pytest.raises(CertificateProblem, match="certificate"):
        expiry_of(path)


def watching(tmp_path, left: timedelta) -> tuple[CertificateWatch, list[object]]:
    path, events = tmp_path / "chain.pem", list[object]()
    path.write_bytes(issued(NOW + left).public_bytes(Encoding.PEM))
    watch = CertificateWatch(["0.0.0.0:465", "0.0.0.0:587"], events.append, lambda: NOW)
    watch.look_at(path)
    return watch, events


@pytest.mark.parametrize(
    ("left", "level", "why"),
    [
        (timedelta(days=21), "warning", "expires in 21 days"),
        (timedelta(days=1, hours=5), "warning", "expires in 1 day"),
        (timedelta(hours=5), "warning", "expires in less than a day"),
        (timedelta(0), "error", "expired on 2026-11-21"),
        (timedelta(days=-3), "error", "expired on 2026-11-18"),
    ],
)
def test_an_end_within_three_weeks_is_told(left, level, why, tmp_path):
    watch, events = watching(tmp_path, left)

    shown, noted = events
    assert shown == CertificateShown(("0.0.0.0:465", "0.0.0.0:587"), (NOW + left).timestamp())
    assert isinstance(noted, Noted)
    assert (noted.level, noted.event, noted.details["why"]) == (level, "tls.certificate-expires", why)
    assert watch.why == why


def test_an_end_far_away_is_a_figure_only(tmp_path):
    watch, events = watching(tmp_path, timedelta(days=21, seconds=1))

    assert [type(event) for event in events] == [CertificateShown]
    assert watch.why == ""


def test_a_new_certificate_is_the_end_of_the_warning(tmp_path):
    watch, _ = watching(tmp_path, timedelta(days=1))
    trustme.CA().issue_cert("relay.test", not_after=NOW + timedelta(days=90)).cert_chain_pems[0].write_to_path(
        tmp_path / "new.pem"
    )
    watch.look_at(tmp_path / "new.pem")

    assert watch.why == ""


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_certificate_that_cannot_be_read_stops_nobody(content, tmp_path):
    """
    OpenSSL has taken it by then, so mail flows; the log says that nobody watches its end.
    """
    watch, events = watching(tmp_path, timedelta(days=1))
    path = tmp_path / "other.pem"
    if content is not None:
        path.write_text(content)
    watch.look_at(path)

    assert isinstance(events[-1], Noted)
    assert events[-1].event == "tls.certificate-unread"
    assert watch.why == ""


def test_without_tls_there_is_nothing_to_say(tmp_path):
    events: list[object] = []
    CertificateWatch([], events.append, lambda: NOW).look_at(tmp_path / "none.pem")
    CertificateWatch(["a"], events.append, lambda: NOW).look_at(None)

    assert events == []
