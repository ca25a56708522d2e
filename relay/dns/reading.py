"""A DNS message as an answer: who may say what about a name (RFC 1034 section 4.3, RFC 2308 sections 2 and 5)."""

from collections.abc import Iterator
from typing import Any, Final

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from relay.dns.answers import Absent, Answer, Fault, Found, Referral, Trouble
from relay.dns.names import text_of

_MOST_ALIASES: Final = 16


def read_answer(question: dns.message.QueryMessage, said: dns.message.Message) -> Answer:
    """Read what a server said to *question*."""
    asked = question.question[0]
    recursive, code = bool(question.flags & dns.flags.RD), said.rcode()
    if code not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return _trouble(code, said)
    knows = bool(said.flags & dns.flags.AA) or (recursive and bool(said.flags & dns.flags.RA))
    aliases, last = _aliases(said, asked)
    records = said.get_rrset(said.answer, last, asked.rdclass, asked.rdtype)
    if knows and records is not None:
        return Found(tuple(map(_value, records)), _ttl(said, records), aliases)
    if not knows and (referral := _referral(said)) is not None:
        return referral
    if not knows:
        return Trouble(Fault.LAME, "it does not serve the zone" if not recursive else "it does not look further")
    if aliases and not recursive:
        return Found((), _ttl(said, None), aliases)
    zone, ttl = _says_so(said)
    return Absent(code == dns.rcode.NOERROR, ttl, zone, aliases)


def _trouble(code: dns.rcode.Rcode, said: dns.message.Message) -> Trouble:
    told = "; ".join(_extended(said))
    name = dns.rcode.to_text(code)
    why = f"{name}: {told}" if told else name
    if code == dns.rcode.SERVFAIL:
        return Trouble(Fault.SERVFAIL, why)
    if code in (dns.rcode.REFUSED, dns.rcode.NOTAUTH):
        return Trouble(Fault.REFUSED, why)
    return Trouble(Fault.GARBLED, why)


def _extended(said: dns.message.Message) -> Iterator[str]:
    """What the server adds to a bare code (RFC 8914)."""
    for error in said.extended_errors():
        word = getattr(error.code, "name", "") or str(int(error.code))
        yield f"{word.replace('_', ' ').lower()}{', ' + error.text if error.text else ''}"


def _aliases(said: dns.message.Message, asked: dns.rrset.RRset) -> tuple[tuple[str, ...], dns.name.Name]:
    """Follow the CNAMEs of the answer; a question for the CNAME itself follows none."""
    found: list[str] = []
    name = asked.name
    while asked.rdtype != dns.rdatatype.CNAME and len(found) < _MOST_ALIASES:
        alias = said.get_rrset(said.answer, name, asked.rdclass, dns.rdatatype.CNAME)
        if alias is None:
            break
        name = alias[0].target
        found.append(text_of(name))
    return tuple(found), name


def _referral(said: dns.message.Message) -> Referral | None:
    passed = next((rrset for rrset in said.authority if rrset.rdtype == dns.rdatatype.NS), None)
    if passed is None or said.answer:
        return None
    glue: dict[str, tuple[str, ...]] = {}
    for rrset in said.additional:
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            host = text_of(rrset.name).lower()
            glue[host] = (*glue.get(host, ()), *(record.address for record in rrset))
    return Referral(text_of(passed.name).lower(), tuple(text_of(record.target).lower() for record in passed), glue)


def _says_so(said: dns.message.Message) -> tuple[str | None, int]:
    """The zone whose SOA comes with a negative answer, and the seconds it is believed (RFC 2308 section 5)."""
    for rrset in said.authority:
        if rrset.rdtype == dns.rdatatype.SOA:
            return text_of(rrset.name).lower(), min(rrset.ttl, rrset[0].minimum)
    return None, 0


def _ttl(said: dns.message.Message, records: dns.rrset.RRset | None) -> int:
    aliases = [rrset.ttl for rrset in said.answer if rrset.rdtype == dns.rdatatype.CNAME]
    return min([*aliases, *([] if records is None else [records.ttl])], default=0)


def _value(record: dns.rdata.Rdata) -> str:
    one: Any = record  # each type has attributes of its own
    match record.rdtype:
        case dns.rdatatype.TXT:
            return bytes(b"".join(one.strings)).decode("utf-8", "backslashreplace")
        case dns.rdatatype.MX:
            return f"{one.preference} {text_of(one.exchange)}"
        case dns.rdatatype.CNAME | dns.rdatatype.NS:
            return text_of(one.target)
        case dns.rdatatype.A | dns.rdatatype.AAAA:
            return str(one.address)
        case _:
            return record.to_text()
