"""What a 250 rests on when the spool is at a Redis: looked up, compared with what the operator asked for, and told."""

from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import parse_qsl, urlsplit

from relay.shared.answers import Away
from relay.shared.engine import Engine, Part
from relay.spool.problems import SpoolProblem
from relay.words.values import dataclass

Durability: TypeAlias = Literal["always", "everysec", "unchecked"]

#: Parameters of ``spool.url`` that mean something to the spool, not to the connection.
PARAMETERS: Final = frozenset({"durability", "replicas"})
_MOST_REPLICAS: Final = 5
_OLDEST: Final = (7, 0)  # scripts say whether they may run on a full server
_PROMISES: Final = {
    "always": "its server writes each message to the disk before it acknowledges it (appendfsync always)",
    "everysec": "its server writes to the disk once a second: a crash of its machine may lose the last second of mail",
    "unchecked": "what its server promises is not looked at (durability=unchecked)",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What the operator asks of the server. ``durability``: ``always`` is fsync before every acknowledgement, ``everysec``
    gives up to a second away, ``unchecked`` asks nothing. ``replicas``: how many must have a message before its 250.
    """

    durability: Durability = "always"
    replicas: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself; ``fsync`` is empty where it does not tell. Octets; ``limit`` 0 for none."""

    is_logging: bool
    fsync: str
    policy: str
    used: int
    limit: int


def wish_of(url: str) -> Wish:
    """
    Read the spool's own parameters of ``spool.url``.

    Raises:
        SpoolProblem: One has a value that it cannot have.
    """
    asked = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    durability, replicas = asked.get("durability", "always"), asked.get("replicas", "0")
    if durability not in get_args(Durability):
        raise SpoolProblem(f"spool.url: durability is {', '.join(get_args(Durability))}")
    if not (replicas.isascii() and replicas.isdigit() and int(replicas) <= _MOST_REPLICAS):
        raise SpoolProblem(f"spool.url: replicas is a number up to {_MOST_REPLICAS}")
    return Wish(durability, int(replicas))  # type: ignore[arg-type]  # one of them


async def look(engine: Engine) -> Server | Away:
    """Ask the server how it keeps things. What CONFIG tells is not told everywhere (ElastiCache, MemoryDB)."""
    told = await engine.pipeline([("INFO", "persistence"), ("INFO", "memory"), ("CONFIG", "GET", "appendfsync")])
    if isinstance(told, Away):
        return told
    persistence, memory, config = told
    if isinstance(persistence, Away) or isinstance(memory, Away):
        return persistence if isinstance(persistence, Away) else memory
    fsync = "" if isinstance(config, Away) or len(config) < 2 else config[1].decode(errors="replace")
    return Server(
        is_logging=_field(persistence, "aof_enabled") == "1",
        fsync=fsync,
        policy=_field(memory, "maxmemory_policy"),
        used=int(_field(memory, "used_memory") or 0),
        limit=int(_field(memory, "maxmemory") or 0),
    )


def problem_with(server: Server, name: str, wish: Wish) -> str | None:
    """Say why *server*, whose *name* has its version, does not do for *wish*, and what cures it; None where it does."""
    if name.startswith("Redis") and _version(name) < _OLDEST:
        return f"{name} is too old for a spool: 7.0 or later is needed"
    if server.policy not in {"", "noeviction"}:
        return f"its server may throw mail away when it is full: set maxmemory-policy noeviction, not {server.policy}"
    return None if wish.durability == "unchecked" else _loss_at(server, wish)


def _loss_at(server: Server, wish: Wish) -> str | None:
    """Say how mail could be lost at *server* that was acknowledged."""
    if not server.is_logging:
        return "its server keeps no log (appendonly no): a restart would lose the mail; set appendonly yes"
    if not server.fsync:
        return (
            "its server does not tell when it writes to the disk (CONFIG GET appendfsync is forbidden): allow that, "
            "or take its maker's word for it with ?durability=unchecked"
        )
    if server.fsync not in {"always", wish.durability}:
        return (
            f"its server acknowledges before it writes to the disk (appendfsync {server.fsync}): set appendfsync "
            "always, or accept the loss of up to a second of mail with ?durability=everysec"
        )
    return None


def promise_of(server: Server, wish: Wish) -> str:
    """Say in a clause what 250 rests on."""
    known = "unchecked" if wish.durability == "unchecked" else server.fsync
    promise = _PROMISES.get(known, _PROMISES["unchecked"])
    if wish.replicas:
        return f"{promise}; {wish.replicas} of its replicas have it by then"
    return promise


def waiting_of(wish: Wish, server_name: str, patience_ms: int) -> tuple[Part, ...] | None:
    """Return the command that waits for the replicas: until they have it on disk where the server can tell (7.2)."""
    if not wish.replicas:
        return None
    if server_name.startswith("Valkey") or _version(server_name) >= (7, 2):
        return ("WAITAOF", 0 if wish.durability == "unchecked" else 1, wish.replicas, patience_ms)
    return ("WAIT", wish.replicas, patience_ms)


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.partition(" ")[2].split(".") if part.isdigit())


def replicas_of(answer: Any) -> int:
    """Return how many replicas an answer to that command says there are."""
    return int(answer[1]) if isinstance(answer, list) else int(answer)


def _field(told: Any, name: str) -> str:
    """Read a field of INFO, as the library has it: a table, or its text."""
    if isinstance(told, dict):
        return str(told.get(name, ""))
    text = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
    return next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith(f"{name}:")), "")
