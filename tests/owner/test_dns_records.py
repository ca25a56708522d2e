"""The DNS records an identity wants, from what GetEmailIdentity tells."""

from typing import Any

import dns.rdatatype
import dns.zone
import pytest
from dns.rdtypes.ANY.TXT import TXT

from relay.identities.ses_api import Held
from relay.owner.dns_records import WantedRecord, txt_strings, wanted_records, zone_fragment

EASY = {"SigningAttributesOrigin": "AWS_SES", "Tokens": ["a", "b", "c"], "SigningHostedZone": "dkim.eu-south-1.example"}
OWN = {"SigningAttributesOrigin": "EXTERNAL", "Tokens": ["mine"]}


def held(name: str = "example.com", **whole: Any) -> Held:
    return Held(name, True, "SUCCESS", {}, whole)


def rows(records: tuple[WantedRecord, ...]) -> list[tuple[str, str, str, str, bool]]:
    return [(each.kind, each.name, each.type, each.value, each.is_required) for each in records]


def test_easy_dkim_wants_three_aliases_in_the_zone_that_ses_names():
    told = rows(wanted_records(held(DkimAttributes=EASY), "eu-south-1"))

    assert told == [
        *(
            ("dkim", f"{token}._domainkey.example.com", "CNAME", f"{token}.dkim.eu-south-1.example", True)
            for token in "abc"
        ),
        ("dmarc", "_dmarc.example.com", "TXT", "v=DMARC1; p=none;", False),
    ]


@pytest.mark.parametrize(("region", "zone"), [("us-east-1", "dkim"), ("eu-south-1", "dkim.eu-south-1")])
def test_where_ses_names_no_zone_the_regions_is_taken(region, zone):
    attributes = {"SigningAttributesOrigin": "AWS_SES", "Tokens": ["a"]}

    assert wanted_records(held(DkimAttributes=attributes), region)[0].value == f"a.{zone}.amazonses.com"


def test_a_key_of_ones_own_is_wanted_under_its_selector():
    known = wanted_records(held(DkimAttributes=OWN), "us-east-1", public_key="MIGf")
    untold = wanted_records(held(DkimAttributes=OWN), "us-east-1")

    assert rows(known)[0] == ("dkim-key", "mine._domainkey.example.com", "TXT", "p=MIGf", True)
    assert untold[0].value == ""
    assert '; mine._domainkey.example.com. IN TXT "p=..."' in zone_fragment(untold)


@pytest.mark.parametrize(("attributes", "is_required"), [({}, True), (EASY, False)])
def test_a_verification_token_is_required_where_dkim_does_not_verify(attributes, is_required):
    records = wanted_records(held(DkimAttributes=attributes), "us-east-1", verification_token="t0ken=")

    assert ("verification", "_amazonses.example.com", "TXT", "t0ken=", is_required) in rows(records)


def test_an_address_wants_nothing_but_its_mail_from():
    mail_from = {"MailFromDomain": "bounce.example.com", "BehaviorOnMxFailure": "REJECT_MESSAGE"}

    assert wanted_records(held("ceo@example.com"), "us-east-1") == ()
    assert rows(wanted_records(held("ceo@example.com", MailFromAttributes=mail_from), "eu-west-1")) == [
        ("mail-from-mx", "bounce.example.com", "MX", "10 feedback-smtp.eu-west-1.amazonses.com", True),
        ("mail-from-spf", "bounce.example.com", "TXT", "v=spf1 include:amazonses.com ~all", True),
    ]


def test_the_fragment_is_a_zone_file():
    """dnspython, an independent reader, finds in it what was wanted; a long key comes back whole."""
    mail_from = {"MailFromDomain": "bounce.example.com"}
    wanted = wanted_records(held(DkimAttributes=OWN, MailFromAttributes=mail_from), "us-east-1", public_key="K" * 392)

    zone = dns.zone.from_text(zone_fragment(wanted), origin="example.com.", relativize=False, check_origin=False)

    found = {
        (name.to_text(omit_final_dot=True), dns.rdatatype.to_text(record.rdtype)): (
            b"".join(record.strings).decode() if isinstance(record, TXT) else record.to_text().rstrip(".")
        )
        for name, _, record in zone.iterate_rdatas()
    }
    assert found == {(each.name, each.type): each.value for each in wanted}


def test_a_text_is_cut_after_255_octets_and_escaped():
    assert txt_strings("x" * 256) == (f'"{"x" * 255}"', '"x"')
    assert txt_strings('a"b\\\n') == ('"a\\"b\\\\\\010"',)
    assert txt_strings("") == ('""',)
