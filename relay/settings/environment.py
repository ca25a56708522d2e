"""
The environment over the file: ``SES_RELAY__SECTION__KEY``, and ``..._FILE`` for a value that lies in a file.

An array of tables with one element is addressed without its index, so that ``SES_RELAY__DELEGATE__NAME`` and its
neighbours configure a sidecar without any file. Lists are JSON or separated by commas, tables JSON or ``name=value``
separated by commas. An empty variable counts as not set.
"""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from relay.settings.keys import KeyPath, dotted, fields_of, form_of, table_of
from relay.settings.model import Settings
from relay.settings.problems import Finding, Origin, Written

PREFIX: Final = "SES_RELAY__"
_LONGEST_FILE: Final = 1 << 20


def overlay(written: Written, environ: Mapping[str, str]) -> None:
    """Put what the environment says over what the file said; what cannot be understood becomes a finding."""
    taken: dict[KeyPath, str] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or not environ[variable]:
            continue
        _put(written, variable, environ[variable], taken)


def _put(written: Written, variable: str, text: str, taken: dict[KeyPath, str]) -> None:
    found = _declared(variable, "") or _declared(variable, "_FILE")
    if found is None:
        _complain(written, (variable,), variable, f"unknown{_suggestion(variable)}")
        return
    names, field, is_file = found
    path = _index(written, names, variable)
    if path is None:
        return
    if path in taken:
        _complain(written, path, variable, f"{taken[path]} says the same key: keep one of them")
        return
    taken[path] = variable
    try:
        value = _value(field, _content(text) if is_file else text)
    except ValueError as error:
        _complain(written, path, variable, str(error))
        return
    _set(written, path, value, variable)


def _complain(written: Written, path: KeyPath, variable: str, why: str) -> None:
    source = None if path == (variable,) else variable
    written.origins[path] = Origin(source=source)
    written.findings.append(Finding(path, why))


def _declared(variable: str, suffix: str) -> tuple[tuple[str, ...], FieldInfo, bool] | None:
    """Find the key that a variable names, its own name first and ``_FILE`` only when there is no such key."""
    if not variable.endswith(suffix):
        return None
    names = tuple(variable.removeprefix(PREFIX).removesuffix(suffix).lower().split("__"))
    table: type[BaseModel] = Settings
    for name in names[:-1]:
        field = fields_of(table).get(name)
        below = table_of(field) if field else None
        if below is None:
            return None
        table = below[0]
    last = fields_of(table).get(names[-1])
    return (names, last, bool(suffix)) if last is not None and table_of(last) is None else None


def _index(written: Written, names: tuple[str, ...], variable: str) -> KeyPath | None:
    """Turn names into a path through the written values; an array of tables must have at most one element."""
    path: KeyPath = ()
    table: type[BaseModel] = Settings
    now: Any = written.values
    for name in names[:-1]:
        path = (*path, name)
        below = table_of(fields_of(table)[name])
        if below is None:
            return None
        table, is_array = below
        now = now.setdefault(name, [{}] if is_array else {})
        if is_array and isinstance(now, list):
            if len(now) > 1:
                _complain(
                    written, (variable,), variable, f"the file has {len(now)} [[{dotted(path)}]]: correct it there"
                )
                return None
            if not now:
                now.append({})
            path, now = (*path, 0), now[0]
        if not isinstance(now, dict):  # the file's own mistake is reported by itself
            return None
    return (*path, names[-1])


def _content(path: str) -> str:
    try:
        raw = Path(path).read_bytes()[:_LONGEST_FILE]
        return raw.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise ValueError(f"the file it names cannot be read: {error.strerror}") from None
    except ValueError:
        raise ValueError("the file it names is no UTF-8 text") from None


def _value(field: FieldInfo, text: str) -> Any:
    """Read a text as the TOML value that the key wants; a text that is none is left for the key itself to refuse."""
    form = form_of(field)
    if get_origin(field.annotation) is tuple:
        return _list(text)
    if form.text.startswith("a table"):
        return _table(text)
    if form.text.endswith("or a list") and text.lstrip().startswith("["):
        return _json(text)
    if form.kind == "path":
        return str(Path(text).absolute())
    if form.text == "true or false":
        return {"true": True, "false": False}.get(text.lower(), text)
    is_number = form.text == "a whole number" or form.kind == "size" or "a number" in form.text
    return _number(text) if is_number else text


def _number(text: str) -> int | float | str:
    if len(text) > 20:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _list(text: str) -> Any:
    if text.lstrip().startswith("["):
        return _json(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def _table(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return _json(text)
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError("no table: write name=value, with commas between, or JSON")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("no JSON, though it begins like it") from None


def _set(written: Written, path: KeyPath, value: Any, variable: str) -> None:
    now: Any = written.values
    for part in path[:-1]:
        now = now[part]
    now[path[-1]] = value
    for stale in [known for known in written.origins if known[: len(path)] == path]:
        del written.origins[stale]
    written.origins[path] = Origin(source=variable)


def _suggestion(variable: str) -> str:
    if any(name.startswith(f"{variable}__") for name in _variables(Settings, PREFIX)):
        return f": it names a table; write {variable}__KEY"
    close = get_close_matches(variable, _variables(Settings, PREFIX), n=1, cutoff=0.7)
    return f"; did you mean {close[0]}?" if close else ""


def _variables(table: type[BaseModel], prefix: str) -> list[str]:
    names = []
    for name, field in fields_of(table).items():
        below = table_of(field)
        if below:
            names += _variables(below[0], f"{prefix}{name.upper()}__")
        else:
            names.append(prefix + name.upper())
    return names
