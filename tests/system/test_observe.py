"""Observing in a running relay: what the policies refuse is forwarded, counted, logged and recorded, until it ends."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay
from tests.system.rows import DOMAIN, FORBIDDEN, Row, secret_of

pytestmark = pytest.mark.system

DENIED = next(row for row in FORBIDDEN if row.delegate == "intern")
SALES = next(row for row in FORBIDDEN if row.delegate == "billing")
NOBODYS = Row("of nobody", "intern", "intern@nobody.example", "intern@example.com", names=("not verified",))
INTERN = 'name = "intern"\n'


def send(relay: RunningRelay, row: Row) -> str:
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return client.hand_over(row.mail_from, row.recipients, row.raw)


def observe(house: House, *, until: str = "") -> None:
    house.edit(INTERN, f'{INTERN}mode = "observe"\n{until}')


def test_what_the_policies_refuse_is_forwarded_and_everything_about_it_is_told(house: House, ses: EmbeddedSes) -> None:
    observe(house, until='observe_until = "2127-01-31T00:00:00+01:00"\n')
    with house.serve() as relay:
        assert relay.wait_for("observing")["until"] == {"intern": "2127-01-30T23:00:00Z"}
        reply = send(relay, DENIED)
        [line] = relay.wait_for_messages(1)

        assert reply.startswith("250 2.0.0 Ok ")
        assert [(mail["from_arn"], mail["source_arn"]) for mail in ses.messages()] == [(DOMAIN, DOMAIN)]
        assert (line["level"], line["outcome"], line["reason"]) == ("warning", "accepted", "none")
        assert (line["schema"], line["mode"], line["reply"]["code"]) == (3, "observe", 250)
        assert {role["verdict"] for role in line["roles"]} == {"denied"}
        assert (line["unenforced"]["code"], line["unenforced"]["status"]) == (554, "5.7.1")
        assert f"decision {line['id']})" in line["unenforced"]["text"]
        decisions = {"delegate": "intern", "identity": DOMAIN, "verdict": "denied"}
        assert relay.count("ses_relay_decisions_total", **decisions, mode="observe") == len(line["roles"])
        assert relay.count("ses_relay_decisions_total", **decisions, mode="enforce") == 0
        assert relay.count("ses_relay_observing", delegate="intern") == 1


def test_what_is_no_policys_word_is_refused_and_other_delegates_are_not_observed(
    house: House, ses: EmbeddedSes
) -> None:
    observe(house)
    with house.serve() as relay:
        assert relay.wait_for("observing")["until"] == {"intern": "no end"}
        assert "Email address is not verified" in send(relay, NOBODYS)
        assert send(relay, SALES).startswith("5")
        assert [line["mode"] for line in relay.wait_for_messages(2)] == ["observe", "enforce"]
        assert [line["unenforced"] for line in relay.lines("message")] == [None, None]
        assert relay.count("ses_relay_observing", delegate="billing") == 0
        assert ses.messages() == []


def test_when_its_time_is_up_the_policies_are_enforced_without_a_restart(house: House) -> None:
    observe(house)
    with house.serve() as relay:
        assert send(relay, DENIED).startswith("250 ")
        end = datetime.now(UTC) + timedelta(seconds=2)
        house.edit('mode = "observe"\n', f'mode = "observe"\nobserve_until = "{end.isoformat()}"\n')
        assert relay.reload()["event"] == "relay.reloaded"
        relay.wait_until(lambda: send(relay, DENIED).startswith("550 5.7.1 "), "refusal at MAIL")

        assert relay.wait_for("observing", after=2)["until"] == {}
        assert relay.count("ses_relay_observing", delegate="intern") == 0


def test_all_delegates_at_once_and_one_of_them_enforced(house: House) -> None:
    house.edit("[authorization]\n", '[authorization]\nmode = "observe"\n')
    house.edit('name = "billing"\n', 'name = "billing"\nmode = "enforce"\n')
    with house.serve() as relay:
        assert relay.wait_for("observing")["until"] == {"intern": "no end", "newsletter": "no end"}
        assert send(relay, DENIED).startswith("250 ")
        assert send(relay, SALES).startswith("5")
