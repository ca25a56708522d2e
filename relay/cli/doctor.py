"""``ses-relay doctor``: everything that mail needs, looked at before mail does; each line with its fix."""

import json
import os
import sys
import time
from pathlib import Path

import click

from relay.cli.configuration import config_option, path_of
from relay.cli.doctor_setup import means_of, of_settings, setup_of
from relay.cli.doctor_text import as_json, render
from relay.cli.progress import progress
from relay.owner.doctor.catalog import CHECKS
from relay.owner.doctor.examination import examine, in_order
from relay.owner.doctor.findings import Finding, Status, not_checked
from relay.owner.doctor.rounds import Rounds
from relay.settings.problems import Reading
from relay.settings.reading import read_settings


def _known(_context: click.Context, _parameter: click.Parameter, ids: tuple[str, ...]) -> frozenset[str]:
    unknown = sorted(set(ids) - CHECKS.keys())
    if unknown:
        raise click.BadParameter(f"there is no check {', '.join(unknown)}; there are: {', '.join(CHECKS)}")
    return frozenset(ids)


@click.command(short_help="Look at everything that mail needs; tell how to mend what fails.")
@config_option
@click.option("--only", metavar="ID", multiple=True, callback=_known, help="Only this check; may be given again.")
@click.option("--offline", is_flag=True, help="Ask nobody but this machine.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def command(config: Path | None, only: frozenset[str], offline: bool, wants_json: bool) -> None:
    """
    Look at settings, files, spool, Redis, addresses, credentials, clock, SES, roles, owners, identities and policies.

    \b
    Nothing is changed, here or at AWS, and nothing is sent. SES is asked once a second in each account and region.
    Below every failing line stands what mends it. The ids are in docs/reference/doctor.md.
    Exit 0: nothing fails, perhaps with warnings. Exit 1: something fails. Exit 2: wrong usage.

    \b
    Examples:
      ses-relay doctor -c relay.toml
      ses-relay doctor --only credentials --only clock
      ses-relay doctor --offline --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    path = path_of(config)
    if path is not None and not path.exists():
        raise click.UsageError(f"there is no file {path}")
    reading = read_settings(path, os.environ)
    findings = _examined(reading, str(path or "the environment"), only, offline=offline)
    click.echo(json.dumps(as_json(findings), indent=2) if wants_json else render(findings))
    sys.exit(1 if any(each.status is Status.FAILING for each in findings) else 0)


def _examined(reading: Reading, name: str, only: frozenset[str], *, offline: bool) -> list[Finding]:
    told = list(of_settings(reading, name))
    if reading.settings is None:
        rest = [check for check in only or CHECKS if check != "settings"]
        return in_order([*told, *(not_checked(check, "the settings have problems") for check in rest)])
    setup = setup_of(reading.settings, os.environ)
    means = means_of(reading.settings, setup, time.time)
    with progress("looking", None) as advance:
        found = examine(setup, means, Rounds(offline=offline, advance=advance), only=only)
    return in_order([*(each for each in told if not only or each.check in only), *found])
