"""
Whether the records that an identity wants are published: at each server of their zones, and as resolvers see them.

The record is right when every server that answers has it as SES wants it. What some have and others have not is on its
way, or stuck; what nobody has is missing; all else is wrong, and the usual mistakes are looked for.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from relay.dns.answers import Absent, Answer, Fault, Found, Referral, Trouble
from relay.dns.names import is_within
from relay.dns.zones import Net, Sight, Zone
from relay.owner.dmarc import Alignment, Dmarc, aligned, find_dmarc, organization_of
from relay.owner.dns_fit import Fit, doubled, entered, fit, sibling
from relay.owner.dns_records import WantedRecord
from relay.words.values import dataclass


class State(StrEnum):
    """How a record stands, all servers taken together."""

    FOUND = "found"
    SPREADING = "spreading"  # right at some, old or missing at others
    MISSING = "missing"
    WRONG = "wrong"
    UNANSWERED = "unanswered"  # nobody could say


@dataclass(frozen=True, slots=True)
class View:
    """
    What one server has of a record: ``state`` is found, missing, wrong, or unanswered with the trouble in ``said``.

    ``ttl``: the seconds that its answer stays in caches; None where there is none.
    """

    server: str
    is_authoritative: bool
    state: State
    said: str
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """
    One wanted record, checked.

    ``found``: the values that were seen, each once. ``remarks``: what is to be done, in sentences. ``wait``: seconds
    that caches keep what is not right yet, from now or from when it is mended; 0 where nothing is to be waited out.
    """

    record: WantedRecord
    state: State
    found: tuple[str, ...]
    remarks: tuple[str, ...]
    views: tuple[View, ...]
    wait: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """
    All of an identity's records, what DMARC says of its domain, and which identifiers of a delegate's mail satisfy it.

    ``remarks`` are about the servers of its zones.
    """

    domain: str
    records: tuple[Checked, ...]
    dmarc: Dmarc
    alignments: tuple[Alignment, ...]
    remarks: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether all that SES waits for is found everywhere."""
        return all(each.state is State.FOUND for each in self.records if each.record.is_required)


async def check_records(net: Net, domain: str, wanted: Sequence[WantedRecord]) -> Report:
    """
    Check the records that the identity of *domain* wants.

    Args:
        net: Whom to ask.
        domain: Of the identity, in A-labels and lower case.
        wanted: As :func:`relay.owner.dns_records.wanted_records` gives them.

    """
    dmarc, checked = await asyncio.gather(
        find_dmarc(domain, net.ask), asyncio.gather(*(_check(net, domain, record) for record in wanted))
    )
    zones = [await net.zone_of(record.name.lower()) for record in wanted]
    remarks = [remark for zone in zones if isinstance(zone, Zone) for remark in zone.remarks]
    records = tuple(_by_dmarc(each, dmarc) if each.record.kind == "dmarc" else each for each in checked)
    alignments = await _alignments(net, dmarc, wanted)
    return Report(domain, records, dmarc, alignments, tuple(dict.fromkeys(remarks)))


async def _check(net: Net, domain: str, record: WantedRecord) -> Checked:
    name = record.name.lower()
    views: list[tuple[View, tuple[str, ...]]] = []
    values: list[str] = []
    for sight in await net.sights(name, record.type):
        answer = await _through_alias(net, sight, record.type)
        view, remarks = _view(record, sight, answer)
        views.append((view, remarks))
        if isinstance(answer, Found):
            values += answer.values
    seen = [view for view, _ in views]
    state = _together(seen)
    told = [remark for _, remarks in views for remark in remarks]
    if state in (State.MISSING, State.WRONG, State.SPREADING):
        elsewhere, more = await _elsewhere(net, domain, record, values)
        state = State.FOUND if elsewhere else state
        told += more
    old = [view.ttl for view in seen if view.state in (State.MISSING, State.WRONG) and view.ttl is not None]
    found = tuple(dict.fromkeys(values))
    wait = 0 if state is State.FOUND else max(old, default=0)
    return Checked(record, state, found, tuple(dict.fromkeys(told)), tuple(seen), wait)


async def _through_alias(net: Net, sight: Sight, kind: str) -> Answer:
    """An authoritative server knows an alias only, where it leads out of its zone: the rest others know."""
    answer = sight.answer
    if isinstance(answer, Found) and not answer.values and answer.aliases:
        end = await net.ask(answer.aliases[-1].lower(), kind)
        if isinstance(end, Found):
            return replace(end, ttl=min(end.ttl, answer.ttl), aliases=answer.aliases)
        return end
    return answer


def _view(record: WantedRecord, sight: Sight, answer: Answer) -> tuple[View, tuple[str, ...]]:
    server, own = str(sight.server), sight.is_authoritative
    match answer:
        case Found(values, ttl, aliases):
            fitted = fit(record, values) if values else Fit(is_right=False)
            said = ", ".join(values) + (f" (by the alias {aliases[0]})" if aliases else "")
            return View(server, own, State.FOUND if fitted.is_right else State.WRONG, said, ttl), fitted.remarks
        case Absent(name_exists, ttl):
            said = f"no {record.type} at this name" if name_exists else "no such name"
            return View(server, own, State.MISSING, said, ttl), ()
        case Referral(zone, _, _):
            said = f"it does not serve the zone, and passes on to the servers of {zone}"
            return View(server, own, State.UNANSWERED, said), (f"{server}: {said}",)
        case Trouble(fault, why):
            state = State.WRONG if fault is Fault.BOGUS else State.UNANSWERED
            return View(server, own, state, why), () if fault is Fault.NO_ROUTE else (f"{server}: {why}",)


