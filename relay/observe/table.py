"""
Every metric by name, kind, labels and meaning: what dashboards and alerts are built on. docs/reference/metrics.md is
made from it.

Every metric is on the page from the start, its feature on or off.
"""

from typing import Final, Literal

from relay.words.values import dataclass

_Kind = Literal["counter", "gauge", "histogram"]

#: Seconds. A judgement costs tens of microseconds; a message waits for SES, which answers in tens to hundreds of ms.
_JUDGING: Final = (1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 1e-1)
_WAITING: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_TALKING: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_LAGGING: Final = (5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2.5e-1, 5e-1, 1.0, 5.0)
#: Octets, up to the 40 MiB of SES's API v2.
_SIZES: Final = (1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 10485760.0, 41943040.0)


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. ``help`` is one sentence; ``buckets`` are upper bounds in the metric's unit, for histograms."""

    name: str
    kind: _Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


ROWS: Final = (
    Row(
        "ses_relay_messages_received_total",
        "counter",
        ("listener",),
        "Messages begun: MAIL was accepted or refused. Each adds one to ses_relay_messages_total when it ends.",
    ),
    Row(
        "ses_relay_messages_total",
        "counter",
        ("delegate", "outcome", "reason"),
        "Messages ended, each once. The delegate is - before AUTH.",
    ),
    Row(
        "ses_relay_recipients_total",
        "counter",
        ("delegate", "outcome"),
        "Accepted recipients of the messages that ended, by the outcome of their message.",
    ),
    Row(
        "ses_relay_decisions_total",
        "counter",
        ("delegate", "identity", "role", "verdict", "mode"),
        "Questions put to the policies of an identity, by role of the address and by verdict.",
    ),
    Row(
        "ses_relay_repairs_total",
        "counter",
        ("delegate", "kind"),
        "Messages changed before they were judged, by the repair of the configuration that changed them.",
    ),
    Row(
        "ses_relay_recipient_domains_total",
        "counter",
        ("result",),
        "Recipients whose domain was looked up, from the cache or in the DNS (dns.check_recipient_domains).",
    ),
    Row(
        "ses_relay_observing",
        "gauge",
        ("delegate",),
        "Whether a delegate's verdicts are only observed (1) or enforced (0).",
    ),
    Row(
        "ses_relay_policy_problems",
        "gauge",
        ("identity",),
        "Policies of an identity that cannot be read whole; its questions end undecided until they are mended.",
    ),
    Row(
        "ses_relay_decision_seconds",
        "histogram",
        (),
        "Time to judge all questions of one message.",
        _JUDGING,
    ),
    Row(
        "ses_relay_message_bytes",
        "histogram",
        (),
        "Size of messages as DATA brought them.",
        _SIZES,
    ),
    Row(
        "ses_relay_transaction_seconds",
        "histogram",
        (),
        "Time from MAIL to the reply that ended the message.",
        _TALKING,
    ),
    Row(
        "ses_relay_ses_requests_total",
        "counter",
        ("region", "operation", "result"),
        "HTTP requests to SES that ended.",
    ),
    Row(
        "ses_relay_ses_request_seconds",
        "histogram",
        ("region", "operation", "result"),
        "Time of HTTP requests to SES.",
        _WAITING,
    ),
    Row(
        "ses_relay_ses_disagreements_total",
        "counter",
        ("identity", "kind"),
        "Messages that the policies allowed and SES refused to their own delegate for want of authorization.",
    ),
    Row(
        "ses_relay_policy_age_seconds",
        "gauge",
        ("identity",),
        "Time since the policies of an identity were read, at the scrape; of other, the oldest.",
    ),
    Row(
        "ses_relay_policy_max_stale_seconds",
        "gauge",
        (),
        "The age at which policies stop to decide: policies.max_stale of the settings.",
    ),
    Row(
        "ses_relay_policy_refreshes_total",
        "counter",
        ("result",),
        "Readings of a policy source: of the whole folder, or of one identity or one page of a list at SES.",
    ),
    Row(
        "ses_relay_policy_changes_total",
        "counter",
        ("kind",),
        "Changes of policies and identities that were seen, those of the time while the relay was down included.",
    ),
    Row(
        "ses_relay_policy_revocation_seconds",
        "gauge",
        ("account", "region"),
        "Time in which a permission that an owner withdraws ends here, for the identities that are in use now.",
    ),
    Row(
        "ses_relay_auth_total",
        "counter",
        ("mechanism", "result"),
        "AUTH exchanges that ended.",
    ),
    Row(
        "ses_relay_sessions",
        "gauge",
        ("listener",),
        "SMTP sessions open now.",
    ),
    Row(
        "ses_relay_tls_certificate_expires_seconds",
        "gauge",
        ("listener",),
        "When the certificate that a listener shows comes to its end, in seconds since the epoch.",
    ),
    Row(
        "ses_relay_smtp_replies_total",
        "counter",
        ("command", "code"),
        "SMTP replies. The command is connect for the greeting and data-end for the answer to a message.",
    ),
    Row(
        "ses_relay_spool_messages",
        "gauge",
        ("state",),
        "Messages in the spool, counted every few seconds; all 0 without a spool.",
    ),
    Row(
        "ses_relay_spool_oldest_seconds",
        "gauge",
        (),
        "Age of the oldest message that is still to be sent; 0 when none is.",
    ),
    Row(
        "ses_relay_deliveries_total",
        "counter",
        ("result",),
        "Attempts to send from the spool that ended, and messages that were given up.",
    ),
    Row(
        "ses_relay_possible_duplicates_total",
        "counter",
        (),
        "Calls whose body was sent and whose answer never came, and attempts of a process that was killed: SES may "
        "have the message, and it may come again.",
    ),
    Row(
        "ses_relay_send_rate_limit",
        "gauge",
        ("account", "region"),
        "Recipients a second that mail is paced to: what SES tells, less while it throttles.",
    ),
    Row(
        "ses_relay_quota_remaining",
        "gauge",
        ("account", "region"),
        "Recipients that SES's rolling 24 hours had room for when it was asked last; absent where there is no limit.",
    ),
    Row(
        "ses_relay_quota_recipients",
        "gauge",
        ("account", "region"),
        "Recipients that SES allows in any 24 hours; absent where there is no limit.",
    ),
    Row(
        "ses_relay_shared_up",
        "gauge",
        ("use",),
        "Whether what relays share is there (1) or this relay goes on by itself (0); absent where nothing is shared.",
    ),
    Row(
        "ses_relay_notices_total",
        "counter",
        ("result",),
        "Notifications of undelivered mail: put into the spool, tried from there, or lost.",
    ),
    Row(
        "ses_relay_feedback_total",
        "counter",
        ("delegate", "kind"),
        "What SES tells of a delegate's mail, one for each recipient where SES names them (feedback.queue_url).",
    ),
    Row(
        "ses_relay_delegate_standing",
        "gauge",
        ("delegate",),
        "What its bounces and complaints have brought a delegate to: 0 good, 1 warned, 2 slowed, 3 suspended.",
    ),
    Row(
        "ses_relay_queue_polls_total",
        "counter",
        ("queue", "result"),
        "Questions to the queues of SQS that are read, by what they are for (feedback.queue_url, "
        "policies.events_queue).",
    ),
    Row(
        "ses_relay_queue_messages_total",
        "counter",
        ("queue", "result"),
        "Messages of these queues that were read, and then deleted there.",
    ),
    Row(
        "ses_relay_incidents_total",
        "counter",
        (),
        "Exceptions that are the relay's own fault; each has an id, in the reply and in the log.",
    ),
    Row(
        "ses_relay_ready",
        "gauge",
        (),
        "Whether /readyz says ready (1), as of a few seconds ago.",
    ),
    Row(
        "ses_relay_trouble",
        "gauge",
        ("check",),
        "Whether a check of /readyz?verbose has something to say (1), be it about one delegate only.",
    ),
    Row(
        "ses_relay_workers",
        "gauge",
        (),
        "Processes that serve the listeners now: server.workers, less those that died and are being started again.",
    ),
    Row(
        "ses_relay_worker_deaths_total",
        "counter",
        (),
        "Workers that ended without being asked to; each was started again.",
    ),
    Row(
        "ses_relay_journal_dropped_total",
        "counter",
        (),
        "Decisions that the journal did not keep: its disk is slower than the mail, or fails.",
    ),
    Row(
        "ses_relay_loop_lag_seconds",
        "histogram",
        (),
        "How much later than asked the event loop came back, sampled.",
        _LAGGING,
    ),
    Row(
        "ses_relay_build_info",
        "gauge",
        ("version", "python"),
        "Always 1; the labels say what runs.",
    ),
)

