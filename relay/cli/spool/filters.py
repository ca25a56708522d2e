"""The options that choose entries, the same for every command of the group."""

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from relay.settings.units import read_duration
from relay.spool.entries import State
from relay.spool.ports import Wanted

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--delegate", metavar="NAME", callback=lambda *given: _text(given[2]), help="Mail of this delegate."),
    click.option(
        "--state",
        "states",
        type=click.Choice([state.value for state in State]),
        multiple=True,
        help="In this state; may be given again.",
    ),
    click.option("--older-than", metavar="DURATION", callback=lambda *given: _age(given[2]), help="Such as 15m, 2d."),
    click.option(
        "--reason",
        metavar="TEXT",
        callback=lambda *given: _text(given[2]),
        help="With this text in the reason, or in what was said last.",
    ),
)


def filter_options(command: _Command) -> _Command:
    """Add the options; the command takes ``wanted``, which is empty where none is given."""

    @functools.wraps(command)
    def chosen(
        *args: Any,
        delegate: str | None,
        states: tuple[str, ...],
        older_than: float | None,
        reason: str | None,
        **more: Any,
    ) -> Any:
        before = None if older_than is None else time.time() - older_than
        wanted = Wanted(delegate=delegate, states=tuple(map(State, states)), reason=reason, older_than=before)
        return command(*args, wanted=wanted, **more)

    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), chosen)  # type: ignore[return-value]  # the same, with options


def _text(value: str | None) -> str | None:
    if value is not None and not value.isprintable():  # a shell hands over octets, too
        raise click.BadParameter("give text")
    return value


def _age(value: str | None) -> float | None:
    try:
        return None if value is None else read_duration(value)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None
