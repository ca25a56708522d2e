"""The settings as a page of the documentation, written from the declarations."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from relay.settings.example import toml
from relay.settings.keys import Form, field_at, fields_of, form_of, table_of, tables
from relay.settings.model import Settings
from relay.settings.units import write_duration, write_size

_HEAD: Final = """\
# Settings

<!-- Written from relay/settings by `make docs`; a test holds it equal. -->

Settings are read from a TOML file (`ses-relay serve -c relay.toml`) and from the environment, which goes over the file.
`ses-relay check -c relay.toml` tells every mistake at once, with its key and its line;
`ses-relay check --print-example` writes a file with all keys.

- **Durations** are written `250ms`, `30s`, `15m`, `4h`, `2d`; **sizes** `512B`, `64KiB`, `10MiB`, `1GiB`, or a whole
  number of octets; **rates** `20/s`, `600/m`, `1000/h`, `50000/d`.
- **The environment**: `SES_RELAY__SECTION__KEY`, and `SES_RELAY__SECTION__KEY_FILE` to read the value from a file.
  Lists are separated by commas or written as JSON, tables as `name=value,name=value` or JSON. An empty variable counts
  as not set. A `[[table]]` that has one element, or none yet, is addressed without index: `SES_RELAY__DELEGATE__NAME`,
  `SES_RELAY__LISTENER__ADDRESS`. So one delegate needs no file at all.
- **Paths**: a relative path in a file starts at the folder of that file, in the environment at the working directory.
- **Secrets** (hashes, tokens, the contents of files, URLs with passwords) are never printed. A secret file that every
  user of the machine can read is a warning.
- **Reload**: `SIGHUP` takes over `[[delegate]]`, `[delegates]`, `[policies]`, `[authorization]`, `[limits]`, `[dns]`,
  `[feedback]`, `[tls]` and the tokens of `[admin]`. The rest is read at the start only: what of it differs is named in
  the log's `relay.reloaded`, as `needs_restart`. A file that has a problem keeps the old settings.
"""


def reference_markdown() -> str:
    """Write the page: one section a table, one row a key."""
    return _HEAD + "".join(_table(path, model) for path, model in tables(Settings) if path)


def _table(path: tuple[str, ...], model: type[BaseModel]) -> str:
    name = ".".join(path)
    field = field_at(Settings, path)
    below = table_of(field) if field else None
    header = f"[[{name}]]" if below and below[1] else f"[{name}]"
    about = " ".join((model.__doc__ or "").split())
    rows = [_row(key, declared) for key, declared in fields_of(model).items() if table_of(declared) is None]
    lines = ["", f"## `{header}`", "", about, "", "| key | value | default | what for |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _row(key: str, field: FieldInfo) -> str:
    form = form_of(field)
    value = f"{form.text}{_bounds(field, form)}"
    reason = field.description or ""
    return f"| `{key}` | {_cell(value)} | {_default(field)} | {_cell(reason)} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "unset" if field.default is None else f"`{toml(field.default)}`"


def _bounds(field: FieldInfo, form: Form) -> str:
    low = next((item.ge for item in field.metadata if hasattr(item, "ge")), None)
    high = next((item.le for item in field.metadata if hasattr(item, "le")), None)
    if low is not None and high is not None:
        return f", {_written(low, form)} to {_written(high, form)}"
    return f", at least {_written(low, form)}" if low is not None else ""


def _written(bound: Any, form: Form) -> str:
    if form.kind == "duration":
        return write_duration(bound)
    return write_size(bound) if form.kind == "size" else str(bound)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Print the page."""
    print(reference_markdown(), end="")  # noqa: T201 - the page goes to standard output


if __name__ == "__main__":
    main()
