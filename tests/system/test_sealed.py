"""A sealed owner in a running relay, and what the relay makes of SES's own refusals for want of authorization."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from relay.assembly import Relay
from relay.delegates.registry import Registry
from relay.sending.keys import AccessKey
from relay.settings.reading import read_settings
from tests.system.houses import House
from tests.system.relays import RELAY_KEY, EmbeddedSes, RunningRelay, command
from tests.system.rows import DOMAIN, Row, secret_of

pytestmark = pytest.mark.system

MINE = Row("unnamed", "billing", "billing@example.com", "billing@example.com")
NAMED = Row("named", "billing", "sales@example.com", "billing@example.com", fields=f"X-SES-SOURCE-ARN: {DOMAIN}\r\n")
PRINCIPALS = ("111111111111:user/billing", "222222222222:role/newsletter", "333333333333:user/intern")
REFUSAL = {"code": "AccessDenied", "message": "User `x' is not authorized to perform `ses:SendRawEmail'", "status": 403}


def send(relay: RunningRelay, row: Row) -> str:
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return client.hand_over(row.mail_from, row.recipients, row.raw)


def as_caller(house: House) -> None:
    """Let every delegate be the relay itself to AWS."""
    for principal in PRINCIPALS:
        house.edit(f'"arn:aws:iam::{principal}"', '"caller"')


@pytest.fixture
def sealed(house: House) -> House:
    """The demo's owner is sealed, and its delegates are what SES sees."""
    as_caller(house)
    house.edit('regions = ["us-east-1"]\n', 'regions = ["us-east-1"]\nsource = "sealed"\n')
    return house


def test_ses_judges_what_is_named_and_nothing_is_counted_as_allowed(sealed: House, ses: EmbeddedSes) -> None:
    with sealed.serve() as relay:
        assert "no identity is named for billing@example.com" in send(relay, MINE)
        assert send(relay, NAMED).startswith("250 2.0.0 Ok ")
        sent = relay.wait_for_messages(2)[-1]

        assert {role["verdict"] for role in sent["roles"]} == {"sealed"}
        assert relay.count("ses_relay_decisions_total", verdict="sealed", mode="enforce") == 2
        assert relay.count("ses_relay_decisions_total", verdict="allowed") == 0
        assert relay.is_ready()
    assert [mail["from_arn"] for mail in ses.messages()] == [DOMAIN]


async def test_an_owner_becomes_sealed_in_one_moment(
    house: House, ses: EmbeddedSes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where anything is waited for, its policies are there and it is not sealed, or the other way round."""
    as_caller(house)
    before = read_settings(house.settings, {}).settings
    house.edit('regions = ["us-east-1"]\n', 'regions = ["us-east-1"]\nsource = "sealed"\n')
    after = read_settings(house.settings, {}).settings
    assert before is not None
    assert after is not None
    relay = Relay(before, key=AccessKey(RELAY_KEY["AWS_ACCESS_KEY_ID"], RELAY_KEY["AWS_SECRET_ACCESS_KEY"]))
    seen = []

    def looking(really: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def look(*others: Any) -> None:
            seen.append((bool(relay.directory.catalog.owners), bool(relay._walk.house.rules.sealed)))
            assert relay._walk.directory is relay.directory
            await really(*others)

        return look

    await relay.start()
    try:
        for room, name in ((Registry, "reload"), (Relay, "_renew_workers"), (Relay, "_let_go")):
            monkeypatch.setattr(room, name, looking(getattr(room, name)))
        await relay.reload(after)
    finally:
        await relay.stop()
    assert seen == [(True, False), (False, True), (False, True)]


def test_a_pin_is_a_name_and_is_counted_under_it(sealed: House, ses: EmbeddedSes) -> None:
    """Also one of a reload."""
    with sealed.serve() as relay:
        sealed.edit('name = "billing"\n', f'name = "billing"\nallow_source_arns = ["{DOMAIN}"]\n')
        assert relay.reload()["event"] == "relay.reloaded"
        assert send(relay, MINE).startswith("250 2.0.0 Ok ")
        assert relay.count("ses_relay_decisions_total", identity=DOMAIN, verdict="sealed") == 2
    assert len(ses.messages()) == 1


def test_the_no_of_ses_is_final_and_no_disagreement(sealed: House, ses: EmbeddedSes) -> None:
    """Nobody allowed it here, and SES saw the delegate's own principal."""
    ses.suffer(REFUSAL)
    with sealed.serve() as relay:
        reply = send(relay, NAMED)

        assert reply.startswith(f"554 5.7.1 Access denied: {REFUSAL['message']}")
        assert relay.count("ses_relay_ses_disagreements_total") == 0
        assert relay.lines("ses.disagreed") == relay.lines("ses.not-let") == []


def test_a_policy_that_grants_the_relays_own_account_is_told_once_sts_has_told_the_account(house: House) -> None:
    as_caller(house)
    billing = house.policy("example.com/billing")
    billing.write_text(billing.read_text().replace(f"arn:aws:iam::{PRINCIPALS[0]}", "888888888888"))
    with house.serve() as relay:
        line = relay.wait_for("policy.grants-own-account")

        assert (line["level"], line["identity"], line["account"]) == ("warning", DOMAIN, "888888888888")
        assert set(line["delegates"]) == {"billing", "newsletter", "intern"}


def test_a_caller_whom_policies_allowed_and_ses_refuses_is_a_disagreement(house: House, ses: EmbeddedSes) -> None:
    as_caller(house)
    billing = house.policy("example.com/billing")
    billing.write_text(billing.read_text().replace(PRINCIPALS[0], "888888888888:user/relay"))
    ses.suffer(REFUSAL)
    with house.serve() as relay:
        assert send(relay, MINE).startswith("451 4.3.5 ")
        assert relay.count("ses_relay_ses_disagreements_total", identity=DOMAIN, kind="access-denied") == 1


def test_a_delegate_whom_ses_does_not_see_is_no_disagreement_but_the_relays_trouble(
    house: House, ses: EmbeddedSes
) -> None:
    ses.suffer(REFUSAL)
    with house.serve() as relay:
        assert send(relay, MINE).startswith("451 4.3.5 ")
        line = relay.wait_for("ses.not-let")

        assert (line["level"], line["identity"], line["kind"]) == ("error", DOMAIN, "access-denied")
        assert relay.count("ses_relay_ses_disagreements_total") == 0


def test_check_refuses_a_delegate_that_would_be_judged_as_the_relay(house: House) -> None:
    house.edit('regions = ["us-east-1"]\n', 'regions = ["us-east-1"]\nsource = "sealed"\n')
    checked = command("check", "-c", str(house.settings))

    assert checked.returncode == 1
    assert checked.stdout.count(b"every owner is sealed, and SES would see the relay") == 3
