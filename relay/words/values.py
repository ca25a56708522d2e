"""
Values: what ``dataclasses.dataclass(frozen=True, slots=True)`` makes, made in a fifth of the time.

The relay has hundreds of them, and each start makes them anew. The standard library writes, compiles and runs the text
of up to eight methods for each of them: half of what our own modules cost to load. Here only ``__init__`` is written
out, as it runs at each message (and in two thirds of the time); the rest is shared.
"""

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:  # to a type checker and to a reader they are the same
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  the name is handed on
else:

    def dataclass(*, frozen: bool = False, slots: bool = False, **others: Any) -> Callable[[type], type]:
        """Return a decorator as the standard library's is; its own for all but plain values."""
        if frozen and slots and not others:
            return _value
        return dataclasses.dataclass(frozen=frozen, slots=slots, **others)


T = TypeVar("T")

_MISSING: Final = dataclasses.MISSING


def _value(cls: type[T]) -> type[T]:
    made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]  # it has just become a data class
    equal, hashed = _comparing([each.name for each in fields if each.compare])
    own = vars(made)
    if own.get("__hash__") is None:
        made.__hash__ = hashed  # type: ignore[method-assign,assignment]
    methods = {
        "__init__": _initialiser(made, fields),
        "__repr__": _written,
        "__eq__": equal,
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": _state,
        "__setstate__": _set_state,
    }
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _initialiser(cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """Write ``__init__`` out: what is in it is all that runs when a value is made."""
    names: dict[str, Any] = {"_missing": _MISSING}
    positional: list[str] = []
    by_name: list[str] = []
    steps: list[str] = []
    for each in fields:
        name, value = each.name, each.name
        parameter = name
        if each.default_factory is not _MISSING:
            names[f"_new_{name}"] = each.default_factory
            value = f"_new_{name}() if {name} is _missing else {name}" if each.init else f"_new_{name}()"
            parameter = f"{name}=_missing"
        elif each.default is not _MISSING:
            names[f"_default_{name}"] = each.default
            value = name if each.init else f"_default_{name}"
            parameter = f"{name}=_default_{name}"
        elif not each.init:
            continue
        names[f"_set_{name}"] = getattr(cls, name).__set__  # of the slot: quicker than object.__setattr__
        steps.append(f"_set_{name}(self, {value})")
        if each.init:
            (by_name if each.kw_only else positional).append(parameter)
    if hasattr(cls, "__post_init__"):
        steps.append("self.__post_init__()")
    parameters = ", ".join(["self", *positional, *(["*", *by_name] if by_name else [])])
    exec(f"def __init__({parameters}):\n " + "\n ".join(steps or ["pass"]), names)  # noqa: S102  names of our own fields
    made: Callable[..., None] = names["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {**{each.name: each.type for each in fields if each.init}, "return": None}
    return made


def _comparing(names: list[str]) -> tuple[Callable[[Any, Any], Any], Callable[[Any], int]]:
    """Return ``__eq__`` and ``__hash__`` over these fields."""
    content: Callable[[Any], Any] = attrgetter(*names) if len(names) > 1 else _content_of(names)

    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807  they become methods
        return content(self) == content(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807  the same
        return hash(content(self))

    return __eq__, __hash__


def _content_of(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return the tuple of one field, or of none: ``attrgetter`` returns the field itself."""
    return lambda each: tuple(getattr(each, name) for name in names)


def _written(self: Any) -> str:
    told = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(told)})"


def _refuse_to_set(_: Any, name: str, value: object) -> None:  # noqa: ARG001  Python's signature
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
