"""The relay.toml of a migration. Pure text; nothing in it is a secret."""

from collections.abc import Iterator, Mapping
from typing import Final

from relay.owner.migrate.model import Door, Found
from relay.owner.migrate.settling import Delegated, Settled

_HEAD: Final = """\
# Written by "ses-relay migrate {peer}". README.md beside it tells every difference, and what to do next.
# `ses-relay check --print-example` explains every key.
"""


def relay_toml(settled: Settled) -> str:
    """Return the settings."""
    found = settled.found
    tables = [
        *_sections(found, ("server",)),
        *(_table("[[listener]]", _listener(door)) for door in found.doors),
        *_tls(found),
        *(_table("[[delegate]]", _delegate(each)) for each in settled.delegates),
        *_htpasswd(found),
        _table("[policies]", {"source": "directory", "directory": "policies"}),
        *_owners(settled),
        _table("[ses]", {"region": settled.region}),
        _table("[delivery]", {"mode": found.mode}),
        *_notifications(settled),
        *_sections(found, [name for name in found.keys if name != "server"]),
    ]
    return "\n".join([_HEAD.format(peer=found.peer), *tables])


def _sections(found: Found, names: tuple[str, ...] | list[str]) -> Iterator[str]:
    for name in names:
        if keys := found.keys.get(name):
            yield _table(f"[{name}]", keys)


def _listener(door: Door) -> dict[str, object]:
    keys: dict[str, object] = {"address": door.address, "tls": door.tls}
    if not door.require_auth:
        keys["require_auth"] = False
    elif door.tls == "off":
        keys["allow_plaintext_auth"] = True
    return keys


def _tls(found: Found) -> Iterator[str]:
    if found.certificate:
        yield _table("[tls]", {"certificate": found.certificate, "key": found.key})


def _delegate(delegated: Delegated) -> dict[str, object]:
    client = delegated.client
    keys: dict[str, object] = {"name": client.name, "principal": delegated.principal}
    keys |= client.arns
    if client.arns:
        keys["allow_source_arns"] = list(dict.fromkeys(client.arns.values()))
    optional = {
        "allowed_networks": list(client.allowed_networks),
        "trusted_networks": list(client.trusted_networks),
        "configuration_set": client.configuration_set,
        "return_path": client.return_path,
    }
    return keys | {key: value for key, value in optional.items() if value}


def _htpasswd(found: Found) -> Iterator[str]:
    if any(client.has_password for client in found.clients):
        yield _table("[delegates]", {"htpasswd": "htpasswd"})


def _notifications(settled: Settled) -> Iterator[str]:
    """Notices of failed delivery come from a domain that may send."""
    domains = [arn.name for arn in settled.identities if not arn.is_address]
    if settled.found.mode == "spool" and domains:
        yield _table("[notifications]", {"from": f"postmaster@{domains[0]}"})


def _owners(settled: Settled) -> Iterator[str]:
    regions: dict[str, list[str]] = {}
    for arn in settled.identities:
        known = regions.setdefault(arn.account, [])
        if arn.region not in known:
            known.append(arn.region)
    for account, names in regions.items():
        yield _table("[[policies.owner]]", {"account": account, "regions": names})


def _table(head: str, keys: Mapping[str, object]) -> str:
    return "\n".join([head, *(f"{key} = {_value(value)}" for key, value in keys.items()), ""])


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return _quoted(str(value))


def _quoted(text: str) -> str:
    """Return a basic string (TOML v1.0.0, "String")."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'
