"""How a key of the settings is declared: type, unit, default and reason in one place."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core.core_schema import (
    CoreSchema,
    no_info_before_validator_function,
    no_info_plain_validator_function,
)

from relay.words.values import dataclass

#: pydantic hands all that it validates, secrets too, to plugins of whatever packages are installed, and looks for them
#: at each start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

#: Where a value stands: ("delegate", 0, "allowed_networks", 1).
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """
    How values of a type are written, for people, and how they are read.

    ``kind``: ``duration`` and ``size`` are written back in their units, a ``path`` starts at the folder of the file
    that names it, a ``secret`` is never shown. ``read`` takes what was written and returns the value, or raises a
    ValueError that says why not; without it pydantic reads the type itself.
    """

    text: str
    kind: Literal["plain", "duration", "size", "path", "secret"] = "plain"
    read: Callable[[Any], Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic at once: its own words for it look into each function and each type, at each start."""
        if self.read is None:
            return handler(source)
        if source in (int, float):  # within the bounds of the key
            return no_info_before_validator_function(self.read, handler(source))
        return no_info_plain_validator_function(self.read)


class Section(BaseModel):
    """A table of the settings. Frozen; a key that is not declared is a problem."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        defer_build=True,  # one validator is for all tables, and not one more for each of them
    )


def option(
    reason: str, *, default: Any, ge: float | None = None, le: float | None = None, alias: str | None = None
) -> Any:
    """
    Declare a key.

    Args:
        reason: What it is for and why the default is what it is; one or two sentences.
        default: As it is written in TOML, with its unit; None when the key may stay unset.
        ge, le: Bounds of the value, in seconds or octets where it has a unit.
        alias: The key's spelling in TOML where Python does not allow it.
    """
    return Field(default, description=reason, ge=ge, le=le, alias=alias)


def required(reason: str, example: Any) -> Any:
    """Declare a key without which its table means nothing. *example* is written in the example file."""
    return Field(description=reason, examples=[example])


def toml_name(name: str, field: FieldInfo) -> str:
    """Return the key's spelling in TOML."""
    return field.alias or name


def fields_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the declared keys of a table by their spelling in TOML."""
    return {toml_name(name, field): field for name, field in model.model_fields.items()}


def table_of(field: FieldInfo) -> tuple[type[Section], bool] | None:
    """Return the table behind a key and whether it is an array of tables; None when it holds a value."""
    annotation = field.annotation
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        return (inner, True) if isinstance(inner, type) and issubclass(inner, Section) else None
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    return None


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """Return the declaration of the key that *path* leads to or through; None when there is none."""
    table: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for part in path:
        if isinstance(part, int):
            continue
        if table is None:
            return field  # inside the value of a key: a table of tags
        field = fields_of(table).get(part)
        if field is None:
            return None
        below = table_of(field)
        table = below[0] if below else None
    return field


def tables(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """Walk over all tables, from the outside in, in the order of declaration."""
    yield path, model
    for name, field in fields_of(model).items():
        below = table_of(field)
        if below:
            yield from tables(below[0], (*path, name))


def form_of(field: FieldInfo) -> Form:
    """Return how a key's value is written."""
    found = _form_in(field.metadata) or _form_within(field.annotation)
    return found or Form("a value")


def _form_in(metadata: Any) -> Form | None:
    return next((item for item in metadata if isinstance(item, Form)), None)


def _form_within(annotation: Any) -> Form | None:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Form(" or ".join(f'"{choice}"' for choice in arguments))
    if annotation is bool:
        return Form("true or false")
    if hasattr(annotation, "__metadata__"):
        return _form_in(annotation.__metadata__) or _form_within(arguments[0])
    if origin is tuple:
        inner = _form_within(arguments[0])
        return Form(f"a list, each {inner.text}" if inner else "a list", inner.kind if inner else "plain")
    for argument in arguments:  # X | None
        inner = _form_within(argument)
        if inner:
            return inner
    return None


def dotted(path: KeyPath) -> str:
    """Write a path for people: ``delegate[0].principal``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")
