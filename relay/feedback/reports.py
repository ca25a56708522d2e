"""What is told of delegates' mail: for the admin endpoint, and the daily report."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Final

from relay.feedback.ledger import Ledger
from relay.feedback.standing import Record, Tally, percent, tally_of
from relay.feedback.standings import instant

HOUR: Final = 3600.0
#: What the admin endpoint tells of, and the seconds of it.
WINDOWS: Final = {"1h": HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR}
HEADER: Final = ("DELEGATE", "STANDING", "SENT", "DELIVERED", "BOUNCED", "RATE", "COMPLAINED", "RATE", "REJECTED")


def windows_of(ledger: Ledger, now: float) -> dict[str, dict[str, Any]]:
    """Return the counts of every delegate by window, and the rates, JSON-ready."""
    sums = {window: ledger.sums(now - seconds) for window, seconds in WINDOWS.items()}
    names = sorted({name for each in sums.values() for name in each})
    return {name: {window: counts(tally_of(each.get(name, {}))) for window, each in sums.items()} for name in names}


def counts(tally: Tally) -> dict[str, Any]:
    """Return a tally with its rates, JSON-ready; a rate is None where nothing was sent."""
    rates = {"bounce_rate": tally.bounce_rate, "complaint_rate": tally.complaint_rate}
    return asdict(tally) | {name: None if rate is None else round(rate, 6) for name, rate in rates.items()}


def standing_of(record: Record) -> dict[str, Any]:
    """Return a standing, JSON-ready, with times as people write them."""
    return {
        "standing": record.standing.word,
        "since": instant(record.since) if record.since else None,
        "until": None if record.until is None else instant(record.until),
        "why": record.why or None,
    }


def report_of(ledger: Ledger, delegates: Iterable[str], since: float, now: float) -> dict[str, Any]:
    """Return the report of the time from *since* to *now*, JSON-ready: every delegate, and others of whom SES told."""
    sums, records = ledger.sums(since), ledger.records()
    names = dict.fromkeys((*delegates, *sorted(sums)))
    rows = [
        {"delegate": name, **standing_of(records.get(name, Record())), **counts(tally_of(sums.get(name, {})))}
        for name in names
    ]
    return {"from": instant(since), "to": instant(now), "delegates": rows}


def row_of(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one delegate of a report as a row under :data:`HEADER`."""
    until = f" until {told['until']}" if told["until"] else ""
    rates = ["-" if told[name] is None else percent(told[name]) for name in ("bounce_rate", "complaint_rate")]
    return (
        told["delegate"],
        told["standing"] + until,
        str(told["sent"]),
        str(told["delivered"]),
        str(told["bounced"]),
        rates[0],
        str(told["complained"]),
        rates[1],
        str(told["rejected"]),
    )
