"""The street door: ``[server]``, ``[[listener]]``, ``[tls]`` and ``[limits]``."""

from typing import Final, Literal

from relay.settings.forms import Count, Duration, FilePath, Flag, Hostname, Listen, Network, SecretPath, Size, Text
from relay.settings.keys import Section, option

#: The most recipients of a message where a spool remembers which of them SES took.
RECIPIENTS_WITH_SPOOL: Final = 1000
#: What one must write to let passwords travel in clear over a network.
I_KNOW: Final = "credentials travel in clear"


class ServerSettings(Section):
    """The relay as a whole."""

    hostname: Hostname | None = option(
        "Our name in the greeting, in Received fields and in the check for mail loops. Unset: the machine's own name.",
        default=None,
    )
    workers: Count = option(
        "Processes that share the listeners. 1: one does everything, enough for most: a core sends thousands of "
        "messages a second. More are for more cores, on Linux, with one beside them that keeps the books.",
        default=1,
        ge=1,
        le=256,
    )
    drain_timeout: Duration = option(
        "On SIGTERM, how long running transactions may take to finish before they are told 421. Keep it "
        "below the time your supervisor waits.",
        default="20s",
        ge=0,
        le=3600,
    )


class ListenerSettings(Section):
    """One address where clients connect. Without any, there is one with the defaults below."""

    address: Listen = option("Where to listen. Loopback, until you say otherwise.", default="127.0.0.1:2525")
    tls: Literal["off", "starttls", "implicit"] = option(
        'How TLS begins: never, by STARTTLS, or on connecting (port 465). Unset: "starttls" when [tls] '
        'has a certificate, else "off".',
        default="off",
    )
    require_auth: Flag = option(
        "Whether a client must AUTH before MAIL. With false, clients with a delegate's certificate or inside its "
        "trusted_networks are that delegate; others must AUTH.",
        default=True,
    )
    proxy_protocol_from: tuple[Network, ...] = option(
        "Balancers that speak the PROXY protocol (v1 or v2) here, and must, also before implicit TLS. Whom they name "
        "is the client to every limit and log line. From nobody else is it read.",
        default=[],
    )
    allow_plaintext_auth: Flag = option(
        "Whether AUTH is offered without TLS. On loopback it is harmless; elsewhere everyone on the way "
        "reads the passwords.",
        default=False,
    )
    i_know: Text | None = option(f'Off loopback, allow_plaintext_auth wants this sentence: "{I_KNOW}".', default=None)


class TlsSettings(Section):
    """The certificate that every listener with TLS shows. Files are read again on SIGHUP."""

    certificate: FilePath | None = option("The certificate and its intermediates, PEM.", default=None)
    key: SecretPath | None = option("Its private key, PEM, without a passphrase.", default=None)
    client_ca: FilePath | None = option(
        "Certificates, PEM, that sign the certificates of clients. Set: clients are asked for one, and one that is "
        "shown must be signed by these.",
        default=None,
    )
    require_client_certificate: Flag = option(
        "Whether a client without such a certificate is turned away in the TLS handshake.", default=False
    )


class LimitSettings(Section):
    """What one client may cost. Each bound counts for the whole relay, not per worker."""

    message_bytes: Size = option(
        "The largest message, announced as SIZE. Up to 7.5MiB SES's SendRawEmail takes; above, v2's SendEmail, up to "
        "40MiB in base64, which is 30MiB less what the relay adds: for that policies must allow ses:SendEmail, too.",
        default="10MiB",
        ge=1024,
        le=40 << 20,
    )
    recipients: Count = option(
        "The most recipients of one message. SES takes 50 in a call; with a spool messages to more are divided, and "
        "unset then means 1000.",
        default=50,
        ge=1,
        le=1000,
    )
    over_recipients: Literal["refuse-message", "452"] = option(
        "Past the recipients: refuse the whole message, as SES does; or 452 to each further RCPT, for "
        "clients known to send the rest separately (many do not, and lose it).",
        default="refuse-message",
    )
    null_reverse_path: Literal["refuse", "author"] = option(
        "MAIL FROM:<>: refuse it, for SES needs an address for bounces; or take the author's address in its place.",
        default="refuse",
    )
    line_endings: Literal["reject", "fix"] = option(
        "A message with lines that end in LF alone: refuse it, for two readers may see two messages; or make them CRLF "
        "before it is judged, as the repair bare-lf does, for every delegate.",
        default="reject",
    )
    inflight_bytes: Size = option(
        "Memory for all messages being received, judged or sent, of which each takes twice its size. Past it the next "
        "ones wait for some seconds, then hear 452.",
        default="192MiB",
        ge=1 << 20,
        le=64 << 30,
    )
    connections: Count = option("Open connections in all; past it 421.", default=1000, ge=1, le=1_000_000)
    connections_per_client: Count = option(
        "Open connections of one IPv4 address or IPv6 /64: a pool of 64 and some. 0 lifts the bound.",
        default=80,
        ge=0,
        le=1_000_000,
    )
    errors_per_session: Count = option(
        "Commands answered 4xx or 5xx before the connection is closed with 421. An accepted message clears the count.",
        default=10,
        ge=1,
        le=10_000,
    )
    auth_failures_per_session: Count = option(
        "Wrong passwords before the connection is closed.", default=3, ge=1, le=1000
    )
    auth_failures_per_minute: Count = option(
        "Wrong passwords from one IPv4 address or IPv6 /64 in a minute, over every way to AUTH; past it "
        "454, but for who was let in from there within a day. 0 lifts the bound.",
        default=10,
        ge=0,
        le=1_000_000_000,
    )
    auth_failures_per_day: Count = option("The same for a day. 0 lifts the bound.", default=50, ge=0, le=1_000_000_000)
    idle_timeout: Duration = option(
        "Idle time between commands of a delegate (RFC 5321 section 4.5.3.2.7 asks for five minutes).",
        default="5m",
        ge=1,
        le=86400,
    )
    command_timeout: Duration = option(
        "For one command line, from its first octet to its end; also the idle time before AUTH.",
        default="60s",
        ge=1,
        le=3600,
    )
    data_timeout: Duration = option(
        "For a message's octets; it grows while at least a kilobyte a second comes.", default="2m", ge=1, le=86400
    )
    session_timeout: Duration = option(
        "The life of a connection; one that outlives it is told 421 at its next command.",
        default="30m",
        ge=10,
        le=604800,
    )
