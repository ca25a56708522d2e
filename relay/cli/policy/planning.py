"""What ``policy plan`` and ``policy apply`` have in common: the folder held to lint, SES looked at, the plan made."""

import functools
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from relay.cli.configuration import config_option
from relay.cli.owners import Owners, aws_problems_told, owners_or_exit
from relay.cli.policies import delegates_of, printable
from relay.cli.policy.at_ses import refuse
from relay.cli.policy.lint_files import FileFinding
from relay.cli.policy.lint_text import render
from relay.cli.progress import progress
from relay.identities.ses_api import Held, SesApi
from relay.judgement.rules import Rules
from relay.owner.folder import PolicyFolderProblem
from relay.owner.plan import Everything, Plan, Texts, make_plan
from relay.owner.putting import arn_at
from relay.owner.visiting import IsOver, Place, Seen, everywhere, list_places, look_at
from relay.owner.wanted import Wanted, read_wanted
from relay.owner.writing import path_in
from relay.policy.lint import Severity, lint_identity
from relay.translation import rules_of
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: Identities beyond the folder, and seconds, that are worth a word.
_MANY: Final = 60


def folder_options(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give *command* the folder, and the options ``-c``, ``--account``, ``--region`` and ``--others``, as ``scope``.

    What AWS says no to is told, and is exit code 1.
    """

    @click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
    @config_option
    @click.option("--account", metavar="ID", help="Only this account; default: all that the folder has.")
    @click.option("--region", metavar="NAME", help="Only this region; default: all that the folder has.")
    @click.option(
        "--others/--no-others",
        default=True,
        help="Also look which identities beyond the folder have policies: a second for each.  [default: others]",
    )
    @functools.wraps(command)
    def inner(folder: Path, *, config: Path | None, others: bool, **more: Any) -> None:
        place = more.pop("account"), more.pop("region")
        with aws_problems_told():
            command(Scope(folder, owners_or_exit(config, *place), *place, others=others), **more)

    return inner


@dataclass(frozen=True, slots=True)
class Scope:
    """A folder, and of which account and region (None: of all), compared with whose SES, and how far beyond it."""

    folder: Path
    owners: Owners
    account: str | None
    region: str | None
    others: bool

    def holds(self, arn: IdentityArn) -> bool:
        """Whether the command is about this identity."""
        return self.account in {None, arn.account} and self.region in {None, arn.region}


@dataclass(frozen=True, slots=True)
class Planning:
    """A plan, the folder's texts, and the texts at SES, that it was made from."""

    plan: Plan
    wanted: Mapping[IdentityArn, Texts]
    held: Mapping[IdentityArn, Texts]


def plan_or_exit(scope: Scope) -> Planning:
    """
    Read the folder, then SES, and compare them.

    Leaves with exit code 1, and asks SES nothing, when the folder does not hold what SES would take.
    """
    wanted = _wanted_or_exit(scope)
    held, unseen = _look(scope.owners, wanted, others=scope.others)
    settings = scope.owners.settings
    known = Everything(
        wanted,
        held,
        unseen,
        tuple(delegates_of(settings).values()),
        Rules() if settings is None else rules_of(settings),
        time.time(),
    )
    texts = {arn: found.policies for arn, found in held.items() if found is not None}
    return Planning(make_plan(known), wanted, texts)


def _wanted_or_exit(scope: Scope) -> Mapping[IdentityArn, Texts]:
    """Read what is in the folder of the accounts and regions that the command is about."""
    folder = scope.folder
    try:
        found = read_wanted(folder, time.time())
    except PolicyFolderProblem as problem:
        raise click.UsageError(str(problem)) from None
    _tell(found)
    _lint_or_exit(folder, found)
    chosen = {arn: texts for arn, texts in found.texts.items() if scope.holds(arn)}
    if not chosen:
        raise click.UsageError(f"{folder} holds no identity of this --account and --region")
    return chosen


def _tell(found: Wanted) -> None:
    for note in found.notes:
        click.echo(printable(f"warning: {note}"), err=True)
    for problem in found.problems:
        click.echo(printable(f"error: {problem}"), err=True)


def _lint_or_exit(folder: Path, found: Wanted) -> None:
    now = datetime.now(UTC)
    errors = [
        FileFinding(str(path_in(folder, arn, finding.policy)), finding, texts.get(finding.policy, ""), arn)
        for arn, texts in found.texts.items()
        for finding in lint_identity(texts, arn, now)
        if finding.severity is Severity.ERROR
    ]
    if errors:
        click.echo(render(errors, sum(map(len, found.texts.values()))), err=True)
    if errors or found.problems:
        click.echo("nothing was asked of SES", err=True)
        sys.exit(1)


def _look(
    owners: Owners, wanted: Iterable[IdentityArn], *, others: bool
) -> tuple[dict[IdentityArn, Held | None], list[IdentityArn]]:
    """Ask SES for the identities of the folder, and the *others* of the same places; name those not asked for."""
    by_place: dict[tuple[str, str], set[str]] = {}
    for arn in wanted:
        by_place.setdefault((arn.account, arn.region), set()).add(arn.name)
    places = list_places([SesApi(owners.accounts, *place) for place in by_place])
    for place in places:
        if place.problem is not None:
            refuse(place.problem)
    names = {str(place): by_place[place.api.account, place.api.region] for place in places}
    asked = {str(place): sorted(names[str(place)] | set(place.names if others else ())) for place in places}
    beyond = max((len(all_of_it) - len(names[place]) for place, all_of_it in asked.items()), default=0)
    if beyond > _MANY:
        click.echo(
            f"looking at {beyond:,} identities beyond the folder, one a second; --no-others leaves them", err=True
        )
    with progress("identities", sum(map(len, asked.values()))) as advance:

        def look(place: Place, is_over: IsOver) -> list[Seen]:
            seen = []
            for each in look_at(place.api, asked[str(place)], is_over):
                seen.append(each)
                advance(1)
            return seen

        found = [each for some in everywhere(places, look) for each in some]
    if problem := next((each.problem for each in found if each.problem), None):
        refuse(problem)
    held = {each.arn: each.held for each in found}
    listed = [arn_at(place.api, name) for place in places for name in place.names]
    return held, [arn for arn in listed if arn not in held]
