"""``ses-relay delegate feedback``: the way of SES's events about a delegate's mail back to the relay."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.owners import aws_problems_told
from relay.cli.policies import printable
from relay.cli.tables import table
from relay.identities.accounts import Access, Accounts
from relay.owner.feedback_path import EVENTS, FeedbackPath, Via, parts, reader_policy
from relay.owner.feedback_setup import ENCRYPTION, Setup
from relay.owner.feedback_template import template_of
from relay.settings.example import toml
from relay.settings.model import Settings
from relay.settings.people import DelegateSettings
from relay.translation import endpoint_of

_EVERY_EVENT: Final = (*EVENTS, "OPEN", "CLICK", "SUBSCRIPTION")
_QUEUE: Final = re.compile(r"[A-Za-z0-9_-]{1,75}", re.ASCII)  # the queue of dead letters is five letters longer, of 80
_SET: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LONGEST: Final = 64
_ANY_ACCOUNT: Final = "ACCOUNT"
_ARNS: Final = ("default_source_arn", "default_from_arn", "default_return_path_arn")


@click.command(short_help="Set up events about its mail, to a queue.")
@click.argument("name")
@config_option
@click.option("--region", metavar="NAME", help="Where its mail is sent; default: of its identities, or ses.region.")
@click.option(
    "--via",
    type=click.Choice(("sns", "eventbridge")),
    default="sns",
    show_default=True,
    help="What leads to the queue.",
)
@click.option("--configuration-set", metavar="NAME", help="Default: that of its settings, or ses-relay-DELEGATE.")
@click.option("--queue", metavar="NAME", default="ses-relay-feedback", show_default=True, help="May be shared.")
@click.option(
    "--event",
    "events",
    type=click.Choice(_EVERY_EVENT, case_sensitive=False),
    multiple=True,
    metavar="TYPE",
    help="What is published; may be repeated. Default: all but OPEN, CLICK and SUBSCRIPTION, which change the mail.",
)
@click.option("--cloudformation", is_flag=True, help="Print a CloudFormation template in place of the plan.")
@click.option("--shared-queue", is_flag=True, help="With --cloudformation: the queue is another stack's.")
@click.option("--yes", is_flag=True, help="Set it up.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def feedback(  # noqa: PLR0913  one for each option
    name: str,
    *,
    config: Path | None,
    region: str | None,
    via: Via,
    configuration_set: str | None,
    queue: str,
    events: tuple[str, ...],
    cloudformation: bool,
    shared_queue: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """
    Print how bounces, complaints and deliveries of delegate NAME's mail come back; with --yes, set it up.

    SES publishes events for the configuration set that mail is sent with, in the account that sends: the delegate's own
    where it has a role_arn, else the relay's. They go to an SQS queue, which the relay reads. What is there already is
    kept; typed again, the command adds what is missing.

    \b
    Exit code 0: printed, or set up; 1: AWS said no, and what was told before stands; 2: wrong usage.

    \b
    Examples:
      ses-relay delegate feedback billing -c relay.toml
      ses-relay delegate feedback billing --cloudformation > feedback.json
      ses-relay delegate feedback billing --via eventbridge --event BOUNCE --event COMPLAINT --yes
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    settings = settings_or_exit(config)
    delegate = _delegate(name, settings)
    if not _QUEUE.fullmatch(queue):
        raise click.UsageError("--queue: 1 to 75 letters, digits, - and _")
    if cloudformation and yes:
        raise click.UsageError("--yes sets it up by API; give --cloudformation to CloudFormation")
    if shared_queue and not cloudformation:
        raise click.UsageError("--shared-queue goes with --cloudformation; --yes finds out by itself")
    where = region or _region(delegate, settings)
    own_name, own_set = _own_name(name), _configuration_set(configuration_set, delegate)
    wanted = tuple(event for event in _EVERY_EVENT if event in events) or EVENTS
    path = FeedbackPath(_ANY_ACCOUNT, where, own_set, own_name, queue, via, wanted)
    if cloudformation:
        click.echo(json.dumps(template_of(path, name, with_queue=not shared_queue), indent=2))
        return
    with aws_problems_told():
        accounts, account = _accounts(delegate, settings, where)
        path = replace(path, account=account)
        url = Setup(accounts, path, _tell).run() if yes else _url(path)
    if as_json:
        click.echo(json.dumps(_as_json(path, name, url, is_set_up=yes), indent=2))
    else:
        click.echo("\n".join(_lines(path, delegate, url, is_set_up=yes)))


