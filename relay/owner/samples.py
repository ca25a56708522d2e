"""
What to ask policies about: addresses, names and times that their own conditions tell apart, each with what it stands
for. Pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from relay.policy.conditions import Comparison, Presence
from relay.policy.dates import read_date
from relay.policy.request import Context
from relay.policy.statements import Statement
from relay.policy.variables import VariableProblem, expand, read_template
from relay.policy.wildcards import ANY_ONE, ANY_RUN
from relay.words.addresses import Address, AddressProblem, parse_address
from relay.words.arns import IdentityArn
from relay.words.values import dataclass

#: What stands in the place of ``*`` (:data:`_ONE` of ``?``); nobody's policy means these words.
_RUNS: Final = ("anyone-0", "")
_ONE: Final = "0"
#: Where nobody's mail goes (RFC 2606).
ELSEWHERE: Final = "elsewhere.invalid"
SOMEBODY: Final = f"somebody@{ELSEWHERE}"
#: Later moments, which Python's dates do not hold, are not asked about.
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Author:
    """
    An address to send as. ``pattern``: what it is a sample of, in words: a policy's value, wildcards and all.
    ``glob``: the same in the alphabet of :mod:`relay.policy.wildcards`.
    """

    address: Address
    pattern: str
    glob: str


@dataclass(frozen=True, slots=True)
class Company:
    """
    What else a message says. A None is what is usual: bounces to the author, one recipient who is nobody's, no display
    name, the present. Each value comes as (what it stands for, the value).
    """

    feedback: tuple[str, str] | None = None
    recipients: tuple[str, tuple[str, ...]] | None = None
    name: tuple[str, str] | None = None
    time: tuple[str, float] | None = None

    def __str__(self) -> str:
        parts = [
            f"bounces to {self.feedback[0]}" if self.feedback else "",
            f"to {self.recipients[0]}" if self.recipients else "",
            f"named {self.name[0]}" if self.name else "",
            f"after {self.time[0]}" if self.time else "",
        ]
        return ", ".join(filter(None, parts)) or "mail as usual"

    @property
    def parts(self) -> int:
        """How many things are said that are not usual."""
        return sum(part is not None for part in self.said)

    def is_within(self, general: "Company") -> bool:
        """Whether this is *general* with perhaps more said."""
        return all(wanted is None or had == wanted for had, wanted in zip(self.said, general.said, strict=True))

    @property
    def said(self) -> tuple[object, ...]:
        """Everything, in one order."""
        return self.feedback, self.recipients, self.name, self.time


USUAL: Final = Company()


def authors_of(arn: IdentityArn, statements: Iterable[Statement], context: Context) -> list[Author]:
    """
    Return whom to ask about sending as: what the statements name, and what *arn* itself is for: the address, or
    somebody of the domain, and somebody of a neighbour.

    *context* gives variables their values.
    """
    own = arn.name if arn.is_address else f"{ANY_RUN}@{arn.name}"
    globs = [own, *_globs("ses:fromaddress", statements, context), f"{ANY_RUN}@{ELSEWHERE}"]
    found = [author for glob in dict.fromkeys(globs) for author in _authors(glob, arn)]
    return list({author.address: author for author in reversed(found)}.values())[::-1]


def companies_of(arn: IdentityArn, statements: Iterable[Statement], context: Context, now: float) -> list[Company]:
    """
    Return what else to say in a message: the usual, what each statement asks for, and each of them with one thing
    changed into another that the statements name, or into what none does.

    *now*: seconds since the epoch; only later times are asked about.
    """
    listed = list(statements)
    feedback = _feedback(arn, listed, context)
    recipients = _recipients(listed, context)
    names = [(_shown(glob), _filled(glob)) for glob in _globs("ses:fromdisplayname", listed, context)]
    names.append(("another", "Some Body"))
    times = _times(listed, now)
    bases = list(dict.fromkeys([USUAL, *(_asked_for(statement, arn, context) for statement in listed)]))
    varied = [
        *bases,
        *(replace(base, feedback=one) for base in bases for one in feedback),
        *(replace(base, recipients=some) for base in bases for some in recipients),
        *(replace(base, name=one) for base in bases for one in names),
        *(replace(base, time=one) for base in bases for one in times),
    ]
    return list(dict.fromkeys(varied))


def _asked_for(statement: Statement, arn: IdentityArn, context: Context) -> Company:
    """The first of everything that the conditions of *statement* name, so that it may apply."""
    names = [(_shown(glob), _filled(glob)) for glob in _globs("ses:fromdisplayname", [statement], context, wanted=True)]
    if any(
        isinstance(c, Presence) and c.key == "ses:fromdisplayname" and c.wants_present for c in statement.conditions
    ):
        names.append(("something", "Some Body"))
    feedback = _addresses("ses:feedbackaddress", [statement], context, arn, wanted=True)
    recipients = _addresses("ses:recipients", [statement], context, None, wanted=True)
    return Company(
        feedback[0] if feedback else None,
        (recipients[0][0], (recipients[0][1],)) if recipients else None,
        names[0] if names else None,
    )


def _feedback(arn: IdentityArn, statements: list[Statement], context: Context) -> list[tuple[str, str]]:
    known = _addresses("ses:feedbackaddress", statements, context, arn)
    own = [] if arn.is_address else [(f"another of {arn.name}", f"another@{arn.name}")]
    return [*known, *own, ("elsewhere", f"bounces@{ELSEWHERE}")]


def _recipients(statements: list[Statement], context: Context) -> list[tuple[str, tuple[str, ...]]]:
    """Each that is named, alone and beside somebody else: operators differ in whom of several they ask about."""
    known = _addresses("ses:recipients", statements, context, None)
    mixed = [(f"{shown} and others", (address, SOMEBODY)) for shown, address in known]
    return [*((shown, (address,)) for shown, address in known), *mixed]


def _times(statements: list[Statement], now: float) -> list[tuple[str, float]]:
    """A moment after every date that is still to come."""
    found: dict[str, float] = {}
    for condition in _comparisons(statements):
        if condition.key not in {"aws:currenttime", "aws:epochtime"}:
            continue
        for value in condition.values:
            date = read_date(value)
            moment = None if date is None else float(date[0])
            if moment is not None and now < moment < _LATEST:
                found[value] = moment + 1
    return list(found.items())


def _addresses(
    key: str, statements: Iterable[Statement], context: Context, arn: IdentityArn | None, *, wanted: bool = False
) -> list[tuple[str, str]]:
    globs = _globs(key, statements, context, wanted=wanted)
    return [(_shown(glob), str(address)) for glob in globs for address in _samples(glob, arn)[:1]]


def _globs(key: str, statements: Iterable[Statement], context: Context, *, wanted: bool = False) -> Iterator[str]:
    """The values that *statements* compare *key* with; *wanted*: only those that it should have."""
    for condition in _comparisons(statements):
        if condition.key == key and not (wanted and condition.negated):
            for value in condition.values:
                yield from _readings(value, condition, context)


def _comparisons(statements: Iterable[Statement]) -> Iterator[Comparison]:
    for statement in statements:
        for condition in statement.conditions:
            if isinstance(condition, Comparison):
                yield condition


def _readings(value: str, condition: Comparison, context: Context) -> Iterator[str]:
    """A value with variables and without: which of them the policy's Version means is not known here."""
    spelled = condition.spelled_operator.lower()
    wildcards = "like" in spelled
    for live in (True, False) if "${" in value else (False,):
        try:
            expanded = expand(read_template(value, live=live, wildcards=wildcards), context)
        except VariableProblem:
            continue
        if expanded is not None:
            yield expanded[0]


