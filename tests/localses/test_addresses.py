"""Addresses that SES takes, and the bare address in each; those it refuses are among the wrong requests."""

import pytest

from relay.localses.addresses import addresses_in, one_address


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("ann@example.com", "ann@example.com"),
        (" ann@example.com ", "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("Ann <ann@example.com>", "ann@example.com"),
        ('"Smith, Ann (II)" <ann@example.com>', "ann@example.com"),
        (r'"Ann \"A\" <x@y.z>" <ann@example.com>', "ann@example.com"),
        ("Ann <ann@example.com> (work (day))", "ann@example.com"),
        (r"(a \) b) ann@example.com", "ann@example.com"),
        ("ann+label@example.com", "ann+label@example.com"),
        ('"ann smith"@example.com', '"ann smith"@example.com'),
        ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
        ("ann@xn--exmple-cua.com", "ann@xn--exmple-cua.com"),
        ("ann@localhost", "ann@localhost"),
    ],
)
def test_one_address(text, bare):
    assert one_address(text) == bare


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("", []),
        (" , ,", []),
        ("a@b.c,d@e.f", ["a@b.c", "d@e.f"]),
        ("undisclosed-recipients:;", []),
        ("team: a@b.c, D <d@e.f>; , g@h.i", ["a@b.c", "d@e.f", "g@h.i"]),
        ('"a@b.c, d@e.f" <g@h.i>, (x, y) j@k.l', ["g@h.i", "j@k.l"]),
        ("Änne <a@b.c>", ["a@b.c"]),
    ],
)
def test_a_header_of_addresses(text, bare):
    assert addresses_in(text) == bare
