"""Events become log lines: one line each, bounded, JSON or for the eye; never a body, never a secret."""

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import structlog
from structlog.typing import EventDict, Processor

from relay.observe import delivery_texts, events
from relay.observe.plain import bounded, printable, trace_of
from relay.observe.privacy import AddressHashes
from relay.observe.record_texts import RecordTexts, to_json
from relay.observe.stamps import stamp
from relay.words.endings import Outcome
from relay.words.values import dataclass

Level = Literal["debug", "info", "warning", "error"]

_RISING: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
#: Octets. A decision record of a thousand recipients stays below.
LONGEST_LINE: Final = 512 * 1024
#: Of each message; told at this level and no other.
_ONLY_TO_DEBUG: Final = frozenset({events.Judged, events.SesCalled})
_OWN: Final = frozenset({"time", "level", "event"})
_AUTH_LEVELS: Final[Mapping[str, Level]] = {"ok": "debug", "aborted": "info", "form": "info", "unavailable": "error"}
_REFRESH_LEVELS: Final[Mapping[str, Level]] = {"ok": "info", "problems": "warning", "failed": "error"}
_DELIVERY_LEVELS: Final[Mapping[str, Level]] = {"sent": "info", "deferred": "info", "ambiguous": "warning"}
_LEVELS: Final[Mapping[str, Level]] = {"debug": "debug", "info": "info", "warning": "warning", "error": "error"}
_UNEVENTFUL: Final = frozenset({"send", "delivery", "delivery-delay", "other"})
_WELL: Final = frozenset({Outcome.ACCEPTED, Outcome.QUEUED, Outcome.ABORTED})


@dataclass(frozen=True, slots=True)
class LogOptions:
    """``[log]``: ``json`` for machines, ``console`` for the eye; lines from ``level`` up; addresses plain or hashed."""

    format: Literal["json", "console"] = "json"
    level: Level = "info"
    addresses: Literal["plain", "hash"] = "plain"
    colors: bool = False


