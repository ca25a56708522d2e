"""What is signed stays as it was signed: signatures hold at SES, and no repair breaks one."""

import subprocess
from pathlib import Path

import dkim  # type: ignore[import-untyped]  # ships no types
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.honest.letters import MODERN, eight_bit, related
from tests.honest.post import BILLING, Office, check_untouched

pytestmark = pytest.mark.system

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY = _KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
#: What the DNS says of the key.
RECORD = b"v=DKIM1; k=rsa; p=" + b"".join(
    _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).splitlines()[1:-1]
)
WAYS = [(head, body) for head in (b"relaxed", b"simple") for body in (b"relaxed", b"simple")]


def is_signed_well(raw: bytes) -> bool:
    good: bool = dkim.verify(raw, dnsfunc=lambda _name, timeout=5: RECORD)
    return good


def signed(raw: bytes, way: tuple[bytes, bytes] = (b"relaxed", b"relaxed")) -> bytes:
    signature: bytes = dkim.sign(raw, b"app", b"example.com", KEY, canonicalize=way)
    return signature + raw


@pytest.mark.parametrize("way", WAYS, ids=lambda way: b"/".join(way).decode())
@pytest.mark.parametrize("delegate", ["billing", "old"])
@pytest.mark.parametrize("make", MODERN[:-1], ids=lambda make: make.__name__)
def test_a_dkim_signature_holds(make, way: tuple[bytes, bytes], delegate: str, post: Office):
    """Signed by dkimpy, verified by it at SES: in both canonicalizations, with and without repairs on."""
    raw = signed(make().as_bytes(), way)
    assert is_signed_well(raw)
    assert post.hand_over(raw, delegate=delegate) == ""
    check_untouched(post.taken(), raw)
    assert is_signed_well(post.taken().raw)


@pytest.mark.parametrize(
    ("harm", "repair"),
    [
        (lambda raw: raw.replace(b"\r\n..two\r\n", b"\r\n..two\n"), "bare-lf"),
        (lambda raw: raw + b"x" * 999 + b"\r\n", "long-lines"),
        (lambda raw: raw.replace(b"From: Billing", b"From: B\xc3\xbccher"), "8bit-names"),
    ],
    ids=["bare-lf", "long-lines", "8bit-names"],
)
def test_a_signed_message_is_refused_rather_than_repaired(harm, repair: str, post: Office):
    refusal = post.hand_over(harm(signed(eight_bit().as_bytes())), delegate="old")
    assert f"the repair {repair} is on and was not made: the message is signed" in refusal
    assert post.ses.taken == []


@pytest.mark.parametrize("form", ["detached", "opaque"])
def test_a_signature_by_smime_holds(form: str, post: Office):
    """multipart/signed and application/pkcs7-mime, written and verified by OpenSSL."""
    authority, folder = trustme.CA(), post.folder
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert(BILLING)
    issued.cert_chain_pems[0].write_to_path(folder / "signer.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    inner = related()
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"):
        del inner[name]
    (folder / "inner").write_bytes(inner.as_bytes())
    sign = ["cms", "-sign", "-in", "inner", "-signer", "signer.pem", "-inkey", "key.pem"]
    made = openssl(post, *sign, "-binary", *(["-nodetach"] if form == "opaque" else []))
    made = made.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # it writes its own lines as files have them
    raw = f"From: {BILLING}\r\nTo: bob@example.net\r\nSubject: signed\r\n".encode() + made

    assert post.hand_over(raw, delegate="old") == ""

    sent = post.taken().raw
    assert sent.endswith(made.partition(b"\r\n\r\n")[2])
    (folder / "sent.eml").write_bytes(sent)
    binary = ["-binary"] if form == "opaque" else []  # detached, it was read as lines
    shown = openssl(post, "cms", "-verify", "-in", "sent.eml", "-CAfile", "ca.pem", "-purpose", "any", *binary)
    assert shown == inner.as_bytes()


def openssl(post: Office, *words: str) -> bytes:
    done = subprocess.run([post.tool("openssl"), *words], cwd=Path(post.folder), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
