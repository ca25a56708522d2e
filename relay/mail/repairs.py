"""
Repairs of what old software gets wrong, made before anything is judged: octets into octets.

A repaired message is read by the strict reader with nothing relaxed; what a repair does not cover stays as it came and
is refused. Each repair is defined in docs/how-to/old-software.md.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field, replace
from typing import Final, TypeAlias

from relay.mail.facts import MessageProblem
from relay.mail.octets import check_octets
from relay.mail.problems import Broken, offer_of
from relay.mail.repairs_fields import fields_added, names_encoded, section_of
from relay.mail.repairs_lines import line_feeds_paired, lines_shortened
from relay.mail.repairs_withheld import Withheld
from relay.words.delegates import Repair
from relay.words.values import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What may be repaired, and with what.

    ``most``: octets that no repaired message exceeds. ``date`` and ``message_id``: the values of the fields that
    ``missing-headers`` adds, 7-bit.
    """

    wanted: Collection[Repair]
    most: int
    date: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """
    A message after its repairs.

    ``made``: those that changed it, in their order. ``withheld``: those that are wanted and were not made, each with
    the reason; a message that needs one is refused.
    """

    raw: bytes
    made: tuple[Repair, ...] = ()
    withheld: Mapping[Repair, str] = field(default_factory=dict)


Step: TypeAlias = Callable[[bytes, Plan], bytes]

#: In this order, behind bare-lf: each works on what those before it left.
_OF_FIELDS_AND_TEXT: Final[Mapping[Repair, Step]] = {
    "8bit-names": lambda raw, _: names_encoded(raw),
    "missing-headers": lambda raw, plan: fields_added(raw, plan.date, plan.message_id),
    "long-lines": lambda raw, _: lines_shortened(raw),
}


def repair(raw: bytes, plan: Plan) -> Repaired:
    """
    Make the repairs of *plan* that *raw*, a message as after DATA, needs. Never raises, whatever the octets.

    A message of lines that do not end in CRLF after the first repair is left alone: what its header section is has no
    one answer.
    """
    bench = _Bench(raw, plan)
    bench.try_step("bare-lf", lambda raw, _: line_feeds_paired(raw))
    if _ends_its_lines(bench.raw):
        for kind, step in _OF_FIELDS_AND_TEXT.items():
            bench.try_step(kind, step)
    return Repaired(bench.raw, tuple(bench.made), bench.withheld)


class _Bench:
    """A message under repair."""

    def __init__(self, raw: bytes, plan: Plan) -> None:
        self.raw = raw
        self.made: list[Repair] = []
        self.withheld: dict[Repair, str] = {}
        self._plan = plan

    def try_step(self, kind: Repair, step: Step) -> None:
        """Make one repair, if it is wanted and needed, or note why it is withheld."""
        if kind not in self._plan.wanted:
            return
        try:
            mended = step(self.raw, self._plan)
        except Withheld as withholding:
            self.withheld[kind] = withholding.why
            return
        if mended is self.raw or mended == self.raw:
            return
        if len(mended) > self._plan.most:
            self.withheld[kind] = f"the message would be larger than {self._plan.most} octets"
            return
        if kind in _OF_FIELDS_AND_TEXT and section_of(mended) is None:  # they read one before
            self.withheld[kind] = "the header section would be too large"
            return
        self.made.append(kind)
        self.raw = mended


def explained(problem: MessageProblem, repaired: Repaired) -> MessageProblem:
    """Say in the refusal why the repair that it names was not made, where it is on."""
    kind = problem.repair
    if kind is None or kind not in repaired.withheld:
        return problem
    why = f"; the repair {kind} is on and was not made: {repaired.withheld[kind]}"
    reply = replace(problem.reply, text=problem.reply.text.replace(offer_of(kind), why))
    return replace(problem, reply=reply, repair=None)


def _ends_its_lines(raw: bytes) -> bool:
    try:
        check_octets(raw)
    except Broken:
        return False
    return True
