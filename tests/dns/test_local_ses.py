"""The embedded SES with ``--dns``: domains are verified by what a real server has."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.dns.resolver import Resolver
from relay.dns.servers import read_server
from relay.localses.app import LocalSes
from relay.localses.identities import FolderIdentities
from relay.localses.keys import DEMO_KEYS
from relay.localses.verification import GIVES_UP
from tests.dns.lab import Lab, everywhere
from tests.dns.sites import FEEDBACK
from tests.localses.running import MESSAGE, Clock, Door, House

pytestmark = pytest.mark.system

DOMAIN = "proved.test"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def running(house: House, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run an embedded SES by the zones of server B; nobody waits a second between two looks."""
    monkeypatch.setattr("relay.localses.verification.PAUSE", 0.0)
    lab.publish(DOMAIN, everywhere(""))

    @contextmanager
    def run(clock: Clock | None = None, state: Path | None = None) -> Iterator[Door]:
        server = read_server(lab.stale)
        identities = FolderIdentities(state) if state else None
        ask = Resolver(lambda: (server,)).ask
        ses = LocalSes(
            DEMO_KEYS, clock=clock or Clock(), ask_dns=ask, identities=identities, verify_signatures=clock is None
        )
        with house.running(ses) as door:
            yield door

    return run


def made(door: Door) -> list[str]:
    """Make the domain's identity with a MAIL FROM domain; return the tokens of DKIM."""
    client = door.client("sesv2")
    told = client.create_email_identity(EmailIdentity=DOMAIN)
    client.put_email_identity_mail_from_attributes(EmailIdentity=DOMAIN, MailFromDomain=f"bounce.{DOMAIN}")
    assert not told["VerifiedForSendingStatus"]
    tokens: list[str] = told["DkimAttributes"]["Tokens"]
    return tokens


def states(door: Door) -> tuple[str, str, str, bool]:
    told = door.client("sesv2").get_email_identity(EmailIdentity=DOMAIN)
    verified = told["VerifiedForSendingStatus"]
    mail_from = told.get("MailFromAttributes", {}).get("MailFromDomainStatus", "")
    return told["VerificationStatus"], told["DkimAttributes"]["Status"], mail_from, verified


def dkim(tokens: list[str]) -> str:
    return "".join(f"{token}._domainkey CNAME {token}.dkim.amazonses.com.\n" for token in tokens)


def test_a_domain_is_pending_until_its_records_are_found(running, lab):
    with running() as door:
        tokens = made(door)
        assert states(door) == ("PENDING", "PENDING", "PENDING", False)
        lab.publish(DOMAIN, everywhere(dkim(tokens[:2])))
        assert states(door) == ("PENDING", "PENDING", "PENDING", False)

        lab.publish(DOMAIN, everywhere(dkim(tokens)))
        assert states(door) == ("SUCCESS", "SUCCESS", "PENDING", True)
        lab.publish(DOMAIN, everywhere(dkim(tokens) + f"bounce MX 10 {FEEDBACK}"))
        assert states(door) == ("SUCCESS", "SUCCESS", "SUCCESS", True)

        lab.publish(DOMAIN, everywhere(""))
        assert states(door) == ("SUCCESS", "SUCCESS", "SUCCESS", True)


@pytest.mark.parametrize("where", ["_amazonses TXT {}", "@ TXT {}", "@ TXT amazonses:{}"])
def test_the_token_of_v1_verifies_a_domain_without_dkim(running, lab, where):
    """For providers without underscores, at the domain itself (SES Developer Guide of 2018)."""
    with running() as door:
        v1 = door.client()
        token = v1.verify_domain_identity(Domain=DOMAIN)["VerificationToken"]
        assert state_by_v1(v1) == "Pending"
        lab.publish(DOMAIN, everywhere(where.format(f'"{token}"').replace('amazonses:"', '"amazonses:')))

        assert state_by_v1(v1) == "Success"
        assert v1.get_identity_dkim_attributes(Identities=[DOMAIN])["DkimAttributes"][DOMAIN] == {
            "DkimEnabled": False,
            "DkimVerificationStatus": "NotStarted",
        }


