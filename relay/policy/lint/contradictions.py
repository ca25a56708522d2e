"""Statements whose conditions can never hold together (all entries of a Condition must hold)."""

from collections.abc import Iterator, Sequence
from typing import Final

from relay.policy.lint.coverage import are_apart, atoms_of, covers, is_everything
from relay.policy.lint.findings import Remark
from relay.policy.lint.keys import find_key
from relay.policy.lint.values import MOST_VALUES
from relay.policy.lint.views import Entry, PolicyView, StatementView
from relay.policy.lint.wording import listed

#: Each is compared with each other one.
_MOST_ENTRIES: Final = 40


def check_contradictions(view: PolicyView) -> Iterator[Remark]:
    """What the conditions of each statement say of one key, taken together."""
    for statement in view.statements:
        for key in dict.fromkeys(entry.key for entry in statement.entries):
            clash = _clash(statement, key)
            if clash is not None:
                message, last = clash
                yield Remark("never-holds", last.path, message, on_key=True)


def _clash(statement: StatementView, key: str) -> tuple[str, Entry] | None:
    """Why the entries of *key* cannot all hold, and the last of those that clash."""
    entries = [entry for entry in statement.of_key(key) if len(entry.values) <= MOST_VALUES][:_MOST_ENTRIES]
    known = find_key(key)
    name = known.name if known is not None else entries[0].spelled_key if entries else key
    absent = [entry for entry in entries if entry.wants("true")]
    present = [entry for entry in entries if entry.wants("false")]
    comparisons = [entry for entry in entries if entry.operator is not None and not entry.is_null]
    if absent and present:
        return f"One condition wants {name} to be there, another to be absent.", entries[-1]
    if absent and statement.effect == "Allow" and known is not None and known.is_always_there:
        return f"{name} is always there when mail is sent.", absent[0]
    needing = [entry for entry in comparisons if not entry.holds_when_absent]
    if absent:
        return (f"{name} cannot be absent and compared.", needing[0]) if needing else None
    if not (needing or present or (known is not None and known.is_always_there)):
        return None  # absent, it fulfils them all
    return _unsatisfiable(comparisons, name, many=known is not None and known.many)


def _unsatisfiable(comparisons: Sequence[Entry], name: str, *, many: bool) -> tuple[str, Entry] | None:
    """
    No one value of the key fulfils all that are about one and the same value.

    Those with ForAllValues are about every value; those with ForAnyValue each about some value of its own. What an
    operator without either means for a key of many is not known.
    """
    shared = [
        entry for entry in comparisons if _quantifier(entry) == "all" or (_quantifier(entry) is None and not many)
    ]
    some = [entry for entry in comparisons if _quantifier(entry) == "any"]
    for group in (shared, *([*shared, entry] for entry in some)):
        clash = _clashing(group)
        if clash:
            operators = listed(dict.fromkeys(entry.spelled_operator for entry in clash))
            return f"No value of {name} fulfils {operators}{' at once' * (len(clash) > 1)}.", clash[-1]
    return None


def _quantifier(entry: Entry) -> str | None:
    return None if entry.operator is None else entry.operator.quantifier


def _clashing(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that leave each other no value; empty when none is known for certain."""
    read = [(entry, atoms_of(entry), entry.operator is not None and entry.operator.negated) for entry in entries]
    known = [(entry, atoms, negated) for entry, atoms, negated in read if atoms]
    positive = [(entry, atoms) for entry, atoms, negated in known if not negated]
    negative = [(entry, atoms) for entry, atoms, negated in known if negated]
    for number, (entry, atoms) in enumerate(positive):
        left = list(atoms)
        clash = [entry]
        for other, others in positive[:number] + positive[number + 1 :]:
            before = len(left)
            left = [atom for atom in left if not all(are_apart(atom, one) for one in others)]
            clash += [other] if len(left) < before else []
        for other, others in negative:
            before = len(left)
            left = [atom for atom in left if not any(covers(one, atom) for one in others)]
            clash += [other] if len(left) < before else []
        if not left:
            return sorted(clash, key=list(entries).index)
    everything = [entry for entry, atoms in negative if any(is_everything(atom) for atom in atoms)]
    return everything[:1]
