"""A value of ours is what the standard library would have made of the same class."""

import dataclasses
import inspect
import operator
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest

from relay.words import values


def made_by(dataclass: Callable[..., Any]) -> dict[str, Any]:
    @dataclass(frozen=True, slots=True)
    class Nothing:
        """No field."""

    @dataclass(frozen=True, slots=True)
    class Single:
        """One field."""

        only: float

    @dataclass(frozen=True, slots=True)
    class Plain:
        """Required, with a default, made anew, by name, hidden, not compared."""

        first: int
        second: str = "two"
        third: list[int] = field(default_factory=list)
        named: bytes = field(default=b"", kw_only=True)
        hidden: str = field(default="secret", repr=False)
        aside: int = field(default=0, compare=False)

    @dataclass(frozen=True, slots=True)
    class Longer(Plain):
        """Inherits, overrides a default, and works out a field that nobody passes."""

        second: str = "zwei"
        total: int = field(init=False, default=-1)
        seen: list[int] = field(init=False, default_factory=list)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.first + len(self.second))

    @dataclass(frozen=True, slots=True)
    class Own:
        """Keeps its own words for what is said of it."""

        name: str

        def __repr__(self) -> str:
            return "withheld"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Own) and other.name.lower() == self.name.lower()

        def __hash__(self) -> int:
            return hash(self.name.lower())

    @dataclass(frozen=True, slots=True, order=True)
    class Rank:
        """Has an order."""

        place: int
        name: str = ""
        aside: int = field(default=0, compare=False)

    @dataclass(frozen=True, slots=True, repr=False)
    class Silent:
        """Says nothing of what it holds."""

        secret: str

        def __repr__(self) -> str:
            return "silent"

    @dataclass(slots=True)
    class Count:
        """Changes."""

        name: str
        so_far: int = 0
        seen: list[int] = field(default_factory=list, kw_only=True)
        total: int = field(init=False)
        twice: list[int] = field(init=False, default_factory=list)

        def __post_init__(self) -> None:
            self.total = self.so_far

    return {each.__name__: each for each in (Nothing, Single, Plain, Longer, Own, Rank, Silent, Count)}


OURS, THEIRS = made_by(values.dataclass), made_by(dataclasses.dataclass)
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Nothing", (), {}),
    ("Single", (1.5,), {}),
    ("Plain", (1,), {}),
    ("Plain", (1, "b", [3]), {"named": b"n", "hidden": "x", "aside": 4}),
    ("Plain", (), {"first": 1}),
    ("Longer", (1,), {}),
    ("Longer", (1, "b", [3], "h", 5), {"named": b"n"}),
    ("Own", ("Name",), {}),
    ("Rank", (1,), {}),
    ("Silent", ("x",), {}),
    ("Count", ("x",), {}),
    ("Count", ("x", 2), {"seen": [3]}),
    ("Count", ("x", 2, [3]), {}),
    ("Plain", (), {}),
    ("Plain", (1, "b", [3], "h", 5, 6), {}),
    ("Plain", (1,), {"unknown": 1}),
    ("Longer", (1,), {"total": 2}),
]


def told(call: Callable[[], Any]) -> Any:
    """What comes of it: a result, or the type of what is raised."""
    try:
        return call()
    except (TypeError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize(("name", "given", "named"), CALLS)
def test_a_value_is_made_and_written_as_the_standard_library_does_it(name, given, named):
    def seen(cls: Any) -> Any:
        each = cls(*given, **named)
        assert type(each) is cls
        return repr(each).partition("<locals>.")[2] or repr(each), asdict(each), told(lambda: hash(each) is not None)

    assert told(lambda: seen(OURS[name])) == told(lambda: seen(THEIRS[name]))


@pytest.mark.parametrize("name", OURS)
def test_its_shape_is_that_of_the_standard_library(name):
    ours, theirs = OURS[name], THEIRS[name]
    assert inspect.signature(ours).parameters.keys() == inspect.signature(theirs).parameters.keys()
    assert [each.kind for each in inspect.signature(ours).parameters.values()] == [
        each.kind for each in inspect.signature(theirs).parameters.values()
    ]
    assert ours.__init__.__qualname__ == theirs.__init__.__qualname__
    assert ours.__init__.__annotations__ == theirs.__init__.__annotations__
    assert (ours.__slots__, ours.__match_args__, ours.__doc__) == (
        theirs.__slots__,
        theirs.__match_args__,
        theirs.__doc__,
    )
    assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]


