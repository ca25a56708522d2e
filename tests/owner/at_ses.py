"""An embedded SES of one owner, asked as owners ask it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from relay.identities.accounts import Accounts, AtOnce
from relay.identities.ses_api import SesApi
from relay.localses.app import LocalSes, Served
from relay.localses.keys import Key
from relay.localses.quota import Allowance
from tests.localses.running import Door, House

OWNER = "888888888888"
REGION = "us-east-1"
KEY = Key("AKIAOWNER", "owner-secret", f"arn:aws:iam::{OWNER}:root")
BILLING = "arn:aws:iam::111111111111:user/billing"


def policy(
    action: str = "ses:SendRawEmail",
    *,
    effect: str = "Allow",
    principal: str = BILLING,
    account: str = OWNER,
    identity: str = "example.com",
    **condition: Any,
) -> str:
    """A policy of one statement, as small as JSON gets."""
    statement: dict[str, Any] = {
        "Effect": effect,
        "Principal": {"AWS": principal},
        "Action": action,
        "Resource": f"arn:aws:ses:{REGION}:{account}:identity/{identity}",
    }
    if condition:
        statement["Condition"] = {operator: dict(entry) for operator, entry in condition.items()}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


def of_size(octets: int) -> str:
    """A policy of so many octets that lint has nothing against."""
    text = policy()
    return text.replace('"Version"', f'"Id":"{"x" * (octets - len(text) - 8)}","Version"')


@dataclass(frozen=True, slots=True)
class AtSes:
    """The embedded SES, and the owner's view of it."""

    door: Door
    key: Key
    known: Accounts

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.key.principal.split(":")[4]

    def api(self, kind: type[SesApi] = SesApi, **more: Any) -> SesApi:
        """Return what the commands ask it by, or a *kind* of it; no pace unless *more* says otherwise."""
        return kind(self.accounts(**more) if more else self.known, self.account, REGION)

    def accounts(self, **more: Any) -> Accounts:
        """Return its clients."""
        return _accounts(self.door.url, self.key, **more)

    def client(self, service: str = "sesv2") -> Any:
        """Return an AWS client of the owner."""
        return self.door.client(service, self.key.id, self.key.secret)

    def holds(self, identity: str, **policies: str) -> None:
        """Verify *identity*, with these policies."""
        api = self.api()
        if api.identity(identity) is None:
            api.call("create_email_identity", EmailIdentity=identity)
        for name, text in policies.items():
            api.update_policy(identity, name, text)

    def fails(self, operation: str, **fault: Any) -> None:
        """Let the next calls of *operation* meet a fault."""
        status, said = self.door.local("PUT", "faults", {operation: [fault]})
        assert status == 200, said


@contextmanager
def at_ses(key: Key = KEY, *, realistic: bool = False, tell: Callable[[Served], None] | None = None) -> Iterator[AtSes]:
    """Run one, with the keys of one owner; *tell* hears of every request."""
    house = House()
    try:
        with house.running(LocalSes((key,), allowance=Allowance(realistic=realistic), tell=tell)) as door:
            yield AtSes(door, key, _accounts(door.url, key))
    finally:
        house.close()


def _accounts(url: str, key: Key, **more: Any) -> Accounts:
    options = {"pace": AtOnce(), "sleep": lambda _seconds: None, **more}
    return Accounts(endpoint_url=url, new_session=lambda: boto3.Session(key.id, key.secret), **options)
