"""Policies that grant the relay's own account, for check and doctor to warn of."""

from relay.judgement.own_account import grants_of_account, living_in
from tests.judgement.building import allow, catalog, delegate, deny, identity

RELAYS = "444444444444"


def test_statements_that_let_the_whole_account_send_are_found():
    known = catalog(
        identity(
            "example.com",
            allow(RELAYS),
            allow(f"arn:aws:iam::{RELAYS}:root", StringEquals={"ses:FromAddress": "app@example.com"}),
            allow(f"arn:aws:iam::{RELAYS}:user/relay"),
            allow("*"),
            allow("111111111111"),
            deny(RELAYS),
            {**allow(RELAYS), "Action": "ses:GetEmailIdentity"},
        ),
        identity("app@example.com", unreadable=True),
    )

    assert [(arn.name, str(ref)) for arn, ref in grants_of_account(known, RELAYS)] == [
        ("example.com", "p/S0"),
        ("example.com", "p/S1"),
    ]


def test_who_lives_in_the_account():
    delegates = [
        delegate(f"arn:aws:iam::{RELAYS}:user/a"),
        delegate("arn:aws:iam::111111111111:user/b"),
        delegate("caller", is_caller=True),
        delegate("events.amazonaws.com"),
    ]

    assert living_in(RELAYS, delegates) == ("app", "app")
    assert living_in("111111111111", delegates[1:2]) == ("app",)
    assert living_in("222222222222", delegates[:2]) == ()
