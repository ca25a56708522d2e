"""The annotated relay.toml.example, printed from the declarations: it cannot fall behind them."""

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from relay.settings.keys import field_at, fields_of, form_of, table_of, tables
from relay.settings.model import Settings

_HEAD: Final = """\
# Settings of ses-relay, each with its unit, its default and its reason.
#
# A line that begins with "#" and a key shows the default, or a sample where nothing is set by default.
# Every key can also be given by the environment, as SES_RELAY__SECTION__KEY, or as SES_RELAY__SECTION__KEY_FILE to read
# it from a file. Durations: 250ms 30s 15m 4h 2d. Sizes: 64KiB 10MiB. Relative paths start at the folder of this file.
# `ses-relay check -c relay.toml` tells every mistake at once.
"""

#: What the example sets, so that it is a whole: one listener on loopback, one delegate, policies from a folder. Nobody
#: knows the password behind the hash.
_SET: Final[dict[str, Any]] = {
    "listener.address": "127.0.0.1:2525",
    "listener.tls": "off",
    "listener.allow_plaintext_auth": True,
    "delegate.name": "billing",
    "delegate.principal": "arn:aws:iam::111111111111:user/billing",
    "delegate.password_hash": (
        "$argon2id$v=19$m=19456,t=2,p=1$5rwcaAn1NOzkc0zpjPx5aQ$hmIHVu97QmXj/E53gu568mYAg7Pl9hDbBatdyv1gPj4"
    ),
    "policies.source": "directory",
    "policies.directory": "config/demo/policies",
    "policies.owner.account": "888888888888",
    "policies.owner.regions": ["us-east-1"],
    "ses.region": "us-east-1",
    "delivery.mode": "direct",
}

#: Samples for keys that are unset or empty by default.
SAMPLES: Final[dict[str, Any]] = {
    "server.hostname": "relay.example.com",
    "listener.proxy_protocol_from": ["10.0.0.0/24"],
    "listener.i_know": "credentials travel in clear",
    "tls.certificate": "/etc/ses-relay/certificate.pem",
    "tls.key": "/etc/ses-relay/key.pem",
    "tls.client_ca": "/etc/ses-relay/clients.pem",
    "delegate.password_file": "/run/secrets/billing",
    "delegate.password_secret": "ses-relay/billing",
    "delegate.client_certificates": ["dns:billing.example.com"],
    "delegates.oauth.ca": "/etc/ses-relay/issuer.pem",
    "delegates.oauth.names": {"client-of-billing": "billing"},
    "delegate.allowed_networks": ["10.1.0.0/16", "2001:db8::/32"],
    "delegate.trusted_networks": ["10.1.2.0/24"],
    "delegate.role_arn": "arn:aws:iam::111111111111:role/billing",
    "delegate.external_id": "an-id-that-the-role-asks-for",
    "delegate.mode": "observe",
    "delegate.observe_until": "2027-01-31T00:00:00Z",
    "delegate.allow_identities": ["example.com"],
    "delegate.default_source_arn": "arn:aws:ses:us-east-1:888888888888:identity/example.com",
    "delegate.default_from_arn": "arn:aws:ses:us-east-1:888888888888:identity/example.com",
    "delegate.default_return_path_arn": "arn:aws:ses:us-east-1:888888888888:identity/example.com",
    "delegate.allow_source_arns": ["arn:aws:ses:us-east-1:888888888888:identity/example.com"],
    "delegate.configuration_set": "billing",
    "delegate.allow_configuration_sets": ["billing-bulk"],
    "delegate.tenant": "billing",
    "delegate.allow_tenants": ["billing-bulk"],
    "delegate.organization_id": "o-exampleorg1",
    "delegate.principal_tags": {"team": "billing"},
    "delegate.repair": ["bare-lf"],
    "delegate.rate": "20/s",
    "delegate.daily_recipients": 50_000,
    "delegate.bounce_rate": {"warn": 0.04, "slow": 0.06, "suspend": 0.08},
    "delegate.complaint_rate": {"warn": 0.001, "slow": 0.002, "suspend": 0.004},
    "delegate.reveal": "full",
    "delegates.file": "delegates.toml",
    "delegates.htpasswd": "htpasswd",
    "policies.snapshot": "/var/lib/ses-relay/policies.json",
    "policies.events_queue": "https://sqs.us-east-1.amazonaws.com/888888888888/ses-policy-events",
    "policies.queue.role_arn": "arn:aws:iam::111111111111:role/ses-relay-reads-events",
    "policies.queue.external_id": "an-id-that-the-role-asks-for",
    "policies.owner.role_arn": "arn:aws:iam::888888888888:role/read-policies",
    "policies.owner.external_id": "an-id-that-the-role-asks-for",
    "policies.owner.source": "directory",
    "authorization.observe_until": "2027-01-31T00:00:00Z",
    "authorization.context": {"aws:PrincipalOrgID": "o-exampleorg1"},
    "ses.endpoint_url": "http://127.0.0.1:8579",
    "ses.egress": ["203.0.113.7"],
    "spool.url": "sqlite:///var/lib/ses-relay/spool.db",
    "notifications.from": "postmaster@example.com",
    "notifications.role": "arn:aws:iam::888888888888:role/notices",
    "dns.nameservers": ["127.0.0.53"],
    "feedback.queue_url": "https://sqs.us-east-1.amazonaws.com/888888888888/ses-events",
    "feedback.queue.role_arn": "arn:aws:iam::111111111111:role/ses-relay-reads-feedback",
    "feedback.queue.external_id": "an-id-that-the-role-asks-for",
    "feedback.path": "/var/lib/ses-relay/feedback.db",
    "shared.url": "redis://redis.example.com",
    "admin.token_file": "/run/secrets/admin-token",
    "admin.token.delegates": ["billing"],
    "journal.path": "/var/lib/ses-relay/journal.db",
    "journal.keep": "90d",
}


def example() -> str:
    """Write the whole example: every key, those of :data:`_SET` alive, the others commented out."""
    return _HEAD + "".join(f"\n\n{_table(path, model)}" for path, model in tables(Settings) if path)


def _table(path: tuple[str, ...], model: type[BaseModel]) -> str:
    field = field_at(Settings, path)
    below = table_of(field) if field else None
    name = ".".join(path)
    header = f"[[{name}]]" if below and below[1] else f"[{name}]"
    is_alive = any(known.rpartition(".")[0] == name for known in _SET) or not (below and below[1])
    lines = [*_prose(" ".join((model.__doc__ or "").split())), header if is_alive else f"#{header}"]
    for key, declared in fields_of(model).items():
        if table_of(declared) is None:
            lines += ["", *_key(f"{name}.{key}", key, declared)]
    return "\n".join(lines) + "\n"


def _key(full: str, key: str, field: FieldInfo) -> Iterator[str]:
    notes = f"{field.description} ({form_of(field).text})"
    yield from _prose(notes)
    if full in _SET:
        yield f"{key} = {toml(_SET[full])}"
    else:
        yield f"#{key} = {toml(sample_of(full, field))}"


def sample_of(full: str, field: FieldInfo) -> Any:
    """Return the default of a key as it is written in TOML, or a sample where it has none."""
    if field.is_required():
        return field.examples[0] if field.examples else None
    return SAMPLES.get(full, field.default)


def _prose(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, 116, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def toml(value: Any) -> str:
    """Write a value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            pairs = ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")
