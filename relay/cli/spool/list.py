"""``ses-relay spool list``: what waits, and why."""

import asyncio
import heapq
import json
import time
from collections import Counter
from pathlib import Path

import click

from relay.cli.configuration import config_option, settings_or_exit
from relay.cli.spool.filters import filter_options
from relay.cli.spool.opening import desk_of, page_or_exit
from relay.cli.spool.text import count, table
from relay.settings.model import Settings
from relay.spool.entries import Entry
from relay.spool.ports import Wanted
from relay.spool.told import brief


@click.command(short_help="What waits, and why.")
@config_option
@filter_options
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The oldest so many.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(config: Path | None, *, wanted: Wanted, limit: int, as_json: bool) -> None:
    """
    List messages, the oldest first; without filters, of all states.

    \b
    Examples:
      ses-relay spool list -c relay.toml
      ses-relay spool list --state failed --reason ses-refused --older-than 1h
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    entries, states = asyncio.run(_oldest(settings_or_exit(config), wanted, limit))
    now = time.time()
    if as_json:
        click.echo(json.dumps([brief(entry, now) for entry in entries], indent=2))
        return
    if entries:
        click.echo("\n".join(table(entries, now)))
    number = states.total()
    told = f"the oldest {len(entries)} of {count(number)}" if number > len(entries) else count(number)
    parts = ", ".join(f"{number:,} {state}" for state, number in states.most_common())
    click.echo(f"{told}{': ' if parts else ''}{parts}", err=True)


async def _oldest(settings: Settings, wanted: Wanted, limit: int) -> tuple[list[Entry], Counter[str]]:
    """Find the *limit* that wait longest, and count all by state; in memory of the order of *limit*."""
    states: Counter[str] = Counter()
    oldest: list[Entry] = []
    async with desk_of(settings) as desk:
        async for page in desk.pages(wanted):
            found = page_or_exit(page)
            states.update(entry.state.value for entry in found)
            oldest = heapq.nsmallest(limit, [*oldest, *found], key=lambda entry: (entry.accepted_at, entry.id))
    return oldest, states
