"""
Things that happen, as values. Rooms tell an observer; only ``observe`` turns them into metrics and log lines.

Fields that become labels hold names of the configuration or of a closed set, never what a client typed.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, TypeAlias

from relay.words.endings import Outcome, Reason
from relay.words.standings import Standing
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A client was let in."""

    listener: str
    session: str
    client: str


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """A connection ended; ``why`` is a word: quit, gone, timeout, errors, tls, drain."""

    listener: str
    session: str
    why: str


@dataclass(frozen=True, slots=True)
class Replied:
    """
    A reply went out, or so many ``times`` the same.

    ``command`` is a known SMTP verb in upper case, ``connect``, ``data-end``, or ``other``.
    """

    listener: str
    command: str
    code: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class CertificateShown:
    """The *listeners* show a certificate from now on that ends at ``expires_at``, in seconds since the epoch."""

    listeners: tuple[str, ...]
    expires_at: float


@dataclass(frozen=True, slots=True)
class AuthTried:
    """
    One AUTH exchange ended.

    ``mechanism``: PLAIN, LOGIN, EXTERNAL, OAUTHBEARER, XOAUTH2 or other; ``result``: ok, bad-credentials, form,
    aborted, unavailable, throttled, plaintext. ``delegate`` is a name of the configuration or None, never what the
    client typed: people type their password there.
    """

    mechanism: str
    result: str
    session: str
    delegate: str | None


@dataclass(frozen=True, slots=True)
class RecipientDomainChecked:
    """A recipient's domain was looked at. ``result``: taken, no-such-domain, no-mail-host, null-mx or unanswered."""

    result: str


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """MAIL was accepted or refused, so many ``times``: from here on exactly one MessageEnded is owed for each."""

    listener: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class MessageEnded:
    """
    A received message ended. ``record`` is the whole decision record, JSON-ready.

    ``delegate`` is ``-`` before AUTH; ``seconds`` runs from MAIL to the reply that ended it; ``size`` is octets of DATA
    or None when none came.
    """

    delegate: str
    outcome: Outcome
    reason: Reason
    recipients: int
    size: int | None
    seconds: float
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """
    One question was answered, or so many ``times`` the same.

    ``identity`` is an ARN of the configuration or ``-``; ``verdict`` and ``mode`` are words.
    """

    delegate: str
    identity: str
    role: str
    verdict: str
    mode: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class JudgementTimed:
    """All questions of one message were answered in ``seconds`` of CPU-bound work; ``decision`` names its record."""

    seconds: float
    decision: str = ""


@dataclass(frozen=True, slots=True)
class MessageRepaired:
    """A message was changed before it was judged. ``kinds``: the repairs of the configuration that changed it."""

    delegate: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SesCalled:
    """
    One HTTP request to SES ended.

    ``result``: sent, or a class of failure (throttled, refused, unavailable, ambiguous, credentials).
    """

    region: str
    operation: str
    result: str
    seconds: float


@dataclass(frozen=True, slots=True)
class SesDisagreed:
    """
    We allowed what SES refused for want of authorization. ``kind``: access-denied or not-verified.

    ``readings``: what we read, and what SES said, for whoever has to find out which of them is right.
    """

    identity: str
    kind: str
    readings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoliciesRefreshed:
    """
    A policy source was read, or could not be.

    ``result``: ok, problems or failed. ``read_at``: every identity of the source by ARN, with the wall-clock time of
    its reading in seconds since the epoch; ``problems``: identity ARN to number of unreadable policies. Both replace
    what the same ``source`` said before, save after ``failed``: then the old ones stay and grow older.
    """

    result: str
    read_at: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)
    why: str = ""
    source: str = "directory"


@dataclass(frozen=True, slots=True)
class PoliciesForgotten:
    """A policy source is read no more; ``account`` and ``region`` where it was one of those at SES."""

    source: str
    account: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """
    What mail of an identity is judged by is not what it was.

    ``kinds``: a word of :data:`relay.observe.labels.POLICY_CHANGES` for each policy, and for the identity. ``record``:
    which policies, old and new digest, what delegates gain and lose; JSON-ready. ``is_loss``: somebody loses something.
    """

    identity: str
    kinds: tuple[str, ...]
    record: Mapping[str, Any]
    is_loss: bool = False