def state_by_v1(client: Any) -> str:
    told = client.get_identity_verification_attributes(Identities=[DOMAIN])["VerificationAttributes"]
    return str(told[DOMAIN]["VerificationStatus"])


def test_a_key_of_ones_own_is_looked_for_at_its_selector(running, lab):
    with running() as door:
        signing = {"DomainSigningSelector": "own", "DomainSigningPrivateKey": "c2VjcmV0"}
        door.client("sesv2").create_email_identity(EmailIdentity=DOMAIN, DkimSigningAttributes=signing)
        lab.publish(DOMAIN, everywhere('own._domainkey TXT "v=DKIM1; p="'))
        assert states(door)[:2] == ("PENDING", "PENDING")

        lab.publish(DOMAIN, everywhere('own._domainkey TXT "v=DKIM1; p=AAAA"'))
        assert states(door) == ("SUCCESS", "SUCCESS", "", True)


def test_it_is_given_up_after_72_hours(running, lab):
    clock = Clock()
    with running(clock) as door:
        tokens = made(door)
        assert states(door)[0] == "PENDING"
        clock.seconds = GIVES_UP - 60
        assert states(door) == ("PENDING", "PENDING", "PENDING", False)
        clock.seconds = GIVES_UP + 60
        assert states(door) == ("FAILED", "FAILED", "FAILED", False)

        lab.publish(DOMAIN, everywhere(dkim(tokens)))
        assert states(door)[0] == "FAILED"


def test_who_is_pending_may_not_send_nor_have_policies(running, lab):
    """Whether or not unknown addresses count as verified."""
    with running() as door:
        tokens = made(door)
        send = {"Source": f"ann@{DOMAIN}", "Destinations": ["friend@example.net"]}
        raw = {"Data": MESSAGE.replace(b"example.com", DOMAIN.encode())}
        with pytest.raises(ClientError, match="Email address is not verified"):
            door.client().send_raw_email(**send, RawMessage=raw)
        with pytest.raises(ClientError, match="Must be a verified email address or domain"):
            door.client().put_identity_policy(Identity=DOMAIN, PolicyName="p", Policy="{}")
        [listed] = door.client("sesv2").list_email_identities()["EmailIdentities"]
        assert (listed["SendingEnabled"], listed["VerificationStatus"]) == (False, "PENDING")

        lab.publish(DOMAIN, everywhere(dkim(tokens)))
        door.client().send_raw_email(**send, RawMessage=raw)
        [listed] = door.client("sesv2").list_email_identities()["EmailIdentities"]
        assert (listed["SendingEnabled"], listed["VerificationStatus"]) == (True, "SUCCESS")


def test_an_address_is_verified_at_once(running):
    with running() as door:
        door.client("sesv2").create_email_identity(EmailIdentity="ann@example.com")
        told = door.client("sesv2").get_email_identity(EmailIdentity="ann@example.com")

        assert (told["VerificationStatus"], told["VerifiedForSendingStatus"]) == ("SUCCESS", True)


def test_what_a_folder_keeps_is_looked_for_again_after_a_restart(running, lab, tmp_path):
    """Once more even when its time is up."""
    with running(state=tmp_path) as door:
        tokens = made(door)
        assert states(door)[0] == "PENDING"
    lab.publish(DOMAIN, everywhere(dkim(tokens)))
    clock = Clock()
    clock.seconds = GIVES_UP + 60
    with running(clock, state=tmp_path) as door:
        assert states(door)[0] == "SUCCESS"


def test_the_command_says_who_is_asked(lab):
    words = ("local-ses", "--listen", "127.0.0.1:0", "--dns", lab.resolver)
    with subprocess.Popen([sys.executable, "-m", "relay", *words], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if line.startswith("domains"))
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read().endswith("stopped\n")

    assert said == f"domains are verified by the DNS of {lab.resolver}\n"
    assert process.returncode == 0


def test_an_address_that_is_none_is_wrong_usage():
    done = subprocess.run(
        [sys.executable, "-m", "relay", "local-ses", "--dns", "dns.example.com"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert "is no name server" in done.stderr
