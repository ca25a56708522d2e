"""``ses-relay identity notifications``: who hears of an identity's bounces, complaints and deliveries."""

import json
import re
from collections.abc import Iterator

import click

from relay.cli.identity.text import gone, refuse
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.owner.identity_creation import arn_of
from relay.owner.notifications import (
    KINDS,
    ForwardingProblem,
    Notifications,
    Wanted,
    read_notifications,
    steps,
    wished,
)

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[A-Za-z0-9]+:[\w-]{1,256}", re.ASCII)
_TRUTH = {"on": True, "off": False, None: None}
_CROSS_ACCOUNT = """
Who hears of what, when a delegate sends under this identity:
  by mail    the feedback address of each message (Return-Path, else MAIL FROM), if forwarding is on; and whenever
             nobody else would hear of it
  by topic   the topics above, the owner's: for the mail of every delegate whose feedback address is under this identity
  by event   the configuration set that the mail is sent with, of the account that sends: ses-relay delegate feedback
Bounces and complaints count against the account that sends, whoever hears of them.
"""


@click.command(short_help="Who hears of bounces and complaints.")
@click.argument("name", metavar="NAME|ARN")
@owner_options
@click.option("--bounces", metavar="TOPIC", help="The ARN of an SNS topic for bounces; none for no topic.")
@click.option("--complaints", metavar="TOPIC", help="The same for complaints.")
@click.option("--deliveries", metavar="TOPIC", help="The same for deliveries.")
@click.option("--none", "no_topics", is_flag=True, help="No topics at all.")
@click.option("--forwarding", type=click.Choice(("on", "off")), help="Bounces and complaints as mail to the sender.")
@click.option("--headers", type=click.Choice(("on", "off")), help="Header fields of the mail in what topics get.")
@click.option("--yes", is_flag=True, help="Change without a question.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(  # noqa: PLR0913  one for each option
    name: str,
    *,
    owners: Owners,
    bounces: str | None,
    complaints: str | None,
    deliveries: str | None,
    no_topics: bool,
    forwarding: str | None,
    headers: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """
    Show who hears of the bounces, complaints and deliveries of an identity's mail; change it with the options.

    Forwarding cannot be switched off while bounces or complaints have no topic: SES refuses it, and so does this.

    \b
    Examples:
      ses-relay identity notifications example.com
      ses-relay identity notifications example.com --bounces arn:aws:sns:us-east-1:888888888888:mail-feedback \\
          --complaints arn:aws:sns:us-east-1:888888888888:mail-feedback --forwarding off
      ses-relay identity notifications example.com --forwarding on --none
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    given = {"Bounce": bounces, "Complaint": complaints, "Delivery": deliveries}
    api, name = owners.of_identity(name)
    wanted = Wanted(_topics(given, api.region, no_topics=no_topics), _TRUTH[forwarding], _TRUTH[headers])
    if api.identity(name) is None:
        gone(api, name)
    found = read_notifications(api, name)
    try:
        planned = steps(name, found, wished(found, wanted))
    except ForwardingProblem as problem:
        refuse(str(problem))
    for step in planned:
        click.echo(printable(step.text), err=True)
    if planned and not yes:
        click.confirm(f"Change {arn_of(api, name)}?", abort=True, err=True)
    for step in planned:
        api.call(step.operation, **step.parameters)
    if planned:
        found = read_notifications(api, name)
    click.echo(json.dumps(_as_json(found), indent=2) if as_json else "\n".join(_lines(name, found)))


def _topics(given: dict[str, str | None], region: str, *, no_topics: bool) -> dict[str, str]:
    if no_topics:
        if any(given.values()):
            raise click.UsageError("--none is for no topics at all")
        return dict.fromkeys(KINDS, "")
    return {kind: _topic(text, region) for kind, text in given.items() if text is not None}


def _topic(text: str, region: str) -> str:
    if text == "none":
        return ""
    found = _TOPIC.fullmatch(text)
    if found is None:
        raise click.UsageError(f"{text!r} is not the ARN of an SNS topic: arn:aws:sns:{region}:ACCOUNT:NAME")
    if found["region"] != region:
        raise click.UsageError(f"{text} is in {found['region']}; SES publishes to topics in its own region, {region}")
    return text


def _lines(name: str, found: Notifications) -> Iterator[str]:
    yield click.style(printable(name), bold=True)
    for kind, words in zip(KINDS, ("bounces", "complaints", "deliveries"), strict=True):
        headers = ", with the mail's header fields" if kind in found.with_headers else ""
        yield printable(f"  {words:<12}{found.topics.get(kind) or 'no topic'}{headers}")
    yield f"  {'forwarding':<12}{'on: bounces and complaints are mailed to the sender' if found.forwards else 'off'}"
    yield _CROSS_ACCOUNT.rstrip()


def _as_json(found: Notifications) -> dict[str, object]:
    return {
        "topics": {kind.lower(): found.topics.get(kind) for kind in KINDS},
        "forwarding": found.forwards,
        "headers": sorted(kind.lower() for kind in found.with_headers),
    }
