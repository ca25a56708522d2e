"""Each record that an identity wants, against real zones: found, spreading, missing, or wrong and in which way."""

from typing import Literal

import pytest

from relay.identities.ses_api import Held
from relay.owner.dns_check import Checked, Report, State, check_records
from relay.owner.dns_records import Kind, WantedRecord, wanted_records
from tests.dns.lab import NOBODY, A, B, Lab
from tests.dns.sites import FEEDBACK, KEY, REGION, SPF, TOKEN

pytestmark = pytest.mark.system

HOST = f"10 {FEEDBACK.rstrip('.')}"


def wanted(kind: Kind, name: str, value: str, is_required: bool = True) -> WantedRecord:
    type_: Literal["CNAME", "MX", "TXT"] = "CNAME" if kind == "dkim" else "MX" if kind == "mail-from-mx" else "TXT"
    return WantedRecord(kind, name, type_, value, is_required, "")


def dkim(name: str) -> WantedRecord:
    return wanted("dkim", name, f"{name.partition('.')[0]}.dkim.amazonses.com")


def token(name: str) -> WantedRecord:
    return wanted("verification", name, TOKEN)


async def checked(lab: Lab, record: WantedRecord, domain: str = "wrong.test", *resolvers: str) -> Checked:
    report = await check_records(lab.net(*resolvers), domain, [record])
    return report.records[0]


async def test_all_that_a_good_domain_has_is_found_everywhere(lab):
    whole = {
        "DkimAttributes": {"SigningAttributesOrigin": "AWS_SES", "Tokens": ["t1", "t2", "t3"]},
        "MailFromAttributes": {"MailFromDomain": "bounce.good.test"},
    }
    records = wanted_records(Held("good.test", False, "PENDING", {}, whole), REGION, verification_token=TOKEN)
    report = await check_records(lab.net(), "good.test", records)

    assert len(report.records) == 7
    assert [(each.state, each.remarks) for each in report.records] == [(State.FOUND, ())] * 7
    assert {len(each.views) for each in report.records} == {4}
    assert report.is_complete
    assert report.remarks == ()


@pytest.mark.parametrize("told", ["", f"p={KEY}"])
async def test_a_key_of_ones_own_is_compared_where_it_is_known(lab, told):
    own = await checked(lab, wanted("dkim-key", "own._domainkey.good.test", told), "good.test")

    assert own.state is State.FOUND
    assert bool(own.remarks) == (told == "")


MISTAKES = [
    (dkim("t1._domainkey.wrong.test"), "the form completes names with wrong.test, so enter t1._domainkey"),
    (dkim("dot._domainkey.wrong.test"), "the provider completed the value with wrong.test: end it with a dot"),
    (dkim("other._domainkey.wrong.test"), ""),
    (dkim("flat._domainkey.wrong.test"), "flattened or proxied"),
    (dkim("proxied._domainkey.wrong.test"), "flattened or proxied"),
    (dkim("typed._domainkey.wrong.test"), "a TXT record in place of the CNAME: change its type"),
    (token("quoted.wrong.test"), "quotes stand inside the value"),
    (token("lowered.wrong.test"), "the letters were lowered"),
    (token("blank.wrong.test"), "a blank stands before or after the value"),
    (token("broken.wrong.test"), "blanks stand inside the value"),
    (wanted("mail-from-spf", "two.wrong.test", SPF), "2 SPF records at one name"),
    (wanted("mail-from-spf", "without.wrong.test", SPF), "add include:amazonses.com before -all"),
    (wanted("mail-from-spf", "behind.wrong.test", SPF), "add include:amazonses.com before -all"),
    (wanted("mail-from-spf", "elsewhere.wrong.test", SPF), "none of its TXT records is for SPF"),
    (wanted("mail-from-mx", "aliased.wrong.test", HOST), "a CNAME to somewhere.wrong.test in place of the MX"),
    (wanted("mail-from-mx", "priority.wrong.test", HOST), "the priority stands in the field of the host"),
    (wanted("mail-from-mx", "many.wrong.test", HOST), "2 MX records: SES wants its own to be the only one"),
    (wanted("mail-from-mx", "foreign.wrong.test", HOST), ""),
    (wanted("mail-from-mx", "copied.wrong.test", HOST), ""),
    (wanted("mail-from-mx", "misspelt.wrong.test", HOST), ""),
    (wanted("dkim-key", "revoked._domainkey.wrong.test", ""), "an empty one, which withdraws the key"),
    (wanted("dkim-key", "armour._domainkey.wrong.test", ""), "p= is not base64: the key goes in without armour"),
    (wanted("dkim-key", "different._domainkey.wrong.test", f"p={KEY}"), "it is another key"),
    (wanted("dkim-key", "twice._domainkey.wrong.test", "p=AAAA"), "2 TXT records at this name"),
    (token("anything.wild.test"), "a wildcard answers"),
    (token("nothing-here.wrong.test"), ""),
]


