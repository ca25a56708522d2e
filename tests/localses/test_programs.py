"""Programs of others against the embedded SES: the AWS command line client, and nodemailer with its SES transport."""

import base64
import email
import email.policy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay.localses.app import LocalSes
from relay.localses.keys import DEMO_KEYS, Key
from tests.localses.running import Door, House
from tests.localses.test_sending import BILLING, DOMAIN, policy

pytestmark = pytest.mark.system
OWNER = DEMO_KEYS[0]


@pytest.fixture
def door(house: House, tmp_path: Path) -> Any:
    with house.running(LocalSes([*DEMO_KEYS, BILLING])) as door:
        yield door


class Aws:
    """The AWS command line client, whichever version there is: older ones know no AWS_ENDPOINT_URL."""

    def __init__(self, program: str, door: Door, folder: Path) -> None:
        self._start = [program, "--endpoint-url", door.url, "--region", "us-east-1", "--output", "json"]
        self._environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_PAGER": ""}

    def __call__(self, key: Key, *arguments: str) -> Any:
        """What it printed, read; or, where it was refused, the line that says why."""
        keys = {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
        ended = subprocess.run(
            [*self._start, *arguments],
            capture_output=True,
            text=True,
            env=self._environ | keys,
            timeout=50,
            check=False,
        )
        if ended.returncode:
            return ended.stderr.strip()
        return json.loads(ended.stdout or "{}")


@pytest.fixture
def aws(door: Door, tmp_path: Path, tool: Callable[[str], str]) -> Aws:
    return Aws(tool("aws"), door, tmp_path)


def test_owner_and_delegate_go_all_the_way_at_the_command_line(aws: Aws, door: Door, tmp_path: Path) -> None:
    """Verify, put a policy, hand over the ARN, send, be refused by a condition, withdraw, be refused."""
    text = tmp_path / "policy.json"
    statement = {"Action": "ses:SendEmail", "Condition": {"StringEquals": {"ses:FromAddress": "ann@example.com"}}}
    text.write_text(policy(DOMAIN, BILLING.principal, **statement))
    send = [
        "ses",
        "send-email",
        "--to",
        "bob@example.net",
        "--subject",
        "hi",
        "--text",
        "hello",
        "--source-arn",
        DOMAIN,
    ]

    created = aws(OWNER, "sesv2", "create-email-identity", "--email-identity", "example.com")
    put = ["ses", "put-identity-policy", "--identity", "example.com", "--policy-name", "billing"]
    assert aws(OWNER, *put, "--policy", f"file://{text}") == {}
    sent = aws(BILLING, *send, "--from", "ann@example.com")
    refused = aws(BILLING, *send, "--from", "ceo@example.com")
    assert aws(OWNER, "ses", "delete-identity-policy", *put[2:]) == {}
    withdrawn = aws(BILLING, *send, "--from", "ann@example.com")

    assert created["VerifiedForSendingStatus"] is True
    assert [message["id"] for message in door.messages] == [sent["MessageId"]]
    for refusal in (refused, withdrawn):
        assert refusal.endswith(
            f"(AccessDenied) when calling the SendEmail operation: User `{BILLING.principal}' is not authorized to "
            f"perform `ses:SendEmail' on resource `{DOMAIN}'"
        )


def nodemailer(door: Door, tool: Callable[[str], str], **letter: Any) -> dict[str, Any]:
    modules = Path(sys.prefix) / "node" / "node_modules"
    if not (modules / "@aws-sdk" / "client-sesv2").exists():
        tool("nodemailer")  # says who brings it, and whether that is a failure
    given = {
        "endpoint": door.url,
        "credentials": {"accessKeyId": OWNER.id, "secretAccessKey": OWNER.secret},
        "letter": {"from": "Ann <ann@example.com>", "to": "bob@example.net", "subject": "Grüße", "text": "hällo"}
        | letter,
    }
    script = Path(__file__).with_name("nodemailer_ses.cjs")
    ended = subprocess.run(
        [tool("node"), script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(modules)},
        timeout=50,
        check=True,
    )
    return dict(json.loads(ended.stdout))


def test_nodemailer_sends_by_its_own_ses_transport(door: Door, tool: Callable[[str], str]) -> None:
    """By v2 with raw content, with tags and a configuration set; what SES refuses it hears in SES's words."""
    door.client("sesv2").create_configuration_set(ConfigurationSetName="news")
    asked = {"ConfigurationSetName": "news", "EmailTags": [{"Name": "team", "Value": "mail"}]}

    told = nodemailer(door, tool, cc="carol@example.net", ses=asked)
    refused = nodemailer(door, tool, ses={"ConfigurationSetName": "none"})

    [message] = door.messages
    letter = email.message_from_bytes(base64.b64decode(message["raw_base64"]), policy=email.policy.default)
    assert message["id"] in told["messageId"]
    assert (message["configuration_set"], message["tags"]) == ("news", {"team": "mail"})
    assert message["destinations"] == ["bob@example.net", "carol@example.net"]
    assert (letter["Subject"], letter.get_content().strip()) == ("Grüße", "hällo")
    assert refused == {"name": "NotFoundException", "message": "Configuration set <none> does not exist."}
