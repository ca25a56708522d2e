"""Where a Redis is and how it is reached: a URL, read without guessing."""

from dataclasses import field
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from relay.words.values import dataclass

#: Names that Redis's own tools know; whatever else stands behind the question mark is refused.
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
PREFIX: Final = "ses-relay"


class AddressProblem(ValueError):
    """A URL that names no Redis; its text has no part of the URL but names of parameters."""


@dataclass(frozen=True, slots=True)
class Address:
    """
    One server.

    ``socket``: the path of a Unix socket in place of host and port. ``prefix``: what every key and channel begins with.
    """

    host: str = "localhost"
    port: int = 6379
    socket: str = ""
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    is_tls: bool = False
    files: tuple[tuple[str, str], ...] = ()
    checks_hostname: bool = True
    prefix: str = PREFIX

    def __str__(self) -> str:
        """Write where it is, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.socket or f"{host}:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """What the library takes for a connection."""
        options: dict[str, Any] = {"db": self.db, "username": self.username, "password": self.password}
        if self.socket:
            return options | {"path": self.socket}
        options |= {"host": self.host, "port": self.port}
        if self.is_tls:
            options |= {"ssl_check_hostname": self.checks_hostname, **dict(self.files)}
        return options


def read_address(url: str, *, ignored: frozenset[str] = frozenset()) -> Address:
    """
    Read ``redis://``, ``rediss://`` (TLS) or ``unix://`` with user, password, database and parameters.

    *ignored*: parameters that mean something to others.

    Raises:
        AddressProblem: It is not such a URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressProblem("not a URL: a password's special characters are written as %XX") from None
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise AddressProblem("not a URL of redis://, rediss:// (TLS) or unix://")
    is_socket = parts.scheme == "unix"
    if parts.fragment or (not is_socket and not parts.hostname) or (is_socket and len(parts.path) < 2):
        raise AddressProblem("a URL of Redis is redis://HOST:PORT/DATABASE; a password's # is written as %23")
    asked = {name: value for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in ignored}
    db = asked.pop("db", "0" if is_socket else parts.path.strip("/") or "0")
    if not (db.isascii() and db.isdigit()):
        raise AddressProblem("the path of a URL of Redis is the number of a database")
    files = tuple((name, asked.pop(name)) for name in _FILES if name in asked)
    checks = asked.pop("ssl_check_hostname", "true").lower()
    prefix = asked.pop("prefix", PREFIX)
    if asked:
        raise AddressProblem(f"unknown parameter {min(asked)[:40]!r}")
    if checks not in {"true", "false"}:
        raise AddressProblem("ssl_check_hostname is true or false")
    if parts.scheme != "rediss" and (files or checks == "false"):
        raise AddressProblem("ssl_ parameters need rediss://")
    if not prefix or not all(each.isascii() and (each.isalnum() or each in "-_.:") for each in prefix):
        raise AddressProblem("prefix consists of letters, digits and - _ . :")
    return Address(
        host=parts.hostname or "",
        port=6379 if port is None else port,
        socket=unquote(parts.path) if is_socket else "",
        db=int(db),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        is_tls=parts.scheme == "rediss",
        files=files,
        checks_hostname=checks == "true",
        prefix=prefix,
    )
