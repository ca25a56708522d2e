"""A relay that reads policies from SES: what its owner puts counts, what is withdrawn ends, and SES may be away."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.system.houses import House
from tests.system.relays import EmbeddedSes, RunningRelay, command, http, started_ses
from tests.system.test_owner_and_delegate import ARN, BILLING, hand_over, owner, policy

pytestmark = pytest.mark.system

#: What SES answers where it does not work; and how long that lasts here.
BROKEN = {"code": "InternalFailure", "status": 500, "message": "broken", "times": 100_000}
READING = ("ListEmailIdentities", "GetEmailIdentity")


class Owned:
    """An embedded SES with a domain that lets billing send, and a relay's folder that reads policies from it."""

    def __init__(self, ses: EmbeddedSes, house: House) -> None:
        self.ses, self.house = ses, house
        self.v2 = owner(ses.url, "sesv2")

    def let(self, principal: str = BILLING) -> None:
        self.v2.update_email_identity_policy(
            EmailIdentity="example.com", PolicyName="billing", Policy=policy(principal)
        )

    def forbid(self) -> None:
        self.v2.delete_email_identity_policy(EmailIdentity="example.com", PolicyName="billing")

    def cannot_be_read(self) -> None:
        """SES takes mail, and tells nothing about identities."""
        http(
            "PUT", f"{self.ses.url}/_local/faults", json.dumps({operation: [BROKEN] for operation in READING}).encode()
        )


