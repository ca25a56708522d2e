"""A simulated account at SES, asked through ``Accounts.call`` as boto3 would be; and a directory of it, by a clock."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

from relay.identities.accounts import Away, AwsProblem, Refused
from relay.identities.ports import Keeper
from relay.identities.rounds import Wait
from relay.identities.ses_answers import Clocks
from relay.identities.ses_directory import Books, SesDirectory
from relay.identities.snapshot import Snapshot
from relay.judgement.catalog import Identity
from relay.observe.events import Event, PoliciesRefreshed
from relay.words.arns import IdentityArn
from relay.words.freshness import Terms
from tests.judgement.building import OWNER, REGION, arn, delegate, facts, judge

PAGE = 1000


def text(*statements: Mapping[str, Any], name: str = "example.com") -> str:
    """A policy as its owner put it on the identity *name*."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{**each, "Resource": arn(name)} for each in statements]})


class FakeAccounts:
    """What accounts hold, and what was asked of them. ``trouble``: what is raised instead of an answer, if anything."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str]] = {}
        self.pending: set[str] = set()
        self.asked: list[str] = []
        self.trouble: Callable[[str], Any] = lambda _operation: None

    def put(self, name: str, *statements: Mapping[str, Any], policy: str = "p") -> None:
        """Verify an identity; with statements, attach a policy."""
        policies = self.held.setdefault(name, {})
        if statements:
            policies[policy] = text(*statements, name=name)

    def call(self, account: str, region: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Answer as ``Accounts`` does."""
        named = f"{operation} ({account} {region})"
        name = parameters.get("EmailIdentity", "")
        self.asked.append(name or "list")
        if isinstance(trouble := self.trouble(name or "list"), AwsProblem):
            raise trouble
        if operation == "sesv2.list_email_identities":
            return self._page(int(parameters.get("NextToken", "0")))
        if name not in self.held:
            raise Refused(named, "NotFoundException", f"Email identity {name} does not exist.")
        is_verified = name not in self.pending
        status = "SUCCESS" if is_verified else "PENDING"
        policies = dict(self.held[name])
        return {"VerifiedForSendingStatus": is_verified, "VerificationStatus": status, "Policies": policies}

    def _page(self, first: int) -> dict[str, Any]:
        names = sorted(self.held)
        rows = [self._row(name) for name in names[first : first + PAGE]]
        following = {"NextToken": str(first + PAGE)} if first + PAGE < len(names) else {}
        return {"EmailIdentities": rows, **following}

    def _row(self, name: str) -> dict[str, Any]:
        is_verified = name not in self.pending
        kind = "EMAIL_ADDRESS" if "@" in name else "DOMAIN"
        status = "SUCCESS" if is_verified else "PENDING"
        return {
            "IdentityName": name,
            "IdentityType": kind,
            "VerificationStatus": status,
            "SendingEnabled": is_verified,
        }


def away() -> Away:
    return Away("sesv2 (888888888888 us-east-1)", "EndpointConnectionError", "nobody there")


def throttled() -> Away:
    return Away("sesv2 (888888888888 us-east-1)", "TooManyRequestsException", "Too many requests")


def denied() -> Refused:
    return Refused("sesv2 (888888888888 us-east-1)", "AccessDeniedException", "User is not authorized")


class World:
    """A directory of one account, and a clock that goes as fast as its plan lets it. ``wall``: set back or forward."""

    def __init__(
        self,
        accounts: FakeAccounts | None = None,
        *,
        terms: Terms | None = None,
        snapshot: Snapshot | None = None,
        keeper: Keeper | None = None,
        now: float = 1_760_000_000.0,
        before: "World | None" = None,
        places: tuple[tuple[str, str], ...] = ((OWNER, REGION),),
    ) -> None:
        self.accounts = accounts or FakeAccounts()
        self.seconds: float = 0.0 if before is None else before.seconds
        self.start: float = now if before is None else before.start
        self.chance = random.Random(2)
        self.events: list[Event] = []
        self.terms = terms or Terms()
        self.directory: SesDirectory = SesDirectory(
            places,
            self.accounts,  # type: ignore[arg-type]  # it has the one method that is used
            self.terms,
            self.events.append,
            books=Books(keeper, snapshot),
            clocks=Clocks(lambda: self.now, lambda: self.seconds, random.Random(1).random),
            before=None if before is None else before.directory,
        )

    @property
    def now(self) -> float:
        return self.start + self.seconds

    def run(self, seconds: float, each: Callable[[], object] = lambda: None) -> "World":
        """Let so many seconds pass: the loops' work, without the loops."""
        until = self.seconds + seconds
        while self.seconds < until:
            each()
            waits = []
            for place in self.directory._places.values():
                step = place.next_step()
                if isinstance(step, Wait):
                    waits.append(step.seconds)
                    continue
                place.begin(step)
                place.take_over(step, place.ask(step))
                self.directory.publish()
            if len(waits) == len(self.directory._places):
                self.seconds = min(until, self.seconds + min(*waits, 1.0))
        return self

    def use(self, judgement: Any) -> None:
        """Let the directory look at a judgement as its loop does."""
        for decision in judgement.decisions:
            if decision.identity is not None:
                self.directory._places[decision.identity.account, decision.identity.region].used("app", decision)

    def judge(self, message: Any = None, **options: Any) -> Any:
        """Judge a message and let the directory know."""
        judgement = judge(self.directory.catalog, message, who=delegate(), now=self.now, **options)
        self.use(judgement)
        return judgement

    def verdict(self, author: str = "app@example.com") -> str:
        """The verdict on a message's author."""
        return str(self.judge(facts(author)).decisions[0].verdict)

    def identity(self, name: str) -> Identity:
        """What the judge is handed of *name*."""
        found = self.directory.catalog.find(IdentityArn("aws", REGION, OWNER, name))
        assert found is not None, name
        return found

    def told(self) -> PoliciesRefreshed:
        """What the observer was told last of readings."""
        return [event for event in self.events if isinstance(event, PoliciesRefreshed)][-1]
