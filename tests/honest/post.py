"""Handing letters to the relay, and what must hold of those that reached SES."""

import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.system.mail_programs import Post
from tests.system.recording_ses import RecordingSes, Taken
from tests.system.relays import RunningRelay
from tests.system.rows import split_received, without_steering

BILLING, BOB = "billing@example.com", "bob@example.net"
#: Who uses this password: billing, and old.
SECRET = "demo-billing-secret"


@dataclass(frozen=True)
class Office:
    """A relay, the SES behind it, and a folder of the test's own."""

    relay: RunningRelay
    ses: RecordingSes
    authority: Path
    tool: Callable[[str], str]
    folder: Path = field(default_factory=Path)

    def at(self, folder: Path) -> "Office":
        return replace(self, folder=folder)

    @property
    def post(self) -> Post:
        """What programs are told: STARTTLS."""
        return Post(self.relay.smtp, False, self.authority, self.folder, self.tool)

    def hand_over(
        self,
        raw: bytes,
        mail_from: str = BILLING,
        recipients: Sequence[str] = (BOB,),
        *,
        delegate: str = "billing",
    ) -> str:
        """Send octets as Python's library does; return the refusal, or an empty text."""
        context = ssl.create_default_context(cafile=str(self.authority))
        with smtplib.SMTP(*self.relay.smtp) as smtp:
            smtp.starttls(context=context)
            smtp.login(delegate, SECRET)
            try:
                smtp.sendmail(mail_from, list(recipients), raw, ["BODY=8BITMIME"])
            except smtplib.SMTPResponseException as refusal:
                return f"{refusal.smtp_code} {refusal.smtp_error!r}"
        return ""

    def taken(self) -> Taken:
        """The one message that reached SES."""
        [taken] = self.ses.taken
        return taken


def check_untouched(taken: Taken, sent: bytes) -> None:
    """Assert that *sent* arrived octet for octet, but for a Received before it and the fields that steer SES."""
    received, rest = split_received(taken.raw)
    assert re.match(rb"Received: from \S+ .* with ESMTPSA id [0-9a-f]{16}", received), received
    assert rest == without_steering(sent)
