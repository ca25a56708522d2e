"""AWS and what becomes of mail: ``[policies]``, ``[authorization]``, ``[ses]``, ``[delivery]`` and their neighbours."""

from pathlib import Path
from typing import Final, Literal, Self

from relay.settings.forms import (
    Account,
    Context,
    Count,
    Duration,
    Egress,
    Endpoint,
    ExternalId,
    FilePath,
    Flag,
    Instant,
    Mailbox,
    Nameserver,
    QueueUrl,
    Rate,
    Region,
    Role,
    SendRate,
    SharedUrl,
    Size,
    SpoolUrl,
    ThresholdTable,
)
from relay.settings.keys import Section, option, required

#: The spool where none is named. Its folder is systemd's to make, or a volume; unasked we make none.
DEFAULT_SPOOL: Final = Path("/var/lib/ses-relay/spool.db")


class QueueSettings(Section):
    """One more queue of SQS that is read, such as that of an account which a role sends for."""

    url: QueueUrl = required("Its URL.", "https://sqs.us-east-1.amazonaws.com/111111111111/ses-relay-feedback")
    role_arn: Role | None = option(
        "A role that may read it: ReceiveMessage and DeleteMessage. Unset: the relay's own credentials.", default=None
    )
    external_id: ExternalId | None = option("The external id for role_arn.", default=None)


class OwnerSettings(Section):
    """
    One account that owns identities, each of which is asked for by its own account and region.

    With source = "directory" and no owner, every ACCOUNT/REGION folder counts; with source = "ses" they are named here.
    """

    account: Account = required("The account.", "888888888888")
    regions: tuple[Region, ...] = option(
        "The regions where its identities are used. Empty: every region folder, or ses.region.", default=[]
    )
    role_arn: Role | None = option("A role of the owner that may read its policies.", default=None)
    external_id: ExternalId | None = option("The external id for role_arn.", default=None)
    source: Literal["ses", "directory", "sealed"] | None = option(
        "Where its policies come from. Unset: as [policies] says. sealed: the relay cannot see them, SES judges "
        "alone; only for delegates whose mail is sent as their own principal.",
        default=None,
    )

    @property
    def is_sealed(self) -> bool:
        """Whether the relay has no sight of its policies."""
        return self.source == "sealed"

    def regions_or(self, own: str | None) -> tuple[str, ...]:
        """Return its regions, or else the relay's *own*, which count where no folders do."""
        return self.regions or ((own,) if own else ())


class PolicySettings(Section):
    """Where the owners' sending authorization policies come from, and how old they may grow."""

    source: Literal["ses", "directory"] = option(
        "The SES API of each owner's account; or a folder of files.", default="ses"
    )
    directory: FilePath | None = option(
        "The folder: ACCOUNT/REGION/IDENTITY/POLICY-NAME.json. An identity's folder without policies is a "
        "verified identity with none.",
        default=None,
    )
    refresh_interval: Duration = option(
        "How often policies are read again. A withdrawn permission ends within this time; with source = ses and many "
        "identities in use it takes longer, as check and a metric say.",
        default="60s",
        ge=0.1,
        le=86400,
    )
    max_stale: Duration = option(
        "The age after which policies decide nothing, when their source is away: 451 until it is back.",
        default="1h",
        ge=1,
        le=7 * 86400,
    )
    api_rate: Rate = option(
        "How often SES is asked, in each owner's account and region. It takes one call a second, of all of the owner's "
        "tools together.",
        default="30/m",
    )
    snapshot: FilePath | None = option(
        "A file that keeps what SES told over a restart, which then decides at once. Unset: in memory.", default=None
    )
    events_queue: QueueUrl | None = option(
        "An SQS queue that EventBridge fills with CloudTrail's records of changed identities and policies: what "
        "changed is read again at once (docs/how-to/policies-from-ses.md).",
        default=None,
    )
    owner: tuple[OwnerSettings, ...] = option("The owners.", default=[])
    queue: tuple[QueueSettings, ...] = option("More queues like events_queue.", default=[])

    def source_of(self, owner: OwnerSettings) -> Literal["ses", "directory", "sealed"]:
        """Return where the policies of *owner* come from."""
        return owner.source or self.source

    def from_folder(self, folder: Path) -> Self:
        """Return these settings with the policies of every owner that is not sealed in *folder*."""
        owners = tuple(each if each.is_sealed else each.model_copy(update={"source": None}) for each in self.owner)
        return self.model_copy(update={"source": "directory", "directory": folder, "owner": owners})

    @property
    def reads_folder(self) -> bool:
        """Whether policies of anybody come from the folder."""
        return any(self.source_of(owner) == "directory" for owner in self.owner) or (
            self.source == "directory" and not self.owner
        )


