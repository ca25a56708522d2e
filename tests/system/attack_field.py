"""The field of the attack cases: their users, identities and limits as files that a relay is started with."""

import json
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

CASES = Path(__file__).parent.parent / "cases"
FIXTURE: dict[str, Any] = json.loads((CASES / "attacks_fixture.json").read_text())
OWNER = "111122223333"
REGION = "us-east-1"


def principal(delegate: str) -> str:
    return f"arn:aws:iam::444455556666:user/{delegate}"


def write_policies(root: Path) -> Path:
    """One folder an identity; its ``allow`` entries become statements that name the delegate."""
    for arn, identity in FIXTURE["identities"].items():
        folder = root / OWNER / REGION / arn.rpartition("/")[2]
        folder.mkdir(parents=True)
        statements = [_statement(arn, entry) for entry in identity["allow"]]
        if statements:
            document = {"Version": "2012-10-17", "Statement": statements}
            (folder / "delegates.json").write_text(json.dumps(document))
    return root


def _statement(arn: str, entry: dict[str, Any]) -> dict[str, Any]:
    conditions = {operator: keys for operator, keys in entry.items() if operator != "delegate"}
    return {
        "Sid": entry["delegate"],
        "Effect": "Allow",
        "Principal": {"AWS": principal(entry["delegate"])},
        "Action": ["ses:SendRawEmail"],
        "Resource": arn,
        "Condition": conditions,
    }


def write_settings(root: Path, *, certificate: Path, key: Path, ses: str) -> Path:
    """``relay.toml`` for the field: STARTTLS and implicit TLS, AUTH required, budgets of one address lifted."""
    passwords = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    delegates = "\n".join(
        f'[[delegate]]\nname = "{name}"\nprincipal = "{principal(name)}"\npassword_hash = "{passwords.hash(secret)}"\n'
        for name, secret in FIXTURE["users"].items()
    )
    path = root / "relay.toml"
    path.write_text(f"""
[server]
hostname = "relay.test"

[[listener]]
address = "127.0.0.1:0"
tls = "starttls"

[[listener]]
address = "localhost:0"
tls = "implicit"

[tls]
certificate = "{certificate}"
key = "{key}"

{delegates}
[policies]
source = "directory"
directory = "{write_policies(root / "policies")}"

[[policies.owner]]
account = "{OWNER}"
regions = ["{REGION}"]

[authorization]
source_arn = "required"
x_ses_headers = "reject"

[ses]
endpoint_url = "{ses}"
region = "{REGION}"

[delivery]
mode = "direct"

[limits]
over_recipients = "452"
auth_failures_per_minute = 100000
auth_failures_per_day = 1000000

[admin]
address = "127.0.0.1:0"
""")
    return path
