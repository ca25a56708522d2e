"""Where recorded mail is read from: the LOGs that were named, ``--journal FILE``, or the journal of the settings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from relay.owner.recorded import Records
from relay.settings.model import Settings

journal_option = click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read the decisions in this file, too. Default, without a LOG: [journal] path of the settings.",
)


def records_in(logs: Sequence[str], journal: Path | None, settings: Settings | None) -> Records:
    """
    Return what is to be read; what was named goes before the settings.

    Raises:
        click.UsageError: Nothing was named, and the settings name no file.
    """
    if logs or journal is not None:
        return Records(logs, journal)
    if settings is None or settings.journal.path is None:
        hint = "" if settings is None else "; without [journal] path the journal is in the relay's memory alone"
        raise click.UsageError(f"give LOGs, --journal FILE, or -c relay.toml with [journal] path{hint}")
    return Records((), settings.journal.path)


def moment_of(text: str, now: float) -> float:
    """
    Read a time for ``--at``: ``now``, or as ISO 8601 writes it, in UTC where it names no zone.

    Raises:
        click.UsageError: It is none.
    """
    if text == "now":
        return now
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        raise click.UsageError(f"{text!r} is no time: write 2026-11-21T12:00Z, or now") from None
