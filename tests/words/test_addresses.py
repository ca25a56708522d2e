"""Addresses: one spelling, 7-bit, unquoted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.words.addresses import Address, AddressProblem, NullPath, parse_address

ATEXT = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-")
LDH = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def is_address(text: str) -> bool:
    """The strict profile in the plainest words."""
    local, _, domain = text.rpartition("@")
    labels = domain.split(".")
    return (
        len(text) <= 254
        and len(local) <= 64
        and len(domain) <= 253
        and all(atom and set(atom) <= ATEXT for atom in local.split("."))
        and "=?" not in local
        and len(labels) >= 2
        and all(0 < len(label) <= 63 and set(label) <= LDH for label in labels)
        and not any(label.startswith("-") or label.endswith("-") for label in labels)
        and not labels[-1].isdigit()
    )


@pytest.mark.parametrize(
    "text",
    [
        "app1@example.com",
        "App.One+label@Sub.Example.COM",
        "!#$%&'*+/?=^_`{|}~-@example.com",
        "bounce+bob=rcpt.example@example.com",
        "a@xn--exmple-cua.com",
        "a@1.2.3.4.example",
        "a@b.c1",
        "a@b.1c",
        f"{'a' * 64}@example.com",
        f"a@{'b' * 63}.com",
        f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com",
    ],
)
def test_address_keeps_its_spelling(text: str):
    assert str(parse_address(text)) == text
    assert parse_address(text, maybe_on_a_host=True) == parse_address(text)


def test_one_label_is_a_domain_only_where_it_may_be():
    """Legacy programs say ``www-data@host`` in MAIL FROM; nobody says it elsewhere."""
    assert parse_address("www-data@web01", maybe_on_a_host=True) == Address("www-data", "web01")
    for text in ("www-data@web01", "root@localhost"):
        with pytest.raises(AddressProblem):
            parse_address(text)
    for text in ("x@1", "x@-a", "x@a_b", "x@", "x@a.", "@a", "a", f"x@{'a' * 64}"):
        with pytest.raises(AddressProblem):
            parse_address(text, maybe_on_a_host=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "local@domain"),
        ("app1", "local@domain"),
        ("@example.com", "local@domain"),
        ("äpp@example.com", "7-bit"),
        ("app1@exa\uff0emple.com", "7-bit"),
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 58}.com", "254 octets"),
        ('"app1"@example.com', "quoted local parts"),
        ('"a@b"@example.com', "quoted local parts"),
        ("=?utf-8?q?app1?=@example.com", "encoded-word"),
        ("app1=?utf-8?q?=40?=x@example.com", "encoded-word"),
        (f"{'a' * 65}@example.com", "at most 64"),
        (".app1@example.com", "single dots inside"),
        ("app1.@example.com", "single dots inside"),
        ("a..b@example.com", "single dots inside"),
        ("a b@example.com", "single dots inside"),
        ("a@b@example.com", "single dots inside"),
        ("a(x)@example.com", "single dots inside"),
        ("a\\b@example.com", "single dots inside"),
        ("a\x00@example.com", "single dots inside"),
        ("a@[192.0.2.1]", "literals"),
        ("a@192.0.2.1", "not a number"),
        ("a@localhost", "two or more labels"),
        ("a@", "two or more labels"),
        ("a@example.com.", "two or more labels"),
        ("a@.example.com", "two or more labels"),
        ("a@example..com", "two or more labels"),
        ("a@-example.com", "two or more labels"),
        ("a@example-.com", "two or more labels"),
        ("a@ex_ample.com", "two or more labels"),
        ("a@exam ple.com", "two or more labels"),
        ("a@example.com\n", "two or more labels"),
        (f"a@{'b' * 64}.com", "two or more labels"),
    ],
)
def test_refusal_names_the_rule(text: str, why: str):
    with pytest.raises(AddressProblem, match=why):
        parse_address(text)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet=st.sampled_from("aZ9.@-+=?_\"'\\ \n[]\x00é\u212a"), max_size=20) | st.text(max_size=20))
def test_definition(text: str):
    """Exactly the strict profile is an address, and nothing else is raised but its problem."""
    for candidate in (text, f"a{text}@example.com", f"app1@example{text}", f"app1@{text}.com"):
        try:
            accepted = str(parse_address(candidate)) == candidate
        except AddressProblem:
            accepted = False
        assert accepted == is_address(candidate)


def test_domain_has_no_case():
    """Only the domain is lowered; SES compares local parts with case."""
    assert Address("App1", "Example.COM").with_domain_lowered() == Address("App1", "example.com")


def test_address_of_lower_case_is_itself():
    address = Address("App1", "example.com")

    assert address.with_domain_lowered() is address


def test_null_path_is_written_as_on_the_wire():
    assert str(NullPath.NULL) == "<>"
