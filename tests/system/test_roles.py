"""Every delegate sends as its own role, before an SES that judges each of them itself and knows the relay as nobody."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from relay.cli import main as ses_relay
from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay
from tests.system.roled import AUDIT, CLOSED, NOTICES, RELAY, ROLES, SESSIONS, roled, started_ses_of_owner
from tests.system.rows import DOMAIN, FORBIDDEN, PERMITTED, ROWS, Row, secret_of

pytestmark = pytest.mark.system

MINE, NEWS = PERMITTED[0], next(row for row in PERMITTED if row.delegate == "newsletter")
NOT_NOW = "451 4.3.5 This relay cannot send as the delegate now: its operator must act"
NOT_ALLOWED = {"code": "AccessDenied", "message": "User is not authorized to perform: sts:AssumeRole", "status": 403}
AWAY = {"drop": "before"}
EXPIRED = {"code": "ExpiredToken", "message": "The security token included in the request is expired", "status": 403}


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedSes, Path]]:
    folder = tmp_path_factory.mktemp("owner")
    with started_ses_of_owner(folder) as ses:
        yield ses, folder / "state"


@pytest.fixture
def ses(owned: tuple[EmbeddedSes, Path]) -> EmbeddedSes:
    owned[0].forget()
    return owned[0]


@pytest.fixture
def house(tmp_path: Path, certificate: tuple[Path, Path], owned: tuple[EmbeddedSes, Path], ses: EmbeddedSes) -> House:
    return roled(House(tmp_path, certificate, ses=ses.url), owned[1])


def send(relay: RunningRelay, row: Row) -> str:
    with relay.client(row.delegate, secret_of(row.delegate)) as client:
        return client.hand_over(row.mail_from, row.recipients, row.raw)


def principals(ses: EmbeddedSes) -> list[str]:
    return [message["principal"] for message in ses.messages()]


def checks(relay: RunningRelay) -> dict[str, str]:
    """The checks of readiness and what each says; all of them hold, or the relay is not ready."""
    *lines, last = relay.readiness().splitlines()
    assert last == "ready"
    return dict((line.removeprefix("ok ").partition(": "))[::2] for line in lines)


def typed(house: House, *words: str) -> str:
    """What ``ses-relay WORDS -c relay.toml`` prints."""
    result = CliRunner().invoke(ses_relay, [*words, "-c", str(house.settings)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_each_delegates_mail_is_its_roles_and_says_whose_it_is(house: House, ses: EmbeddedSes) -> None:
    """Principal, account, pace and tag are the delegate's; nothing ever goes with the relay's own key."""
    with house.serve() as relay:
        for row in PERMITTED:
            assert send(relay, row).startswith("250 2.0.0 Ok "), row.name
        relay.wait_until(lambda: relay.count("ses_relay_send_rate_limit", account="222222222222") > 0, "a rate")

        assert principals(ses) == [SESSIONS[row.delegate] for row in PERMITTED]
        assert {mail["tags"]["ses-relay-delegate"] for mail in ses.messages()} == {"billing", "newsletter"}
        assert relay.count("ses_relay_send_rate_limit", account="111111111111", region="us-east-1") > 0
        assert relay.count("ses_relay_send_rate_limit", account="999999999999") == 0
        assert checks(relay)["roles"] == ""
        assert [line["principal"] for line in relay.wait_for_messages(len(PERMITTED))] == principals(ses)
        assert sorted(line["session"] for line in relay.lines("role.assumed")) == [
            *("ses-relay-billing", "ses-relay-intern", "ses-relay-newsletter")
        ]


def test_the_relay_and_ses_come_to_the_same_answers(house: House, ses: EmbeddedSes) -> None:
    """What the relay refuses SES refuses too, asked by a relay that only observes."""
    with house.serve(log="enforced.log") as relay:
        ours = {row.name: send(relay, row) for row in ROWS}
    assert {name for name, reply in ours.items() if reply.startswith("250")} == {row.name for row in PERMITTED}
    ses.forget()
    house.edit('reveal = "full"', 'reveal = "full"\nmode = "observe"')
    with house.serve() as relay:
        theirs = {row.name: send(relay, row) for row in ROWS}

        assert relay.count("ses_relay_ses_disagreements_total") == 0
    asked = [row for row in FORBIDDEN if row.mail_from and "elsewhere" not in row.name]  # the relay knows no identity
    assert len(asked) >= 7
    for row in asked:
        assert theirs[row.name].startswith("554 5.7.1 Access denied: "), theirs[row.name]
        assert SESSIONS[row.delegate] in theirs[row.name]
        assert SESSIONS[row.delegate] in ours[row.name]
    assert {name for name, reply in theirs.items() if reply.startswith("250")} == {row.name for row in PERMITTED}


@pytest.mark.parametrize("fault", [NOT_ALLOWED, AWAY], ids=["not let", "STS away"])
def test_mail_of_a_role_that_cannot_be_assumed_waits_and_never_goes_as_the_relay(
    house: House, ses: EmbeddedSes, fault: dict[str, Any]
) -> None:
    """Told once, and by readiness; a relay that is ready all the same sends as soon as the role can be assumed."""
    ses.suffer({**fault, "times": 1000}, operation="AssumeRole")
    with house.serve() as relay:
        assert send(relay, MINE).startswith(NOT_NOW)
        assert send(relay, NEWS).startswith(NOT_NOW)
        told = checks(relay)["roles"]
        for name, role in ROLES.items():
            assert f"{role} as ses-relay-{name}: cannot be assumed: " in told
        assert principals(ses) == []
        assert {line["reason"] for line in relay.wait_for_messages(2)} == {"ses-credentials"}
        assert len(relay.lines("role.not-assumed")) == len(ROLES)

        ses.forget_faults()
        relay.wait_until(lambda: checks(relay)["roles"] == "", "roles")
        assert send(relay, MINE).startswith("250")
    assert principals(ses) == [SESSIONS["billing"]]


def test_one_delegates_role_is_no_other_delegates_trouble(house: House, ses: EmbeddedSes) -> None:
    """Two roles of one account share its pace, and nothing else; what waits in the spool waits for its own role."""
    house.keep("fallback")
    house.edit(f'role_arn = "{ROLES["newsletter"]}"', f'role_arn = "{CLOSED}"')
    house.edit(f'role_arn = "{ROLES["intern"]}"', f'role_arn = "{AUDIT}"')
    house.edit('reveal = "full"', 'reveal = "full"\nmode = "observe"')
    with house.serve() as relay:
        for _ in range(3):
            assert send(relay, NEWS).startswith("250 2.0.0 Ok queued as ")
            assert send(relay, MINE).startswith("250 2.0.0 Ok 0")
        told = checks(relay)["roles"]
        assert CLOSED in told
        assert AUDIT not in told
        waiting = Row("intern", "intern", "intern@example.com", "intern@example.com")
        assert send(relay, waiting).startswith("554 5.7.1 Access denied: ")
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="due") == 3, "three that wait")
        assert set(principals(ses)) == {SESSIONS["billing"]}

        house.edit(f'role_arn = "{CLOSED}"', f'role_arn = "{ROLES["newsletter"]}"')
        assert relay.reload()["event"] == "relay.reloaded"
        relay.wait_until(lambda: relay.count("ses_relay_spool_messages", state="due") == 0, "empty spool")
    assert sorted(principals(ses)) == [SESSIONS["billing"]] * 3 + [SESSIONS["newsletter"]] * 3


def test_a_message_that_waited_over_a_restart_goes_as_its_delegates_role(house: House, ses: EmbeddedSes) -> None:
    house.keep("fallback")
    ses.suffer({**AWAY, "times": 1000}, operation="AssumeRole")
    with house.serve(log="first.log") as relay:
        assert send(relay, MINE).startswith("250 2.0.0 Ok queued as ")
    ses.forget_faults()
    with house.serve() as relay:
        relay.wait_until(ses.messages, "message")
    assert principals(ses) == [SESSIONS["billing"]]


def test_a_session_that_ses_no_longer_takes_is_begun_anew(house: House, ses: EmbeddedSes) -> None:
    with house.serve() as relay:
        assert send(relay, MINE).startswith("250")
        time.sleep(1.1)  # a session that is younger would be no better than the next
        ses.suffer(EXPIRED)
        assert send(relay, MINE).startswith("451 4.3.5 ")
        relay.wait_for("role.session-refused")
        relay.wait_until(lambda: len(relay.lines("role.assumed")) == len(ROLES) + 1, "new session")
        assert send(relay, MINE).startswith("250")
    assert principals(ses) == [SESSIONS["billing"]] * 2


def test_roles_come_and_go_with_a_reload(house: House, ses: EmbeddedSes) -> None:
    principal = 'principal = "arn:aws:iam::222222222222:role/newsletter"\naccount_grant = true'
    house.edit(f'role_arn = "{ROLES["newsletter"]}"', principal)
    with house.serve() as relay:
        assert send(relay, MINE).startswith("250")
        assert send(relay, NEWS).startswith("451 4.3.5 "), "SES does not take the relay's own mail"
        assert principals(ses) == [SESSIONS["billing"]]
        house.edit(principal, f'role_arn = "{ROLES["newsletter"]}"')
        assert relay.reload()["event"] == "relay.reloaded"
        assert send(relay, NEWS).startswith("250")
        assert len(relay.lines("role.assumed")) == len(ROLES), "the others go on with what they have"
        paced = f'ses_relay_send_rate_limit{{account="{ROLES["newsletter"].split(":")[4]}"'
        relay.wait_until(lambda: paced in relay.get("/metrics"), "quota")
        house.edit(f'role_arn = "{ROLES["newsletter"]}"', principal)
        relay.reload()
        assert paced not in relay.get("/metrics"), "nobody sends through that account any more"
    assert principals(ses) == [SESSIONS["billing"], SESSIONS["newsletter"]]


def test_the_start_waits_for_no_sts(house: House, ses: EmbeddedSes) -> None:
    """It serves within seconds, and who needs no role at once."""
    ses.suffer({"delay": "60s", "times": 100}, operation="AssumeRole")
    began = time.monotonic()
    with house.serve() as relay:
        assert time.monotonic() - began < 15
        assert "STS has not answered yet" in checks(relay)["roles"]
        assert send(relay, MINE).startswith(NOT_NOW)


def test_a_sealed_owners_identities_are_judged_by_ses_alone(house: House, ses: EmbeddedSes) -> None:
    """By the role, of which the relay is told nothing."""
    house.edit('regions = ["us-east-1"]\n', 'regions = ["us-east-1"]\nsource = "sealed"\n')
    named = f"X-SES-SOURCE-ARN: {DOMAIN}\r\n"
    good = Row("mine", "billing", "billing@example.com", "billing@example.com", fields=named)
    bad = Row("not mine", "billing", "sales@example.com", "billing@example.com", fields=named)
    with house.serve() as relay:
        assert send(relay, good).startswith("250")
        assert send(relay, bad).startswith(f"554 5.7.1 Access denied: User `{SESSIONS['billing']}' is not authorized")
        assert relay.count("ses_relay_decisions_total", verdict="sealed") == 4
        assert relay.count("ses_relay_ses_disagreements_total") == 0
    assert principals(ses) == [SESSIONS["billing"]]


def test_notices_are_sent_as_their_own_role(house: House, ses: EmbeddedSes) -> None:
    house.keep("spool").notify()
    house.edit("[notifications]\n", f'[notifications]\nrole = "{NOTICES}"\n')
    ses.suffer({"code": "MessageRejected", "message": "Illegal content", "status": 400})
    with house.serve() as relay:
        assert send(relay, MINE).startswith("250 2.0.0 Ok queued as ")
        relay.wait_until(ses.messages, "notice")
    assert principals(ses) == ["arn:aws:sts::888888888888:assumed-role/notices/ses-relay-notifications"]


def test_check_and_explain_know_whose_session_it_is(house: House, tmp_path: Path) -> None:
    """So do those that list delegates, ask for a grant, and write one."""
    message = tmp_path / "one.eml"
    message.write_bytes(MINE.raw)
    checked = typed(house, "check")
    assert f"billing as {SESSIONS['billing']}, of {ROLES['billing']}\n" in checked
    explained = typed(house, "explain", str(message), "--delegate", "billing")
    assert SESSIONS["billing"] in explained
    assert RELAY not in explained
    listed = {row["name"]: row for row in json.loads(typed(house, "delegate", "list", "--json"))}
    assert {name: (row["principal"], row["role_arn"]) for name, row in listed.items()} == {
        name: (SESSIONS[name], ROLES[name]) for name in ROLES
    }
    grant = ("--identity", DOMAIN, "--from", "billing@example.com")
    for words in (("delegate", "request", "billing", "--json"), ("policy", "grant", "--delegate", "billing", *grant)):
        assert f'"{ROLES["billing"]}"' in typed(house, *words)
    cases = tmp_path / "cases.json"
    cases.write_text(
        json.dumps([{"name": "one", "delegate": "billing", "from": "billing@example.com", "expect": "allow"}])
    )
    assert "1" in typed(house, "policy", "test", str(cases))
