"""
Settings into what each room takes: plain values, nothing started.

What only some settings ask for is loaded where they do: a start has none of the rest.
"""

import hashlib
import json
import random
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from relay import __version__
from relay.audit.book import AuditBook
from relay.console.askers import Asker, Token
from relay.courier.notices import Letterhead
from relay.courier.schedule import Schedule
from relay.courier.slots import Bounds
from relay.delegates.entries import Elsewhere, Entry
from relay.dispatch import DispatchOptions
from relay.dns.servers import system_servers
from relay.feedback.options import FeedbackOptions
from relay.identities.folder import FolderDirectory
from relay.identities.nothing import NoDirectory
from relay.identities.ports import Directory, Owner
from relay.identities.several import SeveralDirectories, parts_of
from relay.judgement.observing import NEVER, observed_until
from relay.judgement.rules import Rules
from relay.observe.events import Observer
from relay.observe.log import LogOptions
from relay.sending.door import SesDoor
from relay.sending.keys import Unusable
from relay.sending.pace.fleet import Fleet
from relay.sending.pace.pacer import Pacer
from relay.sending.pace.quota import SendQuota
from relay.sending.pace.shares import Share
from relay.sending.troubles import OWN
from relay.settings.aws import DEFAULT_SPOOL, QueueSettings
from relay.settings.door import RECIPIENTS_WITH_SPOOL
from relay.settings.model import Settings
from relay.settings.people import OauthSettings
from relay.smtp.limits import Limits
from relay.smtp.listeners import Listener
from relay.smtp.tls import server_context
from relay.spools import place_of
from relay.words.apis import LARGEST, MOST_RECIPIENTS
from relay.words.certificates import read_certificate_name
from relay.words.delegates import CALLER, NOTIFICATIONS, Delegate
from relay.words.freshness import Terms
from relay.words.roles import AssumedRole
from relay.words.standings import Thresholds

if TYPE_CHECKING:
    from relay.delegates.tokens import Issuer
    from relay.dns.recipient_domains import Ask
    from relay.feedback.queues import Queue
    from relay.identities.accounts import Access
    from relay.identities.ses_answers import Clocks
    from relay.identities.ses_directory import SesDirectory
    from relay.identities.snapshot import Snapshot
    from relay.owner.policy_texts import PolicyTexts

    #: Makes a directory of SES one that is in step with those of other relays.
    InStep: TypeAlias = Callable[[SesDirectory, Terms, Clocks, str], Directory]

USER_AGENT = f"ses-relay/{__version__}"


def rules_of(settings: Settings) -> Rules:
    """Return what the operator decided about judging."""
    authorization, ses = settings.authorization, settings.ses
    return Rules(
        source_arn=authorization.source_arn,
        x_ses_headers=authorization.x_ses_headers,
        reveal=authorization.reveal,
        context=authorization.context,
        max_stale=settings.policies.max_stale,
        null_reverse_path=settings.limits.null_reverse_path,
        egress=tuple(map(str, ses.egress)),
        mode=authorization.mode,
        observe_until=authorization.observe_until,
        sealed=sealed_of(settings),
        secure_transport=ses.endpoint_url is None or urlsplit(ses.endpoint_url).scheme == "https",
        user_agent=USER_AGENT,
    )


def sealed_of(settings: Settings) -> frozenset[tuple[str, str]]:
    """Return the accounts and regions whose policies the relay has no sight of."""
    sealed = (owner for owner in settings.policies.owner if owner.is_sealed)
    return frozenset((owner.account, region) for owner in sealed for region in owner.regions_or(settings.ses.region))


def observed_of(settings: Settings) -> dict[str, float]:
    """Return the delegates that are observed, each with the end of it as seconds since the epoch, infinite for none."""
    rules = rules_of(settings)
    until = {each.name: observed_until(each.to_delegate(CALLER), rules) for each in settings.delegate}
    return {name: end for name, end in until.items() if end != NEVER}


def pinned_of(settings: Settings) -> set[str]:
    """Return the identities that delegates are pinned to: of a sealed owner, all that is known to be there."""
    return {arn for each in settings.delegate for arn in each.allow_source_arns}


def directory_of(
    settings: Settings,
    observe: Observer,
    *,
    keeps: bool = False,
    before: Directory | None = None,
    share: "InStep | None" = None,
) -> Directory:
    """
    Return the sources of policies; those of sealed owners are not looked for.

    *keeps*: what is read is written where the settings say. *before*: what this directory knows is kept. *share*: for
    the one of SES.
    """
    folder = folder_of(settings, observe, keeps=keeps)
    parts: list[Directory] = [] if folder is None else [folder]
    if places_of(settings):
        parts.append(_directory_of_ses(settings, observe, keeps=keeps, before=before, share=share))
    if not parts:
        return NoDirectory()
    return parts[0] if len(parts) == 1 else SeveralDirectories(parts)