def _together(views: Sequence[View]) -> State:
    """
    One server that is silent among others that answer is a remark. Without any resolver that answers nobody finds the
    record, whatever the zone's own servers say; those may be out of reach from here.
    """
    states = {view.state for view in views} - {State.UNANSWERED}
    resolved = [view.state for view in views if not view.is_authoritative]
    if states == {State.FOUND}:
        return State.UNANSWERED if resolved and set(resolved) == {State.UNANSWERED} else State.FOUND
    if State.FOUND in states:
        return State.SPREADING
    if State.WRONG in states:
        return State.WRONG
    return State.MISSING if states else State.UNANSWERED


async def _elsewhere(
    net: Net, domain: str, record: WantedRecord, values: Sequence[str]
) -> tuple[bool, tuple[str, ...]]:
    """Look where the record went instead; the first of what is returned is whether SES will find it there."""
    name = record.name.lower()
    zone = await net.zone_of(name)
    apex = zone.apex if isinstance(zone, Zone) else domain
    if record.kind == "verification":
        answer = await net.ask(domain, "TXT")
        if isinstance(answer, Found) and {record.value, f"amazonses:{record.value}"} & set(answer.values):
            return True, (f"it stands at {domain} itself, where SES looks for it as well",)
    if values:
        beside = await net.ask(sibling(name), record.type)
        if isinstance(beside, Found) and set(beside.values) & set(values):
            return False, (
                f"a wildcard answers, as for every name beside it: the record of {name} itself is not there",
            )
    remarks: list[str] = []
    for other in doubled(name, apex, domain):
        answer = await net.ask(other, record.type)
        if isinstance(answer, Found) and answer.values:
            remarks.append(
                f"it stands at {other}: the form completes names with {apex}, so enter {entered(name, apex)}"
            )
            break
    if not values:
        remarks += await _of_another_type(net, record)
    return False, tuple(remarks)


async def _of_another_type(net: Net, record: WantedRecord) -> list[str]:
    name, wanted = record.name.lower(), record.type
    if wanted != "CNAME":
        answer = await net.ask(name, "CNAME")
        target = answer.values[0] if isinstance(answer, Found) and answer.values else ""
        return (
            [f"there is a CNAME to {target} in place of the {wanted}: where one stands, nothing else can"]
            if target
            else []
        )
    text, *addresses = await asyncio.gather(*(net.ask(name, kind) for kind in ("TXT", "A", "AAAA")))
    if isinstance(text, Found) and record.value in (value.strip('" .') for value in text.values):
        return ["there is a TXT record in place of the CNAME: change its type"]
    if any(isinstance(answer, Found) and answer.values for answer in (text, *addresses)):
        return ["the provider answers for the CNAME itself (flattened or proxied): switch that off for this record"]
    return []


def _by_dmarc(checked: Checked, dmarc: Dmarc) -> Checked:
    """What is right for DMARC is more than one value, and a parent domain may say it."""
    problems = tuple(problem for problem in dmarc.problems if problem.startswith(f"{checked.record.name}: "))
    remarks = (*checked.remarks, *(problem.partition(": ")[2] for problem in problems))
    if dmarc.policy is None:
        return replace(checked, state=State.WRONG if problems and checked.found else checked.state, remarks=remarks)
    if dmarc.policy.domain != dmarc.domain:
        inherited = f"inherited from _dmarc.{dmarc.policy.domain}: {dmarc.policy.text}"
        state = State.WRONG if problems and checked.found else State.FOUND
        return replace(checked, state=state, remarks=(*remarks, inherited), wait=0)
    return replace(checked, remarks=remarks)


async def _alignments(net: Net, dmarc: Dmarc, wanted: Sequence[WantedRecord]) -> tuple[Alignment, ...]:
    """What a delegate's mail from the domain has: DKIM by the identity, SPF by its MAIL FROM domain or Amazon's."""
    found = []
    if any(record.kind in ("dkim", "dkim-key") for record in wanted):
        found.append(aligned("dkim", dmarc, dmarc.domain, dmarc.organization))
    mail_from = next((record.name.lower() for record in wanted if record.kind == "mail-from-mx"), None)
    if mail_from is None:
        why = "without a MAIL FROM domain of its own SPF speaks of amazonses.com"
        found.append(Alignment("spf", is_aligned=False, why=why))
    elif dmarc.policy is None and is_within(mail_from, dmarc.domain):  # as it will be with the first record
        found.append(aligned("spf", dmarc, mail_from, dmarc.organization))
    else:
        found.append(aligned("spf", dmarc, mail_from, await organization_of(mail_from, net.ask)))
    return tuple(found)
