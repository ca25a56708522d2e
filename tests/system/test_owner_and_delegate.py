"""The sending authorization process from end to end: an owner with AWS's own clients, a delegate through the relay."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.system.conftest import Demo
from tests.system.houses import House
from tests.system.relays import RunningRelay, started_ses

pytestmark = pytest.mark.system

ARN = "arn:aws:ses:us-east-1:888888888888:identity/example.com"
BILLING = "arn:aws:iam::111111111111:user/billing"


def owner(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIADEMOOWNER0000000",
        aws_secret_access_key="demo-owner-secret",
        config=Config(retries={"total_max_attempts": 1}),
    )


def policy(principal: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "ses:SendRawEmail",
        "Resource": ARN,
        "Condition": {"StringEquals": {"ses:FromAddress": "billing@example.com"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def hand_over(relay: RunningRelay, author: str = "billing@example.com") -> str:
    raw = f"From: {author}\r\nTo: friend@example.net\r\nSubject: hi\r\n\r\nhello\r\n".encode()
    with relay.client("billing", "demo-billing-secret") as client:
        return client.hand_over("billing@example.com", ["friend@example.net"], raw)


def test_a_delegate_is_let_in_and_shut_out_by_what_the_owner_puts(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """Verify, put, send, conditions refuse, edit the policy, and the next message is refused."""
    state = tmp_path / "state"
    with started_ses(tmp_path, "--state", str(state)) as ses:
        v1, v2 = owner(ses.url, "ses"), owner(ses.url, "sesv2")
        v1.verify_domain_identity(Domain="example.com")
        house = House(tmp_path / "house", certificate, ses=ses.url)
        house.edit('directory = "policies"', f'directory = "{state}"')
        with house.serve() as relay:
            assert hand_over(relay).startswith("550 5.7.1")
            v1.put_identity_policy(Identity="example.com", PolicyName="billing", Policy=policy(BILLING))
            relay.wait_until(lambda: hand_over(relay).startswith("250"), "policy that counts")
            refusal = hand_over(relay, "ceo@example.com")
            v2.update_email_identity_policy(
                EmailIdentity="example.com", PolicyName="billing", Policy=policy(BILLING.replace("billing", "other"))
            )
            relay.wait_until(lambda: hand_over(relay).startswith("550 5.7.1"), "end of the delegate's right")
            v1.delete_identity_policy(Identity="example.com", PolicyName="billing")
            assert hand_over(relay).startswith("550 5.7.1")

        assert refusal.startswith("554 5.7.1")
        assert {message["source"] for message in ses.messages()} == {"billing@example.com"}


def test_the_demo_knows_its_own_identities(demo: Demo) -> None:
    """Whoever has the owner's key reads by API what stands in the folder."""
    told = owner(demo.ses.url, "sesv2").get_email_identity(EmailIdentity="example.com")

    assert sorted(told["Policies"]) == ["billing", "intern", "newsletter"]
    assert told["VerifiedForSendingStatus"] is True
