"""What retry, hold, release and delete have in common: by ID, or by filters with a preview and a question."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Final

import click

from relay.cli.audit.acted import keep_in_audit
from relay.cli.policies import printable
from relay.cli.progress import progress
from relay.cli.spool.opening import desk_of, page_or_exit
from relay.cli.spool.text import count, table
from relay.settings.model import Settings
from relay.spool.actions import Action, Impossible, acted
from relay.spool.desk import Desk, Done
from relay.spool.details import NOT_OWED, NOTICE, OWED
from relay.spool.entries import Entry
from relay.spool.ports import Wanted
from relay.words.unavailable import Unavailable
from relay.words.values import dataclass

#: Entries that are acted on at once: their commits are one.
_AT_ONCE: Final = 64
_SHOWN: Final = 10
_GROUPS: Final = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What a person wants done. ``question``: what is asked before, of *these N messages*; ``asks``: also about entries
    that were named one by one. ``yes``: nothing is asked.
    """

    action: Action
    ids: tuple[str, ...]
    wanted: Wanted
    question: str
    asks: bool = False
    yes: bool = False
    as_json: bool = False


@dataclass(slots=True)
class Preview:
    """What the filters choose: how many of which kind, the first of them, and what cannot be acted on."""

    ids: list[str] = field(default_factory=list)
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first: list[Entry] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    notified: int = 0

    def add(self, entry: Entry, action: Action) -> None:
        """Count *entry*."""
        found = acted(entry, action, 0.0, keep_failed=0.0)
        if isinstance(found, Impossible):
            self.left[found.why] += 1
            return
        self.ids.append(entry.id)
        self.groups[entry.delegate, entry.state.value, entry.reason.value] += 1
        self.notified += entry.details.get(NOTICE, OWED) not in {OWED, NOT_OWED}
        if len(self.first) < _SHOWN:
            self.first.append(entry)


@dataclass(slots=True)
class Tally:
    """What was done, and what was not, with why."""

    done: list[str] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


def act_on(settings: Settings, wish: Wish) -> None:
    """Do what is wished. Leaves with exit code 1 when something was not done, 2 when nothing was chosen."""
    if bool(wish.ids) == (wish.wanted != Wanted()):
        raise click.UsageError("choose messages by ID, or by --delegate, --state, --older-than, --reason; not by both")
    ids = wish.ids or _chosen(settings, wish)
    if wish.ids and wish.asks and not wish.yes:
        click.confirm(wish.question.format(_these(len(ids))), abort=True, err=True)
    tally = Tally()
    try:
        asyncio.run(_act(settings, wish, ids, tally))
    finally:  # also where somebody interrupts it: what was done is done
        if tally.done:
            keep_in_audit(settings, "spool.changed", {"action": wish.action.value, "ids": tally.done})
    if wish.as_json:
        left = [{"id": name, "why": why} for name, why in tally.left]
        click.echo(json.dumps({"action": wish.action.value, "done": tally.done, "left": left}, indent=2))
    else:
        click.echo(f"{wish.action}: {count(len(tally.done))}")
        for name, why in tally.left:
            click.echo(printable(f"{name} {why}"), err=True)
    sys.exit(1 if tally.left else 0)


def _chosen(settings: Settings, wish: Wish) -> Sequence[str]:
    """Name what the filters choose, once a person has seen it."""
    preview = asyncio.run(_look(settings, wish))
    click.echo("\n".join(_words(preview, wish)), err=True)
    if preview.ids and not wish.yes:
        click.confirm(wish.question.format(_these(len(preview.ids))), abort=True, err=True)
    return preview.ids


async def _look(settings: Settings, wish: Wish) -> Preview:
    preview = Preview()
    async with desk_of(settings) as desk:
        async for page in desk.pages(wish.wanted):
            for entry in page_or_exit(page):
                preview.add(entry, wish.action)
    return preview


def _words(preview: Preview, wish: Wish) -> Iterator[str]:
    yield f"{wish.action}: {count(len(preview.ids))}"
    for (delegate, state, reason), number in preview.groups.most_common(_GROUPS):
        yield printable(f"  {number:>6,}  {delegate}  {state}  {reason}")
    if len(preview.groups) > _GROUPS:
        yield f"  and {len(preview.groups) - _GROUPS} more kinds"
    if preview.first:
        yield ""
        yield from table(preview.first, time.time(), indent="  ")
    if len(preview.ids) > len(preview.first):
        yield f"  and {len(preview.ids) - len(preview.first):,} more"
    if preview.notified and wish.action is Action.RETRY:
        yield f"of {count(preview.notified)} the author was notified already that it will not be delivered"
    for why, number in preview.left.items():
        yield f"left as it is: {count(number)}, each {why}"


async def _act(settings: Settings, wish: Wish, ids: Sequence[str], tally: Tally) -> None:
    async with desk_of(settings) as desk:
        with progress(wish.action, len(ids)) as advance:
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                await asyncio.gather(*(_act_on_one(desk, wish, name, tally) for name in some))
                advance(len(some))


async def _act_on_one(desk: Desk, wish: Wish, name: str, tally: Tally) -> None:
    done = await desk.act(name, wish.action, wish.wanted)
    match done:
        case Done():
            tally.done.append(name)
        case Impossible(why) | Unavailable(why):
            tally.left.append((name, why))
        case None:
            tally.left.append((name, "is not in the spool" if wish.ids else "is not among them any more"))


def _these(number: int) -> str:
    return "this message" if number == 1 else f"these {count(number)}"