def _directory_of_ses(
    settings: Settings, observe: Observer, *, keeps: bool, before: Directory | None, share: "InStep | None"
) -> Directory:
    from relay.identities.accounts import Accounts, AtOnce  # noqa: PLC0415 - for those whose policies are read from SES
    from relay.identities.ses_answers import Clocks  # noqa: PLC0415 - the same
    from relay.identities.ses_directory import Books, SesDirectory  # noqa: PLC0415 - the same

    books = Books(keeper_of(settings) if keeps else None, snapshot_of(settings))
    accounts = Accounts(accesses_of(settings), endpoint_url=endpoint_of(settings), pace=AtOnce(), tries=1)
    clocks = Clocks(time.time, time.monotonic, random.random)
    owned = [getattr(each, "own", each) for each in parts_of(before)]  # a shared one has one of its own within
    older = [each for each in owned if isinstance(each, SesDirectory)]
    terms, kept = terms_of(settings), older[0] if older else None
    own = SesDirectory(places_of(settings), accounts, terms, observe, books=books, clocks=clocks, before=kept)
    return own if share is None else share(own, terms, clocks, endpoint_of(settings) or "aws")


def folder_of(settings: Settings, observe: Observer, *, keeps: bool = False) -> FolderDirectory | None:
    """Return the folder of policies; None where none is read."""
    policies = settings.policies
    owners = [Owner(each.account, each.regions) for each in policies.owner if policies.source_of(each) == "directory"]
    if policies.directory is None or not policies.reads_folder:
        return None
    keeper = keeper_of(settings) if keeps else None
    return FolderDirectory(
        policies.directory, owners, observe, time.time, interval=policies.refresh_interval, keeper=keeper
    )


def places_of(settings: Settings) -> list[tuple[str, str]]:
    """Return the accounts and regions whose policies are read from SES."""
    read = [owner for owner in settings.policies.owner if settings.policies.source_of(owner) == "ses"]
    return [(owner.account, region) for owner in read for region in owner.regions_or(settings.ses.region)]


def terms_of(settings: Settings) -> Terms:
    """Return how fresh policies at SES are to be, and what it may cost."""
    policies = settings.policies
    return Terms(policies.refresh_interval, policies.max_stale, policies.api_rate)


def snapshot_of(settings: Settings) -> "Snapshot | None":
    """Return where what is known of SES is kept over a restart; None where no file is named."""
    path = settings.policies.snapshot
    if path is None:
        return None
    from relay.identities.snapshot import Snapshot  # noqa: PLC0415 - for those who name a file

    return Snapshot(path, settings.ses.endpoint_url or "aws")


def accesses_of(settings: Settings | None) -> "list[Access]":
    """Return how the owners' accounts are reached."""
    from relay.identities.accounts import Access  # noqa: PLC0415 - for those who ask AWS for policies

    owners = () if settings is None else settings.policies.owner
    return [Access(owner.account, owner.role_arn, owner.external_id) for owner in owners]


def endpoint_of(settings: Settings | None) -> str | None:
    """Return what stands in place of AWS's own endpoints of SES and STS; None for AWS's."""
    return None if settings is None else settings.ses.endpoint_url


def keeper_of(settings: Settings) -> "PolicyTexts | None":
    """Return where policy texts are kept; None where no file for them is named."""
    if settings.journal.path is None:
        return None
    from relay.owner.policy_texts import PolicyTexts  # noqa: PLC0415 - for those who name a file

    return PolicyTexts(settings.journal.path)


def book_of(settings: Settings) -> AuditBook | None:
    """Return where changes of policies and what operators did are kept; None where no file is named."""
    path = settings.journal.path
    return None if path is None else AuditBook(path)


