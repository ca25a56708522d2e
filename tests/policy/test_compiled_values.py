"""How the values of a condition are compiled: once, at load, so that little is left to do for a message."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.policy.answers import Truth
from relay.policy.dates import read_date
from relay.policy.networks import is_within, read_address, read_range
from relay.policy.operators import compile_values, read_operator
from tests.policy.asking import NO, YES, ask, condition, request, statement


def compiled(spelled: str, *values: str, live: bool = True) -> Any:
    operator = read_operator(spelled)
    assert operator is not None
    return compile_values(operator, values, live=live, doubt=lambda *_: None)


@pytest.mark.parametrize("spelled", ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnLike"])
def test_only_variables_are_left_for_later(spelled):
    """
    A value without any is made ready to compare, in a policy of either Version.
    """
    plain, variable = "arn:aws:sns:*:1:${*}t", "arn:aws:sns:*:1:${aws:username}"

    assert compiled(spelled, plain).templates == ()
    assert len(compiled(spelled, plain, variable).templates) == 1
    assert compiled(spelled, plain, variable, live=False).templates == ()


@pytest.mark.parametrize(
    ("spelled", "values", "passing", "failing"),
    [
        ("LessThan", ["2", "5", "3"], ["4", "-1"], ["5", "6"]),
        ("LessThanEquals", ["2", "5", "3"], ["5", "4"], ["6"]),
        ("GreaterThan", ["2", "5", "3"], ["3", "6"], ["2", "1"]),
        ("GreaterThanEquals", ["2", "5", "3"], ["2", "3"], ["1"]),
        ("Equals", ["2", "5", "3"], ["2", "5", "3"], ["4", "1", "6"]),
    ],
)
def test_any_of_several_bounds_will_do(spelled, values, passing, failing):
    """
    Of numbers, and of dates so many days after another.
    """

    def date(days: str) -> str:
        return datetime.fromtimestamp(1_577_836_800 + 86_400 * int(days), UTC).strftime("%Y-%m-%d")

    for found, wanted in [*((one, YES) for one in passing), *((one, NO) for one in failing)]:
        assert condition(f"Numeric{spelled}", values, found) == wanted, found
        assert condition(f"Date{spelled}", [date(one) for one in values], date(found)) == wanted, found


@pytest.mark.parametrize(
    ("operator", "values", "found", "fate"),
    [
        ("ArnLike", ["*", "arn:aws:sns:us-east-1:1:t"], "arn:aws:sns:us-east-1:1:t", Truth.YES),
        ("ArnLike", ["arn:aws", "arn:aws:sns:*:1:t"], "arn:aws:sns:us-east-1:1:t", Truth.YES),
        ("ArnLike", ["arn:aws", "arn:aws:sns:*:1:t"], "arn:aws:sns:us-east-1:1:u", Truth.NO),
        ("ArnLike", ["arn:*", "arn:aws:sns:*:1:t"], "arn:aws:sns:us-east-1:1:u", Truth.UNKNOWN),
        ("Bool", ["true", "no"], "true", Truth.YES),
        ("Bool", ["true", "no"], "false", Truth.UNKNOWN),
        ("Bool", ["true"], "false", Truth.NO),
        ("IpAddress", ["10.0.0.0/8", "no"], "192.0.2.1", Truth.UNKNOWN),
        ("IpAddress", ["10.0.0.0/8"], "192.0.2.1", Truth.NO),
        ("NumericEquals", ["1", "no"], "2", Truth.UNKNOWN),
        ("NumericEquals", ["1", "no"], "1.0", Truth.YES),
        ("DateEquals", ["2020-01-01", "no"], "2021-01-01", Truth.UNKNOWN),
    ],
)
def test_values_beside_one_that_cannot_be_read(operator, values, found, fate):
    """
    Count as they stand; for the rest an Allow is never sure that it does not apply.
    """
    told = ask(request({"aws:k": found}), statement(Condition={operator: {"aws:k": values}}))

    assert told.traces[0].applies is fate


def test_null_has_nothing_to_compile():
    """
    Asking for it is a mistake of ours.
    """
    with pytest.raises(ValueError, match=r"^Null compares with nothing$"):
        compiled("Null", "true")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2020-01-01T23:59:59Z", "1577923199"),
        ("2020-01-01T23:59Z", "1577923140"),
        ("2020-01-01T00:00+23:59", "1577750460"),
        ("2020-01-01T00:00-23:59", "1577923140"),
        ("2020-01-01T00:00:00.50Z", "2020-01-01T00:00:00.5Z"),
        ("2020-01", "1577836800"),
        ("2020-02-29", "1582934400"),
        ("2020-01-01T24:00Z", None),
        ("2020-01-01T23:60Z", None),
        ("2020-01-01T23:60:00Z", None),
        ("2020-01-01T23:59:60Z", None),
        ("2020-01-01T00:00+24:00", None),
        ("2020-01-01T00:00+00:60", None),
        ("2021-02-29", None),
        ("2020-13-01", None),
        ("2020-00", None),
        ("0000-01-01", None),
        ("2020-01-01T00:00", None),
        ("2020-1-1", None),
        ("-1", None),
        ("1.5", None),
        ("2020", None),
        ("1" * 65, None),
    ],
)
def test_dates_to_the_last_minute(text, same):
    """
    The same instant, or none.
    """
    assert read_date(text) == (None if same is None else read_date(same))
    assert same is None or read_date(text) is not None


@pytest.mark.parametrize(
    ("spelled", "within", "outside"),
    [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "::a00:1"]),
        ("10.1.2.3/31", ["10.1.2.2", "10.1.2.3"], ["10.1.2.1", "10.1.2.4"]),
        ("10.1.2.3", ["10.1.2.3"], ["10.1.2.2"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
        ("2001:db8::/127", ["2001:db8::", "2001:db8::1"], ["2001:db8::2"]),
        ("::/0", ["::", "ffff::"], ["10.0.0.1"]),
    ],
)
def test_networks_to_their_edges(spelled, within, outside):
    """
    Never across families.
    """
    network = read_range(spelled)
    assert network is not None
    told = {text: is_within(address, network) for text in within + outside if (address := read_address(text))}
    assert told == {**dict.fromkeys(within, True), **dict.fromkeys(outside, False)}