#: What each label may hold.
LABELS: Final = {
    "check": "`credentials`, `roles`, `policies`, `delegates`, `spool`, `certificate`, `listeners`, `feedback`, "
    "`policy-events`, `journal`, `workers`, `shared`",
    "listener": "the address of a `[[listener]]`",
    "delegate": "the name of a `[[delegate]]`; `-` before AUTH; `other` for the relay's own notifications, for one "
    "that is no longer configured, and for feedback of which nobody knows whose mail it is about",
    "outcome": "`accepted`, `queued`, `rejected`, `deferred`, `aborted`",
    "reason": "why, of the closed set below",
    "identity": "the ARN of an identity that a policy source lists, at most `metrics.max_identities` of them, the rest "
    "being `other`; `-` when no identity governs",
    "role": "`from`, `feedback`, `envelope`",
    "verdict": "`allowed`, `denied`, `not-allowed`, `undecided`; `sealed` where SES judges alone",
    "mode": "`enforce`, `observe`",
    "account": "the account that sends, `unknown` before STS told it; at most 200, the rest being `other`",
    "region": "an AWS region of the configuration",
    "operation": "an action of the SES API, such as `SendRawEmail`",
    "result": "`ses_relay_ses_*`: `sent`, `throttled`, `refused`, `unavailable`, `ambiguous`, `credentials`; "
    "`ses_relay_policy_refreshes_total`: `ok`, `problems`, `failed`; "
    "`ses_relay_recipient_domains_total`: `taken`, `no-such-domain`, `no-mail-host`, `null-mx`, `unanswered` (let "
    "through); "
    "`ses_relay_deliveries_total`: `sent`, `deferred`, `ambiguous`, `refused` (by SES, for good), `withdrawn` (the "
    "policies no longer allow it), `expired`, `quarantined`; "
    "`ses_relay_notices_total`: `queued`, `not-kept` (in no spool yet), `sent`, `deferred`, `ambiguous`, `failed`; "
    "`ses_relay_queue_polls_total`: `ok`, `failed`; `ses_relay_queue_messages_total`: `taken`, `known` (it had come "
    "before), `ignored`, `malformed`; "
    "`ses_relay_auth_total`: `ok`, `bad-credentials`, `form`, `aborted`, `unavailable`, `throttled`, `plaintext`",
    "state": "`due`, `sending`, `held`, `failed`, `quarantined`",
    "kind": "`ses_relay_ses_disagreements_total`: `access-denied`, `not-verified`; `ses_relay_policy_changes_total`: "
    "`added`, `changed`, `removed`, `identity-added`, `identity-removed`, `verified`, `unverified`; "
    "`ses_relay_repairs_total`: "
    "`bare-lf`, `8bit-names`, `long-lines`, `missing-headers`; `ses_relay_feedback_total`: `send`, `delivery`, "
    "`delivery-delay`, `bounce` (for good), `transient-bounce`, `complaint`, `reject`, `rendering-failure`",
    "queue": "`feedback`, `policies`",
    "mechanism": "`PLAIN`, `LOGIN`, `EXTERNAL`, `OAUTHBEARER`, `XOAUTH2`, `other`",
    "command": "an SMTP verb, `connect`, `data-end`, `other`",
    "code": "a reply code that SMTP knows, `other`",
    "use": "`shared` (`shared.url`), `spool` (`spool.url`)",
    "version": "of ses-relay",
    "python": "of the interpreter",
}
