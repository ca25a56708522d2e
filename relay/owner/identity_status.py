"""How an identity stands, read off what SES holds of it (SES API v2 Reference, "GetEmailIdentity")."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from relay.identities.ses_api import Held
from relay.owner.dns_records import WantedRecord, wanted_records
from relay.words.values import dataclass

#: A state in which SES has found what it looked for.
FOUND: Final = "SUCCESS"
_DKIM: Final = frozenset({"dkim", "dkim-key"})
_MAIL_FROM: Final = frozenset({"mail-from-mx", "mail-from-spf"})


@dataclass(frozen=True, slots=True)
class Status:
    """
    What an owner wants to know of one identity.

    ``dkim_origin``: "AWS_SES" for Easy DKIM, "EXTERNAL" for a key of the owner's, "" where mail is not signed.
    ``mail_from``, ``configuration_set``: "" where there is none. ``missing``: the records that SES, by the states it
    tells, has not found; asking the DNS is ``identity dns``.
    """

    name: str
    kind: str
    is_verified: bool
    verification: str
    error: str
    dkim_origin: str
    dkim: str
    is_signing: bool
    mail_from: str
    mail_from_state: str
    on_mx_failure: str
    forwards_feedback: bool
    configuration_set: str
    tags: Mapping[str, str]
    policies: tuple[str, ...]
    missing: tuple[WantedRecord, ...]


def status_of(held: Held, region: str) -> Status:
    """Read *held*, which lies in *region*."""
    whole, signing, mail_from = held.whole, _part(held, "DkimAttributes"), _part(held, "MailFromAttributes")
    return Status(
        name=held.name,
        kind=str(whole.get("IdentityType", "")),
        is_verified=held.verified,
        verification=held.status,
        error=str(_part(held, "VerificationInfo").get("ErrorType") or ""),
        dkim_origin=str(signing.get("SigningAttributesOrigin", "")) if signing.get("Tokens") else "",
        dkim=str(signing.get("Status", "NOT_STARTED")),
        is_signing=bool(signing.get("SigningEnabled")),
        mail_from=str(mail_from.get("MailFromDomain", "")),
        mail_from_state=str(mail_from.get("MailFromDomainStatus", "")),
        on_mx_failure=str(mail_from.get("BehaviorOnMxFailure", "")),
        forwards_feedback=bool(whole.get("FeedbackForwardingStatus")),
        configuration_set=str(whole.get("ConfigurationSetName") or ""),
        tags=tags_of(held),
        policies=tuple(sorted(held.policies)),
        missing=tuple(_missing(held, region)),
    )


def tags_of(held: Held) -> dict[str, str]:
    """Return its tags."""
    return {str(tag.get("Key")): str(tag.get("Value", "")) for tag in held.whole.get("Tags") or ()}


def _missing(held: Held, region: str) -> Iterator[WantedRecord]:
    """SES tells states, not records: all of a kind are missing until it found all."""
    states = {
        **dict.fromkeys(_DKIM, _part(held, "DkimAttributes").get("Status")),
        **dict.fromkeys(_MAIL_FROM, _part(held, "MailFromAttributes").get("MailFromDomainStatus")),
    }
    yield from (record for record in wanted_records(held, region) if states.get(record.kind, FOUND) != FOUND)


def _part(held: Held, name: str) -> Mapping[str, Any]:
    return held.whole.get(name) or {}