def _authors(glob: str, arn: IdentityArn) -> list[Author]:
    shown = "another domain" if glob.endswith(f"@{ELSEWHERE}") else _shown(glob)
    return [Author(address, shown, glob) for address in _samples(glob, arn)]


def _samples(glob: str, arn: IdentityArn | None) -> list[Address]:
    """Addresses that match *glob*: with something in the place of its wildcards, and with nothing."""
    found = []
    for text in dict.fromkeys((*(_filled(glob, run) for run in _RUNS), *_whole(glob, arn))):
        try:
            found.append(parse_address(text))
        except AddressProblem:
            continue
    return found


def _whole(glob: str, arn: IdentityArn | None) -> Iterator[str]:
    """Addresses of the identity where a wildcard stands for the ``@`` and what is around it."""
    if "@" in glob or not ({ANY_RUN, ANY_ONE} & set(glob)):
        return
    domain = ELSEWHERE if arn is None else arn.name.rpartition("@")[2]
    head = glob.partition(ANY_RUN)[0].replace(ANY_ONE, _ONE)
    tail = glob.rpartition(ANY_RUN)[2].replace(ANY_ONE, _ONE)
    yield f"{head or _RUNS[0]}@{domain}"
    if tail:
        yield f"{_RUNS[0]}@{_ONE}{tail}"
        yield f"{_RUNS[0]}@{tail.lstrip('.')}"


def _filled(glob: str, run: str = _RUNS[0]) -> str:
    return glob.replace(ANY_RUN, run).replace(ANY_ONE, _ONE)


def _shown(glob: str) -> str:
    return glob.replace(ANY_RUN, "*").replace(ANY_ONE, "?")
