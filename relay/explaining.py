"""
What would become of a message, and why, before it is sent: the walk without its ends.

``ses-relay explain`` and ``POST /api/explain`` ask here; nothing is sent, counted or kept.
"""

import email.utils
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from typing import Any, Final

from relay.judgement.catalog import Catalog, Identity, OwnedIdentities
from relay.judgement.explanation import FORMAT, to_json
from relay.judgement.message import Bulk, judge_early, judge_message
from relay.judgement.rules import Rules
from relay.judgement.verdicts import Judgement
from relay.mail.facts import MessageFacts, MessageProblem
from relay.mail.profile import DEFAULT, Profile
from relay.mail.reading import read_facts
from relay.mail.received import date_time
from relay.mail.repairs import Plan, Repaired, explained, repair
from relay.policy.document import Policy, UnreadablePolicy
from relay.smtp.limits import Limits
from relay.smtp.rehearsal import rehearse
from relay.walk import undecided
from relay.words.addresses import Address, AddressProblem, NullPath, ReversePath, parse_address
from relay.words.arns import IdentityArn
from relay.words.delegates import Delegate
from relay.words.transactions import Ending, Envelope
from relay.words.values import dataclass

#: Octets in which recipients are looked for: the strict profile takes no longer header section.
LONGEST_HEAD: Final = DEFAULT.header_bytes


class QuestionProblem(ValueError):
    """It cannot be asked so. ``field`` is ``mail_from`` or ``recipients``; the text says what is wrong with it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True)
class Question:
    """
    One message that might be sent.

    ``raw`` has its line ends as on the wire. ``mail_from``: the reverse-path, ``<>`` or nothing for the null one; None
    for the author. ``recipients``: none for those in To and Cc.
    """

    raw: bytes = field(repr=False)
    mail_from: str | None = None
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Premises:
    """Who sends, and what holds for everybody."""

    delegate: Delegate
    rules: Rules
    limits: Limits
    hostname: str


class Rehearsal:
    """
    One question, read once and judged as often as one likes.

    ``unknown``: the identities for want of which the last judgement was undecided; reading them may help.

    Raises:
        QuestionProblem: An address is none, or there are no recipients.
    """

    def __init__(self, question: Question, premises: Premises) -> None:
        self._premises = premises
        self.unknown: list[IdentityArn] = []
        named = question.recipients or _named_in(question.raw)
        self._repaired = _repaired(question.raw, len(set(named)), premises)
        self._facts = self._repaired if isinstance(self._repaired, Ending) else _facts(self._repaired, premises)
        self._forward_paths: tuple[Address, ...] = ()
        self._reverse_path: ReversePath | None = None
        if question.mail_from is not None:
            self._reverse_path = _reverse_path(question.mail_from)
        elif isinstance(self._facts, MessageFacts):
            self._reverse_path = self._facts.author.with_domain_lowered()
        if isinstance(self._facts, MessageFacts):
            self._forward_paths = _forward_paths(named)

    @property
    def recipients(self) -> int:
        """How many there are; none where the message is not judged."""
        return len(self._forward_paths)

    def judged(self, catalog: Catalog, now: float) -> dict[str, Any]:
        """
        Judge by *catalog* at *now*, and explain it, JSON-ready; ``permit`` is null or absent where it may not go.

        What MAIL is told comes first, whatever the message is then.
        """
        premises, path = self._premises, self._reverse_path
        early = None if path is None else judge_early(path, premises.delegate, catalog, premises.rules, now)
        made = {} if isinstance(self._repaired, Ending) else {"repairs": list(self._repaired.made)}
        if isinstance(self._facts, MessageFacts) and path is not None:
            return self._whole(self._facts, Envelope(path, self._forward_paths), catalog, now, early) | made
        if early is not None:
            return to_json(early, premises.delegate)
        return self._unread() | made

    def _whole(
        self, facts: MessageFacts, envelope: Envelope, catalog: Catalog, now: float, early: Judgement | None
    ) -> dict[str, Any]:
        """Trace every statement; a refusal at MAIL is what the client would hear."""
        bulk = Bulk(0 if isinstance(self._repaired, Ending) else len(self._repaired.raw))
        delegate, rules = self._premises.delegate, self._premises.rules
        whole = judge_message(facts, envelope, delegate, catalog, rules, now, bulk=bulk, trace=True)
        self.unknown = undecided(whole)
        heard = whole if early is None else replace(whole, permit=None, reply=early.reply, reason=early.reason)
        return to_json(heard, delegate, facts=facts, envelope=envelope)

    def _unread(self) -> dict[str, Any]:
        """Tell of a message that is refused before anything in it is judged."""
        refused = self._facts
        if isinstance(refused, MessageFacts):
            raise TypeError("what was read is judged")
        problem = refused if isinstance(refused, MessageProblem) else None
        delegate = self._premises.delegate
        return {
            "format": FORMAT,
            "verdict": "malformed",
            "reason": str(refused.reason),
            "delegate": {"name": delegate.name, "principal": delegate.principal},
            "rule": problem and problem.rule,
            "repair": problem and problem.repair,
            "reply": str(refused.reply),
        }


def with_policies(
    catalog: Catalog, policies: Mapping[IdentityArn, tuple[Policy | UnreadablePolicy, ...]], now: float
) -> Catalog:
    """Return *catalog* as it were if these identities were verified and had these policies, and no others."""
    owners = dict(catalog.owners)
    places: dict[tuple[str, str], list[Identity]] = defaultdict(list)
    for arn, attached in policies.items():
        places[arn.account, arn.region].append(Identity(arn, verified=True, policies=attached, read_at=now))
    for place, identities in places.items():
        owned = owners.get(place, OwnedIdentities(listed_at=now))
        kept = [each for group in owned.by_folded_name.values() for each in group if each.arn not in policies]
        owners[place] = OwnedIdentities.of([*kept, *identities], owned.listed_at, owned.problem)
    return replace(catalog, owners=owners)


def on_the_wire(raw: bytes) -> bytes:
    """A text of this machine has LF where SMTP has CRLF; one with both is left as it is, to be judged so."""
    return raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")


def _repaired(raw: bytes, recipients: int, premises: Premises) -> Repaired | Ending:
    """Take the message in and make the delegate's repairs, as a running relay does."""
    limits, repairs = premises.limits, premises.delegate.repair
    taken = rehearse(raw, recipients, limits, mends_line_feeds="bare-lf" in repairs)
    if isinstance(taken, Ending):
        return taken
    date, message_id = date_time(datetime.now(UTC)), f"<explain@{premises.hostname}>"
    return repair(taken, Plan(repairs, limits.message_bytes, date, message_id))


