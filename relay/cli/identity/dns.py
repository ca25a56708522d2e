"""``ses-relay identity dns``: whether the DNS has what SES wants, at each server, and what went wrong where not."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from relay.cli.configuration import config_option
from relay.cli.identity.dns_text import as_json, report_lines
from relay.cli.identity.text import gone
from relay.cli.owners import aws_problems_told, owners_or_exit
from relay.cli.policies import printable, settings_if_any
from relay.cli.progress import progress
from relay.dns.names import NameProblem, ascii_name
from relay.dns.servers import Server, read_server, system_servers
from relay.dns.zones import Net
from relay.identities.accounts import Away
from relay.identities.ses_api import Held, SesApi
from relay.owner.dns_check import Report, State, check_records
from relay.owner.dns_records import WantedRecord, wanted_records
from relay.owner.dns_wanted import RecordsProblem, SesView, read_records, verification_token_of, view_of
from relay.settings.units import read_duration
from relay.words.values import dataclass

#: SES is asked once in so many looks at the DNS: others share its one call a second.
_SES_EVERY = 4


def _duration(_context: click.Context, _option: click.Parameter, value: str) -> float:
    try:
        return read_duration(value)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None


def _resolvers(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[Server, ...]:
    try:
        return tuple(map(read_server, values))
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None


@dataclass(frozen=True, slots=True)
class _Subject:
    """
    What is checked: the records of an identity of this domain. ``look``: asks SES how the identity stands; None where
    only the DNS is asked.
    """

    name: str
    domain: str
    place: str
    wanted: tuple[WantedRecord, ...]
    look: Callable[[], SesView] | None


@click.command(short_help="Whether the DNS has what SES wants.")
@click.argument("name", metavar="NAME|ARN")
@config_option
@click.option("--account", metavar="ID", help="The owner's account; default: those of [[policies.owner]], or ours.")
@click.option("--region", metavar="NAME", help="The region; default: those of the owner, or ses.region.")
@click.option(
    "--records",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="What is wanted, as `identity create --json` or `identity dns --json` told it: SES is not asked then, and no "
    "credentials are needed.",
)
@click.option(
    "--resolver",
    "resolvers",
    multiple=True,
    callback=_resolvers,
    metavar="ADDRESS",
    help="A resolver to ask, in place of the system's and those of dns.nameservers; may be given more than once.",
)
@click.option("--wait", is_flag=True, help="Look again until all is right, for SES, too.")
@click.option("--every", default="15s", show_default=True, callback=_duration, metavar="DURATION", help="How often.")
@click.option("--timeout", default="1h", show_default=True, callback=_duration, metavar="DURATION", help="How long.")
@click.option("--port", default=53, show_default=True, help="Of the zones' own servers; for a laboratory.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def command(name: str, resolvers: tuple[Server, ...], port: int, *, wait: bool, is_json: bool, **given: Any) -> None:
    """
    Ask the DNS for the records that an identity wants: each server of their zones, and resolvers.

    Each record is told as found, spreading, missing or wrong, with the server that says otherwise, the mistake that is
    usual, and how long caches keep what is old. What DMARC makes of a delegate's mail is told below.

    \b
    Exit code 0: all that SES waits for is found everywhere; 1: not; 2: wrong usage.

    \b
    Examples:
      ses-relay identity dns example.com
      ses-relay identity dns example.com --wait --timeout 4h
      ses-relay identity dns example.com --resolver 192.0.2.53 --resolver 9.9.9.9 --json
      ses-relay identity dns example.com --records records.json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_if_any(given["config"])
    asked = resolvers or (*system_servers(), *(settings.dns.nameservers if settings is not None else ()))
    with aws_problems_told():
        subject = _of_file(name, given["records"]) if given["records"] else _of_ses(name, given)
        watch = _Watch(subject, tuple(dict.fromkeys(asked)), port)
        report, view = watch.until_right(given["every"], given["timeout"]) if wait else watch.once()
    if is_json:
        click.echo(json.dumps(as_json(subject.name, subject.place, report, view), indent=2))
    else:
        click.echo("\n".join(report_lines(subject.name, subject.place, report, view)))
    sys.exit(0 if report.is_complete and not (wait and view is not None and not view.is_verified) else 1)


def _of_ses(name: str, given: dict[str, Any]) -> _Subject:
    """Ask SES what the identity wants."""
    owners = owners_or_exit(given["config"], given["account"], given["region"])
    api, identity = owners.of_identity(name if name.startswith("arn:") or "@" in name else _ascii(name))
    held = api.identity(identity)
    if held is None:
        gone(api, identity)
    wanted = wanted_records(held, api.region, verification_token=verification_token_of(api, held))
    domain = _ascii(identity.rpartition("@")[2])
    return _Subject(identity, domain, f"{api.account} {api.region}", wanted, lambda: _view(api, identity, held))


def _view(api: SesApi, identity: str, before: Held) -> SesView:
    """A moment without SES is none in which the DNS cannot be looked at."""
    try:
        return view_of(api.identity(identity) or before)
    except Away:
        return view_of(before)


def _of_file(name: str, path: Path) -> _Subject:
    try:
        wanted = read_records(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, RecordsProblem) as problem:
        raise click.UsageError(f"{path}: {problem}") from None
    identity = name.rpartition("identity/")[2]
    return _Subject(identity, _ascii(identity.rpartition("@")[2]), "", wanted, None)


def _ascii(domain: str) -> str:
    try:
        return ascii_name(domain)
    except NameProblem as problem:
        raise click.UsageError(str(problem)) from None


class _Watch:
    """Looks at the DNS, and at SES."""

    def __init__(self, subject: _Subject, resolvers: tuple[Server, ...], port: int) -> None:
        self._subject = subject
        self._resolvers = resolvers
        self._port = port
        self._told: dict[str, State] = {}

    def once(self) -> tuple[Report, SesView | None]:
        """Look once."""
        with progress("asking the DNS", None):
            report = self._look()
        return report, self._ask_ses()

    def until_right(self, every: float, timeout: float) -> tuple[Report, SesView | None]:
        """Look until DNS and SES are right, or time is up; tell of each change on standard error."""
        until = time.monotonic() + timeout
        required = sum(record.is_required for record in self._subject.wanted)
        with progress("records found everywhere", required) as advance:
            looks, shown, view = 0, 0, None
            while True:
                report = self._look()
                found = sum(each.record.is_required and each.state is State.FOUND for each in report.records)
                advance(found - shown)
                shown = found
                self._tell(report)
                if looks % _SES_EVERY == 0 or report.is_complete:
                    view = self._ask_ses()
                looks += 1
                is_right = report.is_complete and (view is None or view.is_verified)
                if is_right or time.monotonic() + every > until:
                    return report, view
                time.sleep(every)

    def _look(self) -> Report:
        net = Net(self._resolvers, port=self._port)
        return asyncio.run(check_records(net, self._subject.domain, self._subject.wanted))

    def _ask_ses(self) -> SesView | None:
        return None if self._subject.look is None else self._subject.look()

    def _tell(self, report: Report) -> None:
        for each in report.records:
            key = f"{each.record.type} {each.record.name}"
            if self._told.get(key) is not each.state:
                self._told[key] = each.state
                click.echo(f"{time.strftime('%H:%M:%S')}  {each.state:<10}  {printable(key)}", err=True)