class Log:
    """
    An observer that writes. Every message is one line ``message`` with its whole decision record.

    ``write`` takes one line with its line feed and returns how many were lost before it (``Lines.write``); ``key`` is
    this run's own, for ``addresses = "hash"``; ``clock`` tells seconds since the epoch. ``records`` tells records
    as this log does.
    """

    def __init__(
        self,
        options: LogOptions,
        *,
        write: Callable[[bytes], int | None],
        key: bytes = b"",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._write_line = write
        self._level = options.level
        self._left_out = frozenset(_RISING[: _RISING.index(options.level)])
        self._clock = clock
        self._hashes = AddressHashes(key) if options.addresses == "hash" else None
        self._is_json = options.format == "json"
        self.records = RecordTexts(self._hashes)
        self._clients: dict[str, str] = {}
        self._refreshed: dict[str, object] = {}
        self._logger: _Logger = structlog.wrap_logger(
            self._write,
            processors=[self._arrange, _as_json if self._is_json else _for_the_eye(options.colors)],
            wrapper_class=_Logger,
        ).bind()  # bound once: the proxy would bind for every line
        self._tell: dict[type, Callable[[Any], None]] = {
            events.SessionOpened: self._session_opened,
            events.SessionClosed: self._session_closed,
            events.AuthTried: self._auth_tried,
            events.MessageEnded: self._message_ended,
            events.Judged: self._judged,
            events.SesCalled: self._ses_called,
            events.SesDisagreed: self._ses_disagreed,
            events.PoliciesRefreshed: self._policies_refreshed,
            events.PolicyChanged: self._policy_changed,
            events.DelegatesObserved: self._delegates_observed,
            events.Delivered: self._delivered,
            events.AttemptsFound: self._attempts_found,
            events.FeedbackHeard: self._feedback_heard,
            events.StandingChanged: self._standing_changed,
            events.SharedFound: self._shared_found,
            events.SharedLost: self._shared_lost,
            events.Incident: self._incident,
            events.Noted: self._noted,
        }

    def __call__(self, event: events.Event) -> None:
        """Write *event*; replies, receptions, timings, counts of the spool and loop lag are for the metrics alone."""
        tell = self._tell.get(type(event))
        if tell is not None:
            tell(event)

    def ear(self, kind: type) -> Callable[[Any], None] | None:
        """Return what writes events of *kind*; nothing where the level leaves out all of them."""
        return None if kind in _ONLY_TO_DEBUG and self._level != "debug" else self._tell.get(kind)

    def line(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        """Write one line *event* with *fields*, whatever they hold: they are bounded here."""
        if level in self._left_out:
            return
        kept = bounded(fields)
        if not _OWN.isdisjoint(kept):
            kept = {f"{name}_" if name in _OWN else name: value for name, value in kept.items()}
        self._say(level, event, kept)

    def library(self, level: Level, logger: str, text: str, error: BaseException | None) -> None:
        """Write a line of a library that logs by itself."""
        fields: dict[str, object] = bounded({"logger": logger, "text": text})
        if error is not None:
            fields["exception"] = trace_of(error)
        self._say(level, "library", fields)

    def _say(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        """Write one line of fields that are bounded."""
        if level not in self._left_out:
            self._logger.say(level, {"event": event, "fields": fields})

    def _session_opened(self, event: events.SessionOpened) -> None:
        self._clients[event.session] = event.client
        if self._level == "debug":
            fields = {"session": event.session, "client": event.client, "listener": event.listener}
            self._say("debug", "session.opened", fields)

    def _session_closed(self, event: events.SessionClosed) -> None:
        client = self._clients.pop(event.session, None)
        if self._level == "debug":
            self._say("debug", "session.closed", {"session": event.session, "client": client, "why": event.why})

    def _auth_tried(self, event: events.AuthTried) -> None:
        level = _AUTH_LEVELS.get(event.result, "warning")
        if level in self._left_out:
            return
        fields = {"result": event.result, "mechanism": event.mechanism, "delegate": event.delegate}
        self.line(level, "auth", {**fields, **self._whose(event.session)})

    def _message_ended(self, event: events.MessageEnded) -> None:
        level: Level = "info" if event.outcome in _WELL and event.record.get("unenforced") is None else "warning"
        if level in self._left_out:
            return
        if self._is_json:
            begin, _, rest = self.records.text(event.record).partition(",")
            self._write(f'{begin},"level":"{level}","event":"message",{rest}')
        else:
            self._logger.say(level, {"event": "message", "record": event.record})

    def _judged(self, event: events.Judged) -> None:
        fields = {"delegate": event.delegate, "identity": event.identity, "role": event.role}
        for _ in range(event.times):
            self._say("debug", "judged", {**fields, "verdict": event.verdict, "mode": event.mode})

    def _ses_called(self, event: events.SesCalled) -> None:
        fields = {"region": event.region, "operation": event.operation, "result": event.result}
        self._say("debug", "ses.called", {**fields, "seconds": round(event.seconds, 6)})

    def _ses_disagreed(self, event: events.SesDisagreed) -> None:
        self.line("error", "ses.disagreed", {"identity": event.identity, "kind": event.kind, **event.readings})

    def _policies_refreshed(self, event: events.PoliciesRefreshed) -> None:
        """What a source says again and again, every minute, is told once."""
        unread = {identity: count for identity, count in event.problems.items() if count}
        said = (event.why or event.result, unread)
        is_news = self._refreshed.get(event.source) != said
        self._refreshed[event.source] = said
        level = _REFRESH_LEVELS.get(event.result, "warning") if is_news else "debug"
        fields: dict[str, object] = {"result": event.result, "source": event.source, "identities": len(event.read_at)}
        self.line(level, "policies.refreshed", {**fields, "why": event.why or None, "problems": unread})

    def _policy_changed(self, event: events.PolicyChanged) -> None:
        self.line("warning" if event.is_loss else "info", "policy.changed", event.record)

    def _delegates_observed(self, event: events.DelegatesObserved) -> None:
        until = {name: _date(end) for name, end in event.until.items()}
        self.line("warning" if until else "info", "observing", {"until": until})

    def _delivered(self, event: events.Delivered) -> None:
        level = _DELIVERY_LEVELS.get(event.result, "error")
        if level in self._left_out:
            return
        text = delivery_texts.text_of(event) if self._is_json and self._hashes is None else None
        if text is None:
            self.line(level, "delivery", {"delegate": event.delegate, "result": event.result, **event.record})
        else:
            self._write(f'{{"time":"{stamp(self._clock())}","level":"{level}","event":"delivery",{text}}}')

    def _attempts_found(self, event: events.AttemptsFound) -> None:
        self.line("warning", "spool.attempts-found", {"count": len(event.queue_ids), "queue_ids": event.queue_ids})

    def _feedback_heard(self, event: events.FeedbackHeard) -> None:
        """What went well is in the message's own line; at level debug it is told again."""
        level: Level = "debug" if event.kind in _UNEVENTFUL else "info"
        self.line(level, "feedback", {"delegate": event.delegate, "kind": event.kind, **event.record})

    def _standing_changed(self, event: events.StandingChanged) -> None:
        if not event.is_news and not event.standing:
            return
        until = None if event.until is None else datetime.fromtimestamp(event.until, UTC).isoformat(timespec="seconds")
        fields = {"delegate": event.delegate, "standing": event.standing.word, "until": until, "why": event.why}
        self.line("warning" if event.standing else "info", "delegate.standing", fields)

    def _shared_found(self, event: events.SharedFound) -> None:
        self.line("info", "shared.found", {"use": event.use, "at": event.address, "server": event.server or None})

    def _shared_lost(self, event: events.SharedLost) -> None:
        self.line("warning", "shared.lost", {"use": event.use, "at": event.address, "why": event.why})

    def _incident(self, event: events.Incident) -> None:
        # The trace is bounded by itself, and longer than other texts may be.
        fields = {"incident": event.id, **self._whose(event.session), "error": type(event.error).__name__}
        self._say("error", "incident", {**bounded(fields), "exception": trace_of(event.error)})

    def _noted(self, event: events.Noted) -> None:
        self.line(_LEVELS.get(event.level, "info"), event.event, event.details)

    def _whose(self, session: str) -> dict[str, object]:
        return {"session": session, "client": self._clients.get(session)}

    def _arrange(self, _logger: object, level: str, event: EventDict) -> EventDict:
        record: Mapping[str, Any] | None = event.get("record")
        fields: Mapping[str, Any] = event["fields"] if record is None else self.records.told(record)
        if self._hashes is not None and record is None:
            fields = self._hashes.fields(fields)
        return {"time": stamp(self._clock()), "level": level, "event": event["event"], **fields}

    def _write(self, line: str) -> None:
        raw = line.encode("utf-8", "backslashreplace") + b"\n"
        if len(raw) > LONGEST_LINE:
            raw = b'{"level": "error", "event": "log.oversized", "octets": %d}\n' % len(raw)
        lost = self._write_line(raw)
        if lost:
            self.line("error", "log.lost", {"lines": lost})


class _Logger(structlog.BoundLoggerBase):
    """A logger of structlog's without what no line here has: a context, arguments, a wish to be dropped."""

    def say(self, level: Level, line: EventDict) -> None:
        """Pass *line* through the processors, and write what comes out."""
        told: Any = line
        for process in self._processors:
            told = process(self._logger, level, told)
        self._logger(told)


def _as_json(_logger: object, _level: str, event: EventDict) -> str:
    return to_json(event)


def _date(seconds: float) -> str:
    """Write a point in time of the configuration; ``no end`` for an infinite one."""
    if math.isinf(seconds):
        return "no end"
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _for_the_eye(colors: bool) -> Processor:  # noqa: FBT001  private, one caller
    render = structlog.dev.ConsoleRenderer(
        colors=colors,
        sort_keys=False,
        timestamp_key="time",
        pad_event_to=18,
        exception_formatter=structlog.dev.plain_traceback,
    )

    def for_the_eye(logger: object, level: str, event: EventDict) -> str:
        if event["event"] == "message" and "reply" in event:
            event = _brief(event)
        return render(logger, level, printable(event))

    return for_the_eye


def _brief(event: EventDict) -> EventDict:
    """Keep of a decision record what fits into a glance; the id leads to the rest."""
    reply, unenforced = event["reply"], event.get("unenforced")
    brief = {name: event.get(name) for name in ("time", "level", "event", "outcome", "reason", "delegate")}
    if brief["reason"] == "none":
        del brief["reason"]
    if unenforced is not None:
        brief["unenforced"] = _line_of(unenforced)
    return {
        **brief,
        "mail_from": event.get("reverse_path"),
        "recipients": len(event.get("recipients", ())),
        "reply": _line_of(reply),
        "id": event.get("id"),
    }


def _line_of(reply: Mapping[str, Any]) -> str:
    return f"{reply['code']} {reply['status'] or ''} {reply['text']}"
