"""What a person did by a command, beside the running relay or without one, kept where the relay keeps its own."""

import getpass
import os
import time
from collections.abc import Mapping
from typing import Any, Final

import click

from relay.audit.book import ACTION, Entry
from relay.settings.model import Settings
from relay.translation import book_of

#: Of a list in an entry; of more, the number is told.
_MOST_NAMED: Final = 1000


def keep_in_audit(settings: Settings, action: str, details: Mapping[str, Any]) -> None:
    """Keep that this user did *action*; that it cannot be kept is told, and changes nothing any more."""
    book = book_of(settings)
    if book is None:
        return
    told = {name: _bounded(value) for name, value in details.items()}
    entry = Entry(time.time(), ACTION, {"action": action, "details": {"by": _user(), **told}})
    if (unkept := book.write([entry])) is not None:
        click.echo(f"warning: this is not kept for an audit: {unkept.why}", err=True)


def _bounded(value: Any) -> Any:
    if isinstance(value, list) and len(value) > _MOST_NAMED:
        return [*value[:_MOST_NAMED], f"and {len(value) - _MOST_NAMED} more"]
    return value


def _user() -> str:
    """Name who runs this, to the operating system."""
    try:
        return f"user {getpass.getuser()}"
    except (KeyError, OSError):
        return f"user {os.getuid()}"
