"""``ses-relay serve``: the relay, until SIGTERM."""

import asyncio
import errno
import os
import signal
import ssl
from pathlib import Path
from typing import Final

import click

from relay.assembly import Relay
from relay.cli.configuration import config_option, path_of, settings_or_exit
from relay.cli.frugality import run, settle
from relay.cli.private import keep_files_private
from relay.observe.events import Noted
from relay.settings.model import Settings
from relay.settings.reading import read_settings
from relay.smtp.held import Held, handed_over
from relay.smtp.listeners import ListenerProblem
from relay.spool.problems import SpoolProblem

#: What keeps a relay from starting and is the operator's to mend; the text says what it is.
START_PROBLEMS: Final = (ListenerProblem, SpoolProblem, OSError, ssl.SSLError)


@click.command()
@config_option
def command(config: Path | None) -> None:
    """
    Run the relay.

    \b
    SIGTERM and SIGINT drain: listeners close, running transactions finish, then exit 0.
    SIGHUP reads delegates, rules, limits, certificates and admin tokens again; a broken file keeps the old and says so.

    \b
    Examples:
      ses-relay serve -c relay.toml
      SES_RELAY__DELEGATE__NAME=app ... ses-relay serve
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    keep_files_private()
    settings = settings_or_exit(config)
    try:
        run(_serve(settings, config))
    except START_PROBLEMS as error:
        raise click.ClickException(f"the relay could not start: {in_words(error)}") from error


def in_words(problem: Exception) -> str:
    """Say what kept something from starting; where a port is taken, how to find who has it."""
    causes = (problem, problem.__cause__)
    is_taken = any(isinstance(each, OSError) and each.errno == errno.EADDRINUSE for each in causes)
    return f"{problem}; ss -ltnp names who has it" if is_taken else str(problem)


def told_to_stop(*numbers: signal.Signals) -> asyncio.Event:
    """
    Hear SIGTERM, SIGINT and *numbers* from now on; a second one of them ends the process at once.

    Returns:
        What is set by the first of them.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    heard = (signal.SIGTERM, signal.SIGINT, *numbers)

    def tell() -> None:
        for number in heard:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        told.set()

    for number in heard:
        loop.add_signal_handler(number, tell)
    return told


async def _serve(settings: Settings, config: Path | None) -> None:
    told = told_to_stop()  # before the start: a supervisor may change its mind at any time
    reload_wanted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload_wanted.set)
    relay = Relay(settings, held=_handed_over(settings))
    try:
        await relay.start()
        settle()
        reloading = asyncio.create_task(_reload_when(reload_wanted, relay, config), name="reload")
        await told.wait()
        reloading.cancel()
    finally:
        await relay.stop()


def _handed_over(settings: Settings) -> Held:
    """Take over what systemd listens on for us."""
    held = handed_over(os.environ, os.getpid())
    if held and settings.server.workers != 1:
        what = "sockets were handed over (LISTEN_FDS), and several workers open their own"
        raise ListenerProblem(f"{what}: set server.workers to 1, or stop the unit ses-relay.socket")
    return held


async def _reload_when(wanted: asyncio.Event, relay: Relay, config: Path | None) -> None:
    """Reload at each SIGHUP, one after the other; what cannot be taken over changes nothing and is told."""
    while True:
        await wanted.wait()
        wanted.clear()
        try:
            reading = await asyncio.to_thread(read_settings, path_of(config), os.environ)
            if reading.settings is None:
                _refuse(relay, [str(problem) for problem in reading.problems])
            else:
                await relay.reload(reading.settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the old settings go on, and the next SIGHUP counts
            _refuse(relay, [f"{type(error).__name__}: {error}"])


def _refuse(relay: Relay, problems: list[str]) -> None:
    relay.observe(Noted("error", "relay.reload-refused", {"problems": problems}))
