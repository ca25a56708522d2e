"""How accounts stand: the sandbox, pausing, suspension, and configuration sets that are paused or not there."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from relay.dns.answers import Absent
from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS, Key
from relay.localses.quota import Allowance
from tests.localses.running import MESSAGE, Clock, Door, House, validated
from tests.localses.test_sending import BILLING, DOMAIN, policy

OWNER = DEMO_KEYS[0]
SEND = {"Source": "ann@example.com", "RawMessage": {"Data": MESSAGE}}


def refusal(client: Any, **asked: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        client.send_raw_email(**SEND | asked) if hasattr(client, "send_raw_email") else client.send_email(**asked)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.fixture
def sandbox(house: House, clock: Clock) -> Iterator[Door]:
    with house.running(LocalSes([*DEMO_KEYS, BILLING], allowance=Allowance(sandbox=True), clock=clock)) as door:
        door.client().verify_domain_identity(Domain="example.com")
        yield door


def test_the_sandbox_lets_mail_go_to_verified_recipients_and_the_simulator_only(sandbox, clock):
    """In SES's words; one refused recipient refuses the whole message."""
    client = sandbox.client()
    message = "Email address is not verified. The following identities failed the check in region US-EAST-1: "

    assert refusal(client, Destinations=["a@example.com", "Bob <b@example.net>", "c@example.org"]) == (
        400,
        "MessageRejected",
        message + "b@example.net, c@example.org",
    )
    assert refusal(client, Source="x@example.org", Destinations=["b@example.net"])[2] == message + (
        "x@example.org, b@example.net"
    )
    client.verify_email_identity(EmailAddress="b@example.net")
    for number, recipient in enumerate(["a@example.com", "b@example.net", "bounce+1@simulator.amazonses.com"]):
        clock.seconds = 2 * number + 2
        client.send_raw_email(**SEND, Destinations=[recipient])
    assert len(sandbox.messages) == 3


def test_the_sandbox_has_a_rate_and_a_quota_of_its_own(sandbox, clock):
    """One a second, 200 in 24 hours, whatever an account has outside of it; both APIs tell."""
    client, v2 = sandbox.client(), validated(sandbox.client("sesv2"))
    client.send_raw_email(**SEND, Destinations=["a@example.com"])

    assert refusal(client, Destinations=["a@example.com"])[1:] == ("Throttling", "Maximum sending rate exceeded.")
    quota = client.get_send_quota()
    assert (quota["Max24HourSend"], quota["MaxSendRate"], quota["SentLast24Hours"]) == (200.0, 1.0, 1.0)
    account = v2.get_account()
    assert (account["ProductionAccessEnabled"], account["SendQuota"]["Max24HourSend"]) == (False, 200.0)
    for number in range(4):
        clock.seconds += 51  # paid off, and the signatures are not five minutes old in the end
        client.send_raw_email(**SEND, Destinations=[f"r{n}@example.com" for n in range(49 if number < 3 else 50)])
    clock.seconds += 51
    assert refusal(client, Destinations=["a@example.com", "b@example.com", "c@example.com"])[2] == (
        "Daily message quota exceeded."
    )


def test_both_accounts_must_be_out_of_the_sandbox(house, clock):
    """SES Developer Guide, "Overview of Amazon SES sending authorization": the delegate's and the owner's."""
    with house.running(LocalSes([*DEMO_KEYS, BILLING], clock=clock)) as door:
        door.client().verify_domain_identity(Domain="example.com")
        door.client().put_identity_policy(
            Identity="example.com", PolicyName="p", Policy=policy(DOMAIN, BILLING.principal)
        )
        delegate = door.client(key=BILLING.id, secret=BILLING.secret)
        asked: dict[str, Any] = {"SourceArn": DOMAIN, "Destinations": ["b@example.net"]}
        heard = []
        for account in ("111111111111", "888888888888", "999999999999"):
            clock.seconds += 60
            door.local("PUT", "accounts", {account: {"sandbox": True}})
            try:
                delegate.send_raw_email(**SEND, **asked)
                heard.append("sent")
            except ClientError as error:
                heard.append(error.response["Error"]["Message"].rpartition(": ")[2])

    assert heard == ["b@example.net", "b@example.net", "sent"]


def test_an_account_pauses_itself_in_one_region(door):
    """UpdateAccountSendingEnabled and PutAccountSendingAttributes, each told by both APIs."""
    v1, v2 = validated(door.client()), validated(door.client("sesv2"))
    v1.update_account_sending_enabled(Enabled=False)

    assert refusal(v1)[:2] == (400, "AccountSendingPausedException")
    assert refusal(v2, Content={"Raw": {"Data": MESSAGE}})[:2] == (400, "SendingPausedException")
    assert v1.get_account_sending_enabled()["Enabled"] is False
    assert v2.get_account()["SendingEnabled"] is False
    assert door.client(region="eu-west-1").get_account_sending_enabled()["Enabled"] is True
    v2.put_account_sending_attributes(SendingEnabled=True)
    assert v1.get_account_sending_enabled()["Enabled"] is True
    v1.send_raw_email(**SEND)
    v2.put_account_sending_attributes()
    assert refusal(v1)[1] == "AccountSendingPausedException"


