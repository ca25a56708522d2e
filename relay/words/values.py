"""
Values: what ``dataclasses.dataclass(frozen=True, slots=True)`` makes, made in a tenth of the time.

The relay has hundreds of them, and each start makes them anew. The standard library writes, compiles and runs the text
of up to eight methods for each of them: half of what our own modules cost to load. Here only ``__init__`` is written
out, as it runs at each message (and in two thirds of the time), once for all values of one shape; the rest is shared.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from types import CodeType, FunctionType
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
    """Make ``__init__``: what is in it is all that runs when a value is made."""
    given = sorted((each for each in fields if each.init), key=attrgetter("kw_only"))
    others = [each for each in fields if not each.init and _is_optional(each)]
    found: dict[str, Any] = {"missing": _MISSING}
    steps = []
    for at, each in enumerate([*given, *others]):
        found[f"set{at}"] = getattr(cls, each.name).__set__  # of the slot: quicker than object.__setattr__
        if each.default_factory is not _MISSING:
            found[f"new{at}"] = each.default_factory
        elif not each.init:
            found[f"new{at}"] = each.default
        steps.append(f"set{at}(self, {_value_of(each, at)})")
    if hasattr(cls, "__post_init__"):
        steps.append("self.__post_init__()")
    by_place = sum(not each.kw_only for each in given)
    code = _compiled(_parameters(by_place, len(given)), "; ".join(steps or ["pass"]))
    code = code.replace(co_varnames=("self", *(each.name for each in given)))
    made = FunctionType(code, found, "__init__", _defaults(given[:by_place]))
    made.__kwdefaults__ = {each.name: each.default for each in given[by_place:] if _is_optional(each)}
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {**{each.name: each.type for each in fields if each.init}, "return": None}
    return made


def _is_optional(field: dataclasses.Field[Any]) -> bool:
    return field.default is not _MISSING or field.default_factory is not _MISSING


def _value_of(field: dataclasses.Field[Any], at: int) -> str:
    """Write out what the field becomes: what is given, or what it is without that."""
    has_factory = field.default_factory is not _MISSING
    without = f"new{at}()" if has_factory else f"new{at}"
    if not field.init:
        return without
    return f"{without} if p{at} is missing else p{at}" if has_factory else f"p{at}"


def _parameters(by_place: int, number: int) -> str:
    """Write so many parameters out, of which the last are given by name only."""
    written = [f"p{at}" for at in range(number)]
    if by_place < number:
        written.insert(by_place, "*")
    return ", ".join(["self", *written])


def _defaults(fields: list[dataclasses.Field[Any]]) -> tuple[Any, ...]:
    """Return the defaults of the last of these fields; what a factory makes is missing until then."""
    optional = [each for each in fields if _is_optional(each)]
    if optional != fields[len(fields) - len(optional) :]:
        raise TypeError("a field without a default stands behind one with a default")  # as the standard library has it
    return tuple(each.default for each in optional)


@cache
def _compiled(parameters: str, body: str) -> CodeType:
    """Compile ``__init__`` for all classes of one shape: it is what takes the time."""
    made: dict[str, Any] = {}
    exec(f"def __init__({parameters}): {body}", made)  # noqa: S102  of numbers and our own words
    code: CodeType = made["__init__"].__code__
    return code


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
