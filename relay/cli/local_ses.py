"""``ses-relay local-ses``: the embedded SES on its own, for any team that develops against SES."""

import asyncio
import signal
from collections.abc import Sequence
from pathlib import Path

import click

from relay.localses.accounts import Accounts, AccountsProblem, read_accounts
from relay.localses.app import LocalSes, Served
from relay.localses.identities import FolderIdentities
from relay.localses.keys import DEMO_KEYS, Key
from relay.localses.listening import is_loopback, read_listen
from relay.localses.quota import Allowance
from relay.localses.store import StateProblem, Store

HELP = """\
A small Amazon SES for laptops and tests. Nothing it accepts is delivered.

It serves sending, identities and their policies by API v1 and v2, and STS, with SES's checks and SES's words:
signatures, sizes, recipients, addresses, duplicate headers, policies. No AWS account is needed.

\b
Send with boto3 (keys of the demo):
  import boto3
  ses = boto3.client("ses", endpoint_url="http://127.0.0.1:8579", region_name="us-east-1",
      aws_access_key_id="AKIADEMOOWNER0000000", aws_secret_access_key="demo-owner-secret")
  ses.send_raw_email(Source="a@example.com", Destinations=["b@example.net"],
      RawMessage={"Data": b"From: a@example.com\\r\\nSubject: hi\\r\\n\\r\\nhello\\r\\n"})

\b
See what arrived, forget it, make the next two sends fail:
  curl http://127.0.0.1:8579/_local/messages
  curl -X DELETE http://127.0.0.1:8579/_local/messages
  curl -X PUT http://127.0.0.1:8579/_local/faults -d '{"SendRawEmail":
    [{"code": "Throttling", "message": "Maximum sending rate exceeded.", "times": 2}]}'

\b
An --accounts file:
  [[key]]
  id = "AKIAEXAMPLE000000000"
  secret = "anything"
  principal = "arn:aws:iam::111111111111:user/billing"
  [[role]]
  arn = "arn:aws:iam::222222222222:role/newsletter"
  trusts = ["111111111111"]
"""


@click.command("local-ses", help=HELP, short_help="A small SES for laptops and tests.")
@click.option("--listen", "listen", default="127.0.0.1:8579", show_default=True, metavar="HOST:PORT")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this folder and read it again at the next start: the accepted messages (ID.eml and "
    "ID.json), identities and policies (ACCOUNT/REGION/IDENTITY/NAME.json, as the relay reads them). Without it they "
    "live in memory. Faults and quotas are never kept.",
)
@click.option(
    "--accounts",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The access keys, as [[key]] tables with id, secret and principal (an ARN), and the roles that STS gives out, "
    "as [[role]] tables with arn, trusts and external_id. Without it: the demo keys.",
)
@click.option(
    "--no-verify-signatures",
    is_flag=True,
    help="Believe every request's key; a key not listed belongs to account 000000000000.",
)
@click.option(
    "--realistic",
    is_flag=True,
    help="Refuse senders that nobody verified, and all calls but sending beyond one a second, as SES does. Without it "
    "every address counts as verified that is under no identity made here.",
)
@click.option(
    "--allow-remote", is_flag=True, help="Listen where other machines can reach: they can read every message."
)
def command(
    listen: str,
    state: Path | None,
    accounts: Path | None,
    *,
    no_verify_signatures: bool,
    realistic: bool,
    allow_remote: bool,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        host, port = read_listen(listen)
        known = read_accounts(accounts) if accounts else Accounts(DEMO_KEYS)
        store = Store(state)
    except (ValueError, AccountsProblem, StateProblem) as problem:
        raise click.UsageError(str(problem)) from None
    if not allow_remote and not is_loopback(host):
        raise click.UsageError(
            f"--listen {listen}: not a loopback address, everyone who reaches it could read the messages; "
            "say --allow-remote if that is meant"
        )
    identities = FolderIdentities(state) if state else None
    ses = LocalSes(
        known.keys,
        verify_signatures=not no_verify_signatures,
        allowance=Allowance(realistic=realistic),
        store=store,
        identities=identities,
        roles=known.roles,
        tell=_say,
    )
    try:
        asyncio.run(_serve(ses, (host, port), known.keys, demo=accounts is None))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {listen}: {error.strerror or error}") from None


async def _serve(ses: LocalSes, listen: tuple[str, int], keys: Sequence[Key], *, demo: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    host, port = await ses.start(*listen, allow_remote=True)  # the command line has already been asked
    _greet(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", keys, demo=demo)
    if len(ses.store):
        click.echo(f"{len(ses.store)} messages from an earlier run")
    try:
        await stopped.wait()
    finally:
        await ses.stop()
    click.echo("stopped")


def _greet(address: str, keys: Sequence[Key], *, demo: bool) -> None:
    click.echo(f"embedded SES on http://{address}")
    if demo:
        click.echo("no --accounts: the demo keys are in use, which everybody knows")
    for key in keys:
        secret = f" secret {key.secret}" if demo else ""
        click.echo(f"  key {key.id}{secret} is {key.principal}")
    click.echo(f"next: curl http://{address}/_local/messages; ses-relay local-ses --help has a boto3 snippet")


def _say(served: Served) -> None:
    said = f"{served.code}: {served.message}" if served.code else served.message_id
    line = f"{served.operation} {served.status} {served.principal} {said}".rstrip()
    click.echo("".join(c if c.isprintable() else "?" for c in line))  # a request is no way to steer a terminal
