"""
The DNS records that an identity wants published, read off what SES holds of it.

Nothing is asked of anybody here. Names and host names are without a dot at their end, texts of TXT records without
quotes and whole; :func:`zone_fragment` writes both as a zone file has them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

from relay.identities.ses_api import Held
from relay.words.values import dataclass

Kind: TypeAlias = Literal["dkim", "dkim-key", "verification", "mail-from-mx", "mail-from-spf", "dmarc"]

#: Seconds: short enough to mend a mistake within a coffee.
TTL: Final = 300
#: Octets of one string of a TXT record (RFC 1035 section 3.3).
LONGEST_STRING: Final = 255
SPF: Final = "v=spf1 include:amazonses.com ~all"
DMARC: Final = "v=DMARC1; p=none;"
#: Regions whose DKIM keys lie in a zone of their own (AWS General Reference, "Amazon SES endpoints and quotas").
_OWN_ZONE: Final = frozenset(
    {
        "af-south-1",
        "ap-northeast-3",
        "ap-south-2",
        "ap-southeast-3",
        "ap-southeast-5",
        "ca-west-1",
        "eu-central-2",
        "eu-south-1",
        "il-central-1",
        "me-central-1",
        "us-gov-east-1",
    }
)


@dataclass(frozen=True, slots=True)
class WantedRecord:
    """
    One record to publish.

    ``kind``: "dkim" (a CNAME of Easy DKIM), "dkim-key" (the TXT of one's own key; ``value`` is empty where nobody told
    the key, which SES does not), "verification" (``_amazonses``), "mail-from-mx", "mail-from-spf", "dmarc".
    ``is_required``: whether SES waits for it; else it is advice.
    """

    kind: Kind
    name: str
    type: Literal["CNAME", "MX", "TXT"]
    value: str
    is_required: bool
    why: str


def wanted_records(
    held: Held, region: str, *, public_key: str = "", verification_token: str = ""
) -> tuple[WantedRecord, ...]:
    """
    Return the records that *held* wants published, in the order in which they matter.

    Args:
        held: What GetEmailIdentity told, by the identity's name.
        region: Where it lies.
        public_key: Of one's own DKIM key, base64 without armour or line ends (SES Developer Guide, "Bring your own
            DKIM"); SES does not tell it.
        verification_token: What API v1 gave for a domain (VerifyDomainIdentity), wanted where DKIM does not verify it.

    """
    signing: Mapping[str, Any] = held.whole.get("DkimAttributes") or {}
    mail_from: Mapping[str, Any] = held.whole.get("MailFromAttributes") or {}
    records: list[WantedRecord] = []
    if "@" not in held.name:
        records += _dkim(held.name, region, signing, public_key)
        if verification_token:
            records.append(_verification(held.name, verification_token, is_required=not records))
    if mail_from.get("MailFromDomain"):
        records += _mail_from(str(mail_from["MailFromDomain"]), region)
    if "@" not in held.name:
        why = "receivers judge by it what is unsigned; p=none only reports. That of a parent domain counts as well"
        records.append(WantedRecord("dmarc", f"_dmarc.{held.name}", "TXT", DMARC, is_required=False, why=why))
    return tuple(records)


def zone_fragment(records: Sequence[WantedRecord]) -> str:
    """Return *records* as lines of a zone file (RFC 1035 section 5.1), each group under a comment; names absolute."""
    return "".join(line + "\n" for line in _lines(records))


def txt_strings(text: str) -> tuple[str, ...]:
    """Return the quoted strings, of at most 255 octets each, that a zone file has for the TXT record *text*."""
    octets = text.encode()
    pieces = [octets[at : at + LONGEST_STRING] for at in range(0, len(octets), LONGEST_STRING)] or [b""]
    return tuple(f'"{"".join(map(_escaped, piece))}"' for piece in pieces)


def _dkim(domain: str, region: str, signing: Mapping[str, Any], public_key: str) -> Iterator[WantedRecord]:
    tokens = [str(token) for token in signing.get("Tokens") or ()]
    if signing.get("SigningAttributesOrigin") == "EXTERNAL":
        why = "your own DKIM key; once SES finds it, the domain is verified and its mail signed"
        value = f"p={public_key}" if public_key else ""
        for selector in tokens:
            yield WantedRecord("dkim-key", f"{selector}._domainkey.{domain}", "TXT", value, is_required=True, why=why)
        return
    zone = str(signing.get("SigningHostedZone") or _zone_of(region))
    why = "Easy DKIM; once SES finds all three, the domain is verified and its mail signed"
    for token in tokens:
        name = f"{token}._domainkey.{domain}"
        yield WantedRecord("dkim", name, "CNAME", f"{token}.{zone}", is_required=True, why=why)


def _zone_of(region: str) -> str:
    return f"dkim.{region}.amazonses.com" if region in _OWN_ZONE else "dkim.amazonses.com"


def _verification(domain: str, token: str, *, is_required: bool) -> WantedRecord:
    why = "proves that the domain is yours" + ("" if is_required else "; not needed once DKIM does")
    return WantedRecord("verification", f"_amazonses.{domain}", "TXT", token, is_required=is_required, why=why)


def _mail_from(domain: str, region: str) -> Iterator[WantedRecord]:
    server = f"10 feedback-smtp.{region}.amazonses.com"
    why = "bounces come back to SES by it; it must be the only MX of this name"
    yield WantedRecord("mail-from-mx", domain, "MX", server, is_required=True, why=why)
    why = "SPF for the MAIL FROM domain; aligned with From, it satisfies DMARC beside DKIM"
    yield WantedRecord("mail-from-spf", domain, "TXT", SPF, is_required=True, why=why)


def _lines(records: Sequence[WantedRecord]) -> Iterator[str]:
    width = max((len(record.name) + 1 for record in records), default=0)
    for (is_required, why), group in groupby(records, lambda record: (record.is_required, record.why)):
        yield f"; {'' if is_required else 'recommended: '}{why}"
        for record in group:
            if record.value:
                yield f"{record.name + '.':<{width}} {TTL} IN {record.type:<5} {_rdata(record)}"
            else:
                yield f'; {record.name}. IN {record.type} "p=..." (your public key, which SES does not tell)'


def _rdata(record: WantedRecord) -> str:
    return " ".join(txt_strings(record.value)) if record.type == "TXT" else f"{record.value}."


def _escaped(octet: int) -> str:
    """RFC 1035 section 5.1: a quote and a backslash are escaped, what is not printable by its number."""
    if octet in b'"\\':
        return f"\\{octet:c}"
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"
