"""The back door as reception sees it."""

from typing import Protocol

from relay.sending.outcomes import Mail, Outcome


class Sender(Protocol):
    """Hands one message to SES, at most once a call."""

    async def send(self, mail: Mail, region: str) -> Outcome:
        """
        Send *mail* through SES in *region* and tell what came of it.

        Every failure of the world is an Outcome; nothing is repeated behind the caller's back. After a cancellation SES
        may or may not have the message.
        """
