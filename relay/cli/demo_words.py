"""What the demo says first: what runs where, and the next three things to type."""

from collections.abc import Mapping
from typing import Any

#: What is to be typed stands at the margin: a shell and Python take a copy of it as it is.
_WORDS = """\
The relay is up. It listens on {smtp} (STARTTLS), speaks for three delegates, and enforces the policies in
  {policies}
Edit one: it counts two seconds later. Ctrl-C ends the demo.

Send a mail that is permitted:

printf 'From: Billing <billing@example.com>\\nTo: bob@example.net\\nSubject: Hello\\n\\nYour invoice.\\n' |
  curl --crlf --silent --show-error --ssl-reqd --insecure --user billing:demo-billing-secret --upload-file - \\
    --mail-from billing@example.com --mail-rcpt bob@example.net smtp://{smtp}

The same delegate as the ceo, who allows it to nobody but an assistant:

python3 - <<'END'
import smtplib, ssl
trusting = ssl._create_unverified_context()  # the demo's certificate was made a moment ago
with smtplib.SMTP("{smtp_host}", {smtp_port}) as relay:
    relay.starttls(context=trusting)
    relay.login("billing", "demo-billing-secret")
    try:
        relay.sendmail("billing@example.com", ["bob@example.net"],
                       "From: The CEO <ceo@example.com>\\nSubject: Urgent\\n\\nPay this.\\n")
    except smtplib.SMTPResponseException as refusal:
        print(refusal.smtp_code, refusal.smtp_error.decode())
END

Why a message would be refused, before it is sent:

printf 'From: The CEO <ceo@example.com>\\nTo: bob@example.net\\n\\nPay this.\\n' |
  {program} explain - --delegate billing --mail-from billing@example.com -c {settings}

Whether all that mail needs is as it should be, and what mends what is not:

AWS_ACCESS_KEY_ID=AKIADEMORELAY0000000 AWS_SECRET_ACCESS_KEY=demo-relay-secret \\
  {program} doctor -c {settings}

Look around:

  {places}

  delegate    password                 may send
  billing     demo-billing-secret      From billing@example.com or invoices*@example.com, bounces to *@example.com
  newsletter  demo-newsletter-secret   From news@example.com, to *@example.net only
  intern      demo-intern-secret       nothing
"""


def greeting(addresses: Mapping[str, Any], program: str) -> str:
    """Return the words for the demo's *addresses*; *program*: what a person types to run this."""
    smtp = addresses["listeners"][0]
    host, _, port = smtp.rpartition(":")
    places = {
        f"http://{addresses['admin']}/": "the console, in a browser",
        f"http://{addresses['ses']}/_local/messages": "what reached the embedded SES",
        f"http://{addresses['admin']}/readyz?verbose": "whether mail can be sent",
        f"http://{addresses['admin']}/metrics": "what was counted",
    }
    width = max(map(len, places))
    return _WORDS.format(
        smtp=smtp,
        smtp_host=host.strip("[]"),
        smtp_port=port,
        places="\n  ".join(f"{place:<{width}}  {what}" for place, what in places.items()),
        policies=addresses["policies"],
        settings=addresses["settings"],
        program=program,
    )