@dataclass(frozen=True, slots=True)
class RevocationStated:
    """A permission that an owner withdraws in this account and region ends within *seconds* from now on."""

    account: str
    region: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StalenessBounded:
    """Policies read longer than *seconds* ago decide nothing from now on (``policies.max_stale``)."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ReadinessSeen:
    """
    What ``/readyz?verbose`` says now.

    ``is_ready``: whether mail can be sent. ``troubled``: of each check whether it has something to say, which may
    concern some delegates only.
    """

    is_ready: bool
    troubled: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class FeedbackHeard:
    """
    SES told what became of a delegate's mail.

    ``kind`` is one of :data:`relay.observe.labels.FEEDBACK`, or other; ``number``: recipients it is news for, of a
    complaint 1. ``record``: the message, its recipients and what SES said; JSON-ready.
    """

    delegate: str
    kind: str
    number: int = 1
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StandingChanged:
    """
    A delegate's bounces and complaints made it stand otherwise, or (``is_news`` False) it was found so at start, or is
    judged again or no more since a reload.

    ``until``: the end of a suspension, in seconds since the epoch; ``why``: a sentence.
    """

    delegate: str
    standing: Standing
    until: float | None = None
    why: str = ""
    is_news: bool = True


@dataclass(frozen=True, slots=True)
class QueueRead:
    """
    A queue of SQS was asked, or a message of it was read.

    ``queue``: what it is for, feedback or policies. ``result``: ok or failed of a poll; taken, known (it came before),
    ignored or malformed of ``number`` messages.
    """

    queue: str
    result: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class NoticeWritten:
    """A notification is in the spool (``result``: queued), or could not be put there (not-kept)."""

    result: str


@dataclass(frozen=True, slots=True)
class DelegatesObserved:
    """
    Which delegates are observed from now on, in place of whatever was said before.

    ``until``: name to the end of it, in wall-clock seconds since the epoch, infinite for none.
    """

    until: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    A message of the spool was tried, or given up.

    ``result``: sent, deferred, ambiguous, refused, withdrawn, expired or quarantined. ``record``: queue id, attempt,
    what SES or the judge said, what comes next; JSON-ready.
    """

    delegate: str
    result: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptsFound:
    """Attempts of a process that is no more, which had no end. SES may have each of these messages."""

    queue_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpoolCounted:
    """
    What is in the spool: messages by state, their octets, and when the oldest that is to be sent was accepted.

    ``oldest`` is in seconds since the epoch, None when nothing waits.
    """

    messages: Mapping[str, int]
    octets: int
    oldest: float | None


@dataclass(frozen=True, slots=True)
class SendingPaced:
    """
    How fast an account may send in a region, in recipients a second, and how many recipients its day has room for.

    ``rate`` is None as long as nobody told one, ``remaining`` and ``quota``, what a whole day has room for, where that
    is not known or there is no limit.
    """

    account: str
    region: str
    rate: float | None
    remaining: float | None
    quota: float | None = None


@dataclass(frozen=True, slots=True)
class PaceForgotten:
    """Nobody sends through an account any more; ``region``: where somebody did."""

    account: str
    region: str


@dataclass(frozen=True, slots=True)
class SharedFound:
    """
    What relays share is there, at *address*; ``use``: ``shared`` or ``spool``.

    ``server``: its name and version, as far as it told.
    """

    use: str
    address: str
    server: str = ""


@dataclass(frozen=True, slots=True)
class SharedLost:
    """What relays share is away: this relay goes on by itself. ``why``: a sentence without secrets."""

    use: str
    address: str
    why: str


@dataclass(frozen=True, slots=True)
class WorkersCounted:
    """So many processes serve the listeners now; ``died``: so many more have died."""

    running: int
    died: int = 0


@dataclass(frozen=True, slots=True)
class JournalDropped:
    """So many decision records were not kept: the journal's disk is slower than the mail, or fails."""

    records: int


@dataclass(frozen=True, slots=True)
class LoopLagged:
    """The event loop came back ``seconds`` later than it was asked to: everything else in it waited as long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Incident:
    """An exception that is ours. The client heard 451 4.3.0 and ``id``; the log has the rest."""

    id: str
    session: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class Noted:
    """
    Anything else worth a log line.

    ``level``: info, warning or error; ``event``: a dotted name; ``details``: JSON-ready, no secrets.
    """

    level: str
    event: str
    details: Mapping[str, Any] = field(default_factory=dict)


Event: TypeAlias = (
    SessionOpened
    | SessionClosed
    | Replied
    | CertificateShown
    | AuthTried
    | RecipientDomainChecked
    | MessageReceived
    | MessageEnded
    | Judged
    | JudgementTimed
    | MessageRepaired
    | SesCalled
    | SesDisagreed
    | PoliciesRefreshed
    | PolicyChanged
    | PoliciesForgotten
    | RevocationStated
    | StalenessBounded
    | ReadinessSeen
    | FeedbackHeard
    | StandingChanged
    | QueueRead
    | NoticeWritten
    | DelegatesObserved
    | Delivered
    | AttemptsFound
    | SpoolCounted
    | SendingPaced
    | PaceForgotten
    | SharedFound
    | SharedLost
    | WorkersCounted
    | JournalDropped
    | LoopLagged
    | Incident
    | Noted
)
Observer: TypeAlias = Callable[[Event], None]
