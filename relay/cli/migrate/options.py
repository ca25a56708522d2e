"""What every ``ses-relay migrate`` command asks, and files read with words for those that cannot be."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from relay.owner.migrate.model import CannotMigrate, Wishes
from relay.owner.migrate.reading import read_networks
from relay.owner.statements import Pattern, PatternProblem, read_pattern
from relay.words.values import dataclass

T = TypeVar("T")

_LARGEST: Final = 4 << 20
_DEFAULTS: Final = Wishes()


@dataclass(frozen=True, slots=True)
class Where:
    """Where it is written, and how it is told."""

    folder: Path | None
    is_dry: bool
    as_json: bool


def migrating(function: Callable[..., T]) -> Callable[..., T]:
    """Give a command the common options, as ``wishes`` and ``where``."""

    @click.option("--to", "folder", type=click.Path(path_type=Path), metavar="DIR", help="A new or empty folder.")
    @click.option("--account", default="", metavar="ID", help="The account that owns the identities, 12 digits.")
    @click.option("--region", default="", metavar="R", help="SES's region, where the peer's settings do not tell.")
    @click.option("--identity", "identities", multiple=True, metavar="X", help="A verified domain, address, or an ARN.")
    @click.option("--principal", default="", metavar="ARN", help="Who delegates are to policies; {name} is replaced.")
    @click.option("--delegate", default="", metavar="NAME", help="The delegate of those who need no AUTH.")
    @click.option("--trust", multiple=True, metavar="NET", help="Who needs no AUTH where all were let in [loopback].")
    @click.option("--dry-run", "is_dry", is_flag=True, help="Write nothing; tell what would be.")
    @click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
    @wraps(function)
    def command(
        *args: Any,
        folder: Path | None,
        trust: tuple[str, ...],
        is_dry: bool,
        as_json: bool,
        **kwargs: Any,
    ) -> T:
        if folder is None and not is_dry:
            raise click.UsageError("give --to DIR, or --dry-run")
        said = {name: kwargs.pop(name) for name in ("account", "region", "identities", "principal", "delegate")}
        try:
            networks = read_networks(trust, "--trust") if trust else _DEFAULTS.trust
        except CannotMigrate as problem:
            raise click.UsageError(str(problem)) from None
        _check(said["account"], said["delegate"])
        return function(*args, wishes=Wishes(trust=networks, **said), where=Where(folder, is_dry, as_json), **kwargs)

    return command


def patterns_option(option: str, destination: str, text: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Make an option that takes addresses and patterns in place of a regular expression."""

    def read(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> tuple[Pattern, ...]:
        try:
            return tuple(read_pattern(each) for each in texts)
        except PatternProblem as problem:
            raise click.BadParameter(str(problem)) from None

    return click.option(option, destination, multiple=True, metavar="A", callback=read, help=text)


def text_of(path: Path) -> str:
    """
    Read a file that a peer's settings are in, or name.

    Raises:
        CannotMigrate: It cannot be read, or is no text.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(_LARGEST + 1)
        if len(octets) > _LARGEST:
            raise CannotMigrate([f"{path}: larger than {_LARGEST} octets"])
        return octets.decode()
    except OSError as error:
        raise CannotMigrate([f"{path}: {error.strerror or type(error).__name__}"]) from None
    except UnicodeDecodeError:
        raise CannotMigrate([f"{path}: no UTF-8 text"]) from None


def environment_of(path: Path | None) -> dict[str, str]:
    """
    Read ``NAME=VALUE`` lines, as of ``docker run --env-file`` and systemd, or the octets of ``/proc/PID/environ``.

    Raises:
        CannotMigrate: It cannot be read, or a line is none.
    """
    if path is None:
        return {}
    text = text_of(path)
    found, problems = {}, []
    for number, raw in enumerate(text.split("\0") if "\0" in text else text.splitlines(), start=1):
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier():
            problems.append(f"{path}:{number}: no NAME=VALUE")
            continue
        is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name] = value[1:-1] if is_quoted else value
    if problems:
        raise CannotMigrate(problems)
    return found


def _check(account: str, delegate: str) -> None:
    if account and not (len(account) == 12 and account.isdecimal() and account.isascii()):
        raise click.UsageError(f"--account {account!r}: an account has 12 digits")
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in delegate) or len(delegate) > 64:
        raise click.UsageError(f"--delegate {delegate!r}: 1 to 64 letters, digits, - and _")