@pytest.fixture
def owned(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[Owned]:
    with started_ses(tmp_path) as ses:
        house = House(tmp_path / "house", certificate, ses=ses.url)
        house.edit('source = "directory"\n', 'source = "ses"\napi_rate = "20/s"\n')
        house.edit('directory = "policies"\n', f'snapshot = "{tmp_path}/policies.snapshot"\n')
        house.edit('refresh_interval = "100ms"', 'refresh_interval = "500ms"\nmax_stale = "4s"')
        one = Owned(ses, house)
        one.v2.create_email_identity(EmailIdentity="example.com")
        one.let()
        yield one


def ends(relay: RunningRelay, with_: str, seconds: float = 20) -> str:
    """Send until the reply begins so."""

    def sent() -> str | None:
        reply = hand_over(relay)
        return reply if reply.startswith(with_) else None

    reply: str = relay.wait_until(sent, with_, seconds)
    return reply


def test_what_the_owner_puts_counts_and_what_it_deletes_ends(owned: Owned) -> None:
    """The first message waits for its identity; a withdrawn permission ends within the interval."""
    with owned.house.serve() as relay:
        assert hand_over(relay).startswith("250")
        assert "ok policies" in relay.readiness()
        owned.forbid()
        deleted = time.monotonic()
        ends(relay, "55")
        assert time.monotonic() - deleted < 10
        owned.let()
        ends(relay, "250")

        assert relay.count("ses_relay_policy_revocation_seconds", account="888888888888") == 0.5
        assert relay.count("ses_relay_policy_refreshes_total", result="ok") >= 4
        assert relay.count("ses_relay_policy_age_seconds", identity=ARN) < 30
        assert relay.count("ses_relay_ses_requests_total", operation="GetEmailIdentity", result="sent") >= 2


def test_explain_reads_from_ses_what_it_needs(owned: Owned, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_text("From: billing@example.com\nTo: friend@example.net\nSubject: hi\n\nhello\n")
    words = ("explain", str(tmp_path / "one.eml"), "-c", str(owned.house.settings), "--delegate", "billing")
    allowed = command(*words)
    owned.forbid()
    refused = command(*words)

    assert (allowed.returncode, refused.returncode) == (0, 1), allowed.stdout + refused.stdout
    assert b"no policy" in refused.stdout
    assert not (tmp_path / "policies.snapshot").exists(), "it is the relay that writes it"


def test_ses_that_cannot_be_read_is_borne_until_policies_are_too_old(owned: Owned) -> None:
    with owned.house.serve() as relay:
        assert hand_over(relay).startswith("250")
        owned.cannot_be_read()
        assert hand_over(relay).startswith("250")
        refusal = ends(relay, "451")
        assert refusal.startswith("451 4.7.1")
        relay.wait_until(lambda: not relay.is_ready(), "a relay that is not ready")
        assert "too old" in relay.readiness()
        assert "InternalServiceErrorException: broken" in relay.readiness()
        owned.ses.forget_faults()

        ends(relay, "250")
        relay.wait_until(relay.is_ready, "a relay that is ready")


def test_a_restart_decides_at_once_by_what_was_known(owned: Owned) -> None:
    """SIGTERM writes the snapshot, kill -9 leaves it; the next relay allows and refuses while SES tells nothing."""
    owned.house.edit('max_stale = "4s"', 'max_stale = "10m"')
    with owned.house.serve() as relay:
        assert hand_over(relay).startswith("250")
    with owned.house.serve(log="killed.log") as relay:
        assert hand_over(relay).startswith("250")
        relay.process.send_signal(signal.SIGKILL)
        relay.process.wait()
    owned.cannot_be_read()
    with owned.house.serve(log="again.log") as relay:
        assert hand_over(relay).startswith("250")
        assert hand_over(relay, "ceo@example.com").startswith("554 5.7.1")
        assert relay.count("ses_relay_policy_age_seconds", identity=ARN) > 0


def test_a_reload_of_policies_loses_nothing(owned: Owned) -> None:
    """No 451 after SIGHUP, though nothing can be read at that moment."""
    owned.house.edit('max_stale = "4s"', 'max_stale = "10m"')
    with owned.house.serve() as relay:
        assert hand_over(relay).startswith("250")
        owned.cannot_be_read()
        owned.house.edit('refresh_interval = "500ms"', 'refresh_interval = "700ms"')
        assert relay.reload()["event"] == "relay.reloaded"

        assert hand_over(relay).startswith("250")


def test_sighup_and_the_admin_endpoint_have_policies_read_again(owned: Owned) -> None:
    """With an interval of an hour, what changed counts when somebody says so."""
    owned.house.edit('refresh_interval = "500ms"\nmax_stale = "4s"', 'refresh_interval = "1h"\nmax_stale = "2h"')
    with owned.house.serve() as relay:
        assert hand_over(relay).startswith("250")
        owned.forbid()
        assert hand_over(relay).startswith("250")
        assert refreshed(relay, {"identity": ARN}) == {"refreshing": ARN}
        ends(relay, "55")
        owned.let()
        assert relay.reload()["event"] == "relay.reloaded"
        ends(relay, "250")

        told = json.loads(relay.get("/api/identities"))
        (identity,), (place,) = told["identities"], told["places"]
        assert (identity["arn"], identity["verified"], identity["problem"]) == (ARN, True, None)
        assert [policy["name"] for policy in identity["policies"]] == ["billing"]
        assert (place["source"], place["identities"], place["revocation"]) == ("ses", 1, 3600.0)


def test_where_ses_refuses_what_we_allowed_both_readings_are_told_and_the_identity_is_read_again(owned: Owned) -> None:
    owned.house.edit('refresh_interval = "500ms"\nmax_stale = "4s"', 'refresh_interval = "1h"\nmax_stale = "2h"')
    owned.house.edit(f'principal = "{BILLING}"', 'principal = "caller"')
    owned.let("arn:aws:iam::888888888888:user/relay")
    refusal = {"code": "AccessDenied", "status": 403, "message": f"not authorized on resource `{ARN}'", "times": 9}
    with owned.house.serve() as relay:
        assert hand_over(relay).startswith("250")
        read = relay.count("ses_relay_ses_requests_total", operation="GetEmailIdentity")
        owned.ses.suffer(refusal)
        for _ in range(3):
            assert hand_over(relay).startswith("451 4.3.5")
        line: dict[str, Any] = relay.wait_for("ses.disagreed")
        relay.wait_until(
            lambda: relay.count("ses_relay_ses_requests_total", operation="GetEmailIdentity") > read, "another reading"
        )

        assert line["theirs"].startswith("AccessDenied: not authorized")
        assert [role["verdict"] for role in line["ours"]] == ["allowed", "allowed"]
        assert line["ours"][0]["digests"]
        assert line["read_seconds_ago"][ARN] >= 0
        assert relay.count("ses_relay_ses_requests_total", operation="GetEmailIdentity") == read + 1


def refreshed(relay: RunningRelay, body: dict[str, str]) -> Any:
    """Ask the admin endpoint to have policies read again."""
    connection = HTTPConnection(relay.addresses["admin"], timeout=10)
    with closing(connection):
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/identities/refresh", json.dumps(body), headers)
        answer = connection.getresponse()
        assert answer.status == 202
        return json.loads(answer.read())