@pytest.mark.parametrize(("record", "remark"), MISTAKES, ids=lambda value: getattr(value, "name", ""))
async def test_the_mistake_is_named(lab, record, remark):
    found = await checked(lab, record, ".".join(record.name.split(".")[-2:]))

    assert found.state in (State.MISSING, State.WRONG)
    assert (found.state is State.MISSING) == all(view.state is State.MISSING for view in found.views)
    assert len(found.remarks) == bool(remark)
    assert remark in " ".join(found.remarks)


async def test_one_mx_serves_several_regions(lab):
    found = await checked(lab, wanted("mail-from-mx", "region.wrong.test", HOST))

    assert found.state is State.FOUND
    assert "it is the host of eu-west-1" in found.remarks[0]


async def test_a_redirect_comes_last_wherever_it_stands(lab):
    """RFC 7208 section 6.1."""
    found = await checked(lab, wanted("mail-from-spf", "redirect.wrong.test", SPF))

    assert found.state is State.FOUND


async def test_a_token_at_the_bare_domain_will_do(lab):
    """For providers that take no underscores (SES Developer Guide of 2018, "Amazon SES domain verification")."""
    found = await checked(lab, token("_amazonses.bare.test"), "bare.test")

    assert found.state is State.FOUND
    assert "at bare.test itself" in found.remarks[0]


async def test_what_some_servers_have_and_others_not_is_spreading(lab):
    """With what each has, and how long caches keep the old."""
    found = await checked(lab, token("x.split.test"), "split.test", lab.resolver, lab.stale)

    assert found.state is State.SPREADING
    by_server = {view.server: (view.state, view.ttl) for view in found.views}
    assert by_server[f"ns-a.lab.test ({A}:{lab.port})"] == (State.FOUND, 60)
    assert by_server[f"ns-b.lab.test ({B}:{lab.port})"] == (State.WRONG, 3600)
    assert by_server[lab.stale] == (State.WRONG, 3600)
    assert found.wait == 3600


async def test_a_lame_server_is_named_and_the_record_found_all_the_same(lab):
    found = await checked(lab, token("x.lame.test"), "lame.test")

    assert found.state is State.FOUND
    assert f"ns-nobody.lab.test ({NOBODY}:{lab.port}): connection refused" in found.remarks
    assert any("ns-a.lab.test" in remark and "REFUSED" in remark for remark in found.remarks)


@pytest.mark.parametrize("zone", ["broken.test", "gone.test"])
async def test_where_nobody_answers_nothing_is_said_of_the_record(lab, zone):
    found = await checked(lab, token(f"x.{zone}"), zone)

    assert found.state is State.UNANSWERED
    assert found.views
    assert found.remarks


async def test_what_dnssec_holds_back_is_wrong_whatever_the_zone_says(lab):
    found = await checked(lab, token("x.bogus.test"), "bogus.test")

    assert found.state is State.SPREADING
    assert any("SERVFAIL by DNSSEC" in remark for remark in found.remarks)


