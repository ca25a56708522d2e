"""Who a client is by its address."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.delegates.entries import Entry
from relay.delegates.networks import Neighbourhoods
from relay.delegates.registry import Registry
from relay.words.delegates import Delegate

HOMES = [
    ("10.0.0.0/8", "wide"),
    ("10.1.0.0/16", "narrow"),
    ("10.1.2.3/32", "host"),
    ("10.9.0.0/16", "one"),
    ("10.9.0.0/16", "other"),
    ("2001:db8::/32", "six"),
    ("192.0.2.0/24", "twice"),
    ("192.0.2.0/24", "twice"),
]


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("10.2.0.1", "wide"),
        ("10.1.0.1", "narrow"),
        ("10.1.2.3", "host"),
        ("::ffff:10.1.2.3", "host"),
        ("10.9.0.1", None),
        ("2001:db8::1", "six"),
        ("192.0.2.1", "twice"),
        ("11.0.0.1", None),
        ("::1", None),
    ],
)
def test_longest_prefix(client, name):
    """The longest prefix wins; two delegates with one network are nobody, not whoever comes first."""
    homes = Neighbourhoods((ip_network(network), name) for network, name in HOMES)
    assert name == homes.of(ip_address(client))


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)), max_size=8), st.integers(0, 2**32 - 1))
def test_it_is_the_plain_search(networks, client):
    """The look-up says what trying every network says."""
    homes = [
        (ip_network((address, prefix), strict=False), str(index)) for index, (address, prefix) in enumerate(networks)
    ]
    address = ip_address(client)
    around = [(network.prefixlen, name) for network, name in homes if address in network]
    longest = [name for prefix, name in around if prefix == max(around)[0]]
    assert Neighbourhoods(homes).of(address) == (longest[0] if len(longest) == 1 else None)


def test_the_registry_knows_its_networks():
    """Replacing the delegates replaces their networks."""
    home = [ip_network("10.0.0.0/8")]
    registry = Registry([Entry.of(Delegate("old", "111111111111"), trusted_networks=home)])
    assert registry.by_network(ip_address("10.0.0.1")) == "old"
    registry.replace([Entry.of(Delegate("new", "111111111111"), trusted_networks=home)])
    assert registry.by_network(ip_address("10.0.0.1")) == "new"
    registry.close()
