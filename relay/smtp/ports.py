"""What the street door asks of the house: who is calling, and what becomes of a message. Others implement these."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any, Protocol, TypeAlias

from relay.words.certificates import CertificateName
from relay.words.replies import Reply
from relay.words.transactions import Ending, Envelope, Session
from relay.words.unavailable import Unavailable

ClientAddress: TypeAlias = IPv4Address | IPv6Address


class Reception(Protocol):
    """Where a message goes when the door has it whole."""

    def early_answer(self, session: Session, envelope: Envelope) -> Ending | None:
        """
        Refuse at MAIL what no recipient and no content could make allowed; None lets the client go on.

        The envelope has no forward-paths yet.
        """

    def room(self, octets: int) -> Ending | None:
        """
        Refuse before DATA is heard what could not be kept; None lets the client go on.

        Asked at every message, so it costs nothing. ``octets`` as SIZE declared them, 0 where it did not.
        """

    def mends_line_feeds(self, session: Session) -> bool:
        """Whether bare LFs in this delegate's messages are repaired before anything is judged."""

    async def receive(self, session: Session, envelope: Envelope, raw: bytes, *, is_checked: bool = False) -> Ending:
        """
        Decide and carry out. The client hears the ending's reply.

        Args:
            raw: The message as it came, dots un-stuffed, ending in CRLF (or empty), without bare CR and NUL, and
                without bare LF unless they are mended. Line lengths and the header section have not been looked at.
            is_checked: There is no bare LF either: :func:`relay.mail.octets.check_octets` would pass it.

        It is never cancelled because the client hung up, and bounds its own time.
        """


class Delegates(Protocol):
    """Who may speak."""

    def knows(self, name: str, password: str, client: ClientAddress) -> bool:
        """Whether :meth:`verify` would say at once that the password is right; otherwise it has to be asked."""

    async def verify(self, name: str, password: str, client: ClientAddress) -> str | Unavailable | None:
        """
        Check a password. Returns the delegate's name when it is right, None when it is wrong (an unknown name and a
        wrong password alike), Unavailable when the store is away or too busy.
        """

    @property
    def takes_tokens(self) -> bool:
        """Whether bearer tokens are taken at all."""

    async def by_token(self, token: str, client: ClientAddress) -> str | Unavailable | None:
        """Look at a bearer token. Returns as :meth:`verify`."""

    def by_certificate(self, names: frozenset[CertificateName], client: ClientAddress) -> frozenset[str]:
        """Name the delegates that a client certificate with these names is: none, one, or more."""

    def by_network(self, client: ClientAddress) -> str | None:
        """Name the delegate whose trusted networks hold *client*. Asked only on listeners that do not require AUTH."""


class RecipientDomains(Protocol):
    """What is known of the domains of recipients."""

    def knows(self, domain: str) -> bool:
        """Whether :meth:`known_refusal` tells what :meth:`refusal` would have to wait for."""

    def known_refusal(self, domain: str) -> Reply | None:
        """Return what a recipient of *domain*, in lower case, hears; None to let it through. Asked if it is known."""

    async def refusal(self, domain: str, patience: float) -> Reply | None:
        """
        Return what a recipient of *domain*, in lower case, hears; None to let it through, at the latest after
        *patience* seconds. Asked for authenticated delegates only.
        """


class MakeRecord(Protocol):
    """Writes the decision record of one message: JSON-ready, complete, without secrets."""

    def __call__(
        self,
        *,
        session: Session,
        envelope: Envelope | None,
        ending: Ending,
        size: int | None,
        seconds: float,
        message_id: str,
    ) -> dict[str, Any]:
        """
        Args:
            envelope: As far as it got; None when MAIL named no reverse-path that could be read.
            size: Octets of DATA, or None when none came.
            seconds: From MAIL to the reply that ended the message.
        """
