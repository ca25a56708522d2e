"""Policies from the embedded SES through boto3: roles and what is refused, throttled, cut off."""

from collections.abc import Iterator

import boto3
import pytest

from relay.identities.accounts import Access, Accounts, AtOnce
from relay.identities.ses_directory import SesDirectory
from relay.judgement.verdicts import Verdict
from relay.localses.app import LocalSes
from relay.localses.keys import Key
from relay.localses.sessions import Role
from relay.observe.events import Event, PoliciesRefreshed, SesCalled
from relay.words.arns import IdentityArn
from relay.words.freshness import Terms
from tests.identities.account import text
from tests.judgement.building import OWNER, REGION, allow, judge
from tests.localses.running import Door, House

READER = f"arn:aws:iam::{OWNER}:role/policy-reader"
OURS = Key("AKIARELAY", "relay-secret", "arn:aws:iam::999999999999:user/relay")
THEIRS = Key("AKIAOWNER", "owner-secret", f"arn:aws:iam::{OWNER}:root")
EXAMPLE = IdentityArn("aws", REGION, OWNER, "example.com")


class Owned:
    """An owner's SES with one domain and its policy, and a relay's directory of it."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.events: list[Event] = []
        client = door.client("sesv2", THEIRS.id, THEIRS.secret)
        client.create_email_identity(EmailIdentity="example.com")
        client.create_email_identity_policy(EmailIdentity="example.com", PolicyName="p", Policy=text(allow()))

    def directory(self, key: Key, *accesses: Access) -> SesDirectory:
        accounts = Accounts(
            accesses,
            endpoint_url=self.door.url,
            pace=AtOnce(),
            tries=1,
            new_session=lambda: boto3.Session(key.id, key.secret),
        )
        directory = SesDirectory([(OWNER, REGION)], accounts, Terms(60.0, 3600.0, 50.0), self.events.append)
        directory.refresh()
        return directory

    def trouble(self, directory: SesDirectory) -> str:
        (state,) = directory.places()
        return "; ".join(state.troubles)

    def results(self) -> list[tuple[str, str]]:
        return [(event.operation, event.result) for event in self.events if isinstance(event, SesCalled)]


@pytest.fixture
def owned(house: House) -> Iterator[Owned]:
    with house.running(LocalSes((OURS, THEIRS), roles=(Role(READER, ("999999999999",), "tea"),))) as door:
        yield Owned(door)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def test_policies_are_read_through_the_role_that_the_owner_lends(owned):
    directory = owned.directory(OURS, Access(OWNER, READER, "tea"))
    assert directory.fetch([EXAMPLE])

    found = directory.catalog.find(EXAMPLE)
    assert found is not None
    assert judge(directory.catalog, now=found.read_at).decisions[0].verdict is Verdict.ALLOWED
    assert owned.results() == [("ListEmailIdentities", "sent"), ("GetEmailIdentity", "sent")]


def test_a_role_without_its_external_id_is_said_to_need_trust(owned):
    directory = owned.directory(OURS, Access(OWNER, READER))

    assert "by sts AssumeRole: AccessDenied" in owned.trouble(directory)
    assert "the role must trust the relay's principal" in owned.trouble(directory)
    assert directory.catalog.owners[OWNER, REGION].problem is not None


def test_credentials_of_another_account_are_said_to_need_a_role(owned):
    """Under the same name another identity would be read."""
    assert "set role_arn for the owner 888888888888" in owned.trouble(owned.directory(OURS))


def test_who_may_not_read_is_told_the_statement_that_is_needed(owned):
    fault = {"code": "AccessDeniedException", "status": 403, "message": "no", "times": 9}
    owned.door.local("PUT", "faults", {"ListEmailIdentities": [fault]})

    assert '"ses:ListEmailIdentities", "ses:GetEmailIdentity"' in owned.trouble(owned.directory(THEIRS))
    assert owned.results() == [("ListEmailIdentities", "refused")]


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ({"drop": "before", "times": 1}, "unavailable"),
        ({"code": "InternalFailure", "status": 500, "times": 1}, "unavailable"),
    ],
)
def test_what_passes_is_a_trouble_until_it_has_passed(owned, fault, result):
    directory = owned.directory(THEIRS)
    owned.door.local("PUT", "faults", {"GetEmailIdentity": [fault]})
    assert not directory.fetch([EXAMPLE])
    assert owned.results()[-1] == ("GetEmailIdentity", result)
    assert owned.trouble(directory)
    assert directory.fetch([EXAMPLE])

    assert owned.trouble(directory) == ""
    assert [event.result for event in owned.events if isinstance(event, PoliciesRefreshed)] == ["ok", "failed", "ok"]


def test_a_throttled_call_is_counted_and_no_trouble_yet(owned):
    directory = owned.directory(THEIRS)
    fault = {"code": "TooManyRequestsException", "status": 429, "times": 1}
    owned.door.local("PUT", "faults", {"GetEmailIdentity": [fault]})
    assert not directory.fetch([EXAMPLE])
    assert owned.results()[-1] == ("GetEmailIdentity", "throttled")

    assert owned.trouble(directory) == ""
    assert directory.fetch([EXAMPLE])


def test_an_identity_that_was_deleted_since_the_list_is_gone(owned):
    directory = owned.directory(THEIRS)
    owned.door.client("sesv2", THEIRS.id, THEIRS.secret).delete_email_identity(EmailIdentity="example.com")
    directory.fetch([EXAMPLE])

    assert directory.catalog.find(EXAMPLE) is None
