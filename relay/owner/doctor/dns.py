"""The records that an identity wants, asked of the DNS as ``identity dns`` does."""

import asyncio
from collections.abc import Iterator, Sequence

from relay.dns.names import NameProblem, ascii_name
from relay.dns.servers import Server
from relay.dns.zones import Net
from relay.identities.ses_api import Held
from relay.owner.dns_check import Checked, State, check_records
from relay.owner.dns_records import wanted_records, zone_fragment
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.words.arns import parse_identity_arn

CHECK = "identity.dns"
#: Seconds for each question to each server: several in a row have to fit into one look.
PATIENCE = 2.0


def look_at_records(arn: str, held: Held, resolvers: Sequence[Server], *, is_aws: bool) -> Look:
    """Look at the records that *held* wants; those of an embedded SES are nobody's to publish."""
    if not is_aws:
        return Look(
            (CHECK,), lambda: [not_checked(CHECK, "this SES is not AWS: nobody publishes its records", arn)], arn
        )
    return Look((CHECK,), lambda: _findings(arn, held, resolvers), arn, asks="network")


def _findings(arn: str, held: Held, resolvers: Sequence[Server]) -> Iterator[Finding]:
    wanted = wanted_records(held, parse_identity_arn(arn).region)
    if not wanted:
        yield ok(CHECK, "it wants no records", arn)
        return
    try:
        domain = ascii_name(held.name.rpartition("@")[2])
    except NameProblem as problem:
        yield not_checked(CHECK, str(problem), arn)
        return
    report = asyncio.run(check_records(Net(resolvers, seconds=PATIENCE), domain, wanted))
    bad = [each for each in report.records if each.state is not State.FOUND]
    yield from (_bad(each, arn) for each in bad)
    if not bad:
        yield ok(CHECK, f"{len(report.records)} records, published everywhere", arn)


def _bad(checked: Checked, arn: str) -> Finding:
    record, state = checked.record, checked.state
    told = f"{record.name} {record.type}: {state.value}{_seen(checked)}"
    if state is State.UNANSWERED:
        return not_checked(CHECK, told, arn, f"ses-relay identity dns {arn}")
    fix = "\n".join([*checked.remarks, "Publish:", zone_fragment([record]).rstrip()])
    if state is State.SPREADING:
        return warning(CHECK, told, f"Wait: caches forget the old within {checked.wait} s.", arn)
    return (failing if record.is_required else warning)(CHECK, told, fix, arn)


def _seen(checked: Checked) -> str:
    return f", there is {', '.join(checked.found)}" if checked.found else ""
