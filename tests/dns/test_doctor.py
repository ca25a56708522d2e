"""What the doctor says of an identity's records, against real zones."""

import pytest

from relay.identities.ses_api import Held
from relay.owner.doctor.dns import look_at_records
from relay.owner.doctor.findings import Finding
from relay.owner.doctor.rounds import Rounds
from tests.dns.lab import Lab
from tests.dns.sites import REGION

pytestmark = pytest.mark.system


def found(
    lab: Lab, domain: str, *tokens: str, mail_from: str = "", on_failure: str = "USE_DEFAULT_VALUE"
) -> list[Finding]:
    whole = {
        "DkimAttributes": {"SigningAttributesOrigin": "AWS_SES", "Tokens": list(tokens)},
        "MailFromAttributes": {"MailFromDomain": mail_from, "BehaviorOnMxFailure": on_failure} if mail_from else {},
    }
    held = Held(domain, True, "SUCCESS", {}, whole)
    arn = f"arn:aws:ses:{REGION}:888888888888:identity/{domain}"
    return Rounds().make([look_at_records(arn, held, lab.resolvers, is_aws=True, port=lab.port)])


def test_records_that_are_found_everywhere(lab):
    (finding,) = found(lab, "good.test", "t1", "t2", "t3", mail_from="bounce.good.test")

    assert (finding.status.value, finding.what) == ("ok", "6 records, found everywhere")


def test_what_is_wrong_is_told_with_the_record_and_what_was_done(lab):
    """The provider completed a name that was complete; DMARC is advice."""
    dkim, dmarc = found(lab, "wrong.test", "t1")

    assert (dkim.status.value, dkim.what) == ("failing", "CNAME t1._domainkey.wrong.test: missing")
    assert "so enter t1._domainkey" in dkim.fix
    assert "t1._domainkey.wrong.test. 300 IN CNAME t1.dkim.amazonses.com." in dkim.fix
    assert (dmarc.status.value, dmarc.what.partition(":")[0]) == ("warning", "TXT _dmarc.wrong.test")


@pytest.mark.parametrize(("on_failure", "status"), [("USE_DEFAULT_VALUE", "warning"), ("REJECT_MESSAGE", "failing")])
def test_a_mail_from_that_is_wrong_matters_where_mail_is_rejected_for_it(lab, on_failure, status):
    findings = found(lab, "wrong.test", mail_from="foreign.wrong.test", on_failure=on_failure)

    (mx,) = (
        each for each in findings if each.what.startswith("MX foreign.wrong.test: wrong, there is 10 mail.wrong.test")
    )
    assert mx.status == status


def test_a_zone_that_nobody_serves_is_not_checked(lab):
    findings = found(lab, "gone.test", "t1")

    assert {each.status.value for each in findings} == {"not-checked"}


def test_an_address_wants_no_records(lab):
    (finding,) = found(lab, "ann@good.test")

    assert (finding.status.value, finding.what) == ("ok", "it wants no records")
