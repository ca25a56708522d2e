"""``ses-relay identity create``: a domain or an address in SES, and the DNS records that it wants."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from relay.cli.identity.text import records_table
from relay.cli.owners import Owners, owner_options
from relay.cli.policies import printable
from relay.identities.names import is_identity
from relay.identities.ses_api import Held, SesApi
from relay.owner.dkim_key import KeyProblem, OwnKey, read_own_key
from relay.owner.dns_records import WantedRecord, wanted_records, zone_fragment
from relay.owner.identity_creation import Difference, Wish, arn_of, change, create, differences

_LENGTHS = {"1024": "RSA_1024_BIT", "2048": "RSA_2048_BIT"}
_ON_MX_FAILURE = {"use-default": "USE_DEFAULT_VALUE", "reject": "REJECT_MESSAGE"}


@click.command(short_help="Make an identity; print its DNS records.")
@click.argument("name")
@owner_options
@click.option("--dkim-length", type=click.Choice(tuple(_LENGTHS)), help="Bits of the keys of Easy DKIM; SES: 2048.")
@click.option(
    "--dkim-key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Sign with your own RSA key, in PEM, in place of Easy DKIM. It goes to SES and is never shown.",
)
@click.option("--dkim-selector", metavar="LABEL", help="The selector of your own key: LABEL._domainkey.NAME.")
@click.option("--mail-from", metavar="SUBDOMAIN", help="A MAIL FROM domain below NAME, for nothing else: bounce.")
@click.option("--on-mx-failure", type=click.Choice(tuple(_ON_MX_FAILURE)), help="While its MX is not found.")
@click.option("--configuration-set", metavar="NAME", help="What its mail is sent with by default; it must be there.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag; may be repeated.")
@click.option("--change", "changes", is_flag=True, help="Change an identity that is there to what is asked for here.")
@click.option("--yes", is_flag=True, help="Change without a question.")
@click.option("--zone", "as_zone", is_flag=True, help="Print only the records, as lines of a zone file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(  # noqa: PLR0913  one for each option
    name: str,
    *,
    owners: Owners,
    dkim_length: str | None,
    dkim_key: Path | None,
    dkim_selector: str | None,
    mail_from: str | None,
    on_mx_failure: str | None,
    configuration_set: str | None,
    tags: tuple[str, ...],
    changes: bool,
    yes: bool,
    as_zone: bool,
    as_json: bool,
) -> None:
    """
    Make the identity NAME, a domain or an address, and print the DNS records to publish and what comes next.

    An identity that is there is left as it is: typed again, the command prints its records once more. What of it is
    otherwise than asked for is named, and changed only with --change.

    \b
    Exit code 0: it is as asked for; 1: it is there and differs, or SES said no; 2: wrong usage.

    \b
    Examples:
      ses-relay identity create example.com --mail-from bounce --tag team=mail
      ses-relay identity create example.com --dkim-key dkim.pem --dkim-selector sel2026 --zone > example.com.zone
      ses-relay identity create ceo@example.com --account 888888888888 --region eu-west-1
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    name = _checked(name)
    if "@" in name and (dkim_key or dkim_length):
        raise click.UsageError("an address is signed as its domain is: --dkim-key and --dkim-length are for domains")
    wish = Wish(
        name,
        dict(map(_tag, tags)),
        configuration_set or "",
        _below(mail_from, name) if mail_from else "",
        _on_mx_failure(on_mx_failure, mail_from),
        _LENGTHS[dkim_length] if dkim_length else "",
        dkim_selector or "",
        _own_key(dkim_key, dkim_selector, dkim_length),
    )
    api = owners.only()
    held, is_new = create(api, wish)
    found = differences(held, api, wish)
    if found and changes:
        held, found = _changed(api, held, wish, yes=yes), ()
    records = wanted_records(held, api.region, public_key=wish.own_key.public if wish.own_key else "")
    if as_json:
        click.echo(json.dumps(_as_json(api, held, records, found) | {"is_new": is_new}, indent=2))
    elif as_zone:
        click.echo(zone_fragment(records), nl=False)
    else:
        click.echo("\n".join(_lines(api, held, records, is_new=is_new)))
    for difference in found:
        click.echo(printable(f"differs: {difference}"), err=True)
    if found:
        click.echo("it was left as it is; --change changes it", err=True)
    sys.exit(1 if found else 0)


