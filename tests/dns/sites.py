"""What the zones of the lab hold: good ones, and one for each way to go wrong."""

from typing import Final

from tests.dns.lab import Site, everywhere

REGION: Final = "us-east-1"
TOKEN: Final = "pmBGN/7MjnfhTKUZ06Enqq1PeGUaOkw8lGhcfwefcHU="
KEY: Final = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7vbqajDw4o6gJy8UtmIbkcpnk"
FEEDBACK: Final = f"feedback-smtp.{REGION}.amazonses.com."
SPF: Final = "v=spf1 include:amazonses.com ~all"

GOOD: Final = f"""\
t1._domainkey CNAME t1.dkim.amazonses.com.
t2._domainkey CNAME T2.dkim.amazonses.com.
t3._domainkey CNAME t3.dkim.amazonses.com.
own._domainkey TXT "v=DKIM1; k=rsa; p={KEY[:30]}" "{KEY[30:]}"
_amazonses TXT "{TOKEN}"
_amazonses TXT "another owner's"
bounce MX 10 {FEEDBACK}
bounce TXT "something else"
bounce TXT "{SPF}"
_dmarc TXT "v=DMARC1; p=reject; aspf=s"
"""

#: Each record below its own name, wrong in its own way.
WRONG: Final = rf"""
t1._domainkey.wrong.test CNAME t1.dkim.amazonses.com.
dot._domainkey CNAME dot.dkim.amazonses.com
other._domainkey CNAME elsewhere.dkim.amazonses.com.
flat._domainkey TXT "p={KEY}"
proxied._domainkey A 192.0.2.1
typed._domainkey TXT "typed.dkim.amazonses.com"
quoted TXT "\"{TOKEN}\""
lowered TXT "{TOKEN.lower()}"
blank TXT "{TOKEN} "
broken TXT "{TOKEN[:10]} {TOKEN[10:]}"
two TXT "{SPF}"
two TXT "v=spf1 mx -all"
without TXT "v=spf1 mx -all"
behind TXT "v=spf1 -all include:amazonses.com"
redirect TXT "v=spf1 redirect=wrong.test include:amazonses.com"
elsewhere TXT "not for SPF"
aliased CNAME somewhere.wrong.test.
priority MX 10 10\032feedback-smtp.us-east-1.amazonses.com.
many MX 10 {FEEDBACK}
many MX 20 mail.wrong.test.
region MX 10 feedback-smtp.eu-west-1.amazonses.com.
foreign MX 10 mail.wrong.test.
copied MX 10 feedback-smtp.region.amazonses.com.
misspelt MX 10 feedback-smtp.us-esat-1.amazonses.com.
revoked._domainkey TXT "v=DKIM1; p="
armour._domainkey TXT "p=-----BEGIN PUBLIC KEY-----"
different._domainkey TXT "p=AAAA"
twice._domainkey TXT "p=AAAA"
twice._domainkey TXT "p=BBBB"
_dmarc TXT "v=DMARC1\; p=none"
_dmarc TXT "v=DMARC1; p=none"
_dmarc TXT "v=DMARC1; p=reject"
"""

SITES: Final = {
    "amazonses.com": everywhere("t1.dkim TXT p=AAAA\nt2.dkim TXT p=AAAA\nt3.dkim TXT p=AAAA\nflat.dkim TXT p=AAAA"),
    "good.test": everywhere(GOOD),
    "wrong.test": everywhere(WRONG),
    "wild.test": everywhere('* TXT "parked"'),
    "bare.test": everywhere(f'@ TXT "amazonses:{TOKEN}"'),
    "split.test": Site(records={"A": f'x TXT "{TOKEN}"', "B": 'x 3600 TXT "old"'}),
    "lame.test": Site(("ns-a", "ns-b", "ns-nobody"), {"B": f'x TXT "{TOKEN}"'}),
    "gone.test": Site(("ns-nobody",), {}),
    "broken.test": Site(("ns-a",), {"A": None}),
    "bogus.test": Site(records={"A": f'x TXT "{TOKEN}"', "B": f'x TXT "{TOKEN}"'}, is_bogus=True),
    "slow.test": Site(("ns-a", "ns-slow"), {"A": f'x TXT "{TOKEN}"'}),
    "big.test": everywhere("".join(f'@ TXT "{number:03} {"x" * 200}"\n' for number in range(20))),
    "deep.test": Site(("ns-a",), {"A": "mail NS ns-b.lab.test.\nt1._domainkey CNAME t1.dkim.amazonses.com."}),
    "mail.deep.test": Site(("ns-b",), {"B": f'@ MX 10 {FEEDBACK}\n@ TXT "{SPF}"'}),
    "alias.test": everywhere("_dmarc CNAME _dmarc.good.test.\nx CNAME nowhere.good.test."),
    "xn--bcher-kva.test": everywhere("t1._domainkey CNAME t1.dkim.amazonses.com."),
    "org.test": everywhere(
        '_dmarc TXT "v=DMARC1; p=reject; sp=quarantine; adkim=s"\n'
        '_dmarc.own TXT "v=DMARC1; p=none"\n'
        '_dmarc.suffix TXT "v=DMARC1; p=reject; psd=y"\n'
        '_dmarc.apart TXT "v=DMARC1; p=quarantine; psd=n"\n'
        '_dmarc.near TXT "v=dmarc1; p=reject"\n'
        "bounce.sub MX 10 " + FEEDBACK
    ),
    "fresh.test": everywhere(""),
    "whole.test": everywhere(""),
    "waited.test": everywhere(""),
    "late.test": everywhere(""),
    "proved.test": everywhere(""),
    "shop.test": everywhere(""),
    "asked.test": everywhere(""),
    # For recipients
    "mx.test": everywhere("@ MX 10 mail.mx.test.\nimplicit A 192.0.2.1\nimplicit6 AAAA 2001:db8::1\nnothing TXT x"),
    "null.test": everywhere("@ MX 0 .\n@ A 192.0.2.1\nboth MX 0 .\nboth MX 10 mail.mx.test."),
}
