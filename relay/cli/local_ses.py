"""``ses-relay local-ses``: the embedded SES on its own, for any team that develops against SES."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from relay.dns.servers import read_server
from relay.localses.accounts import Accounts, AccountsProblem, read_accounts
from relay.localses.app import LocalSes, Served
from relay.localses.identities import FolderIdentities
from relay.localses.keys import DEMO_KEYS, UNKNOWN_PRINCIPAL, Key
from relay.localses.listening import is_loopback, read_listen
from relay.localses.outlet import Outlet, queue_at
from relay.localses.quota import Allowance
from relay.localses.standing import SANDBOX_QUOTA, SANDBOX_RATE
from relay.localses.store import StateProblem, Store
from relay.localses.verification import Ask

HELP = """\
A small Amazon SES for laptops and tests. Nothing it accepts is delivered.

It serves sending, identities and their policies by API v1 and v2, and STS, with SES's checks and SES's words:
signatures, sizes, recipients, addresses, duplicate headers, policies, quotas. No AWS account is needed.

\b
Examples:
  ses-relay local-ses
  ses-relay local-ses --state ./ses --accounts keys.toml
  ses-relay local-ses --realistic --sandbox
  ses-relay local-ses --realistic --dns 127.0.0.1:5353
  ses-relay local-ses --events http://127.0.0.1:5000/123456789012/events

