"""The records that an identity wants, asked of the DNS as ``identity dns`` does."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from relay.dns.names import NameProblem, ascii_name
from relay.dns.servers import PORT, Server
from relay.dns.zones import Net
from relay.identities.ses_api import Held
from relay.owner.dns_check import Checked, State, check_records
from relay.owner.dns_records import wanted_records, zone_fragment
from relay.owner.doctor.findings import Finding, Look, failing, not_checked, ok, warning
from relay.words.arns import parse_identity_arn

CHECK: Final = "identity.dns"
#: Seconds for each question to each server: several in a row have to fit into one look.
PATIENCE: Final = 2.0
#: Without them SES falls back to a MAIL FROM of its own, unless it was told to reject.
_MAIL_FROM: Final = frozenset({"mail-from-mx", "mail-from-spf"})


def look_at_records(arn: str, held: Held, resolvers: Sequence[Server], *, is_aws: bool, port: int = PORT) -> Look:
    """
    Look at the records that *held* wants, by *resolvers* and at the zone's own servers, which listen on *port*.

    *is_aws*: those of an embedded SES are nobody's to publish.
    """
    if not is_aws:
        why = "this SES is not AWS: nobody publishes its records"
        return Look((CHECK,), lambda: [not_checked(CHECK, why, arn)], arn)
    return Look(
        (CHECK,), lambda: _findings(arn, held, Net(resolvers, seconds=PATIENCE, port=port)), arn, asks="network"
    )


def _findings(arn: str, held: Held, net: Net) -> Iterator[Finding]:
    wanted = wanted_records(held, parse_identity_arn(arn).region)
    if not wanted:
        yield ok(CHECK, "it wants no records", arn)
        return
    try:
        domain = ascii_name(held.name.rpartition("@")[2])
    except NameProblem as problem:
        yield not_checked(CHECK, str(problem), arn)
        return
    report = asyncio.run(check_records(net, domain, wanted))
    rejects = (held.whole.get("MailFromAttributes") or {}).get("BehaviorOnMxFailure") == "REJECT_MESSAGE"
    bad = [each for each in report.records if each.state is not State.FOUND]
    yield from (_bad(each, arn, rejects=rejects) for each in bad)
    if not bad:
        yield ok(CHECK, f"{len(report.records)} records, found everywhere", arn)


def _bad(checked: Checked, arn: str, *, rejects: bool) -> Finding:
    record, state = checked.record, checked.state
    told = f"{record.type} {record.name}: {state.value}{_seen(checked)}"
    if state is State.UNANSWERED:
        return not_checked(CHECK, told, arn, f"ses-relay identity dns {arn}")
    if state is State.SPREADING:
        wait = f"Wait: caches forget what is old within {checked.wait} s."
        return warning(CHECK, told, "\n".join([wait, *checked.remarks]), arn)
    fix = "\n".join([*checked.remarks, "Publish:", zone_fragment([record]).rstrip()])
    matters = record.is_required and (record.kind not in _MAIL_FROM or rejects)
    return (failing if matters else warning)(CHECK, told, fix, arn)


def _seen(checked: Checked) -> str:
    return f", there is {', '.join(checked.found)}" if checked.found else ""
