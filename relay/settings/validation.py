"""Values against the declarations: every mistake with a sentence, and settings as good as can be made of the rest."""

from collections.abc import Iterator
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from relay.settings.keys import Form, KeyPath, field_at, fields_of, form_of, table_of
from relay.settings.model import Settings
from relay.settings.problems import ABSENT, Finding, value_at
from relay.settings.units import shown, write_duration, write_size

#: A pass may bring up what another mistake hid; a table in place of a table of tables takes three.
_PASSES: Final = 6

_WANTED: Final = {
    "string_type": "is no text: write it in quotes",
    "int_type": "is no whole number: write one, without quotes",
    "bool_type": "is neither true nor false: write one of them, without quotes",
    "tuple_type": 'is no list: write ["..."]',
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "below"),
    "less_than_equal": ("le", "above"),
}


def validate(values: dict[str, Any]) -> tuple[Settings | None, list[Finding]]:
    """
    Read *values* as settings.

    Returns the settings and what is wrong. With mistakes the settings are what is left of them, wrong values at their
    defaults, good enough to look for contradictions in; None when nothing sensible is left.
    """
    rest = deepcopy(values)
    findings: list[Finding] = []
    for _ in range(_PASSES):
        try:
            return Settings.model_validate(rest), findings
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=True)
        for detail in details:
            findings += _finding(detail, values)
        for detail in details:
            _mend(rest, detail["loc"])
    return None, findings


def resolve_paths(values: Any, table: type[BaseModel], folder: Path) -> None:
    """Make the paths in *values* absolute, in place: a relative one starts at the folder of the file that says it."""
    if not isinstance(values, dict):
        return
    for name, field in fields_of(table).items():
        below = table_of(field)
        if below:
            inner = values.get(name)
            for one in inner if isinstance(inner, list) else [inner]:
                resolve_paths(one, below[0], folder)
        elif form_of(field).kind == "path" and isinstance(values.get(name), str) and values[name]:
            values[name] = str(folder / values[name])


def _finding(detail: ErrorDetails, values: dict[str, Any]) -> Iterator[Finding]:
    path = detail["loc"]
    is_there = value_at(values, path) is not ABSENT
    is_missing = detail["type"] == "missing"
    if is_there == is_missing or (is_missing and not isinstance(value_at(values, path[:-1]), dict)):
        return  # the trace of a mend of ours, not a mistake of theirs
    yield Finding(path, _why(value_at(values, path), detail, path))


def _why(said: object, detail: ErrorDetails, path: KeyPath) -> str:
    field = field_at(Settings, path)
    match detail["type"]:
        case "missing":
            why = "missing"
        case "extra_forbidden":
            why = _unknown(path)
        case "value_error":
            why = str(detail["ctx"]["error"])
        case _ if field is not None and table_of(field):
            why = _no_table(field, path)
        case "literal_error" if field is not None:
            why = _none_of(detail, field)
        case _:
            why = _no_value(said, detail, form_of(field) if field else Form("understood here", "secret"))
    return why


def _no_table(field: FieldInfo, path: KeyPath) -> str:
    name = ".".join(part for part in path if isinstance(part, str))
    below = table_of(field)
    if below and below[1]:
        return f"no array of tables: write [[{name}]], in two brackets, and its keys below"
    return f"no table: write [{name}] and its keys below"


def _no_value(said: object, detail: ErrorDetails, form: Form) -> str:
    kind = detail["type"]
    quoted = "this" if form.kind == "secret" else shown(said)
    if kind in _BOUNDS:
        name, word = _BOUNDS[kind]
        return f"{quoted} is {word} {_written(detail['ctx'][name], form)}"
    return f"{quoted} {_WANTED.get(kind, f'is not {form.text}')}"


def _written(bound: float, form: Form) -> str:
    if form.kind == "duration":
        return write_duration(bound)
    if form.kind == "size":
        return write_size(int(bound))
    return str(int(bound)) if bound == int(bound) else str(bound)


def _none_of(detail: ErrorDetails, field: FieldInfo) -> str:
    choices = list(_choices(field.annotation))
    said = detail["input"]
    close = get_close_matches(said, choices, n=1) if isinstance(said, str) else []
    better = f"; did you mean {close[0]}?" if close else ""
    return f"{shown(said)} is none of {', '.join(choices)}{better}"


def _choices(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
        return
    for argument in get_args(annotation):
        yield from _choices(argument)


def _unknown(path: KeyPath) -> str:
    name = str(path[-1])
    field = field_at(Settings, path[:-1]) if len(path) > 1 else None
    below = table_of(field) if field else None
    here = list(fields_of(below[0] if below else Settings))
    close = get_close_matches(name, here, n=3, cutoff=0.6)
    if close:
        return f"unknown; did you mean {' or '.join(close)}?"
    near = [known for known in here if known.startswith(f"{name}_")]
    if near:
        return f"unknown; did you mean {' or '.join(near)}?"
    homes = [table for table, model in _tables() if name in fields_of(model)]
    if homes:
        return f"unknown here; it belongs to {' or '.join(homes)}"
    return f"unknown; {'the keys here are' if len(path) > 1 else 'the tables are'} {', '.join(here)}"


def _tables() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in fields_of(Settings).items():
        below = table_of(field)
        if below:
            yield (f"[[{name}]]" if below[1] else f"[{name}]"), below[0]


def _mend(values: dict[str, Any], path: KeyPath) -> None:
    """Take a wrong value out, or put an example where one is missing; no index of a table changes."""
    field = field_at(Settings, path)
    holder, name = value_at(values, path[:-1]), path[-1]
    if isinstance(holder, list) and isinstance(name, int):
        if field is not None and table_of(field):
            holder[name] = {}
        else:
            _mend(values, path[:-1])
    elif isinstance(holder, dict) and name in holder:
        del holder[name]
    elif isinstance(holder, dict) and field is not None and field.examples:
        holder[str(name)] = field.examples[0]
