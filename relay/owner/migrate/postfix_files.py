"""Postfix's files taken apart: main.cf, master.cf, and lookup tables as text. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final

from relay.words.values import dataclass

_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\}|\((\w+)\))")
_DEPTH: Final = 20
#: An argument of a service: in braces it may hold blanks (master(5)).
_ARGUMENT: Final = re.compile(r"\{[^{}]*\}|\S+")


@dataclass(frozen=True, slots=True)
class MainCf:
    """Parameters with the places where they stand; the last one counts. ``defaults`` are those of Postfix."""

    values: Mapping[str, str]
    places: Mapping[str, str]
    defaults: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """Return a parameter, what stands in it for others replaced; empty when it has no value."""
        return self._expanded(self.values.get(name, self.defaults.get(name, "")), _DEPTH)

    def place(self, name: str) -> str:
        """Return file and line of a parameter; empty for one that is not there."""
        return self.places.get(name, "")

    def words(self, name: str) -> list[str]:
        """Return the values of a list."""
        return [word for word in re.split(r"[,\s]+", self.get(name)) if word]

    def with_options(self, options: Mapping[str, str]) -> "MainCf":
        """Return the parameters as a service sees them, whose ``-o`` options go before."""
        return MainCf({**self.values, **options}, self.places, self.defaults)

    def _expanded(self, text: str, depth: int) -> str:
        def value(match: re.Match[str]) -> str:
            name = next(filter(None, match.groups()))
            return self._expanded(self.values.get(name, self.defaults.get(name, "")), depth - 1)

        return _VARIABLE.sub(value, text) if depth else text


@dataclass(frozen=True, slots=True)
class Service:
    """A line of master.cf: the service's name as an address, its type, the program, the options, the place."""

    name: str
    kind: str
    program: str
    options: Mapping[str, str]
    place: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a lookup table."""

    key: str
    value: str
    place: str


def logical_lines(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield the logical lines and their places: a line that begins with a blank goes on with the one before."""
    line, place = "", ""
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        if raw[0].isspace() and line:
            line += " " + raw.strip()
            continue
        if line:
            yield line, place
        line, place = raw.strip(), f"{name}:{number}"
    if line:
        yield line, place


def read_main_cf(text: str, name: str, defaults: Mapping[str, str]) -> tuple[MainCf, list[str]]:
    """Return the parameters, and what is wrong with lines."""
    values, places, problems = {}, {}, []
    for line, place in logical_lines(text, name):
        key, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"\w+", key.strip()):
            problems.append(f"{place}: no NAME = VALUE")
            continue
        values[key.strip()], places[key.strip()] = value.strip(), place
    return MainCf(values, places, defaults), problems


def read_master_cf(text: str, name: str) -> tuple[list[Service], list[str]]:
    """Return the services, and what is wrong with lines."""
    services, problems = [], []
    for line, place in logical_lines(text, name):
        words = line.split()
        if len(words) < 8:
            problems.append(f"{place}: {len(words)} fields, where a service has 8")
            continue
        options, unclear = _options(_ARGUMENT.findall(line.split(None, 7)[7])[1:])
        problems += [f"{place}: -o {option}: no NAME=VALUE" for option in unclear]
        services.append(Service(words[0], words[1], words[7], options, place))
    return services, problems


def _options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Take ``-o name=value``, ``-oname=value`` and ``-o {name = value}`` out of arguments; and what is none of them."""
    options, unclear = {}, []
    arguments = iter(words)
    for word in arguments:
        if not word.startswith("-o"):
            continue
        option = next(arguments, "") if word == "-o" else word.removeprefix("-o")
        name, equals, value = option.strip("{}").partition("=")
        if equals:
            options[name.strip()] = value.strip()
        else:
            unclear.append(option)
    return options, unclear


def read_table(text: str, name: str) -> tuple[list[Entry], list[str]]:
    """Return the entries of the text that ``postmap`` makes a ``hash:`` table of, and what is wrong with lines."""
    entries, problems = [], []
    for line, place in logical_lines(text, name):
        parts = line.split(None, 1)
        if len(parts) < 2:
            problems.append(f"{place}: {line!r} has no value")
            continue
        entries.append(Entry(parts[0], parts[1].strip(), place))
    return entries, problems
