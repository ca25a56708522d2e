"""``ses-relay policy list``: the policies of one identity, or of all, as SES has them."""

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click

from relay.cli.identity.text import gone
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.cli.progress import progress
from relay.cli.tables import table
from relay.identities.accounts import AwsProblem
from relay.owner.putting import arn_at
from relay.owner.summaries import Summary, summaries
from relay.owner.visiting import IsOver, Place, Seen, everywhere, list_places, look_at

_HEADER = ("IDENTITY", "POLICY", "BYTES", "EFFECT", "LINT", "ACCOUNT", "REGION")


@click.command(short_help="Policies, as SES has them.")
@click.argument("identity", metavar="[NAME|ARN]", required=False)
@owner_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(identity: str | None, *, owners: Owners, as_json: bool) -> None:
    """
    List the policies of one identity, or of all identities: of the owners in the settings, or of the account of our
    credentials. SES is asked for one identity a second, in every account and region at once.

    BYTES: SES takes 4,096. EFFECT: statements that allow, and that deny. LINT: what "policy lint" would find.

    \b
    Exit code 0: there they are; 1: not all could be asked for; 2: wrong usage.

    \b
    Examples:
      ses-relay policy list
      ses-relay policy list example.com --region us-east-1
      ses-relay policy list -c relay.toml --account 888888888888 --json
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    seen, problems = ([_one(owners, identity)], []) if identity else _all(owners)
    now = datetime.now(UTC)
    told = [(each, summaries(each.arn, each.held.policies, now)) for each in seen if each.held is not None]
    if as_json:
        click.echo(json.dumps([_json(each, policies) for each, policies in told], indent=2))
    elif told:
        click.echo("\n".join(table(_HEADER, [row for each, policies in told for row in _rows(each, policies)])))
    elif not problems:
        click.echo("no identities", err=True)
    for problem in problems:
        click.echo(printable(f"error: {problem}"), err=True)
    sys.exit(1 if problems else 0)


def _one(owners: Owners, identity: str) -> Seen:
    api, name = owners.of_identity(identity)
    held = api.identity(name)
    if held is None:
        gone(api, name)
    return Seen(arn_at(api, name), held)


def _all(owners: Owners) -> tuple[list[Seen], list[str]]:
    """Every identity of every place; and what kept us from some."""
    places = list_places(owners.apis())
    with progress("identities", sum(len(place.names) for place in places)) as advance:

        def look(place: Place, is_over: IsOver) -> tuple[list[Seen], str | None]:
            seen = []
            try:
                for each in look_at(place.api, place.names, is_over):
                    seen.append(each)
                    advance(1)
            except AwsProblem as problem:
                return seen, str(problem)
            return seen, place.problem

        found = everywhere(places, look)
    seen = [each for some, _ in found for each in some]
    problems = [each.problem for each in seen if each.problem] + [problem for _, problem in found if problem]
    return sorted(seen, key=lambda each: each.arn), problems


def _rows(seen: Seen, policies: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    held, place = seen.held, (seen.arn.account, seen.arn.region)
    state = "" if held is None or held.verified else "not verified"
    if not policies:
        yield (seen.arn.name, "-", "-", state or "-", "-", *place)
    for policy in policies:
        yield (seen.arn.name, policy.name, str(policy.octets), state or policy.effect, _findings(policy), *place)


def _findings(policy: Summary) -> str:
    counts = [f"{number} {severity}{'' if number == 1 else 's'}" for severity, number in policy.findings.items()]
    return ", ".join(counts) or "clean"


def _json(seen: Seen, policies: Sequence[Summary]) -> dict[str, object]:
    held = seen.held
    return {
        "identity": str(seen.arn),
        "verified": held is not None and held.verified,
        "status": None if held is None else held.status,
        "policies": [policy.to_json() for policy in policies],
    }
