"""``ses-relay audit export``: everything that an auditor needs of a span of time, in a chain of hashes."""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from socket import gethostname
from typing import IO, Any

import click

from relay import __version__
from relay.audit.chain import Chain
from relay.audit.export import Count, Span, date_of, lines_of, oldest_decision
from relay.cli.audit.keys import key_in, key_option
from relay.cli.configuration import config_option
from relay.cli.policies import printable, settings_if_any
from relay.cli.recorded import moment_of
from relay.journal.files import in_words, open_to_read
from relay.journal.schema import JournalProblem
from relay.settings.model import Settings
from relay.settings.units import read_duration
from relay.translation import digest_of, hostname_of
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """The journal's file, and the settings that named it, if any did."""

    path: Path
    settings: Settings | None


@click.command(short_help="What happened, as JSON Lines in a chain of hashes.")
@config_option
@click.option("--from", "since", required=True, metavar="TIME", help="2026-11-01, 2026-11-01T08:00Z, or 7d for ago.")
@click.option("--to", "until", default="now", show_default=True, metavar="TIME", help="Until then, not included.")
@click.option("--delegate", metavar="NAME", help="Decisions of this delegate, and changes that mean something for it.")
@click.option("--identity", metavar="NAME|ARN", help="Decisions and changes of this identity.")
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="Read this file, not [journal] path.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write this file, which is not there yet.")
@key_option
@click.option("--json", "as_json", is_flag=True, help="The summary for machines; with --out.")
def command(  # noqa: PLR0913  one for each option
    config: Path | None,
    since: str,
    until: str,
    *,
    delegate: str | None,
    identity: str | None,
    journal: Path | None,
    out: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """
    Write decisions, changes of policies with what delegates gained and lost, every policy text that they name, and what
    operators did: one JSON object a line, each with the hash of the line before.

    What the journal no longer has is not in it: [journal] entries and keep bound what it has. Note the hash of the last
    line where nobody can change it, or hash with a key: `ses-relay audit verify` then tells whether the file is still
    the one that was written.

    \b
    Exit code 0: written; 1: written, and the journal shows that somebody changed it; 2: wrong usage, no journal.

    \b
    Examples:
      ses-relay audit export -c relay.toml --from 2026-11-01 --to 2026-12-01 --out november.jsonl
      ses-relay audit export --journal journal.db --from 7d --delegate billing | jq 'select(.kind == "policy-change")'
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if as_json and out is None:
        raise click.UsageError("--json tells about the file of --out")
    now = time.time()
    span = Span(_moment(since, now), _moment(until, now), delegate, identity)
    if span.since >= span.until:
        raise click.UsageError("--from is not before --to")
    place, key = _place(config, journal), key_in(key_file)
    chain, count = Chain(key), Count()
    try:
        with closing(open_to_read(place.path)) as file, _opened(out) as sink:
            header = _header(file, place, span, now)
            for line in chain.chain(header, lines_of(file, span, count)):
                sink.write(line)
    except JournalProblem as problem:
        raise click.UsageError(str(problem)) from None
    except sqlite3.Error as error:
        raise click.ClickException(f"{place.path}: {in_words(error)}") from None
    except OSError as error:
        raise click.ClickException(f"{out or 'standard output'}: {error.strerror}") from None
    told = {"lines": chain.count, "last": chain.last, **_counted(count)}
    click.echo(json.dumps(told, indent=2) if as_json else printable(_sentence(told, out)), err=not as_json)
    for trouble in _troubles(count):
        click.echo(f"warning: {trouble}", err=True)
    sys.exit(1 if any(_troubles(count)) else 0)


def _moment(text: str, now: float) -> float:
    with suppress(ValueError):
        return max(0.0, now - read_duration(text))  # no calendar has what is long enough ago
    return moment_of(text, now)


def _place(config: Path | None, journal: Path | None) -> Place:
    settings = None if journal is not None and config is None else settings_if_any(config)
    path = journal or (settings.journal.path if settings is not None else None)
    if path is None:
        raise click.UsageError("give --journal FILE, or -c relay.toml with [journal] path: else it is in memory alone")
    return Place(path, settings)


def _header(file: sqlite3.Connection, place: Place, span: Span, now: float) -> dict[str, Any]:
    oldest = oldest_decision(file)
    return {
        "program": f"ses-relay {__version__}",
        "relay": gethostname() if place.settings is None else hostname_of(place.settings),
        "settings": None if place.settings is None else digest_of(place.settings),
        "journal": str(place.path.absolute()),
        "made_at": date_of(now),
        "from": date_of(span.since),
        "to": date_of(span.until),
        "delegate": span.delegate,
        "identity": span.identity,
        "oldest_decision": None if oldest is None else date_of(oldest),
    }


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[bytes]]:
    """Open a file that is there only once it is whole, its owner's alone; or standard output."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if out.exists():
        raise click.UsageError(f"{out} is there already: an export is not overwritten")
    unfinished = out.with_name(f".{out.name}.{os.getpid()}.new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.link(unfinished, out)  # and not rename, which would overwrite
        finally:
            unfinished.unlink()


def _counted(count: Count) -> dict[str, Any]:
    return {
        "kinds": dict(sorted(count.kinds.items())),
        "missing": count.missing,
        "unreadable": count.spoiled,
        "altered_texts": count.altered,
    }


def _sentence(told: dict[str, Any], out: Path | None) -> str:
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in told["kinds"].items()) or "nothing happened"
    return f"{out or 'export'}: {told['lines']:,} lines ({kinds}), last hash {told['last']}"


def _troubles(count: Count) -> list[str]:
    troubles = []
    if count.missing:
        troubles.append(f"{count.missing} decisions were taken out of the middle of the journal: see kind gap")
    if count.spoiled:
        troubles.append(f"{count.spoiled} decisions cannot be read any more: see kind unreadable")
    if count.altered:
        troubles.append(f"{count.altered} policy texts are not those of their digests: see is_altered")
    return troubles
