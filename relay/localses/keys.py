"""Whose key is it: access keys, the principals they belong to, and the file that lists them."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

UNKNOWN_PRINCIPAL: Final = "arn:aws:iam::000000000000:root"
"""Whom a key nobody listed belongs to, when signatures are not verified."""

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_PRINCIPAL = re.compile(
    r"arn:aws[a-z-]*:(?:iam::[A-Za-z0-9]+:(?:root|user/[!-~]+|role/[!-~]+)|sts::[A-Za-z0-9]+:assumed-role/[!-~]+/[!-~]+)",
    re.ASCII,
)


class AccountsProblem(ValueError):
    """A file of accounts that cannot be used. ``str()`` names every problem, one a line; no secret is in it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One access key: its id, its secret, and the ARN of the principal it signs for. Account ids are opaque."""

    id: str
    secret: str = field(repr=False)
    principal: str

    @property
    def account(self) -> str:
        """The account of the principal: the fifth field of its ARN."""
        return self.principal.split(":", 5)[4]


DEMO_KEYS: Final = (
    Key("AKIADEMOOWNER0000000", "demo-owner-secret", "arn:aws:iam::888888888888:user/owner"),
    Key("AKIADEMORELAY0000000", "demo-relay-secret", "arn:aws:iam::888888888888:user/relay"),
)
"""The identity owner's key and the relay's: two users of one account, so that the owner trusts the relay."""


def read_accounts(path: Path) -> tuple[Key, ...]:
    """
    Read the keys of a TOML file: ``[[key]]`` with ``id``, ``secret`` and ``principal``.

    Raises:
        AccountsProblem: Not readable, or some key is not usable.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise AccountsProblem(f"{path}: {why}") from None
    entries = document.get("key")
    problems = [f"{name}: unknown; the file holds [[key]] tables" for name in document if name != "key"]
    if not isinstance(entries, list) or not entries:
        problems.append("no [[key]]: give at least one, with id, secret and principal")
        entries = []
    problems += _problems(entries)
    if problems:
        raise AccountsProblem("\n".join(f"{path}: {problem}" for problem in problems))
    return tuple(Key(entry["id"], entry["secret"], entry["principal"]) for entry in entries)


def _problems(entries: Sequence[Any]) -> Iterator[str]:
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        where = f"key {number}"
        if not isinstance(entry, Mapping):
            yield f"{where}: is no table; write [[key]]"
            continue
        yield from (f"{where}: {problem}" for problem in _problems_of(entry))
        key_id = str(entry.get("id"))
        if key_id in seen:
            yield f"{where}: id {key_id} is listed twice"
        seen.add(key_id)


def _problems_of(entry: Mapping[str, Any]) -> Iterator[str]:
    for name in entry.keys() - {"id", "secret", "principal"}:
        yield f"{name}: unknown; a key has id, secret and principal"
    if not _KEY_ID.fullmatch(str(entry.get("id", ""))):
        yield "id: give 1 to 128 letters, digits, - or _, such as AKIAEXAMPLE000000000"
    if not isinstance(entry.get("secret"), str) or not entry["secret"]:
        yield "secret: give a text that is not empty"
    if not _PRINCIPAL.fullmatch(str(entry.get("principal", ""))):
        yield "principal: give the ARN of a user, role or role session, such as arn:aws:iam::111111111111:user/app"
