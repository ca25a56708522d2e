"""Owners' accounts by boto3 against the embedded SES, which checks signatures and roles."""

from typing import Any

import boto3
import pytest

from relay.identities.accounts import Access, Accounts, AtOnce, Away, OneASecond, Refused
from relay.identities.ses_api import SesApi
from relay.localses.accounts import Accounts as Known
from relay.localses.app import LocalSes
from relay.localses.keys import Key
from relay.localses.sessions import Role
from tests.localses.running import House

READER = "arn:aws:iam::888888888888:role/policy-reader"
OURS = Key("AKIARELAY", "relay-secret", "arn:aws:iam::999999999999:user/relay")
THEIRS = Key("AKIAOWNER", "owner-secret", "arn:aws:iam::888888888888:root")
POLICY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ses:SendRawEmail",
"Principal": {"AWS": "111111111111"}, "Resource": "arn:aws:ses:us-east-1:888888888888:identity/example.com"}]}"""


@pytest.fixture(scope="module")
def url():
    house = House()
    known = Known((OURS, THEIRS), (Role(READER, ("999999999999",), "tea"),))
    with house.running(LocalSes(known.keys, roles=known.roles)) as door:
        yield door.url
    house.close()


def accounts(url: str, key: Key, *accesses: Access, **more: Any) -> Accounts:
    return Accounts(
        accesses,
        endpoint_url=url,
        pace=AtOnce(),
        new_session=lambda: boto3.Session(key.id, key.secret),
        **more,
    )


def test_an_owner_keeps_identities_and_policies(url):
    ses = SesApi(accounts(url, THEIRS), "888888888888", "us-east-1")
    ses.call("create_email_identity", EmailIdentity="example.com")
    assert ses.identity("example.org") is None

    ses.create_policy("example.com", "billing", POLICY)
    held = ses.identity("example.com")

    assert held is not None
    assert (held.verified, held.status, held.policies) == (True, "SUCCESS", {"billing": POLICY})
    assert [(each.name, each.kind, each.may_send) for each in ses.identities()] == [("example.com", "DOMAIN", True)]
    ses.delete_policy("example.com", "billing")
    assert ses.policies("example.com") == {}


def test_a_role_of_the_owner_is_used_for_its_account(url):
    borrowed = accounts(url, OURS, Access("888888888888", READER, "tea"))

    assert borrowed.caller("888888888888", "us-east-1")["Arn"] == (
        "arn:aws:sts::888888888888:assumed-role/policy-reader/ses-relay"
    )
    SesApi(borrowed, "888888888888", "us-east-1").identities()


def test_a_role_that_cannot_be_had_is_named(url):
    with pytest.raises(Refused, match=r"by sts AssumeRole: AccessDenied") as raised:
        SesApi(accounts(url, OURS, Access("888888888888", READER)), "888888888888", "us-east-1").identities()
    assert raised.value.code == "AccessDenied"


def test_an_identity_of_another_account_is_another_identity(url):
    """Our own credentials are not the owner's: what they would read under the same name is not asked for."""
    with pytest.raises(Refused, match="WrongAccount: the credentials are those of arn:aws:iam::999999999999:user/rel"):
        SesApi(accounts(url, OURS), "888888888888", "us-east-1").identities()


def test_a_throttled_call_is_made_again_and_given_up_in_the_end(url):
    door = House()
    waits: list[float] = []
    with door.running(LocalSes((THEIRS,))) as ses:
        ses.local("PUT", "faults", {"ListEmailIdentities": [{"code": "TooManyRequestsException", "times": 2}]})
        api = SesApi(accounts(ses.url, THEIRS, sleep=waits.append), "888888888888", "us-east-1")
        assert api.identities() == []
        assert waits == [1.0, 2.0]

        ses.local("PUT", "faults", {"ListEmailIdentities": [{"code": "TooManyRequestsException", "times": 6}]})
        with pytest.raises(Away, match="TooManyRequestsException"):
            api.identities()
    door.close()


def test_nobody_there_is_away():
    with pytest.raises(Away, match="EndpointConnectionError"):
        accounts("http://127.0.0.1:9", THEIRS, tries=1).caller("888888888888", "us-east-1")


def test_no_credentials_are_away():
    class Poor:
        def client(self, *_given, **_more):
            raise LookupError("no credentials")

    with pytest.raises(Away, match="LookupError: no credentials"):
        Accounts(new_session=Poor, tries=1).caller("888888888888", "us-east-1")


def test_a_turn_a_second_in_each_account_and_region():
    waits: list[float] = []
    pace = OneASecond(clock=lambda: 100.0, sleep=waits.append)

    for _ in range(3):
        pace("888888888888", "us-east-1")
    pace("888888888888", "eu-west-1")

    assert waits == [1.0, 2.0]


def test_where_the_chain_found_credentials(monkeypatch, tmp_path):
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert Accounts().origin() is None

    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = A\naws_secret_access_key = b\n")
    assert Accounts().origin() == "shared-credentials-file"

    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Away, match="ProfileNotFound"):
        Accounts().origin()


def test_what_a_credential_process_prints_is_not_told(monkeypatch, tmp_path):
    process = tmp_path / "process"
    process.write_text("#!/bin/sh\necho a-secret >&2; exit 1\n")
    process.chmod(0o700)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {process}\n")
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    with pytest.raises(Away, match="the credential process failed") as raised:
        Accounts(tries=1).caller("888888888888", "us-east-1")
    assert "a-secret" not in str(raised.value)


def test_a_refusal_tells_the_time_of_whoever_refused(url):
    wrong = Key(THEIRS.id, "another", THEIRS.principal)
    with pytest.raises(Refused, match="SignatureDoesNotMatch") as raised:
        accounts(url, wrong).caller("888888888888", "us-east-1")
    assert raised.value.date.endswith("GMT")
