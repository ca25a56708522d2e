"""``ses-relay delegate feedback`` as it is typed: SNS, SQS and EventBridge of moto, SES an embedded one."""

import json
import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from relay.identities import accounts
from relay.identities.accounts import Accounts, AtOnce, Refused
from relay.localses.app import LocalSes
from relay.localses.keys import Key
from relay.localses.outlet import Outlet
from relay.localses.sessions import Role
from relay.owner.feedback_path import FeedbackPath, merged
from relay.owner.feedback_setup import Setup
from tests.localses.running import MESSAGE, House, validated
from tests.owner.at_ses import AtSes

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's own
RELAY = Key("AKIARELAY", "relay-secret", f"arn:aws:iam::{ACCOUNT}:user/relay")
SESSION = boto3.Session(RELAY.id, RELAY.secret)
COMMAND = ("delegate", "feedback", "billing", "-c", "house.toml")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def running(moto: str) -> Iterator[AtSes]:
    """An embedded SES that publishes events to topics and buses of moto."""
    house = House()
    with house.running(LocalSes((RELAY,), outlet=Outlet(RELAY, endpoint=moto))) as door:
        yield AtSes(door, RELAY, Accounts(endpoint_url=door.url))
    house.close()


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def aws(moto: str, running: AtSes, config: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a maker of clients; the environment leads to moto, ses.endpoint_url to the embedded SES. All is empty."""
    monkeypatch.setattr(accounts, "OneASecond", AtOnce)
    monkeypatch.setattr(boto3, "Session", lambda: SESSION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    config.write_text(config.read_text().replace("[ses]", f'[ses]\nendpoint_url = "{running.door.url}"'))
    ses = running.client()
    for name in ses.list_configuration_sets()["ConfigurationSets"]:
        ses.delete_configuration_set(ConfigurationSetName=name)

    def client(service: str) -> Any:
        return SESSION.client(service, region_name=REGION, endpoint_url=moto)

    for url in client("sqs").list_queues().get("QueueUrls", []):
        client("sqs").delete_queue(QueueUrl=url)
    events = client("events")  # another module's rule, whose queue is gone, would stop ours
    for rule in events.list_rules()["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        if targets:
            events.remove_targets(Rule=rule["Name"], Ids=[each["Id"] for each in targets])
        events.delete_rule(Name=rule["Name"])
    for topic in client("sns").list_topics()["Topics"]:
        client("sns").delete_topic(TopicArn=topic["TopicArn"])
    return client


def attributes(aws: Any, queue: str) -> Any:
    sqs = aws("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def received(aws: Any, number: int) -> list[Any]:
    """Return the queue's bodies once there are so many."""
    found: list[Any] = []
    sqs, end = aws("sqs"), time.monotonic() + 20
    url = sqs.get_queue_url(QueueName="ses-relay-feedback")["QueueUrl"]
    while len(found) < number and time.monotonic() < end:
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        found += [json.loads(each["Body"]) for each in answer.get("Messages", ())]
    assert len(found) == number, found
    return found


def send(running: AtSes, to: str, configuration_set: str) -> None:
    running.client("ses").send_raw_email(
        Source="ann@example.com",
        Destinations=[to],
        RawMessage={"Data": MESSAGE},
        ConfigurationSetName=configuration_set,
    )


def destinations(running: AtSes, name: str = "ses-relay-billing") -> Any:
    ses = validated(running.client())
    return ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]


def test_the_plan_names_every_part_and_changes_nothing(run, aws, running):
    result = run(*COMMAND)

    assert result.exit_code == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == f"Feedback about the mail of billing, in account {ACCOUNT}, region {REGION}:"
    assert "SNS topic ses-relay-billing only SES may publish, only for ses-relay-billing" in lines
    assert f'queue_url = "https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/ses-relay-feedback"' in lines
    assert 'configuration_set = "ses-relay-billing"' in lines
    assert "Nothing was changed. --yes sets it up; --cloudformation prints it as a template." in lines
    assert aws("sqs").list_queues().get("QueueUrls") is None
    assert running.client().list_configuration_sets()["ConfigurationSets"] == []


