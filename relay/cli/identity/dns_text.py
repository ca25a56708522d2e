"""What was found in the DNS, for people and for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

import click

from relay.cli.policies import printable
from relay.owner.dmarc import Alignment
from relay.owner.dns_check import Checked, Report, State, View
from relay.owner.dns_wanted import SesView

_COLOURS: Final = {
    State.FOUND: "green",
    State.SPREADING: "yellow",
    State.MISSING: "red",
    State.WRONG: "red",
    State.UNANSWERED: "yellow",
}
_WIDTH: Final = max(map(len, State))


def as_json(name: str, place: str, report: Report, view: SesView | None) -> dict[str, Any]:
    """Return all of it for ``json.dumps``."""
    account, _, region = place.partition(" ")
    return {
        "name": name,
        "account": account or None,
        "region": region or None,
        "complete": report.is_complete,
        "records": [asdict(each) for each in report.records],
        "dmarc": asdict(report.dmarc),
        "alignments": [asdict(each) for each in report.alignments],
        "remarks": list(report.remarks),
        "ses": None if view is None else asdict(view),
    }


def report_lines(name: str, place: str, report: Report, view: SesView | None) -> Iterator[str]:
    """Lay out the report: each record, the servers where they disagree, DMARC, SES."""
    yield click.style(printable(name), bold=True) + (f"  in {place}" if place else "")
    for checked in report.records:
        yield from _record(checked)
    for remark in report.remarks:
        yield f"  {printable(remark)}"
    yield from _dmarc(report)
    if view is not None:
        told = [f"verification {view.verification}", f"DKIM {view.dkim}" if view.dkim else ""]
        told.append(f"MAIL FROM {view.mail_from}" if view.mail_from else "")
        yield f"SES    {', '.join(filter(None, told))}"


def _record(checked: Checked) -> Iterator[str]:
    record, state = checked.record, checked.state
    optional = "" if record.is_required else "  (recommended)"
    styled = click.style(f"{state:<{_WIDTH}}", fg=_COLOURS[state])
    yield f"{styled}  {record.type:<5}  {printable(record.name)}{optional}"
    if state is not State.FOUND:
        yield f"    wanted  {printable(record.value or 'p=... (your public key)')}"
        for value in checked.found:
            yield f"    found   {printable(value)}"
    for remark in checked.remarks:
        yield f"    - {printable(remark)}"
    if state in (State.SPREADING, State.UNANSWERED):
        width = max(len(_server(each)) for each in checked.views) if checked.views else 0
        for each in checked.views:
            yield _view(each, width)
    if checked.wait:
        since, more = ("", " more") if state is State.SPREADING else ("once it is right, ", "")
        yield f"    {since}caches keep the old for up to {_span(checked.wait)}{more}"


def _view(view: View, width: int) -> str:
    said = "" if view.state is State.FOUND else f"  {printable(view.said)}"
    left = "" if view.ttl is None else f" ({_span(view.ttl)})"
    return f"    {_server(view):<{width}}  {view.state:<{_WIDTH}}{said}{left if said else ''}".rstrip()


def _server(view: View) -> str:
    return printable(view.server if view.is_authoritative else f"resolver {view.server}")


def _span(seconds: int) -> str:
    for unit, worth in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * worth:
            return f"{seconds // worth}{unit}"
    return f"{seconds}s"


def _dmarc(report: Report) -> Iterator[str]:
    dmarc = report.dmarc
    if dmarc.policy is None:
        yield f"DMARC  no policy for {printable(dmarc.domain)}: receivers judge as they like"
    else:
        yield f"DMARC  {dmarc.verdict}, by _dmarc.{printable(dmarc.policy.domain)}: {printable(dmarc.policy.text)}"
    yield f"    a delegate's mail from @{printable(dmarc.domain)}:"
    for each in report.alignments:
        is_not = "" if each.is_aligned else "not "
        yield f"    {each.mechanism.upper():<4} {is_not}aligned: {printable(each.why)}"
    yield f"    {_outcome(report.alignments, dmarc.verdict)}"


def _outcome(alignments: tuple[Alignment, ...], verdict: str) -> str:
    by = [each.mechanism.upper() for each in alignments if each.is_aligned]
    if by:
        return f"it satisfies DMARC by {' and '.join(by)}, once these are found"
    asked = {"none": "is taken all the same", "quarantine": "goes to the spam folder", "reject": "is refused"}
    return f"it does not satisfy DMARC: by the domain's own wish it {asked[verdict]}"