async def test_a_silent_resolver_beside_one_that_answers_is_a_remark(lab):
    silent = f"{NOBODY}:{lab.port}"
    beside = await checked(lab, token("_amazonses.good.test"), "good.test", lab.resolver, silent)
    alone = await checked(lab, token("_amazonses.good.test"), "good.test", silent)

    assert (beside.state, alone.state) == (State.FOUND, State.UNANSWERED)
    assert beside.remarks == (f"{silent}: connection refused",)


async def test_the_answer_that_does_not_fit_into_a_datagram_counts(lab):
    found = await checked(lab, wanted("verification", "big.test", f"007 {'x' * 200}"), "big.test")

    assert found.state is State.FOUND


async def test_a_zone_below_is_asked_at_its_own_servers(lab):
    records = [dkim("t1._domainkey.deep.test"), wanted("mail-from-mx", "mail.deep.test", HOST)]
    report = await check_records(lab.net(), "deep.test", records)

    assert report.is_complete
    assert report.records[1].views[0].server == f"ns-b.lab.test ({B}:{lab.port})"


async def dmarc(lab: Lab, domain: str, *records: WantedRecord) -> Report:
    advice = wanted("dmarc", f"_dmarc.{domain}", "v=DMARC1; p=none;", is_required=False)
    return await check_records(lab.net(), domain, [*records, advice])


def state_of(report: Report) -> State:
    return report.records[-1].state


@pytest.mark.parametrize(
    ("domain", "state", "verdict", "speaks", "organization"),
    [
        ("good.test", State.FOUND, "reject", "good.test", "good.test"),
        ("org.test", State.FOUND, "reject", "org.test", "org.test"),
        ("sub.org.test", State.FOUND, "quarantine", "org.test", "org.test"),
        ("a.b.c.d.e.f.g.h.i.org.test", State.FOUND, "quarantine", "org.test", "org.test"),
        ("own.org.test", State.FOUND, "none", "own.org.test", "org.test"),
        ("team.suffix.org.test", State.FOUND, "reject", "suffix.org.test", "team.suffix.org.test"),
        ("apart.org.test", State.FOUND, "quarantine", "apart.org.test", "apart.org.test"),
        ("alias.test", State.FOUND, "reject", "alias.test", "alias.test"),
        ("near.org.test", State.WRONG, "quarantine", "org.test", "org.test"),
        ("wrong.test", State.WRONG, "none", None, "wrong.test"),
        ("bare.test", State.MISSING, "none", None, "bare.test"),
    ],
)
async def test_dmarc_is_found_by_walking_up(lab, domain, state, verdict, speaks, organization):
    """RFC 9989 section 4.10: sp for those below, p at the domain itself, psd ends the walk."""
    report = await dmarc(lab, domain)

    assert state_of(report) is state
    found = report.dmarc
    assert (found.verdict, found.policy and found.policy.domain, found.organization) == (verdict, speaks, organization)
    assert report.is_complete  # SES does not wait for it


@pytest.mark.parametrize(
    ("domain", "mail_from", "aligned"),
    [
        ("good.test", "bounce.good.test", {"dkim": True, "spf": False}),  # aspf=s
        ("good.test", None, {"dkim": True, "spf": False}),
        ("org.test", "bounce.sub.org.test", {"dkim": True, "spf": True}),
        ("bare.test", "bounce.bare.test", {"dkim": True, "spf": True}),
    ],
)
async def test_what_of_a_delegates_mail_is_aligned(lab, domain, mail_from, aligned):
    """
    SPF never strictly, for a MAIL FROM domain is below the identity's. Without a record it is said for the first.
    """
    records = [dkim(f"t1._domainkey.{domain}")]
    records += [wanted("mail-from-mx", mail_from, HOST)] if mail_from else []
    report = await dmarc(lab, domain, *records)

    assert {each.mechanism: each.is_aligned for each in report.alignments} == aligned
    assert all(each.why for each in report.alignments)
