"""``ses-relay healthcheck``: asks a running relay whether it is ready. For images without a shell; starts fast."""

import http.client
import os
import tomllib
from pathlib import Path
from typing import Final

import click

DEFAULT: Final = "127.0.0.1:8025"
#: Seconds to wait for each piece of the answer; container runtimes give a health check 30 by default.
PATIENCE: Final = 5.0
MOST_OCTETS: Final = 64 * 1024
_VARIABLE: Final = "SES_RELAY__ADMIN__ADDRESS"
#: Bound to every address: asked on loopback.
_WILDCARDS: Final = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  not bound here


@click.command(name="healthcheck", short_help="Whether the relay is ready, as exit code.")
@click.option("-c", "config", type=click.Path(dir_okay=False), help="Read [admin] address from this relay.toml.")
@click.option("--admin", metavar="ADDR", help=f"Ask there instead, HOST:PORT. Default: {DEFAULT}.")
def command(config: str | None, admin: str | None) -> None:
    """
    Exit 0 when the relay is ready, 1 with the reason when it is not.

    \b
    Examples:
      ses-relay healthcheck
      ses-relay healthcheck -c relay.toml
      ses-relay healthcheck --admin 127.0.0.1:8025
    """  # noqa: D301 - \b is click's mark for lines to leave alone
    if config is not None and admin is not None:
        raise click.UsageError("give -c or --admin, not both")
    try:
        host, port = split_address(admin or configured_address(config) or DEFAULT)
    except (OSError, ValueError) as problem:
        raise click.UsageError(str(problem)) from problem
    ready, text = ask(host, port)
    click.echo(text, err=not ready)
    raise SystemExit(0 if ready else 1)


def configured_address(config: str | None) -> str | None:
    """
    Return the admin address of the environment, else of the file *config*, else None.

    Only this one key is read: whether the rest is right is for ``check``.

    Raises:
        OSError: A file cannot be read.
        ValueError: The file is no TOML, or the address no text.
    """
    given = os.environ.get(_VARIABLE) or None  # an empty variable counts as not set, as for every other setting
    if given is None and (file := os.environ.get(f"{_VARIABLE}_FILE")):
        given = Path(file).read_text("utf-8").strip()
    if given is not None or config is None:
        return given
    try:
        settings = tomllib.loads(Path(config).read_text("utf-8"))
    except ValueError as problem:  # no UTF-8, or no TOML
        raise ValueError(f"{config}: {problem}") from problem
    section = settings.get("admin", {})
    address = section.get("address") if isinstance(section, dict) else section
    if address is not None and not isinstance(address, str):
        raise ValueError(f"{config}: admin.address is HOST:PORT, as text")
    return address


def split_address(address: str) -> tuple[str, int]:
    """
    Return host and port of *address*; a wildcard host becomes the loopback address of its family.

    Raises:
        ValueError: Not HOST:PORT.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is not HOST:PORT, such as {DEFAULT}")
    return _WILDCARDS.get(host, host), int(port)


def ask(host: str, port: int) -> tuple[bool, str]:
    """Ask ``/readyz?verbose``: whether the relay is ready, and what it says, or why it says nothing."""
    try:
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    except http.client.InvalidURL as problem:
        return False, f"not ready: {problem}"
    try:
        connection.request("GET", "/readyz?verbose", headers={"Connection": "close"})
        answer = connection.getresponse()
        said = answer.read(MOST_OCTETS).decode("utf-8", "replace").strip()
    except (OSError, UnicodeError, http.client.HTTPException) as problem:  # no name of a host, to IDNA
        return False, f"not ready: no answer from {host}:{port}: {str(problem) or type(problem).__name__}"
    finally:
        connection.close()
    if answer.status == 200:
        return True, "ready"
    if answer.status == 503:
        return False, said
    return False, f"not ready: {host}:{port} answered {answer.status}, which is no answer of a relay"