def _changed(api: SesApi, held: Held, wish: Wish, *, yes: bool) -> Held:
    for difference in differences(held, api, wish):
        click.echo(printable(f"differs: {difference}"), err=True)
    if not yes:
        click.confirm(f"Change {wish.name} in {api.account} {api.region}?", abort=True, err=True)
    return change(api, held, wish)


def _lines(api: SesApi, held: Held, records: Sequence[WantedRecord], *, is_new: bool) -> Iterator[str]:
    arn = arn_of(api, held.name)
    yield click.style(printable(f"{arn}: {'made' if is_new else 'there already'}"), bold=True)
    if records:
        yield ""
        yield "Publish these records:"
        yield from records_table(records, indent="  ")
        yield ""
        yield "The same as lines of a zone file:"
        yield from (f"  {line}" for line in zone_fragment(records).splitlines())
    yield ""
    yield "Next:"
    yield from (f"  {line}" for line in _next(held, str(arn), has_records=bool(records)))


def _next(held: Held, arn: str, *, has_records: bool) -> Iterator[str]:
    if not held.verified and "@" in held.name:
        yield "open the link that SES has mailed to it; it is good for 24 hours"
    elif not held.verified:
        yield "publish the records; SES looks for them for 72 hours"
    if has_records:
        yield f"ses-relay identity dns {held.name} --wait     what the DNS says of the records"
    yield f"ses-relay identity status {held.name}         what SES says of it"
    yield f"ses-relay policy grant --identity {arn} ...   a policy for a delegate"


def _as_json(
    api: SesApi, held: Held, records: Sequence[WantedRecord], found: Sequence[Difference]
) -> dict[str, object]:
    return {
        "arn": str(arn_of(api, held.name)),
        "is_verified": held.verified,
        "records": [asdict(record) for record in records],
        "differences": [{"what": each.what, "found": each.found, "wanted": each.wanted} for each in found],
    }


def _checked(name: str) -> str:
    """The name as SES keeps it: a domain in lower case."""
    kept = name if "@" in name else name.lower()
    if not is_identity(kept):
        raise click.UsageError(f"{name!r} is neither a domain nor an address")
    return kept


def _tag(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise click.UsageError(f"--tag: {text!r}: write KEY=VALUE")
    return key, value


def _below(text: str, name: str) -> str:
    domain, given = name.rpartition("@")[2].lower(), text.lower().rstrip(".")
    if given.endswith(f".{domain}"):
        return given
    if "." in given:
        raise click.UsageError(f"--mail-from: {text} is not below {domain}: give a label, or LABEL.{domain}")
    return f"{given}.{domain}"


def _on_mx_failure(text: str | None, mail_from: str | None) -> str:
    if text is None:
        return ""
    if mail_from is None:
        raise click.UsageError("--on-mx-failure goes with --mail-from")
    return _ON_MX_FAILURE[text]


def _own_key(path: Path | None, selector: str | None, length: str | None) -> OwnKey | None:
    if (path is None) != (selector is None):
        raise click.UsageError("--dkim-key and --dkim-selector go together")
    if path is None:
        return None
    if length is not None:
        raise click.UsageError("--dkim-length is for keys of SES; yours has the length it has")
    try:
        return read_own_key(path.read_text("utf-8", "replace"))
    except OSError as error:
        raise click.UsageError(f"--dkim-key: {path}: {error.strerror}") from None
    except KeyProblem as problem:
        raise click.UsageError(f"--dkim-key: {path}: {problem}") from None
