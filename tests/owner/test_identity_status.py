"""How an identity stands, from answers that an embedded SES, which verifies at once, never gives."""

from typing import Any

import pytest

from relay.identities.ses_api import Held
from relay.owner.identity_status import status_of

EASY = {"SigningAttributesOrigin": "AWS_SES", "Tokens": ["a", "b", "c"], "SigningEnabled": True}
MAIL_FROM = {"MailFromDomain": "bounce.example.com", "BehaviorOnMxFailure": "USE_DEFAULT_VALUE"}


def held(dkim: str, mail_from: str, **more: Any) -> Held:
    whole = {
        "DkimAttributes": {**EASY, "Status": dkim},
        "MailFromAttributes": {**MAIL_FROM, "MailFromDomainStatus": mail_from},
        **more,
    }
    return Held("example.com", dkim == "SUCCESS", "SUCCESS" if dkim == "SUCCESS" else "PENDING", {}, whole)


@pytest.mark.parametrize(
    ("dkim", "mail_from", "missing"),
    [
        ("PENDING", "SUCCESS", ["dkim", "dkim", "dkim"]),
        ("SUCCESS", "FAILED", ["mail-from-mx", "mail-from-spf"]),
        ("TEMPORARY_FAILURE", "PENDING", ["dkim", "dkim", "dkim", "mail-from-mx", "mail-from-spf"]),
        ("SUCCESS", "SUCCESS", []),
    ],
)
def test_what_is_missing_is_what_ses_has_not_found(dkim, mail_from, missing):
    """DMARC is advice: SES never looks for it."""
    assert [record.kind for record in status_of(held(dkim, mail_from), "us-east-1").missing] == missing


def test_why_ses_did_not_find_it_is_told():
    info = {"ErrorType": "HOST_NOT_FOUND"}

    status = status_of(held("FAILED", "SUCCESS", VerificationInfo=info), "us-east-1")

    assert (status.error, status.dkim, status.is_verified) == ("HOST_NOT_FOUND", "FAILED", False)


def test_an_answer_with_nothing_in_it_is_read():
    """What a member that is not there means is the least that it could."""
    status = status_of(Held("example.com", False, "", {}, {}), "us-east-1")

    assert (status.dkim_origin, status.is_signing, status.mail_from, status.missing) == ("", False, "", ())
