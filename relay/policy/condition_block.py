"""Reading Condition (IAM User Guide, "Condition"): ``{operator: {key: value or values}}``."""

from collections.abc import Iterator, Mapping
from typing import Any

from relay.policy.conditions import Comparison, Condition, Presence
from relay.policy.notes import Notes
from relay.policy.operators import Operator, compile_values, read_operator
from relay.policy.strict_json import scalar, step, texts
from relay.policy.variables import VariableProblem, keys_of, read_template


def read_conditions(value: object, path: str, *, live: bool, allows: bool, notes: Notes) -> tuple[Condition, ...]:
    """
    The entries of a Condition; those that cannot be read are missing and among the problems.

    *live*: the policy's Version gives it variables; *allows*: the statement is an Allow. A value that its operator
    cannot read makes an Allow allow nothing, and a Deny unreadable.
    """
    if not isinstance(value, Mapping):
        notes.problem(path, "Condition is an object of operators")
        return ()
    reader = _Reader(notes, live=live, allows=allows)
    return tuple(
        condition
        for spelled, block in value.items()
        for condition in reader.read_block(str(spelled), block, step(path, str(spelled)))
    )


class _Reader:
    def __init__(self, notes: Notes, *, live: bool, allows: bool) -> None:
        self._notes = notes
        self._live = live
        self._allows = allows

    def read_block(self, spelled: str, block: object, path: str) -> Iterator[Condition]:
        operator = read_operator(spelled)
        if operator is None:
            self._notes.problem(path, f"there is no operator {spelled!r}")
            return
        if not isinstance(block, Mapping) or not block:
            self._notes.problem(path, "an operator holds an object of at least one condition key")
            return
        seen: set[str] = set()
        for key, value in block.items():
            where = step(path, str(key))
            if not isinstance(key, str) or not key or key.lower() in seen:
                self._notes.problem(where, "a key stands once, whatever its case, and is not empty")
                continue
            seen.add(key.lower())
            condition = self._read_entry(spelled, operator, key, value, where)
            if condition is not None:
                yield condition

    def _read_entry(self, spelled: str, operator: Operator, key: str, value: object, path: str) -> Condition | None:
        found: list[tuple[str, Any]] | None = texts(value, path)
        if found is None:
            self._notes.problem(path, "a condition key holds a string, number or boolean, or a list of at least one")
            return None
        values = [(where, scalar(one)) for where, one in found]
        known = tuple(text for _, text in values if text is not None)
        for where, text in values:
            if text is None:
                self._notes.problem(where, "a string, number or boolean is wanted")
        if len(known) < len(values):
            return None
        places = [where for where, _ in values]
        if operator.family is None:
            return self._presence(spelled, operator, key, known, places)
        return self._comparison(spelled, operator, key, known, places)

    def _presence(
        self, spelled: str, operator: Operator, key: str, values: tuple[str, ...], places: list[str]
    ) -> Presence:
        for place, text in enumerate(values):
            if text not in ("true", "false"):
                self._cannot_read(places[place], f"{text!r} is neither true nor false")
        return Presence(
            spelled,
            key,
            values,
            key.lower(),
            wants_absent="true" in values,
            wants_present="false" in values,
            quantifier=operator.quantifier,
            doubtful=not {"true", "false"}.issuperset(values),
        )

    def _comparison(
        self, spelled: str, operator: Operator, key: str, values: tuple[str, ...], places: list[str]
    ) -> Comparison | None:
        def doubt(place: int, why: str) -> None:
            if operator.family == "arn":
                self._notes.doubt(places[place], why)
            else:
                self._cannot_read(places[place], why)

        takes_variables = self._live and operator.family in ("string", "string-ignoring-case", "like", "arn")
        try:
            matcher = compile_values(operator, values, live=takes_variables, doubt=doubt)
            asked = [keys_of(read_template(value, live=takes_variables, wildcards=False)) for value in values]
        except VariableProblem as error:
            self._notes.problem(places[0], str(error))
            return None
        return Comparison(
            spelled,
            key,
            values,
            key.lower(),
            matcher,
            operator.negated,
            operator.quantifier,
            operator.if_exists,
            frozenset().union(*asked),
        )

    def _cannot_read(self, path: str, why: str) -> None:
        """A Deny that cannot be evaluated is never skipped; an Allow that cannot, never counts."""
        if self._allows:
            self._notes.doubt(path, why)
        else:
            self._notes.problem(path, why)
