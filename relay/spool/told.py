"""An entry as it is told to machines: what ``spool list --json`` prints and ``/api/spool`` answers. Never a body."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from relay.spool.details import AGAIN, HOLD, NOTICE
from relay.spool.entries import Batch, Entry, State


class Fate(StrEnum):
    """What became of one recipient."""

    OPEN = "open"
    SENT = "sent"
    REFUSED = "refused"


def brief(entry: Entry, now: float) -> dict[str, Any]:
    """Tell of an entry in a list; *now* in seconds since the epoch."""
    envelope = entry.envelope
    return {
        "id": entry.id,
        "kind": entry.kind.value,
        "state": entry.state.value,
        "hold_asked": HOLD in entry.details,
        "delegate": entry.delegate,
        "mail_from": str(envelope.reverse_path),
        "recipients": len(envelope.forward_paths),
        "first_recipient": str(envelope.forward_paths[0]) if envelope.forward_paths else None,
        "size": entry.size,
        "accepted_at": _moment(entry.accepted_at),
        "age": round(max(0.0, now - entry.accepted_at), 3),
        "next_attempt_at": _moment(entry.due_at) if entry.state is State.DUE else None,
        "kept_until": _moment(entry.due_at) if entry.state is State.FAILED else None,
        "attempts": entry.attempts,
        "maybe_sent": entry.maybe,
        "crashes": entry.crashes,
        "reason": entry.reason.value,
        "last": entry.last,
        "notice": entry.details.get(NOTICE),
        "is_readable": is_readable(entry),
    }


def whole(entry: Entry, now: float) -> dict[str, Any]:
    """Tell of one entry: each recipient with its fate, and where the message came from."""
    session, again = entry.session, entry.details.get(AGAIN)
    return {
        **brief(entry, now),
        "retried_at": None if again is None else _moment(float(again)),
        "session": {
            "id": session.id,
            "listener": session.listener,
            "client": session.client,
            "helo": session.helo,
            "protocol": session.protocol,
        },
        "fates": [
            {"recipient": recipient, "fate": fate.value, "ses_id": batch.ses_id, "why": batch.refused}
            for recipient, fate, batch in fates(entry)
        ],
    }


def fates(entry: Entry) -> Iterator[tuple[str, Fate, Batch]]:
    """Name each recipient with its fate and the call it belongs to."""
    for batch in entry.batches:
        for recipient in batch.recipients:
            yield recipient, _fate(batch), batch


def is_readable(entry: Entry) -> bool:
    """Whether there is more of it than its id."""
    return entry.version >= 0


def _fate(batch: Batch) -> Fate:
    if batch.ses_id is not None:
        return Fate.SENT
    return Fate.OPEN if batch.refused is None else Fate.REFUSED


def _moment(seconds: float) -> str | None:
    """ISO 8601 in UTC; None for what no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None
