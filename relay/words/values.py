"""
Values: what ``dataclasses.dataclass(slots=True)`` makes, frozen or not, made in a tenth of the time.

The relay has hundreds of them, and each start makes them anew. The standard library writes, compiles and runs the text
of up to twelve methods for each of them: half of what our own modules cost to load. Here only ``__init__`` is written
out, as it runs at each message (and in two thirds of the time), once for all values of one shape; the rest is shared.
What is shared is a little slower: keys of dictionaries that mail looks into are the standard library's.
"""

import dataclasses
import operator
from collections.abc import Callable, Mapping
from functools import cache, partial
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:  # to a type checker and to a reader they are the same
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  the name is handed on
    from dataclasses import replace as replace  # noqa: PLC0414  the same
else:

    def dataclass(**wanted: bool) -> Callable[[type], type]:
        """Return a decorator as the standard library's is; its own for what is asked for rarely."""
        if wanted.get("slots") and wanted.keys() <= _KNOWN:
            return partial(
                _value,
                is_frozen=wanted.get("frozen", False),
                is_ordered=wanted.get("order", False),
                is_written=wanted.get("repr", True),
            )
        return dataclasses.dataclass(**wanted)

    def replace(value: object, /, **changes: object) -> object:
        """Return *value* with *changes*, as the standard library's does, in a third of the time."""
        places, content = _given(value.__class__)
        if not changes.keys() <= places.keys():
            return dataclasses.replace(value, **changes)
        given = list(content(value))
        for name, new in changes.items():
            given[places[name]] = new
        return value.__class__(*given)


T = TypeVar("T")

_MISSING: Final = dataclasses.MISSING
#: Fields from which it is quicker to open a frozen value and close it again than to go around its frost for each.
_MANY: Final = 4
_KNOWN: Final = frozenset({"frozen", "order", "repr", "slots"})


def _value(cls: type[T], *, is_frozen: bool, is_ordered: bool, is_written: bool) -> type[T]:
    made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)  # type: ignore[arg-type]  # it has just become a data class
    content = _content_of([each.name for each in fields if each.compare])
    methods: dict[str, Any] = {"__init__": _initialiser(made, fields, is_frozen=is_frozen), "__eq__": _equal(content)}
    own = vars(made)
    if own.get("__hash__") is None:
        made.__hash__ = _hash(content) if is_frozen else None  # type: ignore[method-assign,assignment]
    if is_frozen:
        methods |= _FROZEN
    if is_written:
        methods["__repr__"] = _written
    if is_ordered:
        methods |= {name: _compared(content, compare) for name, compare in _COMPARISONS.items()}
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _initialiser(cls: type, fields: tuple[dataclasses.Field[Any], ...], *, is_frozen: bool) -> Callable[..., None]:
    """Make ``__init__``: what is in it is all that runs when a value is made."""
    given = sorted((each for each in fields if each.init), key=attrgetter("kw_only"))
    others = [each for each in fields if not each.init and _is_optional(each)]
    found: dict[str, Any] = {"missing": _MISSING}
    attributes: dict[str, str] = {}
    steps = []
    opens = is_frozen and len(fields) >= _MANY
    if opens:
        found |= {"become": object.__dict__["__class__"].__set__, "Open": _opened(cls), "Closed": cls}
        steps.append("become(self, Open)")
    for at, each in enumerate([*given, *others]):
        value = _value_of(each, at)
        if is_frozen and not opens:
            found[f"set{at}"] = getattr(cls, each.name).__set__  # of the slot: quicker than object.__setattr__
            steps.append(f"set{at}(self, {value})")
        else:
            attributes[f"a{at}"] = each.name
            steps.append(f"self.a{at} = {value}")
        if each.default_factory is not _MISSING:
            found[f"new{at}"] = each.default_factory
        elif not each.init:
            found[f"new{at}"] = each.default
    if opens:
        steps.append("self.__class__ = Closed")
    if hasattr(cls, "__post_init__"):
        steps.append("self.__post_init__()")
    by_place = sum(not each.kw_only for each in given)
    code = _compiled(_parameters(by_place, len(given)), "; ".join(steps or ["pass"]))
    code = code.replace(
        co_varnames=("self", *(each.name for each in given)),
        co_names=tuple(attributes.get(name, name) for name in code.co_names),
    )
    made = FunctionType(code, found, "__init__", _defaults(given[:by_place]))
    made.__kwdefaults__ = {each.name: each.default for each in given[by_place:] if _is_optional(each)}
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {**{each.name: each.type for each in fields if each.init}, "return": None}
    return made


def _opened(cls: type) -> type:
    """Return a twin of a frozen class whose values may be written: what a value is while it is made."""
    return type(cls.__name__, (cls,), {"__slots__": (), **_OPEN})


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


def _content_of(names: list[str]) -> Callable[[Any], Any]:
    """Return what takes the fields out that are compared; ``attrgetter`` of one takes the field itself."""
    return attrgetter(*names) if len(names) > 1 else lambda each: tuple(getattr(each, name) for name in names)


@cache
def _given(cls: type) -> tuple[Mapping[str, int], Callable[[Any], Any]]:
    """Return the place of each name by which a value is made, and what takes them out again; none if some have none."""
    given = [each for each in dataclasses.fields(cls) if each.init]
    names = [] if any(each.kw_only for each in given) else [each.name for each in given]
    return {name: place for place, name in enumerate(names)}, _content_of(names)


def _equal(content: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def __eq__(self: Any, other: Any) -> Any:  # noqa: N807  it becomes a method
        return content(self) == content(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(content: Callable[[Any], Any]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807  the same
        return hash(content(self))

    return __hash__


def _compared(content: Callable[[Any], Any], compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compared(self: Any, other: Any) -> Any:
        return compare(content(self), content(other)) if other.__class__ is self.__class__ else NotImplemented

    return compared


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


_FROZEN: Final[Mapping[str, Any]] = {
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__getstate__": _state,
    "__setstate__": _set_state,
}
_OPEN: Final = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
_COMPARISONS: Final = {"__lt__": operator.lt, "__le__": operator.le, "__gt__": operator.gt, "__ge__": operator.ge}
