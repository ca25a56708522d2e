"""The file of accounts: whose keys there are, ``[[key]]``, and whose sessions STS gives out, ``[[role]]``."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from relay.localses.keys import PRINCIPAL, Key
from relay.localses.sessions import Role
from relay.words.values import dataclass

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[A-Za-z0-9]+:role/[!-~]+", re.ASCII)
_TABLES: Final = frozenset({"key", "role"})


class AccountsProblem(ValueError):
    """A file of accounts that cannot be used. ``str()`` names every problem, one a line; no secret is in it."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everybody whom the embedded SES knows."""

    keys: tuple[Key, ...]
    roles: tuple[Role, ...] = ()


def read_accounts(path: Path) -> Accounts:
    """
    Read a TOML file: ``[[key]]`` with ``id``, ``secret`` and ``principal``; ``[[role]]`` with ``arn``, ``trusts`` and,
    where it is asked for, ``external_id``.

    Raises:
        AccountsProblem: Not readable, or something in it is not usable.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise AccountsProblem(f"{path}: {why}") from None
    keys, roles = document.get("key"), document.get("role", [])
    problems = [
        f"{name}: unknown; the file holds [[key]] and [[role]] tables" for name in document if name not in _TABLES
    ]
    if not isinstance(keys, list) or not keys:
        problems.append("no [[key]]: give at least one, with id, secret and principal")
        keys = []
    problems += [*_problems("key", keys, _of_key), *_problems("role", roles, _of_role), *_twice(keys)]
    if problems:
        raise AccountsProblem("\n".join(f"{path}: {problem}" for problem in problems))
    return Accounts(
        tuple(Key(each["id"], each["secret"], each["principal"]) for each in keys),
        tuple(Role(each["arn"], tuple(each["trusts"]), each.get("external_id", "")) for each in roles),
    )


def _problems(kind: str, entries: Any, problems_of: Any) -> Iterator[str]:
    if not isinstance(entries, list):
        yield f"{kind}: write [[{kind}]]"
        return
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            yield f"{kind} {number}: is no table; write [[{kind}]]"
            continue
        yield from (f"{kind} {number}: {problem}" for problem in problems_of(entry))


def _twice(keys: Sequence[Any]) -> Iterator[str]:
    seen: set[str] = set()
    for number, entry in enumerate(keys, start=1):
        key_id = str(entry.get("id")) if isinstance(entry, Mapping) else ""
        if key_id in seen:
            yield f"key {number}: id {key_id} is listed twice"
        seen.add(key_id)


def _of_key(entry: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(entry.keys() - {"id", "secret", "principal"}):
        yield f"{name}: unknown; a key has id, secret and principal"
    if not _KEY_ID.fullmatch(str(entry.get("id", ""))):
        yield "id: give 1 to 128 letters, digits, - or _, such as AKIAEXAMPLE000000000"
    if not isinstance(entry.get("secret"), str) or not entry["secret"]:
        yield "secret: give a text that is not empty"
    if not PRINCIPAL.fullmatch(str(entry.get("principal", ""))):
        yield "principal: give the ARN of a user, role or role session, such as arn:aws:iam::111111111111:user/app"


def _of_role(entry: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(entry.keys() - {"arn", "trusts", "external_id"}):
        yield f"{name}: unknown; a role has arn, trusts and external_id"
    if not _ROLE.fullmatch(str(entry.get("arn", ""))):
        yield "arn: give the ARN of a role, such as arn:aws:iam::111111111111:role/mail"
    trusts = entry.get("trusts")
    if not isinstance(trusts, list) or not trusts or not all(isinstance(each, str) and each for each in trusts):
        yield 'trusts: list ARNs of principals or ids of accounts, such as ["888888888888"]; "*" is every key'
    if not isinstance(entry.get("external_id", ""), str):
        yield "external_id: give a text"
