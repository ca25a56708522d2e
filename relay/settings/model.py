"""All settings: the tables of relay.toml, in the order in which one reads them."""

from pydantic import ConfigDict

from relay.settings.aws import (
    AuthorizationSettings,
    DeliverySettings,
    DnsSettings,
    FeedbackSettings,
    NotificationSettings,
    PolicySettings,
    SesSettings,
    SharedSettings,
    SpoolSettings,
)
from relay.settings.door import LimitSettings, ListenerSettings, ServerSettings, TlsSettings
from relay.settings.keys import Section, option
from relay.settings.people import DelegateSettings, DelegatesSettings
from relay.settings.watch import AdminSettings, JournalSettings, LogSettings, MetricsSettings


class Settings(Section):
    """
    The settings of one relay.

    Durations are float seconds, sizes int octets, rates float a second; secrets are ``SecretStr``; paths are absolute.
    ``delegate`` holds those of ``delegates.file`` too. Made by :func:`relay.settings.reading.read_settings`.
    """

    model_config = ConfigDict(defer_build=False)

    server: ServerSettings = option("The relay as a whole.", default={})
    listener: tuple[ListenerSettings, ...] = option("Where clients connect.", default=[{}])
    tls: TlsSettings = option("The certificate.", default={})
    delegate: tuple[DelegateSettings, ...] = option("Who may send.", default=[])
    delegates: DelegatesSettings = option("Delegates in files of their own.", default={})
    policies: PolicySettings = option("Where policies come from.", default={})
    authorization: AuthorizationSettings = option("How the judge judges.", default={})
    ses: SesSettings = option("The way to SES.", default={})
    delivery: DeliverySettings = option("What a 250 means.", default={})
    spool: SpoolSettings = option("Where messages wait.", default={})
    notifications: NotificationSettings = option("Notices of failed delivery.", default={})
    limits: LimitSettings = option("What one client may cost.", default={})
    dns: DnsSettings = option("The resolver.", default={})
    feedback: FeedbackSettings = option("Bounces and complaints.", default={})
    shared: SharedSettings = option("What many relays share.", default={})
    admin: AdminSettings = option("Health, metrics and the console.", default={})
    journal: JournalSettings = option("The recent decisions.", default={})
    metrics: MetricsSettings = option("What Prometheus reads.", default={})
    log: LogSettings = option("What is written to standard output.", default={})
