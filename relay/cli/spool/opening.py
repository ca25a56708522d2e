"""The spool that the settings name, opened next to the relay that may have it open."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import click

from relay.settings.model import Settings
from relay.spool.desk import Desk
from relay.spool.problems import SpoolProblem
from relay.spools import spool_at
from relay.translation import dispatch_of
from relay.words.unavailable import Unavailable

_T = TypeVar("_T")


@asynccontextmanager
async def desk_of(settings: Settings) -> AsyncIterator[Desk]:
    """
    Open the spool for people.

    Raises:
        click.UsageError: There is none, or it cannot be opened.
    """
    options = dispatch_of(settings)
    if options.place is None:
        raise click.UsageError('no messages are kept: delivery.mode is "direct" and spool.url is not set')
    try:
        spool = await spool_at(options.place, lambda _: None, visiting=True)
    except SpoolProblem as problem:
        raise click.ClickException(str(problem)) from None
    try:
        yield Desk(spool, now=spool.wall, keep_failed=options.schedule.keep_failed)
    finally:
        await spool.close()


def page_or_exit(found: Sequence[_T] | Unavailable) -> Sequence[_T]:
    """
    Take what the spool answered.

    Raises:
        click.ClickException: It did not.
    """
    if isinstance(found, Unavailable):
        raise click.ClickException(found.why)
    return found
