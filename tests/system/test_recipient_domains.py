"""``dns.check_recipient_domains`` of a real relay, with a real resolver, switched on and off while it runs."""

import pytest

from tests.dns.conftest import lab  # noqa: F401 - a fixture
from tests.dns.lab import Lab
from tests.system.houses import House
from tests.system.relays import Client, RunningRelay
from tests.system.rows import PERMITTED, secret_of

pytestmark = pytest.mark.system

MINE = PERMITTED[0]
RECIPIENTS = ("ann@null.test", "ann@nothing-here.good.test", "ann@broken.test", "ann@mx.test")


def replies(relay: RunningRelay) -> list[str]:
    with relay.client(MINE.delegate, secret_of(MINE.delegate)) as client:
        assert client.command(f"MAIL FROM:<{MINE.mail_from}>").startswith("250")
        return [client.command(f"RCPT TO:<{recipient}>")[:10].strip() for recipient in RECIPIENTS]


def test_it_follows_the_settings(house: House, lab: Lab) -> None:  # noqa: F811 - the fixture
    """A stranger's RCPT makes nobody ask; what was let through is counted, too."""
    section = f'\n[dns]\nnameservers = ["{lab.resolver}"]\ncheck_recipient_domains = true\n'
    before = house.settings.read_text()
    with house.serve() as relay:
        assert {reply[:3] for reply in replies(relay)} == {"250"}

        house.settings.write_text(before + section)
        line = relay.reload()
        assert (line["event"], line["needs_restart"]) == ("relay.reloaded", [])
        assert replies(relay) == ["556 5.1.10", "550 5.1.2", "250 2.1.5", "250 2.1.5"]
        with Client(relay.smtp) as stranger:
            stranger.command("EHLO client.test")
            assert stranger.command("RCPT TO:<ann@null.test>").startswith("503")

        counted = {
            result: relay.count("ses_relay_recipient_domains_total", result=result)
            for result in ("null-mx", "no-such-domain", "unanswered", "taken")
        }
        assert counted == {"null-mx": 1, "no-such-domain": 1, "unanswered": 1, "taken": 1}

        house.settings.write_text(before)
        assert relay.reload()["event"] == "relay.reloaded"
        assert {reply[:3] for reply in replies(relay)} == {"250"}
