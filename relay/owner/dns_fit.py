"""
Whether what the DNS holds is what SES wants, and the mistake that was made where it is not.

The mistakes are those that forms of DNS providers lead into: a name completed twice, quotes and blanks taken for part
of the value, letters lowered, the priority in the field of the host (SES Developer Guide, "Troubleshooting identity
verification").
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from relay.dns.names import is_within, parent_of
from relay.owner.dns_records import WantedRecord
from relay.words.values import dataclass

_QUOTES: Final = "\"'\u201c\u201d\u2018\u2019"
#: Of a name that a region may have: the guide's own "region" is often left standing in its place.
_FEEDBACK_HOST = re.compile(
    r"feedback-smtp\.([a-z]{2,4}(?:-[a-z]+)?-(?:central|(?:north|south)?(?:east|west)|north|south)-[0-9]+)\.amazonses\.com",
    re.ASCII,
)
_IN_FRONT = re.compile(r"[0-9]+(?:\\032|\\ |\s|\.)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether values are right; ``remarks`` are sentences for whoever keeps the zone."""

    is_right: bool
    remarks: tuple[str, ...] = ()


def _right(*remarks: str) -> Fit:
    return Fit(is_right=True, remarks=remarks)


def _wrong(*remarks: str) -> Fit:
    return Fit(is_right=False, remarks=remarks)


def fit(record: WantedRecord, values: tuple[str, ...]) -> Fit:
    """Compare *values*, of the name and type that *record* wants, with it; the answer came from one server."""
    return _FITS[record.kind](record, values)


def _cname(record: WantedRecord, values: tuple[str, ...]) -> Fit:
    if [value.lower() for value in values] == [record.value.lower()]:
        return _right()
    return _wrong(*_host_mistakes(record.value, values[0]))


def _verification(record: WantedRecord, values: tuple[str, ...]) -> Fit:
    if record.value in values:
        return _right()
    return _wrong(*_text_mistakes(record.value, values))


def _key(record: WantedRecord, values: tuple[str, ...]) -> Fit:
    """One's own DKIM key (RFC 6376 section 3.6.1); where nobody told it, any key that can be one."""
    if len(values) > 1:
        return _wrong(f"{len(values)} TXT records at this name: verifiers may take any of them; leave one")
    wanted, found = _key_in(record.value), _key_in(values[0])
    if not found:
        remarks = list(_text_mistakes(record.value or "p=", values))
        return _wrong(*remarks, "there is no p= in it, or an empty one, which withdraws the key")
    if wanted == found:
        return _right()
    if wanted:
        return _wrong(*(tuple(_text_mistakes(record.value, values)) or ("it is another key",)))
    try:
        base64.b64decode(found, validate=True)
    except binascii.Error:
        return _wrong("p= is not base64: the key goes in without armour (-----BEGIN), quotes and line ends")
    return _right("a key is there; whether it is the one SES signs with, SES alone can tell")


def _mail_from_mx(record: WantedRecord, values: tuple[str, ...]) -> Fit:
    hosts = [value.partition(" ")[2].lower() for value in values]
    wanted = record.value.partition(" ")[2].lower()
    if len(hosts) > 1:
        return _wrong(f"{len(hosts)} MX records: SES wants its own to be the only one of this name")
    if hosts == [wanted]:
        return _right()
    other = _FEEDBACK_HOST.fullmatch(hosts[0])
    if other is not None:
        return _right(f"it is the host of {other[1]}: one MX serves a MAIL FROM domain in several regions")
    return _wrong(*_host_mistakes(wanted, hosts[0]))


def _mail_from_spf(record: WantedRecord, values: tuple[str, ...]) -> Fit:
    """RFC 7208 section 4.5: one record, with SES's servers before "all"; a redirect is last wherever it stands."""
    records = [value for value in values if re.match(r"v=spf1(?: |$)", value, re.IGNORECASE)]
    if len(records) > 1:
        return _wrong(f"{len(records)} SPF records at one name are an error to receivers: join them into one")
    if not records:
        return _wrong(*(tuple(_text_mistakes(record.value, values)) or ("none of its TXT records is for SPF",)))
    before = ""
    for term in records[0].split()[1:]:
        if term.lower().lstrip("+") == "include:amazonses.com":
            return _right()
        if term.lower().lstrip("+-~?") == "all":
            before = f" before {term}"
            break
    return _wrong(f"it does not include SES: add include:amazonses.com{before}")


def _any(record: WantedRecord, values: tuple[str, ...]) -> Fit:  # noqa: ARG001 - one signature; DMARC is read elsewhere
    return _right()


_FITS: Final[Mapping[str, Callable[[WantedRecord, tuple[str, ...]], Fit]]] = {
    "dkim": _cname,
    "dkim-key": _key,
    "verification": _verification,
    "mail-from-mx": _mail_from_mx,
    "mail-from-spf": _mail_from_spf,
    "dmarc": _any,
}


def _host_mistakes(wanted: str, found: str) -> Iterator[str]:
    wanted, found = wanted.lower(), found.lower()
    if _IN_FRONT.sub("", found, count=1) == wanted:
        yield "the priority stands in the field of the host: it has one of its own"
    elif any(mark in found for mark in _QUOTES):
        yield "quotes stand in the value: enter it without"
    elif found.startswith(f"{wanted}."):
        yield (
            f"the provider completed the value with {found.removeprefix(wanted + '.')}: end it with a dot, or enter it "
            "as the form wants it"
        )
    elif found.replace("\\032", "").strip() == wanted:
        yield "a blank stands in the value: enter it without"


def _text_mistakes(wanted: str, values: tuple[str, ...]) -> Iterator[str]:
    for found in values:
        bare = found.strip(f" \t{_QUOTES}")
        if found == wanted:
            return
        if bare == wanted and found.strip() != found and not any(mark in found for mark in _QUOTES):
            yield "a blank stands before or after the value: enter it without"
        elif bare == wanted or found.replace('"', "").strip() == wanted:
            yield "quotes stand inside the value: enter it without, the provider adds its own"
        elif found.replace("\\;", ";") == wanted:
            yield "a backslash stands before the semicolon: enter it without"
        elif found.lower() == wanted.lower():
            yield "the letters were lowered: upper and lower case count; a provider that lowers them will not do"
        elif "".join(found.split()) == "".join(wanted.split()):
            yield "blanks stand inside the value, from lines that were broken: enter it in one piece"


def _key_in(text: str) -> str:
    tags = (part.partition("=") for part in text.split(";"))
    return next(("".join(value.split()) for name, _, value in tags if name.strip() == "p"), "")


def doubled(name: str, zone: str, domain: str) -> tuple[str, ...]:
    """Return the names under which *name* stands where a form completed it once more, with the zone or the domain."""
    return tuple(dict.fromkeys(f"{name}.{each}" for each in (zone, domain) if is_within(name, each)))


def entered(name: str, zone: str) -> str:
    """Return what belongs into the field of the name, of a form that completes it with *zone*."""
    return "@" if name == zone else name.removesuffix(f".{zone}")


def sibling(name: str) -> str:
    """Return a name beside *name* that nobody has: what answers for it is a wildcard."""
    return f"ses-relay-asks-for-a-wildcard.{parent_of(name)}"