def test_by_sns_an_event_that_ses_publishes_is_in_the_queue(run, aws, running):
    result = run(*COMMAND, "--yes", "--json")

    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:ses-relay-billing"
    assert told["queue_url"].endswith(f"/{ACCOUNT}/ses-relay-feedback")
    [destination] = destinations(running)
    assert (destination["Enabled"], destination["SnsDestination"]) == (True, {"TopicArn": topic})
    assert set(destination["MatchingEventTypes"]) >= {"BOUNCE", "COMPLAINT", "DELIVERY", "REJECT"}
    queue = attributes(aws, "ses-relay-feedback")
    [sender] = json.loads(queue["Policy"])["Statement"]
    assert sender["Principal"] == {"Service": "sns.amazonaws.com"}
    assert (sender["Action"], sender["Condition"]) == ("sqs:SendMessage", {"ArnEquals": {"aws:SourceArn": topic}})
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:ses-relay-feedback-dead",
        "maxReceiveCount": 5,
    }
    assert (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]) == ("1209600", "true")
    policy = json.loads(aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    assert policy["Statement"][-1]["Condition"]["StringEquals"] == {
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/ses-relay-billing",
    }

    send(running, "bounce@simulator.amazonses.com", "ses-relay-billing")
    assert [each["eventType"] for each in received(aws, 2)] == ["Send", "Bounce"]


def test_by_eventbridge_only_events_of_the_configuration_set_are_in_the_queue(run, aws, running):
    result = run(*COMMAND, "--via", "eventbridge", "--event", "bounce", "--yes")

    assert result.exit_code == 0, result.stderr
    [destination] = destinations(running)
    assert destination["MatchingEventTypes"] == ["BOUNCE"]
    assert destination["EventBridgeDestination"]["EventBusArn"].endswith(":event-bus/default")
    run("delegate", "feedback", "newsletter", *COMMAND[3:], "--via", "eventbridge", "--queue", "other", "--yes")
    send(running, "bounce@simulator.amazonses.com", "ses-relay-newsletter")
    send(running, "bounce@simulator.amazonses.com", "ses-relay-billing")
    [event] = received(aws, 1)
    assert (event["source"], event["detail"]["eventType"]) == ("aws.ses", "Bounce")
    assert event["detail"]["mail"]["tags"]["ses:configuration-set"] == ["ses-relay-billing"]


def test_a_second_time_changes_nothing_and_a_second_delegate_shares_the_queue(run, aws, running):
    run(*COMMAND, "--yes")
    before = attributes(aws, "ses-relay-feedback")
    again = run(*COMMAND, "--yes")
    assert attributes(aws, "ses-relay-feedback")["Policy"] == before["Policy"]

    second = run("delegate", "feedback", "newsletter", "-c", "house.toml", "--yes")

    assert (again.exit_code, second.exit_code) == (0, 0)
    assert "queue ses-relay-feedback is there\n" in again.stderr
    assert "configuration set ses-relay-billing is there\n" in again.stderr
    statements = json.loads(attributes(aws, "ses-relay-feedback")["Policy"])["Statement"]
    assert [each["Condition"]["ArnEquals"]["aws:SourceArn"].rpartition(":")[2] for each in statements] == [
        "ses-relay-billing",
        "ses-relay-newsletter",
    ]
    assert len(destinations(running)) == len(destinations(running, "ses-relay-newsletter")) == 1


def test_what_somebody_changed_is_mended(run, aws, running):
    """Events that were switched off are published again; a queue's own attributes are its owner's."""
    run(*COMMAND, "--yes")
    url = aws("sqs").get_queue_url(QueueName="ses-relay-feedback")["QueueUrl"]
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    place = {"SnsDestination": {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:other"}}
    running.client().update_configuration_set_event_destination(
        ConfigurationSetName="ses-relay-billing",
        EventDestinationName="ses-relay-billing",
        EventDestination={"Enabled": False, "MatchingEventTypes": ["SEND"], **place},
    )

    assert run(*COMMAND, "--yes").exit_code == 0

    assert destinations(running)[0]["Enabled"] is True
    assert attributes(aws, "ses-relay-feedback")["VisibilityTimeout"] == "7"


def test_credentials_of_another_account_set_up_nothing(aws, running):
    """Whose they are is asked before the first queue is made."""
    known = Accounts(endpoint_url=running.door.url, pace=AtOnce(), new_session=lambda: SESSION)
    path = FeedbackPath("999999999999", REGION, "set", "name", "queue")

    with pytest.raises(Refused, match="WrongAccount"):
        Setup(known, path, print).run()
    assert aws("sqs").list_queues().get("QueueUrls") is None


def test_what_aws_says_no_to_leaves_what_stands(run, aws, running):
    running.fails("CreateConfigurationSet", code="AccessDenied", message="not allowed", status=403, times=1)

    result = run(*COMMAND, "--yes")

    assert result.exit_code == 1
    assert "made queue ses-relay-feedback\n" in result.stderr
    assert "AccessDeniedException: not allowed" in result.stderr
    assert run(*COMMAND, "--yes").exit_code == 0


@pytest.mark.parametrize("via", ["sns", "eventbridge"])
@pytest.mark.parametrize("shared", [(), ("--shared-queue",)], ids=["own queue", "shared queue"])
def test_the_template_has_nothing_that_cfn_lint_minds(run, config, via, shared):
    """It is printed without asking anybody; an independent reader knows every resource and property of it."""
    cfnlint = import_module("cfnlint.api")  # a second to import, and without types

    result = run(*COMMAND, "--cloudformation", "--via", via, *shared)

    assert result.exit_code == 0, result.stderr
    assert [str(match) for match in cfnlint.lint(result.stdout, regions=[REGION])] == []
    resources = json.loads(result.stdout)["Resources"]
    assert ("Queue" in resources) == (not shared)
    spoilt = result.stdout.replace('"MatchingEventTypes"', '"EventTypes"')
    assert cfnlint.lint(spoilt, regions=[REGION]) != []


def test_a_delegate_with_a_role_has_it_in_its_own_account(run, aws, config, house, monkeypatch):
    """The relay is a stranger there: the role makes everything."""
    role, trusting = f"arn:aws:iam::{ACCOUNT}:role/billing", "888888888888"
    relay = Key("AKIASTRANGER", "relay-secret", f"arn:aws:iam::{trusting}:user/relay")
    own = boto3.session.Session(relay.id, relay.secret)
    monkeypatch.setattr(boto3, "Session", lambda **given: boto3.session.Session(**given) if given else own)
    with house.running(LocalSes((relay,), roles=(Role(role, (trusting,), "tea"),))) as door:
        text = config.read_text().replace(
            'principal = "arn:aws:iam::111111111111:user/billing"', f'role_arn = "{role}"'
        )
        text = text.replace("role_arn", 'external_id = "tea"\nrole_arn', 1)
        config.write_text(re.sub("endpoint_url = .*", f'endpoint_url = "{door.url}"', text))

        plan, result = run(*COMMAND), run(*COMMAND, "--yes", "--json")

        assert f"in account {ACCOUNT}, region {REGION}" in plan.stdout, plan.stderr
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["account"] == ACCOUNT
        session = boto3.client("sts", REGION, endpoint_url=door.url, **keys(relay)).assume_role(
            RoleArn=role, RoleSessionName="test", ExternalId="tea"
        )["Credentials"]
        ses = door.client("sesv2", session["AccessKeyId"], session["SecretAccessKey"], token=session["SessionToken"])
        assert ses.list_configuration_sets()["ConfigurationSets"] == ["ses-relay-billing"]
        assert door.client("sesv2", relay.id, relay.secret).list_configuration_sets()["ConfigurationSets"] == []


def keys(key: Key) -> dict[str, str]:
    return {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["delegate", "feedback", "nobody"],
            "no delegate is named nobody; there are: billing, intern, newsletter, self",
        ),
        ([*COMMAND[:3], "--queue", "a.fifo"], "--queue: 1 to 75 letters, digits, - and _"),
        ([*COMMAND[:3], "--configuration-set", "a b"], "--configuration-set: a b: give 1 to 64 letters"),
        ([*COMMAND[:3], "--cloudformation", "--yes"], "--yes sets it up by API"),
        ([*COMMAND[:3], "--shared-queue"], "--shared-queue goes with --cloudformation"),
    ],
)
def test_wrong_usage_is_told_before_anybody_is_asked(run, config, words, said):
    result = run(*words, "-c", config)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_name_that_is_too_long_for_aws_is_told(run, config):
    config.write_text(config.read_text().replace('"billing"', f'"{"b" * 55}"'))

    result = run("delegate", "feedback", "b" * 55, "-c", config)

    assert (result.exit_code, "has 65 letters, and AWS takes 64" in result.stderr) == (2, True)


def test_the_region_is_that_of_the_delegates_identities(run, config):
    arns = [f"arn:aws:ses:{region}:888888888888:identity/example.com" for region in ("eu-west-1", "eu-west-2")]
    plain = config.read_text()
    config.write_text(plain.replace('name = "billing"', f'name = "billing"\ndefault_source_arn = "{arns[0]}"'))
    one = json.loads(run(*COMMAND, "--cloudformation").stdout)
    config.write_text(plain.replace('name = "billing"', f'name = "billing"\nallow_source_arns = {json.dumps(arns)}'))
    several = run(*COMMAND, "--cloudformation")

    assert one["Outputs"]["ConfigurationSet"]["Value"] == "ses-relay-billing"
    assert "which region? Give --region, once for each: eu-west-1, eu-west-2" in several.stderr


def test_a_statement_goes_in_the_place_of_that_of_its_sid():
    old = json.dumps({"Version": "2012-10-17", "Statement": {"Sid": "a", "Effect": "Deny"}})

    assert json.loads(merged(old, {"Sid": "b"}))["Statement"] == [{"Sid": "a", "Effect": "Deny"}, {"Sid": "b"}]
    assert json.loads(merged(old, {"Sid": "a"}))["Statement"] == [{"Sid": "a"}]
    assert json.loads(merged("", {"Sid": "a"}))["Statement"] == [{"Sid": "a"}]