def _tell(part: str) -> None:
    click.echo(printable(part), err=True)


def _lines(path: FeedbackPath, delegate: DelegateSettings, url: str, *, is_set_up: bool) -> Iterator[str]:
    if not is_set_up:
        yield f"Feedback about the mail of {delegate.name}, in account {path.account}, region {path.region}:"
        yield from table(("PART", "NAME", ""), list(parts(path)), indent="  ")
        yield ""
        yield ENCRYPTION
        yield ""
    yield "In relay.toml:"
    yield ""
    yield "  [feedback]"
    yield f"  queue_url = {toml(url)}"
    yield ""
    yield f"  [[delegate]] # {delegate.name}"
    yield f"  configuration_set = {toml(path.configuration_set)}"
    yield ""
    yield "Whoever reads the queue needs this IAM policy:"
    yield from (f"  {line}" for line in json.dumps(reader_policy(path), indent=2).splitlines())
    if not is_set_up:
        yield ""
        yield "Nothing was changed. --yes sets it up; --cloudformation prints it as a template."


def _as_json(path: FeedbackPath, delegate: str, url: str, *, is_set_up: bool) -> dict[str, Any]:
    rows = [{"kind": kind, "name": name, "why": why} for kind, name, why in parts(path)]
    return {
        "delegate": delegate,
        **asdict(path),
        "queue_url": url,
        "parts": rows,
        "reader_policy": reader_policy(path),
        "is_set_up": is_set_up,
    }


def _url(path: FeedbackPath) -> str:
    """The URL that the queue will have (Amazon SQS Developer Guide, "Queue and message identifiers")."""
    return f"https://sqs.{path.region}.amazonaws.com/{path.account}/{path.queue}"


def _delegate(name: str, settings: Settings) -> DelegateSettings:
    found = next((each for each in settings.delegate if each.name == name), None)
    if found is None:
        known = ", ".join(sorted(each.name for each in settings.delegate)) or "none"
        raise click.UsageError(f"no delegate is named {name}; there are: {known}")
    return found


def _own_name(delegate: str) -> str:
    """What topic or rule and event destination are named; SES and EventBridge take 64 letters."""
    name = f"ses-relay-{delegate}"
    if len(name) > _LONGEST:
        raise click.UsageError(f"{name} has {len(name)} letters, and AWS takes {_LONGEST}: shorten the delegate's name")
    return name


def _configuration_set(given: str | None, delegate: DelegateSettings) -> str:
    name = given or delegate.configuration_set or f"ses-relay-{delegate.name}"
    if not _SET.fullmatch(name):
        raise click.UsageError(f"--configuration-set: {name}: give 1 to 64 letters, digits, - and _")
    return name


def _region(delegate: DelegateSettings, settings: Settings) -> str:
    """Where its mail is sent: in the region of the identity."""
    arns = [getattr(delegate, key) for key in _ARNS]
    found = {str(arn).split(":")[3] for arn in (*arns, *delegate.allow_source_arns) if arn is not None}
    if len(found) > 1:
        raise click.UsageError(f"which region? Give --region, once for each: {', '.join(sorted(found))}")
    environment = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    region = next(iter(found), None) or settings.ses.region or environment
    if region is None:
        raise click.UsageError("which region? Give --region, ses.region in the settings, or AWS_REGION")
    return region


def _accounts(delegate: DelegateSettings, settings: Settings, region: str) -> tuple[Accounts, str]:
    """Return clients for the account that sends, and which that is; our own credentials, where they are of it."""
    endpoint = endpoint_of(settings)
    own = Accounts(endpoint_url=endpoint)
    if delegate.role_arn is None:
        return own, own.caller("", region)["Account"]
    account = delegate.role_arn.split(":")[4]
    if own.caller("", region)["Account"] == account:
        return own, account
    return Accounts([Access(account, delegate.role_arn, delegate.external_id)], endpoint_url=endpoint), account
