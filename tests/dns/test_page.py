"""What docs/how-to/check-dns.md shows is what is printed, of a zone with the mistakes that it shows."""

import boto3
import pytest
from click.testing import CliRunner

from relay.cli import main as ses_relay
from relay.dns.resolver import Resolver
from relay.dns.servers import read_server
from relay.identities import accounts
from relay.localses.app import LocalSes
from tests.dns.lab import Lab, Site
from tests.dns.sites import FEEDBACK
from tests.docs.pages import blocks_of
from tests.localses.running import House
from tests.owner.at_ses import KEY, REGION

pytestmark = pytest.mark.system

DOMAIN = "shop.test"
PAGE = "docs/how-to/check-dns.md"


def mistaken(tokens: list[str]) -> Site:
    """One CNAME right, one with its name completed twice, one at a single server; SPF without SES."""
    first, second, third = tokens
    common = (
        f"{first}._domainkey CNAME {first}.dkim.amazonses.com.\n"
        f"{second}._domainkey.{DOMAIN} CNAME {second}.dkim.amazonses.com.\n"
        f'bounce MX 10 {FEEDBACK}\nbounce TXT "v=spf1 mx -all"\n_dmarc TXT "v=DMARC1; p=quarantine; aspf=s"\n'
    )
    return Site(records={"A": f"{common}{third}._domainkey CNAME {third}.dkim.amazonses.com.", "B": common})


@pytest.fixture
def printed(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path) -> str:
    """The identity's report, its resolver one that has not heard of the newest record; ports are left out."""
    session = boto3.Session(KEY.id, KEY.secret)
    monkeypatch.setattr(accounts, "OneASecond", accounts.AtOnce)
    monkeypatch.setattr(boto3, "Session", lambda *_keys: session)
    monkeypatch.setattr("relay.localses.verification.PAUSE", 0.0)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.chdir(tmp_path)
    server, house = read_server(lab.stale), House()
    with house.running(LocalSes([KEY], ask_dns=Resolver(lambda: (server,)).ask)) as door:
        monkeypatch.setenv("AWS_ENDPOINT_URL", door.url)
        client = door.client("sesv2", KEY.id, KEY.secret)
        made = client.create_email_identity(EmailIdentity=DOMAIN)
        client.put_email_identity_mail_from_attributes(EmailIdentity=DOMAIN, MailFromDomain=f"bounce.{DOMAIN}")
        lab.publish(DOMAIN, mistaken(made["DkimAttributes"]["Tokens"]))
        words = ["identity", "dns", DOMAIN, "--resolver", lab.stale, "--port", str(lab.port)]
        result = CliRunner().invoke(ses_relay, words)
    house.close()
    assert result.exit_code == 1, result.output
    return (
        result.stdout.replace(f"resolver {lab.stale}", "resolver 192.0.2.53")
        .replace(f":{lab.port}", "")
        .replace("[::1]", "::1")
    )


def test_the_page_shows_what_is_printed(printed):
    """Columns aside, which are as wide as the ports made them."""
    shown = [block.text for block in blocks_of(PAGE) if block.text.startswith(f"{DOMAIN}  in")]

    assert [" ".join(text.split()) for text in shown] == [" ".join(printed.split())]
