"""URLs of Redis: read without guessing, and never quoted."""

import pytest

from relay.settings.forms import SHARED_PARAMETERS
from relay.shared.address import Address, AddressProblem, read_address

CANARY = "canary"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis.example.com", Address("redis.example.com")),
        ("redis://[2001:db8::1]:6380/3", Address("2001:db8::1", 6380, db=3)),
        ("redis://relay:p%40ss%2F@h", Address("h", username="relay", password="p@ss/")),
        ("redis://:secret@h", Address("h", password="secret")),
        ("redis://h?prefix=blue&db=2", Address("h", db=2, prefix="blue")),
        ("unix:///run/redis.sock?db=1", Address("", socket="/run/redis.sock", db=1)),
        (
            "rediss://h:6380?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false",
            Address("h", 6380, is_tls=True, files=(("ssl_ca_certs", "/etc/ca.pem"),), checks_hostname=False),
        ),
    ],
)
def test_a_url_names_a_server(url, address):
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{CANARY}@h",
        f"redis://:{CANARY}@",
        f"redis://:{CANARY}@h/x",
        f"redis://:{CANARY}#1@h",
        f"redis://:{CANARY}@h:99999",
        f"redis://:{CANARY}@h?timeout=5",
        f"redis://:{CANARY}@h?ssl_ca_certs=/etc/ca.pem",
        f"rediss://:{CANARY}@h?ssl_check_hostname=maybe",
        f"redis://:{CANARY}@h?prefix=%7Ba%7D",
        f"redis://[{CANARY}",
        "unix://",
    ],
)
def test_what_is_no_url_of_a_server_is_told_without_quoting_it(url):
    with pytest.raises(AddressProblem) as problem:
        read_address(url)
    assert CANARY not in str(problem.value)


def test_an_address_shows_no_user_and_no_password():
    address = read_address(f"redis://someone:{CANARY}@h:6380/1")
    assert str(address) == "h:6380"
    assert CANARY not in repr(address)


def test_the_settings_know_the_same_parameters():
    for name in SHARED_PARAMETERS - {"db", "prefix", "ssl_check_hostname"}:
        assert read_address(f"rediss://h?{name}=/x").files == ((name, "/x"),)
    assert read_address("rediss://h?db=1&prefix=x&ssl_check_hostname=true") == Address(
        "h", db=1, prefix="x", is_tls=True
    )