class AuthorizationSettings(Section):
    """How the judge judges."""

    mode: Literal["enforce", "observe"] = option(
        "observe forwards and logs what the policies would have refused.", default="enforce"
    )
    observe_until: Instant | None = option(
        "When observing ends by itself, such as 2027-01-31T00:00:00Z. Unset: it does not.", default=None
    )
    source_arn: Literal["infer", "required"] = option(
        "A message that names no identity: use the only one that covers its address; or refuse it.", default="infer"
    )
    x_ses_headers: Literal["reject", "strip"] = option(
        "X-SES fields other than the three ARNs that the delegate was not granted: refuse the message; or remove them.",
        default="reject",
    )
    same_account: Literal["policy"] = option(
        "A delegate in the owner's own account is judged like any other; another rule is given per delegate.",
        default="policy",
    )
    reveal: Literal["reason", "full"] = option(
        "What a refusal tells the client: the condition key that failed and its own value; or the "
        "policy's values and statements too.",
        default="reason",
    )
    context: Context = option(
        'Condition keys you make known for every request, such as { "aws:PrincipalOrgID" = "o-exampleorg1" }.',
        default={},
    )


class SesSettings(Section):
    """
    The way to SES.

    Credentials come from the standard chain: environment, profile, web identity, container, instance role.
    """

    endpoint_url: Endpoint | None = option(
        "In place of AWS's own endpoints: an embedded SES, a VPC endpoint. It also serves STS.", default=None
    )
    region: Region | None = option(
        "The region when nothing else names one. Unset: as the AWS environment says.", default=None
    )
    max_send_rate: SendRate = option("Recipients a second: what SES says of the account; or a number.", default="auto")
    egress: tuple[Egress, ...] = option(
        "From where our calls reach SES: addresses, or VPC endpoint and VPC. It makes aws:SourceIp or the "
        "VPC keys known to conditions.",
        default=[],
    )
    connect_timeout: Duration = option("For a connection to SES, TLS included.", default="5s", ge=0.1, le=300)
    read_timeout: Duration = option(
        "For SES's answer. A short one makes slow successes look like failures, and sends twice.",
        default="60s",
        ge=1,
        le=600,
    )
    max_connections: Count = option("Calls to SES at once, in each region.", default=64, ge=1, le=10_000)


class DeliverySettings(Section):
    """What a 250 means."""

    mode: Literal["fallback", "direct", "spool"] = option(
        "fallback: SES took the message, or it is safe in the spool; direct: SES took it; spool: it is "
        "safe in the spool. Unset where no spool can be written: direct.",
        default="fallback",
    )
    budget: Duration = option(
        "With fallback: how long a client waits for SES before its message goes into the spool.",
        default="8s",
        ge=0.1,
        le=600,
    )


