"""By which names a client certificate is known."""

import hashlib

import pytest

from relay.words.certificates import names_of, read_certificate_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dns:App.Example.com", "dns:app.example.com"),
        ("sha256:" + ":".join(["AB"] * 32), "sha256:" + "ab" * 32),
        ("SHA256:" + "ab" * 32, "sha256:" + "ab" * 32),
        ("email:App@Example.com", "email:App@example.com"),
        ("uri:spiffe://cluster/ns/shop/sa/billing", "uri:spiffe://cluster/ns/shop/sa/billing"),
        ("cn:Billing App", "cn:Billing App"),
    ],
)
def test_a_name_is_read_as_it_is_compared(text, name):
    assert str(read_certificate_name(text)) == name


@pytest.mark.parametrize(
    "text",
    ["", "app.example.com", "dns:", "dns:*.example.com", "dns:a b", "sha256:ab", "email:x", "ip:1.2.3.4", "cn:\0"],
)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match=r"write|wants|digits"):
        read_certificate_name(text)


def test_a_certificate_has_its_names_and_its_fingerprint():
    decoded = {
        "subject": ((("organizationName", "Shop"),), (("commonName", "billing"),)),
        "subjectAltName": (("DNS", "Billing.example.com"), ("DNS", "*.example.com"), ("email", "a@EXAMPLE.com"),
                           ("URI", "spiffe://x/y"), ("IP Address", "10.0.0.1"), ("DNS", "")),
    }  # fmt: skip

    found = {str(name) for name in names_of(b"der", decoded)}

    assert found == {
        f"sha256:{hashlib.sha256(b'der').hexdigest()}",
        "dns:billing.example.com",
        "dns:*.example.com",
        "email:a@example.com",
        "uri:spiffe://x/y",
        "cn:billing",
    }


def test_two_common_names_are_none():
    """Readers differ in which of them they take."""
    decoded = {"subject": ((("commonName", "billing"),), (("commonName", "ceo"),))}

    assert [name.kind for name in names_of(b"der", decoded)] == ["sha256"]


def test_a_name_with_a_nul_is_another_name():
    decoded = {"subjectAltName": (("DNS", "billing.example.com\0.evil.example"),)}

    assert read_certificate_name("dns:billing.example.com") not in names_of(b"der", decoded)


@pytest.mark.parametrize(
    ("label", "value", "name"),
    [
        ("DNS", "\u212aiosk.example.com", "dns:kiosk.example.com"),
        ("email", "ops@\u212aiosk.example.com", "email:ops@kiosk.example.com"),
    ],
)
def test_a_letter_that_unicode_lowers_to_another_makes_another_name(label, value, name):
    """The sign of Kelvin is no K: an authority that compares octets would sign it for somebody else."""
    decoded = {"subjectAltName": ((label, value),)}

    assert read_certificate_name(name) not in names_of(b"der", decoded)