\b
With the AWS command line client:
  export AWS_ACCESS_KEY_ID=AKIADEMOOWNER0000000 AWS_SECRET_ACCESS_KEY=demo-owner-secret
  aws --endpoint-url http://127.0.0.1:8579 --region us-east-1 sesv2 create-email-identity \\
      --email-identity example.com

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
See what became of it, let somebody complain, stop an account from sending:
  curl http://127.0.0.1:8579/_local/events
  curl http://127.0.0.1:8579/_local/events -d '{"message_id": "0100...", "type": "Complaint"}'
  curl -X PUT http://127.0.0.1:8579/_local/accounts -d '{"888888888888": {"paused": true}}'

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
    "--sandbox",
    is_flag=True,
    help="Every account is in the sandbox: authors and recipients must be verified (or of the mailbox simulator); "
    f"{SANDBOX_RATE:g} recipient a second, {SANDBOX_QUOTA:g} in 24 hours.",
)
@click.option(
    "--send-rate", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Refuse more recipients a second."
)
@click.option(
    "--daily-quota",
    type=click.IntRange(min=-1),
    metavar="N",
    help="Refuse more recipients in 24 hours; -1 is unlimited. Those of the mailbox simulator do not count.",
)
@click.option(
    "--call-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="N",
    help="With --realistic: calls a second beside sending.",
)
@click.option(
    "--events",
    metavar="QUEUE_URL",
    help="Put every event (Send, Delivery, Bounce, Complaint, Reject) into this queue of SQS, as event publishing "
    "tells it. Signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY where they are set.",
)
@click.option(
    "--topics",
    metavar="URL",
    help="Where SNS and EventBridge are spoken: events go to the topics and buses that configuration sets and "
    "identities name.",
)
@click.option(
    "--dns",
    "server",
    metavar="ADDRESS",
    help="Verify domains by what this DNS server has, such as 127.0.0.1:5353: they are pending until DKIM's records or "
    "the _amazonses TXT are found, looked for each second while somebody asks, and failed after 72 hours.",
)
@click.option(
    "--allow-remote", is_flag=True, help="Listen where other machines can reach: they can read every message."
)
def command(  # noqa: PLR0913  one for each option
    listen: str,
    state: Path | None,
    accounts: Path | None,
    *,
    no_verify_signatures: bool,
    realistic: bool,
    sandbox: bool,
    send_rate: float | None,
    daily_quota: int | None,
    call_rate: float,
    events: str | None,
    topics: str | None,
    server: str | None,
    allow_remote: bool,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        host, port = read_listen(listen)
        outlet = _outlet(events, topics, os.environ)
        ask_dns = _asked(server) if server is not None else None
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
    allowance = Allowance(
        **_given(max_send_rate=send_rate, max_24_hour_send=daily_quota),
        enforced=send_rate is not None or daily_quota is not None,
        realistic=realistic,
        calls_per_second=call_rate,
        sandbox=sandbox,
    )
    ses = LocalSes(
        known.keys,
        verify_signatures=not no_verify_signatures,
        allowance=allowance,
        store=store,
        identities=identities,
        outlet=outlet,
        roles=known.roles,
        ask_dns=ask_dns,
        tell=_say,
    )
    try:
        words = [*_rules(allowance), *_ways(events, topics)]
        words += [f"domains are verified by the DNS of {server}"] if server is not None else []
        asyncio.run(_serve(ses, (host, port), known.keys, words=words, demo=accounts is None))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {listen}: {error.strerror or error}") from None


def _given(**options: float | None) -> dict[str, float]:
    return {name: float(value) for name, value in options.items() if value is not None}


def _outlet(events: str | None, topics: str | None, environ: Mapping[str, str]) -> Outlet | None:
    """The ways out for events; whoever stands in for AWS here seldom asks who signed."""
    if events is None and topics is None:
        return None
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    key = Key(
        environ.get("AWS_ACCESS_KEY_ID") or "AKIALOCALSES00000000",
        environ.get("AWS_SECRET_ACCESS_KEY") or "local",
        UNKNOWN_PRINCIPAL,
        environ.get("AWS_SESSION_TOKEN") or None,
    )
    return Outlet(key, queue=queue_at(events, region) if events else None, endpoint=topics)


def _asked(server: str) -> Ask:
    from relay.dns.resolver import Resolver  # noqa: PLC0415 - for those who want it

    asked = read_server(server)
    return Resolver(lambda: (asked,)).ask


def _rules(allowance: Allowance) -> Iterator[str]:
    """What is minded that SES minds, and what is not."""
    if allowance.sandbox:
        yield "sandbox: authors and recipients must be verified, or recipients of the mailbox simulator"
    elif allowance.realistic:
        yield "authors must be verified"
    else:
        yield "an address under no identity made here counts as verified; --realistic and --sandbox mind it"
    if allowance.realistic:
        yield f"calls beside sending: {allowance.calls_per_second:g} a second for each account and region"
    if allowance.enforced:
        day = f"{allowance.max_24_hour_send:,.0f}" if allowance.max_24_hour_send >= 0 else "any number"
        yield f"recipients: {allowance.max_send_rate:g} a second, {day} in 24 hours"


def _ways(events: str | None, topics: str | None) -> Iterator[str]:
    if events:
        yield f"events go to the queue {events}"
    if topics:
        yield f"topics and buses are at {topics}"


async def _serve(
    ses: LocalSes, listen: tuple[str, int], keys: Sequence[Key], *, words: Sequence[str], demo: bool
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    host, port = await ses.start(*listen, allow_remote=True)  # the command line has already been asked
    _greet(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", keys, words, demo=demo)
    if len(ses.store):
        click.echo(f"{len(ses.store)} messages from an earlier run")
    try:
        await stopped.wait()
    finally:
        await ses.stop()
    click.echo("stopped")


def _greet(address: str, keys: Sequence[Key], words: Sequence[str], *, demo: bool) -> None:
    click.echo(f"embedded SES on http://{address}")
    if demo:
        click.echo("no --accounts: the demo keys are in use, which everybody knows")
    for key in keys:
        secret = f" secret {key.secret}" if demo else ""
        click.echo(f"  key {key.id}{secret} is {key.principal}")
    for word in words:
        click.echo(word)
    click.echo(f"next: curl http://{address}/_local/messages (or events); ses-relay local-ses --help has examples")


def _say(served: Served) -> None:
    said = f"{served.code}: {served.message}" if served.code else served.message_id
    line = f"{served.operation} {served.status} {served.principal} {said}".rstrip()
    click.echo("".join(c if c.isprintable() else "?" for c in line))  # a request is no way to steer a terminal
