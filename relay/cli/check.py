"""``ses-relay check``: whether the settings are good, and what is not."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from relay.cli.configuration import config_option, path_of
from relay.cli.own_account import warnings_of
from relay.settings.example import example
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.settings.problems import Reading
from relay.settings.reading import read_settings
from relay.settings.units import write_duration
from relay.spools import Place
from relay.translation import places_of, terms_of
from relay.words.delegates import CALLER


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--print-example", is_flag=True, help="Print an annotated file with every key, and check nothing.")
def command(config: Path | None, as_json: bool, print_example: bool) -> None:
    """
    Tell every problem of the settings at once.

    \b
    Exit 0: good, perhaps with warnings. Exit 1: problems. Exit 2: wrong usage.

    \b
    Examples:
      ses-relay check -c relay.toml
      ses-relay check --print-example > relay.toml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if print_example:
        click.echo(example(), nl=False)
        return
    path = path_of(config)
    if path is not None and not path.exists():
        raise click.UsageError(f"there is no file {path}")
    reading = read_settings(path, os.environ)
    if reading.settings is not None:
        reading = replace(reading, warnings=(*reading.warnings, *warnings_of(reading.settings, os.environ)))
    click.echo(json.dumps(_as_json(reading), indent=2) if as_json else _as_text(path, reading))
    if reading.problems:
        sys.exit(1)


def _as_json(reading: Reading) -> dict[str, Any]:
    return {
        "ok": not reading.problems,
        "problems": [asdict(problem) for problem in reading.problems],
        "warnings": [asdict(warning) for warning in reading.warnings],
        "summary": dict(_summary(reading.settings)) if reading.settings else None,
    }


def _as_text(path: Path | None, reading: Reading) -> str:
    name = str(path) if path else "the environment"
    lines = [str(problem) for problem in reading.problems]
    lines += [f"{click.style('warning', fg='yellow')}: {warning}" for warning in reading.warnings]
    if reading.settings is None:
        count = len(reading.problems)
        return "\n".join([*lines, f"{name}: {count} problem{'s' if count > 1 else ''}"])
    lines.append(f"{click.style('good', fg='green')}: {name}")
    for title, values in _summary(reading.settings):
        lines += [f"  {title if row == 0 else '':<12}{value}" for row, value in enumerate(values or ["none"])]
    lines.append(f"  {'next':<12}ses-relay doctor looks at everything else: AWS, files, addresses, identities")
    return "\n".join(lines)


def _summary(settings: Settings) -> list[tuple[str, list[str]]]:
    return [
        ("listeners", [_listener(settings, index) for index in range(len(settings.listener))]),
        ("delegates", [_delegate(delegate) for delegate in settings.delegate]),
        ("policies", _policies(settings)),
        ("ses", [f"{settings.ses.endpoint_url or 'AWS'} {settings.ses.region or ''}".rstrip()]),
        ("delivery", [settings.delivery.mode]),
        *_together(settings),
        ("admin", [str(settings.admin.address)]),
    ]


def _together(settings: Settings) -> Iterator[tuple[str, list[str]]]:
    """What there is of it: processes that are one relay, relays that are one fleet. Users and passwords stay out."""
    if settings.server.workers > 1:
        yield "workers", [str(settings.server.workers)]
    if (url := settings.shared.url) is not None:
        yield "shared", [str(Place(None, url.get_secret_value()))]


def _policies(settings: Settings) -> list[str]:
    policies, ours = settings.policies, settings.ses.region
    told = [f"{policies.source} {policies.directory or ''}".rstrip() if policies.reads_folder else policies.source]
    for owner in policies.owner:
        source = policies.source_of(owner)
        regions = " ".join(owner.regions) or ("every region" if source == "directory" else ours)
        told.append(f"owner {owner.account} {regions}" + (f" ({source})" if source != policies.source else ""))
    if places_of(settings):
        terms = terms_of(settings)
        interval, most = write_duration(terms.refresh_interval), terms.most_in_use()
        told.append(
            f"a withdrawn permission ends within {interval}, with up to {most} identities in use in each region"
        )
    return told


def _delegate(delegate: DelegateSettings) -> str:
    known = delegate.to_delegate(CALLER)
    return f"{known.name} as {known.principal}" + (f", of {known.role.arn}" if known.role else "")


def _listener(settings: Settings, index: int) -> str:
    listener = settings.listener[index]
    traits = [
        f"tls {listener.tls}",
        "AUTH required" if listener.require_auth else "AUTH or a trusted network",
        "AUTH in clear allowed" if listener.allow_plaintext_auth else "",
    ]
    return f"{listener.address} ({', '.join(filter(None, traits))})"
