"""What is wanted of the DNS, from SES or from a file that somebody with credentials wrote, and how SES sees it."""

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

from relay.identities.ses_api import Held, SesApi
from relay.owner.dns_records import Kind, WantedRecord
from relay.words.values import dataclass

_KINDS: Final = get_args(Kind)
_TYPES: Final = ("CNAME", "MX", "TXT")


class RecordsProblem(ValueError):
    """A file that holds no records; ``str()`` says why."""


@dataclass(frozen=True, slots=True)
class SesView:
    """
    How SES says an identity stands, in its words in lower case; ``mail_from`` is empty without such a domain.

    ``is_verified``: mail may be sent, and all that was set up is found.
    """

    verification: str
    dkim: str
    mail_from: str
    is_verified: bool


def view_of(held: Held) -> SesView:
    """Read what SES says off *held*."""
    signing: Mapping[str, Any] = held.whole.get("DkimAttributes") or {}
    mail_from: Mapping[str, Any] = held.whole.get("MailFromAttributes") or {}
    dkim = str(signing.get("Status") or "NOT_STARTED") if "@" not in held.name else ""
    domain = str(mail_from.get("MailFromDomainStatus") or "") if mail_from.get("MailFromDomain") else ""
    is_verified = held.verified and dkim in ("SUCCESS", "NOT_STARTED", "") and domain in ("SUCCESS", "")
    verification = held.status or ("SUCCESS" if held.verified else "PENDING")
    return SesView(_in_words(verification), _in_words(dkim), _in_words(domain), is_verified)


def _in_words(state: str) -> str:
    return state.lower().replace("_", " ")


def verification_token_of(api: SesApi, held: Held) -> str:
    """Return the value of the ``_amazonses`` record, where it and not DKIM verifies the domain; else nothing."""
    signing: Mapping[str, Any] = held.whole.get("DkimAttributes") or {}
    if "@" in held.name or signing.get("Tokens"):
        return ""
    answer = api.call("ses.get_identity_verification_attributes", Identities=[held.name])
    return str(answer.get("VerificationAttributes", {}).get(held.name, {}).get("VerificationToken") or "")


def read_records(text: str) -> tuple[WantedRecord, ...]:
    """
    Read records from JSON: a list of objects, or an object whose ``records`` are one.

    Raises:
        RecordsProblem: There are none in it.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise RecordsProblem(f"no JSON: {error}") from None
    rows = document.get("records") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not rows:
        raise RecordsProblem("no records in it: a list of objects with kind, name, type and value")
    return tuple(map(_record, rows))


def _record(row: object) -> WantedRecord:
    told = row.get("record", row) if isinstance(row, dict) else {}
    is_text = all(isinstance(told.get(key), str) for key in ("kind", "name", "type", "value"))
    if not is_text or told["kind"] not in _KINDS or told["type"] not in _TYPES:
        raise RecordsProblem(f"no record: {json.dumps(row)[:200]}")
    required = bool(told.get("is_required", True))
    return WantedRecord(told["kind"], told["name"], told["type"], told["value"], required, str(told.get("why", "")))