def test_equal_are_values_of_one_class_with_equal_content():
    plain, longer, single = OURS["Plain"], OURS["Longer"], OURS["Single"]
    assert plain(1, aside=1) == plain(1, aside=2)
    assert plain(1) != plain(2)
    assert plain(1, "zwei") != longer(1)
    assert plain(1) != (1, "two", [], b"", "secret")
    assert hash(single(2.0)) == hash(single(2)) != hash(single(3))
    assert OURS["Nothing"]() == OURS["Nothing"]()


def test_nothing_shared_is_made_twice():
    """What a factory makes belongs to one value only."""
    assert OURS["Plain"](1).third is not OURS["Plain"](1).third


@pytest.mark.parametrize("name", ["first", "unknown"])
def test_nothing_of_it_can_be_changed(name):
    plain = OURS["Plain"](1)
    with pytest.raises(FrozenInstanceError, match=f"cannot assign to field '{name}'"):
        setattr(plain, name, 2)
    with pytest.raises(FrozenInstanceError, match=f"cannot delete field '{name}'"):
        delattr(plain, name)
    assert plain.first == 1
    assert replace(plain, first=2).first == 2


@pytest.mark.parametrize(
    ("name", "given", "changes"),
    [
        ("Nothing", (), {}),
        ("Nothing", (), {"only": 1}),
        ("Single", (1.5,), {"only": 2.5}),
        ("Plain", (1,), {"named": b"n", "first": 2}),
        ("Rank", (1,), {"aside": 3}),
        ("Rank", (1,), {}),
        ("Longer", (1,), {"first": 3}),
        ("Count", ("x", 2), {"so_far": 5}),
        ("Rank", (1,), {"unknown": 3}),
    ],
)
def test_it_is_replaced_as_by_the_standard_library(name, given, changes):
    one = OURS[name](*given)
    assert told(lambda: values.replace(one, **changes)) == told(lambda: replace(one, **changes))
    assert one == OURS[name](*given)


@values.dataclass(frozen=True, slots=True)
class Sent:
    """At the top of a module, as what goes to another process must be."""

    name: str
    numbers: tuple[int, ...] = ()


@values.dataclass(frozen=True, slots=True)
class Told(Sent):
    """The same, of so many fields that it is made open and closed again."""

    when: float = 0.0
    why: str = ""


@pytest.mark.parametrize("sent", [Sent("a", (1, 2)), Told("a", (1, 2), why="x")])
def test_it_goes_to_another_process_and_back(sent):
    again = pickle.loads(pickle.dumps(sent))
    assert (again, type(again)) == (sent, type(sent))
    with pytest.raises(FrozenInstanceError):
        again.name = "b"


def test_a_value_of_many_fields_is_closed_before_its_own_words_run():
    @values.dataclass(frozen=True, slots=True)
    class Many:
        one: int
        two: int = 2
        three: int = 3
        four: int = 4

        def __post_init__(self) -> None:
            setattr(self, "one", 5)  # noqa: B010  as an assignment a type checker would see it

    with pytest.raises(FrozenInstanceError):
        Many(1)


@pytest.mark.parametrize("dataclass", [values.dataclass, dataclasses.dataclass])
def test_a_field_without_a_default_stands_before_those_with_one(dataclass):
    namespace = {"__annotations__": {"first": int, "second": int}, "first": 1}
    with pytest.raises(TypeError, match="default"):
        dataclass(frozen=True, slots=True)(type("Wrong", (), namespace))


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_an_order_is_that_of_the_fields(compare):
    pairs = [((1,), (2,)), ((1, "b"), (1, "a")), ((1, "a", 1), (1, "a", 2))]
    answers = [[compare(made["Rank"](*one), made["Rank"](*other)) for one, other in pairs] for made in (OURS, THEIRS)]
    assert answers[0] == answers[1]
    with pytest.raises(TypeError, match="not supported"):
        compare(OURS["Rank"](1), (1,))


def test_what_is_not_frozen_changes_and_has_no_hash():
    count, other = OURS["Count"]("x"), OURS["Count"]("x")
    assert count == other
    count.so_far += 1
    assert (count.so_far, count != other) == (1, True)
    with pytest.raises(TypeError, match="unhashable"):
        hash(count)
    with pytest.raises(AttributeError):
        count.unknown = 1


def test_what_is_asked_for_rarely_is_the_standard_librarys_own():
    @values.dataclass(frozen=True, slots=True, eq=False)
    class Itself:
        """Is equal to nothing else."""

        place: int

    assert Itself(1) != Itself(1)
