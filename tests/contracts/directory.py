"""What every source of policies owes, wherever it reads them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from relay.background import call_off
from relay.identities.ports import Directory
from relay.judgement.catalog import Catalog
from relay.judgement.verdicts import Verdict
from relay.words.arns import IdentityArn
from tests.judgement.building import OWNER, REGION, allow, deny, facts, judge

EXAMPLE = IdentityArn("aws", REGION, OWNER, "example.com")
MAX_STALE = 3600.0


class Source(ABC):
    """An owner's identities, and a directory that reads them; ``now`` is the time of its clock."""

    directory: Directory
    now: float

    @abstractmethod
    def put(self, name: str, *statements: Mapping[str, Any], policy: str = "p") -> None:
        """Verify the identity *name*; with statements, put a policy on it."""

    @abstractmethod
    def withdraw(self, name: str, policy: str = "p") -> None:
        """Take a policy away."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete an identity with its policies."""

    @abstractmethod
    def spoil(self, name: str) -> None:
        """Put a policy on *name* that cannot be read."""

    @abstractmethod
    def leave(self) -> None:
        """Be away from now on."""

    @abstractmethod
    def come_back(self) -> None:
        """Be there again."""

    @abstractmethod
    def settle(self) -> None:
        """Let so much time pass that everything has been read again, if it can be."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def judge(self, message: Any = None) -> Any:
        return judge(self.directory.catalog, message, now=self.now)

    def verdict(self, author: str = "app@example.com") -> Verdict:
        verdict: Verdict = self.judge(facts(author)).decisions[0].verdict
        return verdict


class DirectoryContract:
    """The suite; a source is a fixture ``source``."""

    def test_before_the_first_reading_everything_is_undecided(self, source: Source) -> None:
        source.put("example.com", allow())

        assert source.verdict() is Verdict.UNDECIDED

    def test_what_is_read_decides(self, source: Source) -> None:
        source.put("example.com", allow())
        source.put("other.example")
        source.settle()

        assert source.verdict() is Verdict.ALLOWED
        assert source.verdict("app@other.example") is Verdict.NOT_ALLOWED
        assert source.judge(facts("app@nobody.example")).reply.code == 554

    def test_ages_are_told(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        before = source.directory.catalog.find(EXAMPLE)
        source.wait(30)
        source.settle()
        found, listed = source.directory.catalog.find(EXAMPLE), source.directory.catalog.owners[OWNER, REGION]

        assert before is not None
        assert found is not None
        assert before.read_at < found.read_at <= source.now
        assert source.now - 200 < listed.listed_at <= source.now

    def test_a_policy_that_is_withdrawn_allows_nothing_any_more(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        assert source.verdict() is Verdict.ALLOWED
        source.withdraw("example.com")
        source.settle()

        assert source.verdict() is Verdict.NOT_ALLOWED

    def test_a_policy_that_is_changed_decides_as_it_is(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        source.put("example.com", deny())
        source.settle()

        assert source.verdict() is Verdict.DENIED

    def test_identities_come_and_go(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        source.put("app@example.com", deny())
        source.settle()
        assert source.verdict() is Verdict.DENIED
        source.delete("app@example.com")
        source.settle()
        assert source.verdict() is Verdict.ALLOWED
        source.delete("example.com")
        source.put("other.example")
        source.settle()

        assert source.judge().reply.code == 554

    def test_a_catalog_once_handed_out_never_changes(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        held: Catalog = source.directory.catalog
        source.put("example.com", deny())
        source.settle()

        assert judge(held, now=source.now).permit is not None

    def test_a_catalog_is_the_same_until_something_is_read(self, source: Source) -> None:
        """What is remembered of judgements is forgotten with it."""
        source.put("example.com", allow())
        source.settle()

        assert source.directory.catalog is source.directory.catalog

    def test_an_unreadable_policy_never_allows(self, source: Source) -> None:
        source.put("example.com", allow())
        source.spoil("example.com")
        source.settle()

        assert source.verdict() is Verdict.UNDECIDED
        assert source.judge().reply.code == 451

    def test_a_source_that_is_away_leaves_what_was_read_until_it_is_too_old(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        source.leave()
        source.wait(MAX_STALE / 2)
        source.settle()
        assert source.verdict() is Verdict.ALLOWED
        source.wait(MAX_STALE)
        source.settle()
        assert source.judge().reply.code == 451
        source.come_back()
        source.settle()

        assert source.verdict() is Verdict.ALLOWED

    def test_what_is_not_read_here_cannot_be_read_again(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()

        assert source.directory.invalidate()
        assert source.directory.invalidate(EXAMPLE)
        assert not source.directory.invalidate(IdentityArn("aws", "eu-north-1", "1", "example.com"))

    async def test_nobody_waits_for_what_is_known(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        source.directory.used("app", source.judge().decisions)

        assert not await source.directory.look("app", [EXAMPLE], 30)

    def test_every_account_and_region_tells_how_it_stands(self, source: Source) -> None:
        source.put("example.com", allow())
        source.settle()
        (state,) = source.directory.places()

        assert (state.account, state.region, state.troubles) == (OWNER, REGION, ())
        assert state.revocation == 60

    async def test_it_runs_until_it_is_cancelled(self, source: Source) -> None:
        source.put("example.com", allow())
        running = asyncio.create_task(source.directory.run())
        async with asyncio.timeout(20):
            while source.verdict() is not Verdict.ALLOWED:
                source.wait(1)
                source.directory.refresh_soon()
                await asyncio.sleep(0.005)
        await call_off(running)

        assert running.cancelled()
