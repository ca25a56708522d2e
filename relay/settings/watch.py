"""How one looks at the relay: ``[admin]``, ``[journal]``, ``[metrics]`` and ``[log]``."""

from typing import Literal

from relay.settings.forms import Count, Duration, FilePath, Flag, Listen, Name, SecretPath
from relay.settings.keys import Section, option, required


class TokenSettings(Section):
    """A bearer token of the admin endpoint. Where there is any, the API needs one on loopback too."""

    name: Name = required("The name in logs.", "team-a")
    file: SecretPath = required("A file with the token; read again on SIGHUP.", "/run/secrets/team-a")
    role: Literal["viewer", "operator"] = option(
        "viewer reads; operator also changes: messages of the spool, and when policies are read again.",
        default="viewer",
    )
    delegates: tuple[Name, ...] = option(
        "The delegates whose decisions and messages it sees, and changes. Empty: all, and the identities too.",
        default=[],
    )


class AdminSettings(Section):
    """The HTTP endpoint for health, metrics and the console."""

    address: Listen = option(
        "Where to listen. Off loopback, everything but health and metrics needs a token.", default="127.0.0.1:8025"
    )
    token_file: SecretPath | None = option(
        "A file with the bearer token of an operator; read again on SIGHUP.", default=None
    )
    console: Flag = option("Whether / shows the console page.", default=True)
    token: tuple[TokenSettings, ...] = option("Tokens of viewers and operators by name.", default=[])


class JournalSettings(Section):
    """The recent decisions."""

    path: FilePath | None = option(
        "A file that keeps them over a restart, and every text that policies had. Unset: in memory.", default=None
    )
    entries: Count = option(
        "How many are kept; 0 for none. Each takes 0.2 to 0.5 KB.", default=50_000, ge=0, le=100_000_000
    )
    keep: Duration | None = option(
        "How long they are kept at most; and with them changes of policies, what operators did, and policy texts that "
        "are no longer in force. Unset: as long as there is room.",
        default=None,
        ge=3600,
    )
    redact: tuple[Literal["recipients", "display_name", "client"], ...] = option(
        "What is left out of them: recipients, the author's display name, the client's address. Without one of the "
        "first two a decision cannot be judged again.",
        default=[],
    )


class MetricsSettings(Section):
    """What Prometheus reads."""

    max_identities: Count = option(
        'Identities with a label of their own; more are counted as "other", so that a series stays a series.',
        default=1000,
        ge=0,
        le=1_000_000,
    )


class LogSettings(Section):
    """What is written to standard output."""

    format: Literal["json", "console"] = option(
        "One JSON object a line for machines; or coloured text for people.", default="json"
    )
    level: Literal["debug", "info", "warning", "error"] = option("The least that is written.", default="info")
    addresses: Literal["plain", "hash"] = option(
        "Mail addresses as they are; or as keyed hashes, which cannot be replayed.", default="plain"
    )
