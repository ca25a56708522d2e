"""What one client may cost us: every bound of the street door, with its unit and reason."""

from typing import Final, Literal

from relay.words.values import dataclass

MEBIBYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds of a connection, a transaction and a client. Seconds and octets; None lifts a bound where it is allowed.

    No client can hold a socket, a task or memory longer than these say, whatever it sends or does not send. Clocks are
    looked at every second, or oftener where one is shorter than four.
    """

    # One message
    message_bytes: int = 10 * MEBIBYTE
    """Announced as SIZE: the octets of a message after un-stuffing. Follows from the API in use."""
    discard_bytes: int = 64 * MEBIBYTE
    """Octets past message_bytes that are read and thrown away so that the 552 can be heard; then we hang up."""
    recipients: int = 50
    """Announced as LIMITS RCPTMAX (RFC 9422). SES takes 50 a message."""
    over_recipients: Literal["refuse-message", "452"] = "refuse-message"
    """Past ``recipients``: 550 5.5.3 in reply to DATA, as SES refuses the whole; or 452 4.5.3 to each further RCPT."""
    over_recipients_commands: int = 1000
    """RCPT commands past ``recipients`` that are heard out before each counts as an error (Postfix: overshoot).
    Until then a refused recipient is none: a list with ten bad addresses is no attack, and its mail would never go."""
    inflight_bytes: int = 192 * MEBIBYTE
    """Memory for all messages being read or decided, of which each takes twice its size; past it, 452 4.3.1."""
    inflight_seconds: float = 5
    """How long a message waits for room there, before 354 or by not being read on, until it is answered 452 4.3.1."""

    # One line
    command_line: int = 2048
    """Octets with CRLF. RFC 5321 asks for 512; long addresses and parameters need more."""
    auth_line: int = 12288
    """Octets with CRLF of AUTH and of its responses (RFC 4954 section 4)."""
    helo_name: int = 255
    """Octets of the name in HELO and EHLO (RFC 5321 section 4.5.3.1.2)."""

    # One connection
    errors: int = 10
    """Commands answered 4xx or 5xx before 421; an accepted message clears the count."""
    junk_commands: int = 100
    """Commands that lead nowhere (NOOP, RSET, VRFY, HELP, HELO, EHLO) before 421; an accepted message clears it."""
    auth_failures: int = 3
    """Wrong passwords before the connection is closed."""
    auth_delay_step_seconds: float = 0.5
    """The n-th wrong password is answered n times this later ..."""
    auth_delay_seconds: float = 2
    """... but never later than this."""
    password_octets: int = 1024
    """A longer one is wrong without being looked at: a KDF is dear."""

    # Time
    greeting_delay_seconds: float = 0
    """Wait so long before the greeting and turn away who speaks first. 0 greets at once."""
    stranger_seconds: float = 60
    """Idle time of a client that is not known yet."""
    idle_seconds: float = 300
    """Idle time of a known delegate between commands (RFC 5321 section 4.5.3.2.7)."""
    command_seconds: float = 60
    """For one command, from its first octet to its CRLF."""
    domain_seconds: float = 2
    """That all recipients of a message together wait for the DNS; then the others are let through."""
    data_seconds: float = 120
    """For a message's octets, and one second more for every ``data_rate`` octets that came."""
    data_rate: float = 1000
    """Octets a second below which DATA is given up once data_seconds are used up."""
    connection_seconds: float = 1800
    """Life of a connection; one that outlives it ends with 421 at its next command."""
    proxy_header_seconds: float = 5
    """For a balancer's PROXY header, on connecting: it has all of it before it connects."""
    tls_handshake_seconds: float = 10
    """For the TLS handshake, after STARTTLS or on connecting."""
    reply_seconds: float = 30
    """For a client to read a reply; then the connection is cut."""
    linger_seconds: float = 2
    """After our last reply, for the client to read it and hang up; then the connection is cut."""

    # All clients
    connections: int = 1000
    """Open connections of one process."""
    connections_per_client: int | None = 80
    """The same from one IPv4 address or IPv6 /64."""
    auth_failures_per_minute: int | None = 10
    """Wrong passwords from one IPv4 address or IPv6 /64; then 454 4.7.0 unseen. A right one gives its own back."""
    auth_failures_per_day: int | None = 50
    """The same for a day."""
    backlog: int = 511
    """Connections that the kernel holds while we are busy."""

    @property
    def shortest(self) -> float:
        """The shortest time, in seconds, after which a client is sent away or cut."""
        return min(
            self.stranger_seconds,
            self.idle_seconds,
            self.command_seconds,
            self.data_seconds,
            self.connection_seconds,
            self.reply_seconds,
            self.linger_seconds,
        )