def _facts(repaired: Repaired, premises: Premises) -> MessageFacts | MessageProblem:
    facts = read_facts(repaired.raw, Profile(own_name=premises.hostname))
    return explained(facts, repaired) if isinstance(facts, MessageProblem) else facts


def _named_in(raw: bytes) -> tuple[str, ...]:
    """The addresses of To and Cc, as written."""
    head = BytesHeaderParser().parsebytes(raw[:LONGEST_HEAD].partition(b"\r\n\r\n")[0])
    found = email.utils.getaddresses([str(value) for name in ("To", "Cc") for value in head.get_all(name, [])])
    return tuple(address for _, address in found if address)


def _forward_paths(named: tuple[str, ...]) -> tuple[Address, ...]:
    if not named:
        raise QuestionProblem("recipients", "the message names no recipients in To or Cc")
    return tuple(dict.fromkeys(_address(text, "recipients") for text in named))


def _reverse_path(text: str) -> ReversePath:
    return NullPath.NULL if text in ("", "<>") else _address(text, "mail_from", maybe_on_a_host=True)


def _address(text: str, where: str, *, maybe_on_a_host: bool = False) -> Address:
    try:
        return parse_address(text.strip("<>"), maybe_on_a_host=maybe_on_a_host).with_domain_lowered()
    except AddressProblem as problem:
        raise QuestionProblem(where, f"{text[:320]}: {problem}") from problem
