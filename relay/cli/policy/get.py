"""``ses-relay policy get``: policies as SES has them, to standard output or into a folder."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from relay.cli.identity.text import gone
from relay.cli.interrupting import interruptible
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.cli.progress import progress
from relay.owner.fetching import Fetched, fetch, names_for
from relay.owner.mirroring import Brought, Mirror, MirrorProblem
from relay.owner.putting import arn_at
from relay.owner.visiting import IsOver, Place, everywhere, list_places


@click.command(short_help="Policy texts from SES, printed or into a folder.")
@click.argument("identity", metavar="[IDENTITY]", required=False)
@click.argument("name", metavar="[NAME]", required=False)
@owner_options
@click.option("--all", "is_all", is_flag=True, help="Every verified identity, into --to DIR.")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write there.")
@click.option("--keep", is_flag=True, help="Leave in DIR what is gone at SES.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    identity: str | None,
    name: str | None,
    *,
    owners: Owners,
    is_all: bool,
    folder: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """
    Print the policies of IDENTITY, a name or an ARN, or the one called NAME, exactly as SES has them; or write them
    into a folder that relays read, DIR/ACCOUNT/REGION/IDENTITY/NAME.json.

    With --all every verified identity is written: of the owners in the settings, or of the account of our credentials.
    SES is asked for one identity a second, in every account and region at once. What has changed is replaced, whole or
    not at all; what is gone at SES is removed, and said. Identities that are not verified are left out: a folder says
    that its identity is. A run that ends early leaves every identity whole, and the next one goes on where it ended.

    \b
    Exit code 0: there they are; 1: not all, or there is none; 2: wrong usage.

    \b
    Examples:
      ses-relay policy get example.com
      ses-relay policy get example.com billing > billing.json
      ses-relay policy get --all --to policies -c relay.toml
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if is_all == (identity is not None):
        raise click.UsageError("give one IDENTITY, or --all")
    if is_all and folder is None:
        raise click.UsageError("--all wants a folder: --to DIR")
    if keep and (folder is None or name is not None):
        raise click.UsageError("--keep is about what would be removed: with --to DIR, and without NAME")
    try:
        if identity is None:
            _get_all(owners, Mirror(folder or Path(), keep=keep), as_json=as_json)
        else:
            _get_one(owners, (identity, name), None if folder is None else (folder, keep), as_json=as_json)
    except MirrorProblem as problem:
        click.echo(printable(f"error: {problem}"), err=True)
        sys.exit(1)


# --- one identity -----------------------------------------------------------------------------------------------------


def _get_one(owners: Owners, wanted: tuple[str, str | None], into: tuple[Path, bool] | None, *, as_json: bool) -> None:
    api, identity = owners.of_identity(wanted[0])
    held = api.identity(identity)
    if held is None:
        gone(api, identity)
    policies = _named(held.policies, identity, wanted[1])
    if into is None:
        _print(policies, as_json=as_json)
        return
    if not held.verified:
        click.echo(printable(f"error: {identity} is not verified ({held.status}): a folder would say it is"), err=True)
        sys.exit(1)
    root, keep = into
    mirror = Mirror(root, keep=keep)
    with mirror.alone():
        write = mirror.bring if wanted[1] is None else mirror.add
        brought = write(arn_at(api, identity), policies)
    fetched = Fetched(Place(api, (identity,)), 1, [brought])
    _tell([fetched], as_json=as_json)


def _named(policies: Mapping[str, str], identity: str, name: str | None) -> Mapping[str, str]:
    if name is None:
        return policies
    if name not in policies:
        there = ", ".join(sorted(policies)) or "none"
        click.echo(printable(f"{identity} has no policy {name}; there are: {there}"), err=True)
        sys.exit(1)
    return {name: policies[name]}


def _print(policies: Mapping[str, str], *, as_json: bool) -> None:
    """One text is printed as it is, for a file; several stand apart, and their names beside them."""
    if as_json:
        click.echo(json.dumps(dict(sorted(policies.items())), indent=2))
        return
    if not policies:
        click.echo("no policies", err=True)
    for name, text in sorted(policies.items()):
        if len(policies) > 1:
            click.echo(printable(f"{name}:"), err=True)
        is_last_line_open = not text.endswith("\n") and (len(policies) > 1 or sys.stdout.isatty())
        shown = "\n".join(map(printable, text.split("\n"))) if sys.stdout.isatty() else text
        click.echo(shown, nl=is_last_line_open)


# --- all of them ------------------------------------------------------------------------------------------------------


def _get_all(owners: Owners, mirror: Mirror, *, as_json: bool) -> None:
    with mirror.alone():
        places = list_places(owners.apis())
        names = {place.api: names_for(place, mirror) for place in places if place.problem is None}
        total = sum(map(len, names.values()))
        with progress("identities", total) as advance, interruptible("the identity under way") as is_interrupted:

            def bring(place: Place, is_over: IsOver) -> Fetched:
                if place.problem is not None:
                    return Fetched(place, problems=[place.problem])
                return fetch(
                    place, names[place.api], mirror, advance=advance, is_over=lambda: is_over() or is_interrupted()
                )

            found = everywhere(places, bring)
    _tell(found, as_json=as_json)


def _tell(found: list[Fetched], *, as_json: bool) -> None:
    problems = [problem for fetched in found for problem in fetched.problems]
    if as_json:
        click.echo(json.dumps(_json(found), indent=2))
    else:
        for line in (line for fetched in found for line in _lines(fetched)):
            click.echo(printable(line))
        click.echo(_summary(found))
    for problem in problems:
        click.echo(printable(f"error: {problem}"), err=True)
    sys.exit(1 if problems else 0)


def _lines(fetched: Fetched) -> Iterator[str]:
    for name, why in fetched.left_out:
        yield f"{arn_at(fetched.place.api, name)}: left out, {why}"
    for brought in fetched.brought:
        yield f"{brought.identity}: {'; '.join(_words(brought))}"


def _words(brought: Brought) -> Iterator[str]:
    for verb, names in (("wrote", brought.written), ("removed", brought.removed), ("kept", brought.kept)):
        if names:
            yield f"{verb} {', '.join(names)}{' (gone at SES)' if verb == 'kept' else ''}"
    if brought.is_gone:
        yield "its folder is removed"
    elif brought.is_new and not brought.written:
        yield "new, without policies"
    elif brought.strangers:
        yield f"no policies, and not ours: {', '.join(brought.strangers)}"
    elif not brought.is_change and not brought.kept:
        yield "unchanged"


def _summary(found: list[Fetched]) -> str:
    identities = sum(fetched.identities for fetched in found)
    written, removed = (
        sum(len(getattr(brought, what)) for fetched in found for brought in fetched.brought)
        for what in ("written", "removed")
    )
    policies = f"policies: {written:,} written, {removed:,} removed"
    return f"{identities:,} {'identity' if identities == 1 else 'identities'}; {policies}"


def _json(found: list[Fetched]) -> dict[str, object]:
    return {
        "identities": sum(fetched.identities for fetched in found),
        "changes": [
            {
                "identity": str(brought.identity),
                "written": list(brought.written),
                "removed": list(brought.removed),
                "kept": list(brought.kept),
                "strangers": list(brought.strangers),
            }
            for fetched in found
            for brought in fetched.brought
        ],
        "left_out": [
            {"identity": str(arn_at(fetched.place.api, name)), "why": why}
            for fetched in found
            for name, why in fetched.left_out
        ],
        "problems": [problem for fetched in found for problem in fetched.problems],
    }
