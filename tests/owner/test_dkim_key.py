"""An owner's DKIM key, held against what OpenSSL says of the same."""

import base64
import subprocess

import pytest

from relay.owner.dkim_key import KeyProblem, read_own_key


def openssl(*words: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


def without_armour(pem: bytes) -> str:
    return "".join(line for line in pem.decode().splitlines() if not line.startswith("-"))


@pytest.fixture(scope="module")
def key() -> bytes:
    return openssl("genrsa", "1024")


@pytest.mark.parametrize("form", [(), ("-traditional",)], ids=["PKCS 8 or as genrsa writes it", "PKCS 1"])
def test_the_public_half_is_the_one_openssl_computes(key, form):
    pem = openssl("rsa", *form, given=key)

    own = read_own_key("a comment\r\n" + pem.decode().replace("\n", "\r\n"))

    assert own.public == without_armour(openssl("rsa", "-pubout", given=key))
    assert (own.private, own.bits) == (without_armour(pem), 1024)


def test_a_key_of_2048_bits_is_taken_and_never_shown():
    own = read_own_key(openssl("genrsa", "2048").decode())

    assert own.bits == 2048
    assert own.private not in repr(own)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("genrsa", "512"), "an RSA key of 512 bits; SES takes 1024 to 2048"),
        (("genrsa", "3072"), "an RSA key of 3072 bits"),
        (("genpkey", "-algorithm", "ED25519"), "holds no RSA private key that can be read"),
        (("genpkey", "-algorithm", "RSA", "-aes128", "-pass", "pass:secret"), "the key is encrypted"),
        (("genrsa", "-aes128", "-traditional", "-passout", "pass:secret", "1024"), "the key is encrypted"),
        (("ecparam", "-name", "prime256v1", "-genkey"), "no RSA private key in PEM, but EC PARAMETERS, EC PRIVATE KEY"),
    ],
)
def test_a_key_ses_does_not_take_is_named(words, said):
    with pytest.raises(KeyProblem, match=said):
        read_own_key(openssl(*words).decode())


@pytest.mark.parametrize("label", ["PRIVATE KEY", "RSA PRIVATE KEY"])
def test_no_cut_and_no_changed_octet_breaks_the_reading(key, label):
    """Whatever the octets are, the answer is a key or a problem that says nothing of them."""
    whole = base64.b64decode(without_armour(openssl("rsa", *(("-traditional",) if "RSA" in label else ()), given=key)))
    spoilt = [whole[:cut] for cut in range(len(whole))]
    spoilt += [whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :] for at in range(7)]
    said = {problem_of(label, base64.b64encode(octets).decode()) for octets in spoilt}

    assert {text.partition(";")[0] for text in said if "bits" not in text} == {
        "the PEM holds no RSA private key that can be read"
    }
    assert all(len(text) < 110 for text in said)


def problem_of(label: str, inside: str) -> str:
    with pytest.raises(KeyProblem) as raised:
        read_own_key(f"-----BEGIN {label}-----\n{inside}\n-----END {label}-----\n")
    return str(raised.value)


def test_a_file_without_key_is_named():
    with pytest.raises(KeyProblem, match="no RSA private key in PEM; make one with: openssl genrsa"):
        read_own_key("hello")