class SpoolSettings(Section):
    """Where messages wait, and how they are tried again."""

    url: SpoolUrl | None = option(
        "A file of this machine: sqlite:///var/lib/ses-relay/spool.db, which is also meant where delivery.mode needs a "
        "spool and no url is given. For a fleet a Redis, redis://HOST as in shared.url, which must sync before it "
        "acknowledges (appendfsync always): ?durability=everysec accepts the loss of a second of mail when its machine "
        "crashes, ?durability=unchecked asks nothing, ?replicas=1 waits for a replica. "
        'With mode = "direct" what is still there is sent.',
        default=None,
    )
    max_age: Duration = option("Give up and notify after so long.", default="4d", ge=60, le=30 * 86400)
    max_bytes: Size = option("The room for waiting messages; past it 452.", default="1GiB", ge=1 << 20)
    keep_failed: Duration = option(
        "How long a message that could not be delivered is kept for people to see, retry or delete.",
        default="14d",
        ge=60,
        le=365 * 86400,
    )
    retry_first: Duration = option("About the first pause before another attempt.", default="1s", ge=0.1, le=3600)
    retry_longest: Duration = option("The longest pause between two attempts.", default="15m", ge=1, le=86400)
    retry_unsure: Duration = option(
        "The least pause where SES may have the message already: it did not answer, or the relay was killed.",
        default="30s",
        ge=0.1,
        le=3600,
    )


class NotificationSettings(Section):
    """Notices of failed delivery."""

    sender: Mailbox | None = option("The author of notices.", default=None, alias="from")
    role: Role | None = option(
        "A role that the relay assumes to send them, in a session named ses-relay-notifications. Unset: they are sent "
        "with the relay's own credentials.",
        default=None,
    )


class DnsSettings(Section):
    """What is asked of the DNS."""

    nameservers: tuple[Nameserver, ...] = option(
        'Recursive resolvers to ask, in this order: "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::53]:53". Empty: '
        "those of the system.",
        default=[],
    )
    check_recipient_domains: Flag = option(
        "Whether recipients are refused at RCPT whose domain does not exist (550 5.1.2), has neither an MX nor an "
        "address (550 5.1.2), or says by a null MX that it takes no mail (556 5.1.10). DNS that is slow or broken "
        "refuses nobody, and delays a message by two seconds at most.",
        default=False,
    )


class FeedbackSettings(Section):
    """
    Bounces and complaints, read from SQS and counted for each delegate (docs/how-to/feedback-paths.md).

    Rates are parts of the recipients that a delegate's mail was sent to.
    """

    queue_url: QueueUrl | None = option("The SQS queue that receives SES's events. Unset: none is read.", default=None)
    queue: tuple[QueueSettings, ...] = option("More queues like queue_url.", default=[])
    path: FilePath | None = option(
        "A file for counts and standings, for `ses-relay delegate report` and `resume`. Unset: in memory, and a "
        "restart forgets who was slowed or suspended.",
        default=None,
    )
    bounce_rate: ThresholdTable = option(
        "From which rates of permanent bounces a delegate is warned of, slowed, or suspended. SES reviews an account "
        "from 0.05, and may stop it from 0.1.",
        default={"warn": 0.05},
    )
    complaint_rate: ThresholdTable = option(
        "The same for complaints. SES reviews an account from 0.001, and may stop it from 0.005.",
        default={"warn": 0.001},
    )
    window: Duration = option("The time whose mail counts for the rates.", default="24h", ge=60, le=30 * 86400)
    minimum: Count = option("Recipients in the window below which nobody is judged.", default=100, ge=1)
    slow_rate: Rate = option("How fast a delegate may send that is slowed, in recipients.", default="1/s")
    suspend_for: Duration = option(
        "How long a delegate is suspended: its mail is refused with 454 4.7.1. Then it is slowed until enough of its "
        "mail is good.",
        default="1h",
        ge=1,
        le=30 * 86400,
    )


class SharedSettings(Section):
    """What many relays share."""

    url: SharedUrl | None = option(
        "A Redis or Valkey, redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT for TLS: all relays that name it "
        "share one send rate, one budget of each delegate, and what they know of policies. Without it, or while it is "
        "away, each goes by itself.",
        default=None,
    )
