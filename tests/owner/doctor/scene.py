"""A healthy set-up before an embedded SES, to be made sick in one place."""

import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3

from relay.identities.accounts import Access, Accounts, AtOnce
from relay.localses.keys import Key
from relay.localses.sessions import Role
from relay.owner.doctor.examination import examine
from relay.owner.doctor.findings import Finding, Status
from relay.owner.doctor.rounds import PatientPace, Rounds
from relay.owner.doctor.setup import DelegateAtAws, Listening, Means, Owner, Setup, SpoolPlace
from relay.words.delegates import Delegate
from relay.words.roles import AssumedRole
from tests.localses.running import Door
from tests.ports import free_port

DEMO = Path(__file__).parents[3] / "config" / "demo"
OWNER = Key("AKIAOWNER", "owner-secret", "arn:aws:iam::888888888888:user/owner")
RELAY = Key("AKIARELAY", "relay-secret", "arn:aws:iam::888888888888:user/relay")
STRANGER = Key("AKIASTRANGER", "stranger-secret", "arn:aws:iam::999999999999:user/relay")
ROOT = Key("AKIAROOT", "root-secret", "arn:aws:iam::888888888888:root")
READER = Role("arn:aws:iam::888888888888:role/reader", ("999999999999",), "tea")
MAILER = Role("arn:aws:iam::111111111111:role/mail/billing", ("888888888888",))
PLACE = ("888888888888", "us-east-1")
EXAMPLE = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
BILLING = Delegate("billing", "arn:aws:iam::111111111111:user/billing")


class Answering(Accounts):
    """Accounts that answer some calls by themselves: in states that no embedded SES has."""

    def __init__(self, *given: Any, answers: dict[str, Any], **more: Any) -> None:
        super().__init__(*given, **more)
        self._answers = answers

    def call(self, account: str, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
        answer = self._answers.get(operation)
        if isinstance(answer, Exception):
            raise answer
        return answer if answer is not None else super().call(account, region, operation, **parameters)


@dataclass
class Scene:
    """Where the set-up is, and the SES before it."""

    home: Path
    door: Door
    key: Key = RELAY
    accesses: list[Access] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def setup(self) -> Setup:
        policies = self.home / "policies"
        if not policies.exists():
            shutil.copytree(DEMO / "policies", policies)
        return Setup(
            hostname="relay.test",
            region="us-east-1",
            endpoint_url=self.door.url,
            listeners=(Listening("127.0.0.1", free_port(), "starttls"),),
            certificate=None,
            spool=SpoolPlace(self.home / "spool.db", 1 << 20, 1 << 16),
            admin=("127.0.0.1", free_port()),
            secrets=(),
            delegates=(DelegateAtAws(BILLING, identities=(EXAMPLE,)),),
            owners=(Owner("888888888888", ("us-east-1",), None, None, "directory"),),
            policies=policies,
            refresh_interval=60.0,
            max_stale=3600.0,
        )

    def means(self) -> Means:
        own, owners = (self._accounts(who, accesses) for who, accesses in (("own", []), ("owners", self.accesses)))
        return Means(own, owners, time.time, self._lent)

    def _lent(self, role: AssumedRole) -> Answering:
        access = Access(role.account, role.arn, role.external_id)
        return self._accounts("lent", [access], session_name=role.session)

    def _accounts(self, who: str, accesses: list[Access], **more: Any) -> Answering:
        return Answering(
            accesses,
            endpoint_url=self.door.url,
            pace=PatientPace(AtOnce()),
            tries=1,
            new_session=lambda: session(who, self.key),
            answers=self.answers,
            **more,
        )

    def found(self, *checks: str, **changes: Any) -> list[Finding]:
        """What *checks* come to, and what they need where that fails, with *changes* made to the set-up."""
        setup = replace(self.setup, **changes)
        return examine(setup, self.means(), Rounds(), only=checks)

    def status(self, check: str, **changes: Any) -> list[tuple[str, str]]:
        return [(each.status.value, each.what) for each in self.found(check, **changes) if each.check == check]

    def owner(self, service: str = "sesv2") -> Any:
        """A client of the identity owner's."""
        return self.door.client(service, OWNER.id, OWNER.secret)


@cache
def session(who: str, key: Key) -> Any:
    """One session for all tests, and its models read once; two kinds of accounts share none, as in the program."""
    return boto3.Session(key.id, key.secret)


def failing(findings: Iterable[Finding]) -> list[str]:
    return [each.check for each in findings if each.status is Status.FAILING]


def only(findings: Iterable[Finding], check: str) -> Finding:
    """The one finding of *check*."""
    (found,) = (each for each in findings if each.check == check)
    return found