def digest_of(settings: Settings) -> str:
    """Return the SHA-256 of everything that is set, but for secrets: it tells whether that changed."""
    text = json.dumps(settings.model_dump(mode="json", warnings=False), sort_keys=True, default=str)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def dispatch_of(settings: Settings) -> DispatchOptions:
    """Return how messages are kept: the mode, the spool's place, and when they are tried again."""
    delivery, spool = settings.delivery, settings.spool
    url = None if spool.url is None else spool.url.get_secret_value()
    if url is None and delivery.mode != "direct":
        url = f"sqlite://{DEFAULT_SPOOL}"
    share = 1 if delivery.mode == "spool" else 2  # reception makes calls, too
    return DispatchOptions(
        mode=delivery.mode,
        place=None if url is None else place_of(url, max_bytes=spool.max_bytes, lease_seconds=lease_of(settings)),
        is_asked_for=spool.url is not None or "mode" in delivery.model_fields_set,
        budget=delivery.budget,
        schedule=Schedule(
            first=spool.retry_first,
            longest=spool.retry_longest,
            unsure=spool.retry_unsure,
            max_age=spool.max_age,
            keep_failed=spool.keep_failed,
        ),
        bounds=Bounds(calls=max(1, settings.ses.max_connections // share)),
        letterhead=Letterhead(settings.notifications.sender, hostname_of(settings)),
    )


def lease_of(settings: Settings) -> float:
    """Return the seconds after which a relay that was not heard of may not be calling SES any more."""
    ses = settings.ses
    return ses.connect_timeout + 2 * ses.read_timeout + 5


def pacer_of(
    settings: Settings, ses: SesDoor, account: Callable[[], str], observe: Observer, *, fleet: Fleet | None = None
) -> Pacer:
    """
    Return the pace of all mail; *account* names the relay's own, as far as STS told it.

    *fleet*: the relays that share it with this one.
    """

    async def ask(account: str, region: str) -> SendQuota | Unusable:
        return await ses.send_quota(region, account)

    rate = settings.ses.max_send_rate
    return Pacer(
        ask,
        wanted=None if rate == "auto" else float(rate),
        shares=shares_of(settings),
        named=lambda key: account() if key == OWN else key,
        observe=observe,
        clock=time.monotonic,
        fleet=fleet,
    )


def shares_of(settings: Settings) -> dict[str, Share]:
    """Return the delegates' limits."""
    return {each.name: Share(each.rate, each.daily_recipients) for each in settings.delegate}


def feedback_of(settings: Settings) -> FeedbackOptions:
    """Return which queues tell of mail, and what bounces and complaints of each delegate come to."""
    feedback = settings.feedback
    queues = _queues(feedback.queue_url, feedback.queue, settings)
    if not queues:
        return FeedbackOptions()
    from relay.feedback.standing import Tolerance  # noqa: PLC0415 - for those whose feedback is read

    tolerances = {
        each.name: Tolerance(
            bounces=Thresholds(**(feedback.bounce_rate if each.bounce_rate is None else each.bounce_rate)),
            complaints=Thresholds(**(feedback.complaint_rate if each.complaint_rate is None else each.complaint_rate)),
            window=feedback.window,
            minimum=feedback.minimum,
            suspend_for=feedback.suspend_for,
            slow_rate=feedback.slow_rate,
        )
        for each in settings.delegate
    }
    return FeedbackOptions(queues, feedback.path, tolerances)


def policy_queues_of(settings: Settings) -> "tuple[Queue, ...]":
    """Return which queues tell of changed policies."""
    return _queues(settings.policies.events_queue, settings.policies.queue, settings)


def _queues(url: str | None, others: Iterable[QueueSettings], settings: Settings) -> "tuple[Queue, ...]":
    told = [*([] if url is None else [QueueSettings(url=url)]), *others]
    if not told:
        return ()
    from relay.feedback.queues import Queue  # noqa: PLC0415 - for those who have one

    region, sts_url = settings.ses.region or "us-east-1", endpoint_of(settings)
    return tuple(Queue(each.url, each.role_arn, each.external_id, region, sts_url) for each in told)


def roles_of(settings: Settings) -> list[AssumedRole]:
    """Return every role that mail is sent as."""
    notices = postmaster_of(settings, None)
    senders = [each.to_delegate(CALLER) for each in settings.delegate] + ([notices] if notices else [])
    return [sender.role for sender in senders if sender.role is not None]


def postmaster_of(settings: Settings, caller: str | None) -> Delegate | None:
    """
    Return whom notifications are judged as: the relay itself, *caller*, or a session of their role; None without.

    In its own account IAM lets it send under the identities of their author, unless a policy denies it.
    """
    author, arn = settings.notifications.sender, settings.notifications.role
    role = None if arn is None else AssumedRole(arn, NOTIFICATIONS)
    principal = caller if role is None else role.principal
    if author is None or principal is None:
        return None
    labels = author.domain.split(".")
    names = (str(author), *(".".join(labels[number:]) for number in range(len(labels) - 1)))
    return Delegate(
        NOTIFICATIONS,
        principal,
        role=role,
        is_caller=role is None,
        same_account="allow-unless-denied",
        allow_identities=names,
        mode="enforce",
    )


def limits_of(settings: Settings, *, keeps: bool = True) -> Limits:
    """Return the bounds of the street door; *keeps*: there is a spool, so that messages can be divided."""
    limits, recipients = settings.limits, settings.limits.recipients
    if "recipients" not in limits.model_fields_set and settings.delivery.mode != "direct":
        recipients = RECIPIENTS_WITH_SPOOL  # the mode is that of the start, and the file may name another since
    return Limits(
        message_bytes=largest_of(settings),
        recipients=recipients if keeps else min(recipients, MOST_RECIPIENTS),
        over_recipients=limits.over_recipients,
        inflight_bytes=limits.inflight_bytes,
        errors=limits.errors_per_session,
        auth_failures=limits.auth_failures_per_session,
        stranger_seconds=limits.command_timeout,
        idle_seconds=limits.idle_timeout,
        command_seconds=limits.command_timeout,
        data_seconds=limits.data_timeout,
        connection_seconds=limits.session_timeout,
        connections=limits.connections,
        connections_per_client=limits.connections_per_client or None,
        auth_failures_per_minute=limits.auth_failures_per_minute or None,
        auth_failures_per_day=limits.auth_failures_per_day or None,
    )


def largest_of(settings: Settings) -> int:
    """Return the octets of the largest message that is taken: no more than SES takes."""
    return min(settings.limits.message_bytes, LARGEST)


def domain_lookups_of(settings: Settings) -> "Ask | None":
    """Return what asks the DNS for the domains of recipients; None where nobody wants that."""
    if not settings.dns.check_recipient_domains:
        return None
    from relay.dns.resolver import Resolver  # noqa: PLC0415 - a moment of every start, for those who want it

    return Resolver(lambda: settings.dns.nameservers or system_servers()).ask


def listeners_of(settings: Settings) -> tuple[Listener, ...]:
    """Return where the street door stands open; a listener's name is its address."""
    return tuple(
        Listener(
            name=str(each.address),
            host=each.address.host,
            port=each.address.port,
            tls=each.tls,
            require_auth=each.require_auth,
            allow_plaintext_auth=each.allow_plaintext_auth,
            proxy_protocol_from=each.proxy_protocol_from,
        )
        for each in settings.listener
    )


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """Read the certificate and key; None when there is none."""
    tls = settings.tls
    if tls.certificate is None or tls.key is None:
        return None
    return server_context(
        tls.certificate, tls.key, tls.client_ca, require_client_certificate=tls.require_client_certificate
    )


def with_tls(settings: Settings) -> tuple[str, ...]:
    """Name the listeners that show a certificate."""
    return tuple(str(each.address) for each in settings.listener if each.tls != "off")


def hostname_of(settings: Settings) -> str:
    """Return our name, asked of the machine once if need be."""
    return settings.server.hostname or _name_of_this_machine()


@cache
def _name_of_this_machine() -> str:
    return socket.getfqdn()  # may wait for a resolver


def entries_of(settings: Settings, caller: str | None) -> list[Entry]:
    """
    Return every delegate. ``caller`` is the relay's own ARN; until STS has told it, who is the relay itself has the
    principal ``CALLER``, may authenticate, and cannot be judged.
    """
    return [
        Entry.of(
            repaired_as(settings, each.to_delegate(caller or CALLER)),
            password_hash=each.password_hash.get_secret_value() if each.password_hash else None,
            password_file=each.password_file,
            password_secret=each.password_secret,
            client_certificates=map(read_certificate_name, each.client_certificates),
            allowed_networks=each.allowed_networks,
            trusted_networks=each.trusted_networks,
        )
        for each in settings.delegate
    ]


def repaired_as(settings: Settings, delegate: Delegate) -> Delegate:
    """Add to the delegate's repairs what is made for all."""
    if settings.limits.line_endings == "reject" or "bare-lf" in delegate.repair:
        return delegate
    return replace(delegate, repair=("bare-lf", *delegate.repair))


def elsewhere_of(settings: Settings) -> Elsewhere:
    """Return what proves delegates beside their own entries."""
    delegates = settings.delegates
    issuers = _issuers_of(delegates.oauth) if delegates.oauth else ()
    return Elsewhere(delegates.htpasswd, issuers, delegates.secrets_refresh_interval, settings.ses.region)


def _issuers_of(oauth: Iterable[OauthSettings]) -> "tuple[Issuer, ...]":
    from relay.delegates.tokens import Issuer  # noqa: PLC0415 - for those who trust one

    return tuple(
        Issuer(each.issuer, each.audience, each.jwks_url, each.algorithms, each.claim, each.names, each.ca)
        for each in oauth
    )


def log_options(settings: Settings) -> LogOptions:
    """Return how lines are written."""
    log = settings.log
    return LogOptions(format=log.format, level=log.level, addresses=log.addresses)


def tokens_of(settings: Settings) -> tuple[str, ...]:
    """Read the bearer token of the admin endpoint; OSError where it cannot be read."""
    path = settings.admin.token_file
    return () if path is None else (_token_in(path),)


def scoped_of(settings: Settings) -> tuple[Token, ...]:
    """Read the tokens of viewers and operators by name; OSError where one cannot be read."""
    return tuple(
        Token(_token_in(each.file), Asker(each.name, each.role == "operator", frozenset(each.delegates) or None))
        for each in settings.admin.token
    )


def _token_in(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
