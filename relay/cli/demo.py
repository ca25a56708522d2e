"""``ses-relay demo``: relay, embedded SES and admin endpoint on loopback, with sample delegates and policies."""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

import relay as package
from relay.assembly import Relay, address
from relay.cli.demo_certificate import make_certificate
from relay.cli.demo_words import greeting
from relay.cli.frugality import run
from relay.cli.private import keep_files_private
from relay.cli.serve import START_PROBLEMS, in_words, told_to_stop
from relay.inbox_desk import InboxDesk
from relay.localses.app import LocalSes
from relay.localses.identities import FolderIdentities
from relay.localses.keys import DEMO_KEYS
from relay.localses.listening import is_loopback, read_listen
from relay.sending.keys import AccessKey
from relay.settings.example import toml
from relay.settings.model import Settings
from relay.settings.reading import read_settings

#: Where the samples listen, and the demo if nobody says otherwise.
SMTP: Final = "127.0.0.1:2525"
ADMIN: Final = "127.0.0.1:8025"
SES: Final = "127.0.0.1:8579"


@click.command()
@click.option("--smtp", default=SMTP, show_default=True, help="Where the relay listens.")
@click.option("--admin", default=ADMIN, show_default=True, help="Health and metrics.")
@click.option("--ses", default=SES, show_default=True, help="Where the embedded SES listens.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the demo's files here: relay.toml and policies to edit, certificate, addresses.json. "
    "Default: a temporary folder.",
)
def command(smtp: str, admin: str, ses: str, state: Path | None) -> None:
    """
    Try everything on this machine, without an AWS account.

    \b
    Three delegates (billing, newsletter, intern) may send through the policies of one owner; an embedded SES takes
    what is permitted. Edit a policy and it counts two seconds later. AWS credentials in the environment are ignored.

    \b
    Examples:
      ses-relay demo
      ses-relay demo --state ./demo --smtp 127.0.0.1:2600
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    try:
        ses_at = read_listen(ses)
    except ValueError as problem:
        raise click.UsageError(f"--ses: {problem}") from problem
    if not is_loopback(ses_at[0]):
        raise click.UsageError(f"--ses {ses}: not a loopback address, everyone who reaches it could read the messages")
    keep_files_private()
    with ExitStack() as leaving:
        folder = state or Path(leaving.enter_context(tempfile.TemporaryDirectory(prefix="ses-relay-demo-")))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            run(_demo(folder.absolute(), smtp=smtp, admin=admin, ses=ses_at))
        except START_PROBLEMS as error:
            raise click.ClickException(
                f"the demo could not start: {in_words(error)}; --help has the options"
            ) from error


async def _demo(folder: Path, *, smtp: str, admin: str, ses: tuple[str, int]) -> None:
    told = told_to_stop(signal.SIGHUP)  # a terminal that is closed ends the demo, too
    make_certificate(folder)
    local_ses = LocalSes(DEMO_KEYS, identities=FolderIdentities(folder / "policies"))
    ses_address = address(*await _started(local_ses, ses))
    is_new = _copy_samples(folder)
    settings = _settings(folder, smtp=smtp, admin=admin, ses=ses_address)
    relay = Relay(settings, key=_relay_key(), inbox=InboxDesk(local_ses.store))
    try:
        files = {"settings": str(folder / "relay.toml"), "policies": str(folder / "policies")}
        addresses = {**await relay.start(), "ses": ses_address, **files}
        if is_new:
            _write_addresses(folder / "relay.toml", addresses)
        (folder / "addresses.json").write_text(json.dumps(addresses, indent=2) + "\n")
        click.echo(greeting(addresses, _program()))
        await told.wait()
        click.echo("\nleaving ...")
    finally:
        await relay.stop()
        await local_ses.stop()


async def _started(local_ses: LocalSes, at: tuple[str, int]) -> tuple[str, int]:
    try:
        return await local_ses.start(*at)
    except OSError as error:
        raise OSError(f"the embedded SES: cannot listen on {address(*at)}: {os.strerror(error.errno or 0)}") from error


def _copy_samples(folder: Path) -> bool:
    """Copy what is not there; return whether relay.toml was not. The copy names its spool: other commands read it."""
    samples, settings = sample_folder(), folder / "relay.toml"
    if not (folder / "policies").exists():
        shutil.copytree(samples / "policies", folder / "policies")
    if settings.exists():
        return False
    settings.write_text(f"{(samples / 'relay.toml').read_text()}\n[spool]\nurl = {toml(_spool(folder))}\n")
    return True


def _write_addresses(settings: Path, addresses: Mapping[str, Any]) -> None:
    """Write where the demo listens in the place of where it would by default."""
    text = settings.read_text()
    for default, now in ((SMTP, addresses["listeners"][0]), (ADMIN, addresses["admin"]), (SES, addresses["ses"])):
        text = text.replace(default, str(now))
    settings.write_text(text)


def _spool(folder: Path) -> str:
    return f"sqlite://{quote(str(folder / 'spool.db'))}"


def _settings(folder: Path, *, smtp: str, admin: str, ses: str) -> Settings:
    """Read relay.toml of *folder*; the addresses asked for go over it."""
    environ = {
        "SES_RELAY__LISTENER__ADDRESS": smtp,
        "SES_RELAY__ADMIN__ADDRESS": admin,
        "SES_RELAY__SES__ENDPOINT_URL": f"http://{ses}",
        "SES_RELAY__SPOOL__URL": _spool(folder),
        "SES_RELAY__LOG__FORMAT": "console",
    }
    reading = read_settings(folder / "relay.toml", environ)
    if reading.settings is None:
        raise click.UsageError("; ".join(str(problem) for problem in reading.problems))
    return reading.settings


def sample_folder() -> Path:
    """Where the demo's samples are: beside the package when installed, in config/ of a checkout."""
    installed = Path(str(files(package) / "demo"))
    return installed if installed.is_dir() else Path(str(files(package))).parent / "config" / "demo"


def _program() -> str:
    """What a person types to run this: in a fresh checkout the virtual environment is on nobody's PATH."""
    called = Path(sys.argv[0])
    if called.name != "ses-relay":
        return f"{sys.executable} -m relay"
    found = shutil.which("ses-relay")
    return "ses-relay" if found and Path(found).resolve() == called.resolve() else str(called.absolute())


def _relay_key() -> AccessKey:
    known: dict[str, Any] = {each.id: each for each in DEMO_KEYS}
    own = known["AKIADEMORELAY0000000"]
    return AccessKey(own.id, own.secret)