def test_the_desk_says_how_accounts_stand(door):
    """By account, by account and region, or for everybody; the closest word counts."""
    client, there = door.client(), door.client(region="eu-west-1")
    said = {"*": {"suspended": True}, "888888888888": {"paused": True}, "888888888888/eu-west-1": {}}
    assert door.local("PUT", "accounts", said) == (200, {})

    assert refusal(client)[1] == "AccountSendingPausedException"
    there.send_raw_email(**SEND)
    assert door.local("GET", "accounts")[1]["*"] == {"sandbox": False, "paused": False, "suspended": True}
    door.local("PUT", "accounts", {"*": {"suspended": True}})
    status, code, message = refusal(client)
    assert (status, code) == (400, "MessageRejected")
    assert message.startswith("Sending suspended for this account.")
    v2 = door.client("sesv2")
    assert refusal(v2, Content={"Raw": {"Data": MESSAGE}})[:2] == (400, "AccountSuspendedException")
    assert validated(v2).get_account()["EnforcementStatus"] == "SHUTDOWN"
    assert door.local("DELETE", "accounts") == (200, {})
    client.send_raw_email(**SEND)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ([], "Give an object by account"),
        ({"1": []}, "1: give an object with some of sandbox, paused, suspended."),
        ({"1": {"pause": True}}, "1: give an object with some of sandbox, paused, suspended."),
        ({"1": {"paused": "yes"}}, "1: sandbox, paused, suspended are true or false."),
    ],
)
def test_accounts_nobody_can_read_change_nothing(door, said, says):
    door.local("PUT", "accounts", {"888888888888": {"paused": True}})

    status, told = door.local("PUT", "accounts", said)

    assert (status, told["message"].startswith(says)) == (400, True)
    assert list(door.local("GET", "accounts")[1]) == ["888888888888"]
    assert door.ask("PUT", "/_local/accounts", b"{")[0] == 400


def test_a_configuration_set_must_be_there_and_not_be_paused(door):
    """It is one of the account that sends; by v1 and v2 the errors have the names of each."""
    v1, v2 = door.client(), door.client("sesv2")
    v2.create_configuration_set(ConfigurationSetName="off", SendingOptions={"SendingEnabled": False})

    assert refusal(v1, ConfigurationSetName="none") == (
        400,
        "ConfigurationSetDoesNotExist",
        "Configuration set <none> does not exist.",
    )
    assert refusal(v1, ConfigurationSetName="off")[:2] == (400, "ConfigurationSetSendingPausedException")
    raw = {"Content": {"Raw": {"Data": MESSAGE}}}
    assert refusal(v2, **raw, ConfigurationSetName="none")[:2] == (404, "NotFoundException")
    assert refusal(v2, **raw, ConfigurationSetName="off")[:2] == (400, "SendingPausedException")
    assert door.messages == []


def test_an_identity_has_a_default_configuration_set(door):
    """What the request names goes before it (SES Developer Guide, "Creating and verifying identities")."""
    v1, v2 = door.client(), door.client("sesv2")
    for name in ("usual", "special"):
        v2.create_configuration_set(ConfigurationSetName=name)
    v2.create_email_identity(EmailIdentity="example.com", ConfigurationSetName="usual")

    v1.send_raw_email(**SEND)
    v1.send_raw_email(**SEND, ConfigurationSetName="special")
    assert [message["configuration_set"] for message in door.messages] == ["usual", "special"]
    v2.delete_configuration_set(ConfigurationSetName="usual")
    assert refusal(v1)[1] == "ConfigurationSetDoesNotExist"


def test_the_default_of_an_owner_is_not_the_delegates(house):
    """Configuration sets of a delegate's send are the delegate's own."""
    with house.running(LocalSes([*DEMO_KEYS, BILLING])) as door:
        v2 = door.client("sesv2")
        v2.create_configuration_set(ConfigurationSetName="owners")
        v2.create_email_identity(EmailIdentity="example.com", ConfigurationSetName="owners")
        v2.create_email_identity_policy(
            EmailIdentity="example.com", PolicyName="p", Policy=policy(DOMAIN, BILLING.principal)
        )
        delegate = door.client(key=BILLING.id, secret=BILLING.secret)
        delegate.send_raw_email(**SEND, SourceArn=DOMAIN)
        assert refusal(delegate, SourceArn=DOMAIN, ConfigurationSetName="owners")[1] == "ConfigurationSetDoesNotExist"

        assert [message["configuration_set"] for message in door.messages] == [None]


def test_a_rate_of_calls_of_ones_own(house, clock):
    """``calls_per_second`` of a realistic one is what owners have beside sending."""
    keys = [Key("K", "s", "arn:aws:iam::1:user/a")]
    with house.running(LocalSes(keys, allowance=Allowance(realistic=True, calls_per_second=0.1), clock=clock)) as door:
        client = door.client(key="K", secret="s")
        client.list_identities()
        clock.seconds = 9
        with pytest.raises(ClientError, match="Throttling"):
            client.list_identities()
        clock.seconds = 11
        assert client.list_identities()["Identities"] == []


async def nothing(_name: str, _kind: str) -> Absent:
    """A DNS that knows nothing; an address is verified without it."""
    return Absent(name_exists=False)


def test_a_mail_from_domain_without_its_records_refuses_where_that_is_wanted(house):
    """``RejectMessage``; else SES uses a domain of its own (SES Developer Guide, "Using a custom MAIL FROM domain")."""
    named = {"Identity": "ann@example.com", "MailFromDomain": "m.example.com"}
    with house.running(LocalSes(DEMO_KEYS, ask_dns=nothing)) as door:
        v1, v2 = door.client(), door.client("sesv2")
        v1.verify_email_identity(EmailAddress="ann@example.com")
        v1.set_identity_mail_from_domain(**named, BehaviorOnMXFailure="UseDefaultValue")
        v1.send_raw_email(**SEND)
        v1.set_identity_mail_from_domain(**named, BehaviorOnMXFailure="RejectMessage")

        assert refusal(v1)[:2] == (400, "MailFromDomainNotVerifiedException")
        assert refusal(v2, Content={"Raw": {"Data": MESSAGE}})[:2] == (400, "MailFromDomainNotVerifiedException")
