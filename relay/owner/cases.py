"""Expectations of policies as data, ``{name, delegate | principal, from, ..., expect: allow | deny}``, read closely."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeVar, cast

from relay.policy.principals import is_mistyped, parse_caller
from relay.policy.strict_json import is_text
from relay.words.addresses import Address, AddressProblem, NullPath, ReversePath, parse_address
from relay.words.values import dataclass

#: Nobody in particular, where a case names no recipients (RFC 2606).
SOMEBODY: Final = Address("somebody", "recipient.invalid")

KEYS: Final = (
    "name",
    "delegate",
    "principal",
    "from",
    "return_path",
    "recipients",
    "identity",
    "time",
    "display_name",
    "account_grant",
    "expect",
    "because",
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CaseProblem:
    """Something in a file of cases that cannot be read: ``where`` names the case and the key."""

    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}"


@dataclass(frozen=True, slots=True)
class Case:
    """
    One expectation.

    ``delegate`` is a name of the settings, or ``principal`` who asks as it stands. ``identity`` is the name or the ARN
    of the identity that the message names. ``time``: seconds since the epoch, None = now. ``because``: statements that
    must decide, as policy/sid or sid.
    """

    file: str
    name: str
    author: Address
    expect: Literal["allow", "deny"]
    delegate: str | None = None
    principal: str | None = None
    return_path: ReversePath | None = None
    recipients: tuple[Address, ...] = (SOMEBODY,)
    identity: str | None = None
    time: float | None = None
    display_name: str | None = None
    account_grant: bool | None = None
    because: tuple[str, ...] = ()


def read_cases(value: object, file: str) -> tuple[list[Case], list[CaseProblem]]:
    """
    Read the content of one file: a list of cases, or a table whose only key ``cases`` (``case`` in TOML) is that list.

    Every problem is told, not the first only.
    """
    if isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in {"case", "cases"}:
        value = next(iter(value.values()))
    if not isinstance(value, Sequence) or isinstance(value, str):
        return [], [CaseProblem(file, "a list of cases is expected, or a table with one key, cases")]
    if not value:
        return [], [CaseProblem(file, "holds no case: a test that asks nothing passes always")]
    cases, problems = [], []
    for number, row in enumerate(value, start=1):
        reader = _Reader(row, file, number)
        case = reader.case()
        problems += reader.problems
        cases += [case] if case is not None else []
    return cases, problems


class _Reader:
    """Reads one case, and collects what is wrong with it."""

    def __init__(self, row: object, file: str, number: int) -> None:
        self.problems: list[CaseProblem] = []
        self._file = file
        self._row = cast("Mapping[str, Any]", row) if isinstance(row, Mapping) else {}
        name = self._row.get("name")
        self._where = f"{file}: case {number}" + (f" ({name})" if isinstance(name, str) else "")
        if not isinstance(row, Mapping):
            self.problems.append(CaseProblem(self._where, "a case is a table of keys"))

    def case(self) -> Case | None:
        if self.problems:
            return None
        self._refuse_strangers()
        name = self._read("name", _text, needed=True)
        author = self._read("from", _address, needed=True)
        expect = self._read("expect", _expectation, needed=True)
        if ("delegate" in self._row) == ("principal" in self._row):
            self._tell("delegate", "a case has either a delegate or a principal")
        # Read before it is asked for problems: all of them are told.
        found = (
            self._read("delegate", _text),
            self._read("principal", _principal),
            self._read("return_path", _reverse_path),
            self._read("recipients", _addresses) or (SOMEBODY,),
            self._read("identity", _text),
            self._read("time", _time),
            self._read("display_name", _text),
            self._read("account_grant", _flag),
            self._read("because", _texts) or (),
        )
        if self.problems or name is None or author is None or expect is None:
            return None
        return Case(self._file, name, author, expect, *found)

    def _refuse_strangers(self) -> None:
        for key in self._row:
            if key not in KEYS:
                near = get_close_matches(str(key), KEYS, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(KEYS)}"
                self._tell(str(key), f"unknown; {hint}")

    def _read(self, key: str, read: Callable[[Any], T], *, needed: bool = False) -> T | None:
        if key not in self._row:
            if needed:
                self._tell(key, "missing")
            return None
        try:
            return read(self._row[key])
        except ValueError as error:
            self._tell(key, str(error))
            return None

    def _tell(self, key: str, why: str) -> None:
        self.problems.append(CaseProblem(f"{self._where}: {key}", why))


# --- values -----------------------------------------------------------------------------------------------------------


def _text(value: object) -> str:
    if not is_text(value) or not value:
        raise ValueError(f"text is expected, not {value!r}; in YAML, quotes make text of anything")
    return str(value)


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise ValueError("an empty list: leave the key out")
    return tuple(_text(one) for one in values)


def _principal(value: object) -> str:
    """Read who asks; of somebody who cannot be anybody each ``expect: deny`` would hold."""
    caller = parse_caller(_text(value))
    if caller.literal is None and (caller.account is None or not is_mistyped(caller.account)):
        return caller.text
    raise ValueError(f"{caller.text!r} is nobody: write an ARN of IAM or STS, an account of 12 digits, or a service")


def _flag(value: object) -> bool:
    if value is True or value is False:
        return value is True
    raise ValueError(f"true or false is expected, not {value!r}")


def _expectation(value: object) -> Literal["allow", "deny"]:
    if value == "allow":
        return "allow"
    if value == "deny":
        return "deny"
    raise ValueError(f"allow or deny is expected, not {value!r}")


def _address(value: object) -> Address:
    text = _text(value)
    try:
        return parse_address(text)
    except AddressProblem as problem:
        raise ValueError(f"{text!r} is no address: {problem}") from None


def _addresses(value: object) -> tuple[Address, ...]:
    return tuple(_address(text).with_domain_lowered() for text in _texts(value))


def _reverse_path(value: object) -> ReversePath:
    return NullPath.NULL if value == "<>" else _address(value).with_domain_lowered()


def _time(value: object) -> float:
    """Read a time; one without an offset is UTC, a date is its first moment."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no time: write 2027-01-31 or 2027-01-31T12:00:00Z") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError(f"a time is expected, not {value!r}: write 2027-01-31 or 2027-01-31T12:00:00Z")  # noqa: TRY004  a value of the file, not of ours
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
