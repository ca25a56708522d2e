"""``--identity X``: the ARN of an identity that was named by its name, where it is clear which is meant."""

from pathlib import Path

import click

from relay.identities.names import is_identity, partition_of
from relay.settings.model import Settings
from relay.words.arns import ArnProblem, IdentityArn, parse_identity_arn


def identity_arn(text: str, folder: Path | None, settings: Settings | None) -> IdentityArn:
    """Return the ARN *text* is, or names; leave with exit code 2 when that is not one identity for certain."""
    if text.startswith("arn:"):
        try:
            return parse_identity_arn(text)
        except ArnProblem as problem:
            raise click.UsageError(f"--identity: {problem}") from None
    if not is_identity(text):
        raise click.UsageError(f"--identity: {text!r} is neither an ARN, nor a domain, nor an address")
    found = named_identities(text, folder, settings)
    if len(found) == 1:
        return found[0]
    if found:
        raise click.UsageError(f"--identity: {text} is in several places, give one ARN: {', '.join(map(str, found))}")
    raise click.UsageError(
        f"--identity: whose {text} is meant is not clear: give its ARN, arn:aws:ses:REGION:ACCOUNT:identity/{text}"
    )


def named_identities(name: str, folder: Path | None, settings: Settings | None) -> list[IdentityArn]:
    """Return the identities of that name in *folder* or the settings' folder; else the only owner's and region's."""
    roots = [folder, settings.policies.directory if settings is not None else None]
    for root in roots:
        places = [] if root is None else sorted(root.glob(f"*/*/{_literal(name)}/"))
        if places:
            return [_arn(place.parent.parent.name, place.parent.name, name) for place in places]
    owners = settings.policies.owner if settings is not None else ()
    return [_arn(owner.account, region, name) for owner in owners for region in owner.regions]


def _arn(account: str, region: str, name: str) -> IdentityArn:
    return IdentityArn(partition_of(region), region, account, name)


def _literal(name: str) -> str:
    """A name with wildcards in it, which addresses may have, as a pattern that matches nothing else."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
