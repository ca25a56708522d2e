"""What was read of a peer, settled, composed, checked, told, and moved into its folder."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.migrate.options import Where
from relay.cli.policies import printable
from relay.delegates.passwords import hash_password
from relay.owner.migrate.cases import cases_of
from relay.owner.migrate.model import CannotMigrate, Found, Kind, Note, Wishes
from relay.owner.migrate.policies import Starting, starting_policies
from relay.owner.migrate.readme import readme
from relay.owner.migrate.settling import Settled, settle
from relay.owner.migrate.toml_text import relay_toml
from relay.owner.migrate.writing import FolderTaken, check_free, composed, move_into_place
from relay.policy.lint import Finding, Severity
from relay.settings.problems import Reading
from relay.settings.reading import read_settings

_COLOURS: Final = {Kind.TO_DO: "yellow", Kind.STRICTER: "yellow", Kind.DIFFERENT: "cyan", Kind.LEFT: "red"}


def migrate(reader: Callable[[], Found], wishes: Wishes, where: Where) -> None:
    """Write what *reader* finds into the folder, and leave with the exit code: 1 where check or lint find errors."""
    try:
        if where.folder is not None:
            check_free(where.folder)
        settled = settle(reader(), wishes)
        policies = starting_policies(settled, datetime.now(UTC))
    except CannotMigrate as problem:
        for each in problem.problems:
            click.echo(printable(each), err=True)
        sys.exit(2)
    except FolderTaken as taken:
        raise click.UsageError(f"{taken} is there and not empty: nothing is written over") from None
    notes = (*settled.found.notes, *settled.notes)
    reading = _write(settled, policies, _texts(settled, notes), where)
    _tell(settled, policies, notes, reading, where)
    is_wrong = reading.problems or any(finding.severity is Severity.ERROR for finding in _findings(policies))
    sys.exit(1 if is_wrong else 0)


def _texts(settled: Settled, notes: tuple[Note, ...]) -> dict[str, str]:
    texts = {
        "relay.toml": relay_toml(settled),
        "README.md": readme(settled, notes),
        "cases.json": json.dumps(cases_of(settled), indent=2) + "\n",
    }
    if any(client.has_password for client in settled.found.clients):
        texts["htpasswd"] = "".join(_htpasswd_lines(settled))
    return texts


def _htpasswd_lines(settled: Settled) -> Iterator[str]:
    yield "# Passwords of delegates, NAME:HASH: htpasswd -B htpasswd NAME\n"
    for client in settled.found.clients:
        hashes = client.hashes or ((hash_password(client.password),) if client.password else ())
        yield from (f"{client.name}:{hashed}\n" for hashed in hashes)


def _write(settled: Settled, policies: tuple[Starting, ...], texts: dict[str, str], where: Where) -> Reading:
    """Compose all in a folder beside, have the settings checked there, and give it its name; dry: remove it."""
    try:
        with tempfile.TemporaryDirectory(prefix="ses-relay-migrate-") as aside:
            folder = Path(aside) / settled.found.peer if where.is_dry or where.folder is None else where.folder
            with composed(folder, texts, policies) as made:
                reading = read_settings(made / "relay.toml", {})
                if not where.is_dry:
                    move_into_place(made, folder)
    except FolderTaken as taken:
        raise click.UsageError(f"{taken} is there and not empty: nothing is written over") from None
    except OSError as error:
        raise click.UsageError(f"cannot write: {error}") from error
    return reading


def _tell(
    settled: Settled, policies: tuple[Starting, ...], notes: tuple[Note, ...], reading: Reading, where: Where
) -> None:
    if where.as_json:
        click.echo(json.dumps(_as_json(settled, policies, notes, reading, where), indent=2))
        return
    for line in _lines(settled, policies, notes, reading, where):
        click.echo(line)


def _as_json(
    settled: Settled, policies: tuple[Starting, ...], notes: tuple[Note, ...], reading: Reading, where: Where
) -> dict[str, Any]:
    return {
        "format": 1,
        "from": settled.found.peer,
        "folder": None if where.folder is None else str(where.folder),
        "written": not where.is_dry,
        "identities": [str(arn) for arn in settled.identities],
        "delegates": [
            {
                "name": each.client.name,
                "was": each.client.called,
                "principal": each.principal,
                "addresses": None if each.client.addresses is None else [p.text for p in each.client.addresses],
                "not_as": [p.text for p in each.client.not_as],
                "recipients": [p.text for p in each.client.recipients],
                "not_to": [p.text for p in each.client.not_to],
            }
            for each in settled.delegates
        ],
        "policies": [
            {"identity": str(each.identity), "name": each.name, "policy": json.loads(each.text)} for each in policies
        ],
        "notes": [asdict(note) for note in notes],
        "lint": [
            {"code": found.code, "severity": str(found.severity), "message": found.message}
            for found in _findings(policies)
        ],
        "problems": [str(problem) for problem in reading.problems],
        "warnings": [str(warning) for warning in reading.warnings],
    }


def _lines(
    settled: Settled, policies: tuple[Starting, ...], notes: tuple[Note, ...], reading: Reading, where: Where
) -> Iterator[str]:
    for each in settled.delegates:
        client = each.client
        what = "any address" if client.addresses is None else ", ".join(pattern.text for pattern in client.addresses)
        yield printable(f"{client.name} as {each.principal}: {what}")
    for kind in (Kind.KEPT, Kind.DIFFERENT, Kind.STRICTER, Kind.LEFT, Kind.TO_DO):
        for note in notes:
            if note.kind is kind:
                yield f"{click.style(kind, fg=_COLOURS.get(kind))}: {printable(str(note))}"
    for finding in _findings(policies):
        if finding.severity is not Severity.NOTE:
            yield printable(f"lint {finding.severity}: {finding.message} {finding.fix} [{finding.code}]")
    yield from (printable(f"check: {problem}") for problem in reading.problems)
    yield from (printable(f"check, warning: {warning}") for warning in reading.warnings)
    count = f"{len(settled.delegates)} delegate{'s' * (len(settled.delegates) != 1)}"
    count += f", {len(policies)} polic{'ies' if len(policies) != 1 else 'y'}"
    if where.is_dry:
        yield f"{count}; nothing is written (--dry-run)"
    else:
        yield f"{count}, written to {where.folder}; {where.folder}/README.md tells what to do next"


def _findings(policies: tuple[Starting, ...]) -> Iterator[Finding]:
    return (finding for each in policies for finding in each.findings)
